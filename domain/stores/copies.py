"""Copies of the embedded store, made by SQLite itself: whole, whoever writes meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from urllib.parse import quote

from domain.refusals import Refusal
from domain.stores import queue
from domain.stores.sqlite import APPLICATION_ID, FORMAT, refusal

PAGES = 1_024

Progress = Callable[[int, int], None]


def back_up(source: str, target: str, progress: Progress | None = None) -> int:
    """Copy a database into a new file; its size. Raises Refusal `bad-value` where the file is there already."""
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError as error:
        hint = "Name a file that is not there yet."
        raise Refusal("bad-value", f"{target} is there already", hint, path=target) from error
    except OSError as error:
        raise queue.unwritable(error, target) from error
    try:
        _copy(source, target, progress)
    except BaseException:
        os.unlink(target)
        raise
    return os.path.getsize(target)


def check_copy(path: str) -> None:
    """Refuse what is no whole store of this version: `not-found`, `corrupt`, `newer-store`."""
    if not os.path.isfile(path):
        raise Refusal("not-found", f"there is no {path}", "`crewlog backup FILE` makes one.", path=path)
    try:
        connection = _connect(path, "ro")
        try:
            ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise refusal(error, path) from error
    if not ours or not whole:
        what = "is damaged" if ours else "holds no log"
        raise Refusal("corrupt", f"{path} {what}", "Take another backup, or another clone.", path=path)
    if version > FORMAT:
        message = f"{path} has format {version}; this crewlog knows up to {FORMAT}"
        raise Refusal("newer-store", message, "Upgrade crewlog: pip install -U crewlog", path=path)


def _copy(source: str, target: str, progress: Progress | None) -> None:
    def said(_status: int, left: int, total: int) -> None:
        if progress:
            progress(total - left, total)

    try:
        one, other = _connect(source, "ro"), _connect(target, "rw")
        try:
            one.backup(other, pages=PAGES, progress=said)
            other.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
        finally:
            one.close()
            other.close()
    except sqlite3.Error as error:
        raise refusal(error, target) from error
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode={mode}", uri=True, isolation_level=None)
