"""Files of the store: private, whole or absent, never through a symbolic link."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from domain.refusals import Refusal

SMALL_FILE = 65_536
LARGEST = 1_048_576


def read_private(path: str) -> str:
    """The text of a file, "" where there is none. Raises Refusal `unwritable`, `unsafe-store` or `too-large`."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )  # a pipe never ends
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise unwritable(error, path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        from errno import ENXIO

        os.close(descriptor)
        raise unwritable(OSError(ENXIO, ""), path)
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise too_large(path)
    return text


def is_count(text: str) -> bool:
    """True for a count as crewlog writes it down: `int` refuses thousands of digits, and takes those of all scripts."""
    return text.isascii() and text.isdigit() and len(text) < 19


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


def make_folder(path: str) -> None:
    """Make a private folder (0700); fine if it is there. Raises Refusal `unwritable`, `disk-full`."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable(error, path) from error


def make_private(path: str) -> None:
    """Let nobody but its owner read a plain file (0600); fine if it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(error, path) from error
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def write_private(path: str, text: str, *, replace: bool = True) -> None:
    """Write a whole file that only its owner may read (0600), or nothing: temporary file, flush to disk, rename.

    `replace=False` leaves a file that is there already: of several processes the first one's stays. A symlink at
    `path` is replaced, not followed. Raises Refusal `unwritable`, `disk-full`.
    """
    temporary = f"{path}.{os.urandom(6).hex()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            _put(temporary, path, replace=replace)
        finally:
            _remove(temporary)
    except OSError as error:
        raise unwritable(error, path) from error


def _put(temporary: str, path: str, *, replace: bool) -> None:
    if replace:
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        return


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def small(path: str, *, follow: bool = False) -> bytes:
    """The beginning of a plain file; nothing where there is none, or a pipe, a directory, a symlink."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    except (OSError, ValueError):
        return b""
    try:
        return os.read(descriptor, SMALL_FILE)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def line_of(path: str) -> str:
    """The text of a file of one line, "" where there is none."""
    return os.fsdecode(small(path, follow=True)).rstrip("\r\n")


def unwritable(error: OSError, path: str) -> Refusal:
    """The refusal for a file that cannot be written; its module is loaded for the answer only."""
    from domain.stores import queue

    return queue.unwritable(error, path)


def too_large(path: str) -> Refusal:
    """The refusal for a file of settings or notes that holds something else."""
    from domain.refusals import Refusal

    message = f"{path} is over {LARGEST:,} characters, where a few lines belong"
    return Refusal("too-large", message, "Look what wrote into it, and put it right.", path=path)
