"""A disk whose power can fail at any moment: SQLite writes to it through apsw, and what was not synced may be gone.

The log itself runs, with its own statements and settings; only the library below it is another one, because the
standard library's cannot be given a file system of ours. Every write, truncation, sync and deletion is noted in order, so that one
run has as many cuts as it has steps.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, SupportsIndex, cast

import apsw

SECTOR = 512
Image = dict[str, bytes]


class Step(NamedTuple):
    """What was done to a file; of `acknowledged` the name is the event's id."""

    what: Literal["write", "truncate", "sync", "delete", "acknowledged"]
    name: str
    offset: int = 0
    data: bytes = b""


class Disk(apsw.VFS):
    """Notes what is done to each file, and does it. Made once in a process and used for one run after the other."""

    def __init__(self) -> None:
        self.name = "crewlog-power-cuts"
        super().__init__(self.name, "unix")
        self.steps: list[Step] = []

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
        """Open a file as SQLite asks for it."""
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete a file; durable at once where the folder is synced."""
        super().xDelete(filename, syncdir)
        name = os.path.basename(filename)
        self.steps += [Step("delete", name), *([Step("sync", name)] if syncdir else [])]

    def acknowledged(self, event_id: str) -> None:
        """A writer was told that its event is stored."""
        self.steps.append(Step("acknowledged", event_id))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = os.path.basename(path or "")
        super().__init__("unix", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._disk.steps.append(Step("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._disk.steps.append(Step("truncate", self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._disk.steps.append(Step("sync", self._name))


# --- what is on the disk after a cut ---------------------------------------------------------------------------------


def cut(before: Mapping[str, bytes], steps: Sequence[Step], keep: float, chance: Random) -> Image:
    """The files after a power cut behind these steps: of what was not synced each sector is kept with chance `keep`."""
    synced: dict[str, int] = {step.name: place for place, step in enumerate(steps) if step.what == "sync"}
    files: dict[str, bytearray | None] = {name: bytearray(data) for name, data in before.items()}
    for place, step in enumerate(steps):
        durable = place < synced.get(step.name, -1)
        parts = [step] if durable else (part for part in _sectors(step) if chance.random() < keep)
        for part in parts:
            files[part.name] = _done(files.get(part.name), part)
    return {name: bytes(data) for name, data in files.items() if data is not None}


def _sectors(step: Step) -> Iterator[Step]:
    """The step in the parts of which a disk may have done one and not another."""
    if step.what != "write":
        yield step
        return
    begin, end = step.offset, step.offset + len(step.data)
    while begin < end:
        until = min(end, (begin // SECTOR + 1) * SECTOR)
        yield step._replace(offset=begin, data=step.data[begin - step.offset : until - step.offset])
        begin = until


def _done(file: bytearray | None, step: Step) -> bytearray | None:
    if step.what == "delete":
        return None
    content = bytearray() if file is None else file
    if step.what == "write":
        content.extend(bytes(max(0, step.offset - len(content))))
        content[step.offset : step.offset + len(step.data)] = step.data
    elif step.what == "truncate":
        del content[step.offset :]
    return content


def acknowledged(steps: Iterable[Step]) -> set[str]:
    """The events of which a writer had been told."""
    return {step.name for step in steps if step.what == "acknowledged"}


# --- apsw in the place of sqlite3 ------------------------------------------------------------------------------------


def sqlite3_on(disk: Disk, instead: Mapping[str, str]) -> SimpleNamespace:
    """What the store uses of the module sqlite3, on this disk. `instead`: other settings than those asked for."""

    def connect(database: str, timeout: float, **_: Any) -> _Connection:
        return _Connection(disk, database, timeout, instead)

    return SimpleNamespace(**{**vars(sqlite3), "connect": connect})


class _Row(tuple[Any, ...]):  # noqa: SLOT001 - a tuple with names has to keep them somewhere
    """A row whose values have names, as sqlite3.Row has it."""

    names: tuple[str, ...]

    def __getitem__(self, key: str | SupportsIndex | slice) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)


class _Cursor:
    def __init__(self, connection: _Connection) -> None:
        self._cursor = connection.inner.cursor()
        self._connection = connection

    def execute(self, statement: str, params: Sequence[Any] = ()) -> _Cursor:
        self._cursor.execute(self._connection.instead.get(statement, statement), tuple(params))
        return self

    def executemany(self, statement: str, params: Iterable[Sequence[Any]]) -> None:
        self._cursor.executemany(statement, [tuple(row) for row in params])

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return cast("list[Any]", self._cursor.fetchall())

    @property
    def lastrowid(self) -> int:
        return self._connection.inner.last_insert_rowid()

    def close(self) -> None:
        self._cursor.close(force=True)


class _Connection:
    """The part of sqlite3.Connection that the store uses."""

    row_factory: object

    def __init__(self, disk: Disk, database: str, timeout: float, instead: Mapping[str, str]) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        self.instead = instead
        self.inner = apsw.Connection(database, flags=flags, vfs=disk.name)
        self.inner.set_busy_timeout(int(timeout * 1000))
        self.inner.row_trace = _named

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    def execute(self, statement: str, params: Sequence[Any] = ()) -> _Cursor:
        return self.cursor().execute(statement, params)

    def commit(self) -> None:
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        try:
            self.inner.close(force=True)
        except apsw.IOError as error:
            # Who reads cannot lock the database for a last checkpoint: SQLite passes over that, apsw tells.
            if getattr(error, "extendedresult", 0) != apsw.SQLITE_IOERR_LOCK:
                raise


def _named(cursor: apsw.Cursor, values: tuple[Any, ...]) -> _Row:
    row = _Row(values)
    row.names = tuple(column[0] for column in cast("tuple[tuple[str, ...], ...]", cursor.get_description()))
    return row
