"""What belongs to the log itself and is kept in the transaction of every append, on any engine.

The SQL is what SQLite and PostgreSQL share; an engine gives a cursor and translates the `?`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from eventsourcing.persistence import StoredEvent

from domain.blobs import Blob
from domain.event import Event

DDL = (
    "CREATE TABLE chain (replica TEXT PRIMARY KEY, seq BIGINT NOT NULL, id TEXT NOT NULL)",
    "CREATE TABLE stream_heads (stream TEXT NOT NULL, id TEXT NOT NULL, ts TEXT NOT NULL, PRIMARY KEY (stream, id))",
    "CREATE TABLE stream_state (stream TEXT PRIMARY KEY, version BIGINT NOT NULL, state {bytes}, fold INTEGER NOT NULL)",
    "CREATE TABLE event_id (id TEXT PRIMARY KEY, position BIGINT NOT NULL UNIQUE, arrived BIGINT NOT NULL)",
    "CREATE TABLE keys (actor TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (actor, key))",
    "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, size BIGINT NOT NULL, media_type TEXT NOT NULL, data {bytes} NOT NULL)",
)


class Executes(Protocol):
    """The part of an engine's cursor that is needed here."""

    def execute(self, statement: str, params: Sequence[Any] = ...) -> Any:
        """Run a statement with `?` parameters."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> Any:
        """All rows left."""


class Link(NamedTuple):
    """The end of a replica's chain: `seq` 0 and id "" before its first event."""

    seq: int
    id: str


class Head(NamedTuple):
    """An event of a stream that no other event names as its parent."""

    id: str
    ts: str


class State(NamedTuple):
    """A stream as last folded: `version` counts its events; `data` is None before the first one."""

    version: int
    data: bytes | None
    fold: int


class Tables:
    """Reads and writes of the log's own tables, inside one transaction that holds the write lock."""

    def __init__(self, cursor: Executes, insert: Callable[[Sequence[StoredEvent]], Sequence[int]]) -> None:
        self._cursor = cursor
        self._insert = insert

    def _one(self, statement: str, *params: Any) -> Any:
        self._cursor.execute(statement, params)
        return self._cursor.fetchone()

    def chain(self, replica: str) -> Link:
        """The end of the replica's chain."""
        row = self._one("SELECT seq, id FROM chain WHERE replica = ?", replica)
        return Link(row[0], row[1]) if row else Link(0, "")

    def heads(self, stream: str) -> list[Head]:
        """The heads of the stream, oldest first."""
        self._cursor.execute("SELECT id, ts FROM stream_heads WHERE stream = ? ORDER BY ts, id", (stream,))
        return [Head(row[0], row[1]) for row in self._cursor.fetchall()]

    def state(self, stream: str) -> State:
        """The folded state of the stream."""
        row = self._one("SELECT version, state, fold FROM stream_state WHERE stream = ?", stream)
        return (
            State(row[0], bytes(row[1]) if row[1] is not None else None, row[2]) if row else State(0, None, 0)
        )

    def key(self, actor: str, key: str) -> str:
        """The id of the event that the actor's idempotency key belongs to, or ""."""
        row = self._one("SELECT id FROM keys WHERE actor = ? AND key = ?", actor, key)
        return str(row[0]) if row else ""

    def position(self, event_id: str) -> int:
        """The position of the event, or 0."""
        row = self._one("SELECT position FROM event_id WHERE id = ?", event_id)
        return int(row[0]) if row else 0

    def newest_arrival(self) -> int:
        """When the last event arrived here, in microseconds since 1970; 0 for an empty log."""
        row = self._one("SELECT arrived FROM event_id WHERE position = (SELECT MAX(position) FROM event_id)")
        return int(row[0]) if row else 0

    def put_blob(self, blob: Blob) -> None:
        """Keep the blob, unless it is here already."""
        self._cursor.execute(
            "INSERT INTO blobs (sha256, size, media_type, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (blob.sha256, len(blob.data), blob.media_type, blob.data),
        )

    def append(self, event: Event, version: int, arrived: int) -> int:
        """Store the sealed event as the `version`-th of its stream and return its position."""
        stored = StoredEvent(event.stream, version, event.type, event.line)
        position = self._insert([stored])[0]
        run = self._cursor.execute
        run("INSERT INTO event_id (id, position, arrived) VALUES (?, ?, ?)", (event.id, position, arrived))
        run("INSERT INTO keys (actor, key, id) VALUES (?, ?, ?)", (event.sender, event.key, event.id))
        run(
            "INSERT INTO chain (replica, seq, id) VALUES (?, ?, ?)"
            " ON CONFLICT (replica) DO UPDATE SET seq = excluded.seq, id = excluded.id",
            (event.replica, event.seq, event.id),
        )
        for parent in event.parents:
            run("DELETE FROM stream_heads WHERE stream = ? AND id = ?", (event.stream, parent))
        run("INSERT INTO stream_heads (stream, id, ts) VALUES (?, ?, ?)", (event.stream, event.id, event.ts))
        return position

    def add_pulse(self, pulse: Event) -> None:
        """Store the sealed pulse as the next one of its name."""
        row = self._one("SELECT max(originator_version) FROM pulses WHERE originator_id = ?", pulse.stream)
        self._insert([StoredEvent(pulse.stream, (row[0] or 0) + 1, pulse.type, pulse.line)])

    def pulses(self, stream: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Version and bytes of a name's pulses behind a version, oldest first, never the newest one."""
        self._cursor.execute(
            "SELECT originator_version, state FROM pulses WHERE originator_id = ? AND originator_version > ?"
            " AND originator_version < (SELECT max(originator_version) FROM pulses WHERE originator_id = ?)"
            " ORDER BY originator_version LIMIT ?",
            (stream, after, stream, limit),
        )
        return [(row[0], bytes(row[1])) for row in self._cursor.fetchall()]

    def delete_pulses(self, stream: str, until: int) -> None:
        """Delete a name's pulses up to and with a version."""
        statement = "DELETE FROM pulses WHERE originator_id = ? AND originator_version <= ?"
        self._cursor.execute(statement, (stream, until))

    def put_state(self, stream: str, state: State) -> None:
        """Keep the folded state of the stream."""
        self._cursor.execute(
            "INSERT INTO stream_state (stream, version, state, fold) VALUES (?, ?, ?, ?) ON CONFLICT (stream)"
            " DO UPDATE SET version = excluded.version, state = excluded.state, fold = excluded.fold",
            (stream, state.version, state.data, state.fold),
        )
