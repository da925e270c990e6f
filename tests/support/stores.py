"""Event stores to test against: each can open logs, also in other processes, and can be damaged on purpose."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from domain.commands import Command, Spawn
from domain.decide import decide, spawn
from domain.event import Event
from domain.log import IdempotencyKey as Key
from domain.log import Log, Written
from domain.stores import sqlite


class Store(Protocol):
    """What the contract needs of an event store. Picklable: other processes open the same store."""

    def open(self, replica: str = ..., *, wait: float = ..., queue: bool = ..., **options: Any) -> Log:
        """Another view of the store, as another process would have it."""
        ...

    def from_a_newer_crewlog(self) -> None:
        """Mark the store as written by a version that does not exist yet."""

    def overwrite_with_garbage(self) -> None:
        """Put something else in the store's place."""

    def remove(self) -> None:
        """Lose the store."""


@dataclass(frozen=True)
class SqliteStore:
    """The embedded store, in a folder."""

    folder: str

    @property
    def path(self) -> str:
        """The database."""
        return os.path.join(self.folder, "crewlog.db")

    @property
    def lock(self) -> str:
        """The writers' queue."""
        return os.path.join(self.folder, "queue.lock")

    def create(self) -> SqliteStore:
        """Make the store, as `init` does."""
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        log = self.open()
        log.create()
        log.close()
        return self

    def open(self, replica: str = "r-1", *, wait: float = 60.0, queue: bool = True, **options: Any) -> Log:
        """Another view of the store, as another process would have it."""
        lock = self.lock if queue else ""
        writer = sqlite.environment(self.path, lock, read_only=False, wait=wait)
        reader = sqlite.environment(self.path, lock, read_only=True, wait=wait)
        return Log(writer, reader, replica, **options)

    def plain(self) -> closing[sqlite3.Connection]:
        """A connection that knows nothing of crewlog, in autocommit mode; closed at the end of a `with`."""
        return closing(sqlite3.connect(self.path, isolation_level=None))

    def rows(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        """What SQL says, past crewlog."""
        with self.plain() as connection:
            return connection.execute(statement, params).fetchall()

    def run(self, statement: str, *params: object) -> None:
        """Change the database past crewlog."""
        self.rows(statement, *params)

    def from_a_newer_crewlog(self) -> None:
        """Mark the store as written by a version that does not exist yet."""
        self.run(f"PRAGMA user_version = {sqlite.FORMAT + 1}")

    def overwrite_with_garbage(self) -> None:
        """Put something else in the store's place."""
        self.remove()
        with open(self.path, "wb") as file:
            file.write(b"this is no database\n" * 1_000)

    def remove(self) -> None:
        """Lose the store."""
        for ending in ("", "-wal", "-shm"):
            if os.path.exists(self.path + ending):
                os.remove(self.path + ending)


def add_task(log: Log, actor: str = "zoe", key: str = "", **fields: Any) -> Written:
    """Spawn a task in a transaction of its own."""
    given: dict[str, Any] = {"actor": actor, "title": "Mend the login", "priority": 2, **fields}
    command = Spawn(**given)
    retry = Key(key, frozenset({"task.spawned"}), {}) if key else None
    with log.transaction() as transaction:
        return transaction.append(None, actor, lambda _: spawn(command), retry=retry)


def new_stream(log: Log, **fields: Any) -> str:
    """Spawn a task and return its stream."""
    return add_task(log, **fields).events[0].stream


def do(log: Log, stream: str, command: Command, key: Key | None = None) -> Written:
    """Decide and append a command in a transaction of its own."""
    return log.write(stream, command.actor, lambda seen: decide(command, seen.state), retry=key)


def claim(written: Written) -> str:
    """The claim that a `start` or a `resume` made."""
    return written.events[0].id


def all_events(log: Log) -> list[Event]:
    """Every event, in order."""
    return [stored.event for stored in everything(log.read)]


def everything(read: Callable[[int], Iterable[Any]]) -> list[Any]:
    """All that a method returns which reads behind a position, chunk by chunk."""
    found: list[Any] = []
    while chunk := list(read(found[-1].position if found else 0)):
        found += chunk
    return found


def broken_links(events: Iterable[Event]) -> list[str]:
    """What is wrong with the chains of the replicas; empty for a whole log."""
    ends: dict[str, tuple[int, str]] = {}
    wrong: list[str] = []
    for item in events:
        seq, last = ends.get(item.replica, (0, ""))
        if (item.seq, item.prev) != (seq + 1, last):
            wrong.append(f"{item.replica}: {item.seq} after {seq}, prev {item.prev[:8]} for {last[:8]}")
        ends[item.replica] = (item.seq, item.id)
    return wrong
