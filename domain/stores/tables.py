"""What belongs to the log itself and is kept in the transaction of every append, on any engine.

The SQL is what SQLite and PostgreSQL share; an engine gives a cursor and translates the `?`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from domain.blobs import Blob
from domain.event import Event
from domain.named import NamedTuple
from domain.refusals import Refusal

# Without rowids (SQLite) a table and its key are one tree, of which an append writes one page instead of two. Rows of
# some size are better off with them: a page of keys alone holds more.
DDL = (
    "CREATE TABLE chain (replica TEXT PRIMARY KEY, seq BIGINT NOT NULL, id TEXT NOT NULL){narrow}",
    (
        "CREATE TABLE stream_heads (stream TEXT NOT NULL, id TEXT NOT NULL, ts TEXT NOT NULL,"
        " PRIMARY KEY (stream, id)){narrow}"
    ),
    (
        "CREATE TABLE stream_state (stream TEXT PRIMARY KEY, version BIGINT NOT NULL, state {bytes},"
        " fold INTEGER NOT NULL, unknown BIGINT NOT NULL)"
    ),
    "CREATE TABLE event_id (id TEXT NOT NULL UNIQUE, position {position} PRIMARY KEY, arrived BIGINT NOT NULL)",
    "CREATE TABLE keys (actor TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (actor, key)){narrow}",
    "CREATE TABLE members (replica TEXT PRIMARY KEY)",
    "CREATE TABLE moved (place TEXT NOT NULL)",
    "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, size BIGINT NOT NULL, media_type TEXT NOT NULL, data {bytes} NOT NULL)",
    "CREATE TABLE pending (id TEXT PRIMARY KEY, missing TEXT NOT NULL, state {bytes} NOT NULL)",
    "CREATE INDEX pending_by_missing ON pending (missing)",
)
# How many `?` a statement gets at most: SQLite before 3.32 takes 999.
PARAMETERS = 500


# In the environment of an engine that only reads: `module:class`, which takes that environment.
READER = "CREWLOG_READER"


class Stored(NamedTuple):
    """An event as its table holds it, by the names of eventsourcing's StoredEvent, which costs its whole import."""

    originator_id: str
    originator_version: int
    topic: str
    state: bytes


class Executes(Protocol):
    """The part of an engine's cursor that is needed here."""

    def execute(self, statement: str, params: Sequence[Any] = ...) -> Any:
        """Run a statement with `?` parameters."""

    def executemany(self, statement: str, params: Sequence[Sequence[Any]]) -> Any:
        """Run a statement once for each of the parameters."""

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
    """A stream as last folded: `version` counts its events; `data` is None before the first one.

    `unknown` counts the events that this version could not read.
    """

    version: int
    data: bytes | None
    fold: int
    unknown: int = 0


_NONE = State(0, None, 0)


class Situation(NamedTuple):
    """What an append to a stream goes on from; `newest` is when the log's last event arrived, in µs, 0 for none."""

    state: State
    heads: list[Head]
    end: Link
    newest: int


# A row a head, one without where the stream has none: one statement is half the price of four.
_SITUATION = (
    "SELECT s.version, s.state, s.fold, s.unknown, h.id, h.ts, c.seq, c.id,"
    " (SELECT arrived FROM event_id WHERE position = (SELECT MAX(position) FROM event_id))"
    " FROM (SELECT 1 AS one) one_row LEFT JOIN stream_state s ON s.stream = ? LEFT JOIN stream_heads h ON h.stream = ?"
    " LEFT JOIN chain c ON c.replica = ?"
)


_STATES = "SELECT stream, version, state, fold, unknown FROM stream_state WHERE stream IN ({})"
_HEADS = "SELECT stream, id, ts FROM stream_heads WHERE stream IN ({}) ORDER BY ts, id"
_INSERT_ID = "INSERT INTO event_id (id, position, arrived) VALUES (?, ?, ?)"
_INSERT_KEY = "INSERT INTO keys (actor, key, id) VALUES (?, ?, ?)"
_PUT_CHAIN = (
    "INSERT INTO chain (replica, seq, id) VALUES (?, ?, ?) ON CONFLICT (replica)"
    " DO UPDATE SET seq = excluded.seq, id = excluded.id WHERE excluded.seq > chain.seq"
)
_INSERT_HEAD = "INSERT INTO stream_heads (stream, id, ts) VALUES (?, ?, ?)"
_MOVE_HEAD = "UPDATE stream_heads SET stream = ?, id = ?, ts = ? WHERE stream = ? AND id = ?"
_PUT_STATE = (
    "INSERT INTO stream_state (stream, version, state, fold, unknown) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (stream) DO UPDATE SET version = excluded.version, state = excluded.state,"
    " fold = excluded.fold, unknown = excluded.unknown"
)
# What an append writes, beside the event: an engine may prepare it while nobody waits.
APPENDS = (_INSERT_ID, _INSERT_KEY, _PUT_CHAIN, _MOVE_HEAD, _PUT_STATE)


