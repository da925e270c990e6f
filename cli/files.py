"""Files of the store: private, whole or absent, never through a symbolic link."""

from __future__ import annotations

import os

from domain.stores.queue import unwritable


def read_private(path: str) -> str:
    """The text of a file, "" where there is none. Raises Refusal `unwritable` or `unsafe-store`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise unwritable(error, path) from error
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read()


def create_private(path: str, text: str = "") -> bool:
    """Make a file with this text; False, and nothing changed, where it is there already."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.link(temporary, path)  # unlike a rename, never replaces what another process made meanwhile
        finally:
            os.unlink(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        raise unwritable(error, path) from error
    return True


def exclude(common_dir: str, pattern: str) -> None:
    """Keep a path out of the repository's commits, for this clone only: `.git/info/exclude`."""
    path = os.path.join(common_dir, "info", "exclude")
    text = read_private(path)
    if pattern in text.split("\n"):
        return
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(("" if not text or text.endswith("\n") else "\n") + pattern + "\n")
    except OSError as error:
        raise unwritable(error, path) from error
