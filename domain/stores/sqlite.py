"""The embedded event store as a file of SQLite: how it is found, checked and read, and what its errors mean.

Plain sqlite3, since most commands only read; what writes is `domain.stores.sqlite_recorder`. `environment` is the
configuration by which `domain.log` opens either: nothing else there knows SQLite.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import RLock
from typing import Any, cast

from domain.refusals import Refusal
from domain.stores import tables
from domain.stores.tables import READER

APPLICATION_ID = 0x63726577  # "crew": `file` and doctors know the database by it
FORMAT = 1
MOVED = "the log was moved"


class Reader:
    """Reads the log; what `domain.log` opens for READER. Threads take turns."""

    position_column = "rowid"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._path = environment["CREWLOG_DATABASE"]
        self._turn = RLock()

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._environment["SQLITE_DBNAME"],
            uri=True,
            timeout=float(self._environment["SQLITE_LOCK_TIMEOUT"]),
            isolation_level=None,
            check_same_thread=False,
        )

    def select(self, statement: str, params: Sequence[Any]) -> list[Any]:
        """The rows that one statement finds."""
        with self.refusing(), self._turn:
            return self._connection.execute(statement, params).fetchall()

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """To its end all that this thread reads is of one moment."""
        with self.reading():
            yield

    @contextmanager
    def reading(self) -> Generator[tables.Executes]:
        """A cursor over one consistent snapshot."""
        with self.refusing(), self._turn:
            self._connection.execute("BEGIN")
            try:
                yield cast("tables.Executes", self._connection.cursor())
            finally:
                if self._connection.in_transaction:  # a damaged file may have ended it
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def scanning(self, statement: str) -> Generator[Iterable[Any]]:
        """The rows of a statement, read as they are asked for."""
        with self.refusing(), self._turn:
            yield self._connection.execute(statement)

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Turn SQLite's errors into refusals."""
        try:
            yield
        except sqlite3.Error as error:
            raise refusal(error, self._path) from error

    def check_format(self) -> None:
        """Refuse what is no store of ours (`corrupt`), was made by a newer crewlog (`newer-store`), or has moved."""
        with self.refusing(), self._turn:
            check_format(cast("tables.Executes", self._connection.cursor()), self._path)

    def now(self) -> None:
        """A file has no clock: the writer's is the one that counts."""

    def listen(self, *, pulses: bool) -> None:
        """A file tells nobody: who waits looks at it."""

    def close(self) -> None:
        """Close the file. A reader never checkpoints."""
        opened: sqlite3.Connection | None = self.__dict__.pop("_connection", None)
        if opened:
            opened.close()


def check_format(cursor: tables.Executes, path: str) -> None:
    """Refuse what is no store of ours (`corrupt`), was made by a newer crewlog (`newer-store`), or has moved."""
    ours = _number(cursor, "PRAGMA application_id") == APPLICATION_ID
    found = _number(cursor, "PRAGMA user_version")
    if not ours:
        raise Refusal("corrupt", f"{path} holds no log", "Look which file that is.", path=path)
    if found < 0:
        cursor.execute("SELECT place FROM moved")
        raise tables.moved(path, str(cursor.fetchone()[0]))
    if found > FORMAT:
        message = f"{path} has format {found}; this crewlog knows up to {FORMAT}"
        raise Refusal("newer-store", message, "Upgrade crewlog: pip install -U crewlog", path=path)


def _number(cursor: tables.Executes, statement: str) -> int:
    cursor.execute(statement)
    return int(cursor.fetchone()[0])


def environment(path: str, queue_path: str, *, read_only: bool, wait: float = 60.0) -> dict[str, str]:
    """The configuration that makes `InfrastructureFactory.construct` open this database.

    `wait` is how many seconds a writer waits for its turn, and then for the write lock.
    """
    mode = "ro" if read_only else "rw"
    if read_only and not os.access(os.path.dirname(path), os.W_OK) and not os.path.exists(path + "-wal"):
        mode = "ro&immutable=1"  # a WAL database needs files beside it, which nobody can make here
    return {
        "PERSISTENCE_MODULE": "domain.stores.sqlite_recorder:Factory",
        **({READER: f"{__name__}:{Reader.__name__}"} if read_only else {}),
        "SQLITE_DBNAME": f"file:{_quoted(path)}?mode={mode}",
        "SQLITE_LOCK_TIMEOUT": str(max(1, round(wait))),
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "n",
        "CREWLOG_DATABASE": path,
        "CREWLOG_QUEUE": queue_path,
        "CREWLOG_WAIT": str(wait),
    }


def _quoted(path: str) -> str:
    """The path as a URI has it: urllib would cost milliseconds at every start."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path))


_PLAIN = frozenset(b"/-._~" + b"".join(bytes(range(*ends)) for ends in (b"0:", b"A[", b"a{")))
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR)
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def refusal(error: Exception, path: str) -> Exception:
    """The refusal that an error of SQLite stands for, or the error itself where it is a bug."""
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return Refusal(
            "disk-full", f"no space left to write {path}", "Free some space and run it again.", path=path
        )
    if code == sqlite3.SQLITE_CONSTRAINT and str(cause) == MOVED:
        return Refusal(
            "moved", f"the log at {path} was moved", "`crewlog where` says where it is.", path=path
        )
    if code in _LOCKED:
        return Refusal("locked", f"{path} is locked by another process", "Run it again.", path=path)
    if code in _UNWRITABLE:
        hint = "Give yourself access to that folder; in a sandbox, allow writing to it."
        return Refusal("unwritable", f"cannot use {path}: {cause}", hint, path=path)
    if code in _CORRUPT:
        hint = "Keep the file as it is, and restore the store from a backup or another clone."
        return Refusal("corrupt", f"{path} is damaged: {cause}", hint, path=path)
    return error


def _is_full(path: str) -> bool:
    try:
        space = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < 65_536