class Tables:
    """Reads and writes of the log's own tables, inside one transaction that holds the write lock."""

    def __init__(
        self,
        cursor: Executes,
        insert: Callable[[Sequence[Stored]], Sequence[int]],
        now: Callable[[], int | None],
        position_column: str,
    ) -> None:
        self.cursor = cursor
        self._insert = insert
        self.now = now
        self.position_column = position_column

    def _one(self, statement: str, *params: Any) -> Any:
        self.cursor.execute(statement, params)
        return self.cursor.fetchone()

    def chain(self, replica: str) -> Link:
        """The end of the replica's chain."""
        row = self._one("SELECT seq, id FROM chain WHERE replica = ?", replica)
        return Link(row[0], row[1]) if row else Link(0, "")

    def streams(self, names: Sequence[str]) -> dict[str, tuple[State, list[Head]]]:
        """The folded state of each of these streams, and its heads, oldest first."""
        states = dict.fromkeys(names, _NONE)
        heads: dict[str, list[Head]] = {name: [] for name in names}
        for name, version, data, fold, unknown in self._of(_STATES, names):
            states[name] = State(version, bytes(data) if data is not None else None, fold, unknown)
        for name, event_id, ts in self._of(_HEADS, names):
            heads[name].append(Head(event_id, ts))
        return {name: (states[name], heads[name]) for name in states}

    def situation(self, stream: str, replica: str) -> Situation:
        """What an event of this replica in this stream goes on from; the heads oldest first."""
        self.cursor.execute(_SITUATION, (stream, stream, replica))
        rows = self.cursor.fetchall()
        version, data, fold, unknown, _, _, seq, last, newest = rows[0]
        state = State(version, bytes(data) if data is not None else None, fold, unknown) if version else _NONE
        heads = sorted((row[5], row[4]) for row in rows if row[4])
        return Situation(
            state, [Head(id_, ts) for ts, id_ in heads], Link(seq or 0, last or ""), int(newest or 0)
        )

    def lines(self, stream: str) -> list[bytes]:
        """The events of the stream, also those of this transaction, in the order in which they came."""
        self.cursor.execute(
            "SELECT state FROM stored_events WHERE originator_id = ? ORDER BY originator_version", (stream,)
        )
        return [bytes(row[0]) for row in self.cursor.fetchall()]

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of the event ids that are in the log."""
        return self._among("SELECT id FROM event_id WHERE id IN ({})", ids)

    def known_pending(self, ids: Sequence[str]) -> set[str]:
        """Those of the event ids that are here and wait for a parent."""
        return self._among("SELECT id FROM pending WHERE id IN ({})", ids)

    def _among(self, statement: str, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._of(statement, ids)}

    def _of(self, statement: str, ids: Sequence[str]) -> Iterator[Any]:
        """The rows of a statement with a `{}` for as many `?` as one can have."""
        for begin in range(0, len(ids), PARAMETERS):
            part = ids[begin : begin + PARAMETERS]
            self.cursor.execute(statement.format(", ".join("?" * len(part))), part)
            yield from self.cursor.fetchall()

    def put_pending(self, event: Event, missing: str) -> None:
        """Keep an event until this parent of it is here."""
        statement = "INSERT INTO pending (id, missing, state) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        self.cursor.execute(statement, (event.id, missing, event.line))

    def take_pending(self, parent: str) -> list[bytes]:
        """The events that waited for this parent; they wait no more."""
        self.cursor.execute("SELECT state FROM pending WHERE missing = ? ORDER BY id", (parent,))
        found = [bytes(row[0]) for row in self.cursor.fetchall()]
        if found:
            self.cursor.execute("DELETE FROM pending WHERE missing = ?", (parent,))
        return found

    def pending(self) -> int:
        """How many events wait for a parent."""
        return int(self._one("SELECT COUNT(*) FROM pending")[0])

    def key(self, actor: str, key: str) -> str:
        """The id of the event that the actor's idempotency key belongs to, or ""."""
        row = self._one("SELECT id FROM keys WHERE actor = ? AND key = ?", actor, key)
        return str(row[0]) if row else ""

    def position(self, event_id: str) -> int:
        """The position of the event, or 0."""
        row = self._one("SELECT position FROM event_id WHERE id = ?", event_id)
        return int(row[0]) if row else 0

    def newest(self) -> int:
        """When the last event arrived here, in µs since 1970; 0 for an empty log."""
        row = self._one("SELECT arrived FROM event_id WHERE position = (SELECT MAX(position) FROM event_id)")
        return int(row[0]) if row else 0

    def disown(self) -> None:
        """Forget which replicas write here."""
        self.cursor.execute("DELETE FROM members", ())

    def count(self, table: str) -> int:
        """How many rows one of the log's tables has."""
        return int(self._one(f"SELECT count(*) FROM {table}")[0])  # noqa: S608 - our own table's name

    def enrol(self, replica: str) -> None:
        """Write down that this replica writes here itself."""
        self.cursor.execute("INSERT INTO members (replica) VALUES (?) ON CONFLICT DO NOTHING", (replica,))

    def put_blob(self, blob: Blob) -> None:
        """Keep the blob, unless it is here already."""
        self.cursor.execute(
            "INSERT INTO blobs (sha256, size, media_type, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (blob.sha256, len(blob.data), blob.media_type, blob.data),
        )

    def delete_blob(self, digest: str) -> bool:
        """Delete the blob; True if it was here."""
        here = self._one("SELECT 1 FROM blobs WHERE sha256 = ?", digest) is not None
        self.cursor.execute("DELETE FROM blobs WHERE sha256 = ?", (digest,))
        return here

    def append(self, event: Event, version: int, arrived: int) -> int:
        """Store the sealed event as the `version`-th of its stream and return its position."""
        stored = Stored(event.stream, version, event.type, event.line)
        position = self._insert([stored])[0]
        run = self.cursor.execute
        run(_INSERT_ID, (event.id, position, arrived))
        run(_INSERT_KEY, (event.sender, event.key, event.id))
        self._move(event)
        return position

    def insert(self, events: Sequence[tuple[Event, int]], arrived: int) -> None:
        """Store events of other clones, each with its version in its stream, in this order.

        A key that was used here keeps its first event: another clone may have used the same one.
        """
        rows = [Stored(event.stream, version, event.type, event.line) for event, version in events]
        placed = zip(self._insert(rows), events, strict=True)
        ids = [(event.id, position, arrived) for position, (event, _) in placed]
        keys = sorted((event.sender, event.key, event.id) for event, _ in events if event.key)
        run = self.cursor.executemany
        run(_INSERT_ID, ids)
        run(f"{_INSERT_KEY} ON CONFLICT DO NOTHING", keys)

    def put_chain(self, replica: str, end: Link) -> None:
        """Move the end of a replica's chain, never back."""
        self.cursor.execute(_PUT_CHAIN, (replica, *end))

    def put_streams(self, streams: Mapping[str, tuple[State, Collection[Head]]]) -> None:
        """Replace the states and the heads of these streams."""
        run = self.cursor.executemany
        run(_PUT_STATE, [(name, *state) for name, (state, _) in streams.items()])
        run("DELETE FROM stream_heads WHERE stream = ?", [(name,) for name in streams])
        run(_INSERT_HEAD, [(name, *head) for name, (_, heads) in streams.items() for head in heads])

    def _move(self, event: Event) -> None:
        """Move the end of the replica's chain and the heads of the stream."""
        run = self.cursor.execute
        self.put_chain(event.replica, Link(event.seq, event.id))
        new = (event.stream, event.id, event.ts)
        first, *others = event.parents or ("",)
        for parent in others:
            run("DELETE FROM stream_heads WHERE stream = ? AND id = ?", (event.stream, parent))
        if first:
            run(_MOVE_HEAD, (*new, event.stream, first))
        else:
            run(_INSERT_HEAD, new)

    def add_pulse(self, pulse: Event) -> None:
        """Store the sealed pulse as the next one of its name."""
        row = self._one("SELECT max(originator_version) FROM pulses WHERE originator_id = ?", pulse.stream)
        self._insert([Stored(pulse.stream, (row[0] or 0) + 1, pulse.type, pulse.line)])

    def pulses(self, stream: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Version and bytes of a name's pulses behind a version, oldest first, never the newest one."""
        self.cursor.execute(
            "SELECT originator_version, state FROM pulses WHERE originator_id = ? AND originator_version > ?"
            " AND originator_version < (SELECT max(originator_version) FROM pulses WHERE originator_id = ?)"
            " ORDER BY originator_version LIMIT ?",
            (stream, after, stream, limit),
        )
        return [(row[0], bytes(row[1])) for row in self.cursor.fetchall()]

    def delete_pulses(self, stream: str, until: int) -> None:
        """Delete a name's pulses up to and with a version."""
        statement = "DELETE FROM pulses WHERE originator_id = ? AND originator_version <= ?"
        self.cursor.execute(statement, (stream, until))

    def put_state(self, stream: str, state: State) -> None:
        """Keep the folded state of the stream."""
        self.cursor.execute(_PUT_STATE, (stream, *state))


def moved(place: str, to: str) -> Refusal:
    """The refusal of a store that was moved: what it still holds is no longer the log."""
    import shlex

    follow = (
        f"crewlog move --to {shlex.quote(to)}" if "://" in to else f"Use it there: --store {shlex.quote(to)}"
    )
    return Refusal("moved", f"the log at {place} was moved to {to}", follow, store=place, to=to)
