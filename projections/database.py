"""The files of the views: `views.db`, its lock, and who has it open.

`views.lock` is the turn of whoever writes. `views.open` is held shared by everybody who has the database open; only
who gets it exclusively may remove a damaged file. Neither lock is on the database file itself: closing a second
descriptor of that would drop SQLite's own POSIX locks.

Readers open the file read-only, so that no reader ever checkpoints: SQLite before 3.51.3 has a race between a
checkpoint and a writer, which the turn closes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

from domain.refusals import Refusal
from domain.stores import queue, wal

BUSY_SECONDS = 60.0
REMOVE_SECONDS = 5.0


class Unusable(Exception):  # noqa: N818 - an answer, not a fault: go on in memory
    """Why the views cannot be written on disk."""


_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
# A broken UNIQUE is damage too: a handler writes no row twice.
_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
# SQLITE_IOERR_SHORT_READ: the file ends where a page should be. SQLITE_READONLY, and nothing more, where there is access:
# by its header the file is of a version that may only be read.
_DAMAGED_FILE = (522, sqlite3.SQLITE_READONLY)


class Damaged(sqlite3.DatabaseError):
    """A database that can be read, and is none that was made here."""


# What is raised over a value that is not what was written, where the pages around it are whole.
STUMBLING = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
# What to catch where views are read, and to ask `is_damage` about.
TROUBLE = (sqlite3.Error, *STUMBLING)
# Of these the ones that a bug explains as well as damage does.
AMBIGUOUS = (*STUMBLING, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
# What somebody found who looked whether the views are damaged, and how long that holds for errors that are ambiguous.
MENDED, SOUND = "mended", "sound"
SOUND_SECONDS = 3600.0


def is_damage(error: Exception) -> bool:
    """True for errors that a new file may mend: damaged pages, values or text, no database at all, tables missing."""
    if not isinstance(error, sqlite3.Error):
        return isinstance(error, STUMBLING)
    code = getattr(error, "sqlite_errorcode", 0)
    said = str(error)
    if code == sqlite3.SQLITE_ERROR:
        return "no such" in said or "unsupported file format" in said
    if not code:  # said by Python: text that is none, a value of a kind that no column has, or by `Damaged`
        return "decode" in said or "binding" in said or isinstance(error, Damaged)
    return code in _DAMAGED_FILE or code & 0xFF in _DAMAGE


def is_malformed(error: Exception) -> bool:
    """True for errors that nothing but a damaged page explains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect_memory() -> sqlite3.Connection:
    """An empty database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


class Files:
    """The files of one set of views in a `.crewlog` folder."""

    def __init__(self, folder: str, name: str = "views") -> None:
        self.path = os.path.join(folder, f"{name}.db")
        self._folder = folder
        self._lock = os.path.join(folder, f"{name}.lock")
        self._users = os.path.join(folder, f"{name}.open")
        self.fresh_path = os.path.join(folder, f"{name}.new.db")
        self._finding = os.path.join(folder, f"{name}.found")
        self._user = -1

    def beside(self, name: str) -> Files:
        """Files of this name that belong to these."""
        return Files(self._folder, f"{os.path.basename(self.path).removesuffix('.db')}.{name}")

    def inode(self) -> int:
        """The inode of the database, 0 where there is none. Raises Refusal `unsafe-store` for a symbolic link."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise Unusable(str(error)) from error
        if not stat.S_ISREG(found.st_mode):
            hint = "A store holds real files only; look who put it there."
            raise Refusal("unsafe-store", f"{self.path} is not a regular file", hint, path=self.path)
        return found.st_ino

    # --- who has it open -----------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Be one of those who have the database open."""
        if self._user >= 0:
            return
        try:
            descriptor = queue.open_lock(self._users)
        except Refusal as refusal:
            raise Unusable(refusal.message) from refusal
        # Waits only while somebody removes a damaged file: microseconds.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        self._user = descriptor

    def leave(self) -> None:
        """Be none of them any more."""
        if self._user >= 0:
            os.close(self._user)
        self._user = -1

    def remove(self) -> None:
        """Remove a damaged database as soon as nobody has it open; Unusable where somebody keeps it."""
        self.leave()
        descriptor = queue.open_lock(self._users)
        try:
            _exclusively(descriptor)
            self._unlink(self.path)
        finally:
            os.close(descriptor)

    def _unlink(self, path: str) -> None:
        for suffix in ("-wal", "-shm", "-journal", ""):
            with suppress(FileNotFoundError):
                os.unlink(path + suffix)

    # --- turns ---------------------------------------------------------------------------------------------------

    @contextmanager
    def turn(self, *, wait: bool) -> Generator[bool]:
        """Hold the views' lock; yields False, at once, where `wait` is False and somebody else holds it."""
        if not os.access(self._folder, os.W_OK) or (
            os.path.exists(self.path) and not os.access(self.path, os.W_OK)
        ):
            raise Unusable(f"no write access to {self.path}")
        if wait:
            with self._usable(), queue.turn(self._lock):
                yield True
            return
        with self._usable():
            descriptor = queue.try_turn(self._lock)
        try:
            if descriptor is not None:
                with suppress(OSError):  # a courtesy to those who wait
                    os.pwrite(descriptor, f"{os.getpid():<10}\n".encode(), 0)
            with self._usable():
                yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    @contextmanager
    def _usable(self) -> Generator[None]:
        """Turn what says that nothing can be written here into Unusable."""
        try:
            yield
        except Refusal as refusal:
            if refusal.code not in ("unwritable", "disk-full"):
                raise
            raise Unusable(refusal.message) from refusal
        except OSError as error:
            if error.errno not in (
                errno.ENOSPC,
                errno.EDQUOT,
                errno.EFBIG,
                errno.EROFS,
                errno.EACCES,
                errno.EIO,
                errno.EISDIR,
                errno.EPERM,
            ):
                raise
            raise Unusable(str(error)) from error

    def sweep(self) -> None:
        """Under the lock: remove what a rebuild that was killed left behind."""
        if os.path.exists(self.fresh_path):
            self._unlink(self.fresh_path)

    # --- what was found ------------------------------------------------------------------------------------------

    def note(self, finding: str) -> None:
        """Under the lock: write down that the file was MENDED, or was SOUND though somebody had stumbled over it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):  # then somebody may look in vain once more
            descriptor = os.open(self._finding, flags, 0o600)
            os.write(descriptor, finding.encode())
            os.close(descriptor)

    def noted(self, finding: str, since: float) -> bool:
        """True if this was the last thing that was found, and not before `since` (seconds since 1970)."""
        try:
            with open(self._finding, "rb") as file:
                return file.read(10) == finding.encode() and os.fstat(file.fileno()).st_mtime >= since
        except OSError:
            return False

    # --- connections ---------------------------------------------------------------------------------------------

    def connect_reader(self) -> sqlite3.Connection:
        """A read-only connection to the file, which must be there."""
        return _connect(self.path, "ro")

    @contextmanager
    def writer(self) -> Generator[sqlite3.Connection]:
        """Under the lock: a connection that writes, closed before the lock is given back."""
        connection = _connect(self.path, "rw")
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {wal.CHECKPOINT_PAGES}")
            yield connection
            wal.shorten(connection.execute, self.path)
        finally:
            connection.close()

    @contextmanager
    def fresh(self) -> Generator[sqlite3.Connection]:
        """Under the lock: an empty temporary database at `fresh_path`, removed afterwards."""
        _create(self.fresh_path)
        connection = connect_fresh(self.fresh_path)
        try:
            yield connection
        except sqlite3.Error as error:
            raise self.refusal(error) from error
        finally:
            connection.close()
            self._unlink(self.fresh_path)

    def copy_over(self, fresh: sqlite3.Connection) -> None:
        """Under the lock: make the live file what `fresh` is, in one transaction; made where it is missing."""
        if self.inode() == 0:
            self._unlink(self.path)  # a WAL whose database was deleted must not be taken for the new one's
            _create(self.path)
        with self.writer() as live:
            if live.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                live.execute("PRAGMA journal_mode = WAL")
            fresh.backup(live)
            live.execute("PRAGMA busy_timeout = 0")
            live.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy_into(self, memory: sqlite3.Connection) -> None:
        """Copy the file into `memory` although nothing can be written here. Raises sqlite3.Error."""
        with self._quiet():
            mode = "ro" if os.path.exists(self.path + "-wal") else "ro&immutable=1"
            source = _connect(self.path, mode)
            try:
                source.backup(memory)
            finally:
                source.close()

    @contextmanager
    def _quiet(self) -> Generator[None]:
        """Keep writers away, as far as a reader can: an immutable file must really not change meanwhile."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def refusal(self, error: Exception) -> Exception:
        """What an error while writing stands for: Unusable, a Refusal, or the error itself where it is a bug."""
        from domain.stores.sqlite import refusal

        if not isinstance(error, sqlite3.Error):
            return error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _FULL:
            return Unusable(f"{self.path}: {error}")
        return refusal(error, self.path)


def connect_fresh(path: str) -> sqlite3.Connection:
    """A connection to a database that nobody needs if it is not finished."""
    connection = _connect(path, "rw")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


@contextmanager
def attached(connection: sqlite3.Connection, path: str, name: str) -> Generator[None]:
    """Another database beside the one that is open, to be read only.

    After an error it stays there: a query that failed on the way still holds it.
    """
    connection.execute(f"ATTACH ? AS {name}", (_uri(path, "ro"),))
    yield
    connection.execute(f"DETACH {name}")


def _uri(path: str, mode: str) -> str:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode={mode}"


def _connect(path: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        _uri(path, mode),
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )


def _create(path: str) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _exclusively(descriptor: int) -> None:
    deadline = time.monotonic() + REMOVE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unusable("another process keeps the damaged views open") from None
            time.sleep(0.01)
        else:
            return
