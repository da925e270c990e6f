"""The log: load, decide inside the write lock, append. The only I/O of the domain.

It writes through eventsourcing's recorders. Which engine, which file, which lock: all that is configuration, given as
the environments that `InfrastructureFactory.construct` reads; nothing here knows SQLite or PostgreSQL. Reading is plain
SQL, and an engine may have a class for it of its own: importing eventsourcing costs more than most commands.

A command is acknowledged when `transaction()` has ended: the event is then committed and synced.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol, cast

from domain import agent, event, history, journal, mail, task
from domain.blobs import MEDIA_TYPE, Blob, check_in, preview
from domain.draft import Draft
from domain.event import PARENT_LIMIT, Event, Json
from domain.history import Fold
from domain.named import NamedTuple
from domain.names import TASK_PREFIX, check_name, is_stored_address, task_id
from domain.refusals import Refusal
from domain.registry import BLOB_LIMIT, EVENT_TYPES, check_payload
from domain.stores.tables import PARAMETERS, READER, Executes, Head, Link, Situation, State, Tables

if TYPE_CHECKING:
    from eventsourcing.persistence import ApplicationRecorder

    from domain.intake import Inserted
    from domain.stores import moving

CHUNK = 1_000
MOST = 2**63 - 1

# Position, stream, number in the stream, type, bytes; id and arrival (µs) as the table of ids says them, or None.
Row = tuple[int, str, int, str, bytes, str | None, int | None]

# Stream, its version, its state as it is kept, the version of the fold that made it, how many events that did not know.
StreamState = tuple[str, int, bytes | None, int, int]

Environment = Mapping[str, str]


class Listener(Protocol):
    """What tells of commits."""

    def wait(self, timeout: float) -> bool:
        """Return True when there may be something new, False after `timeout` seconds."""
        ...


class Reads(Protocol):
    """What reads an event store; `domain.stores.sqlite.Reader` is one.

    `position_column` is what the table of events calls the position.
    """

    position_column: str

    def select(self, statement: str, params: Sequence[Any]) -> list[Any]:
        """The rows that one statement finds."""
        ...

    def reading(self) -> AbstractContextManager[Executes]:
        """A snapshot."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """One moment for all that is read in it."""
        ...

    def scanning(self, statement: str) -> AbstractContextManager[Iterable[Any]]:
        """The rows of a statement, read as they are asked for: meanwhile nothing else can be read."""
        ...

    def now(self) -> int | None:
        """The engine's own clock in µs, None where it has none but the writer's."""
        ...

    def listen(self, *, pulses: bool) -> Listener | None:
        """What tells of commits, None where one looks at the files."""
        ...

    def check_format(self) -> None:
        """Refuse a store that is newer or not ours."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Engine(Protocol):
    """What writes an event store; `domain.stores.sqlite_recorder.Factory` is one."""

    def turn(self) -> AbstractContextManager[None]:
        """The writers' queue."""
        ...

    def writing(self, recorder: Any) -> AbstractContextManager[Tables]:
        """A transaction under the write lock."""
        ...

    def widen(self) -> None:
        """Many transactions are to come over this connection: take more memory, and tidy up less often."""
        ...

    def tidy(self) -> None:
        """What is to be done before the connections are closed, in the queue."""
        ...

    def sound(self) -> bool:
        """True if the writer's connection can be used after a transaction that failed."""
        ...

    def application_recorder(self) -> ApplicationRecorder:
        """The recorder of the main log."""
        ...

    def pulse_recorder(self) -> ApplicationRecorder:
        """The recorder of the pulses."""
        ...

    def create(self) -> None:
        """Make the tables."""
        ...

    def seal(self, written: Tables, place: str) -> None:
        """End the store, in the transaction that `written` belongs to: the log is at `place` now."""
        ...

    def check_format(self) -> None:
        """Refuse a store that is newer or not ours."""
        ...

    def close(self) -> None:
        """Close the connections; what is used after that opens them anew."""
        ...


FOLDS: dict[str, Fold] = {
    "task": cast("Fold", task),
    "agent": cast("Fold", agent),
    "mail": cast("Fold", mail),
    "log": cast("Fold", journal),
}


class Seen(NamedTuple):
    """What `decide` gets to see: the true state of the stream, inside the write lock."""

    stream: str
    state: Any
    version: int
    history: Callable[[], list[Event]]


Decide = Callable[[Seen], Sequence[Draft]]


class Written(NamedTuple):
    """What a command came to. `events` is empty for nothing to do; `replayed`: an earlier command had this key."""

    events: tuple[Event, ...]
    state: Any
    replayed: bool = False


class Line(NamedTuple):
    """An event as it is stored: its position, its stream and the number in it, its type, its bytes without newline."""

    id: int
    stream: str
    version: int
    type: str
    state: bytes


class Stored(NamedTuple):
    """An event with its place in this store: `position` in the log, `version` in its stream, arrival in µs."""

    position: int
    version: int
    arrived: int
    event: Event


class KeptHead(NamedTuple):
    """A head of a stream and its event's time, as they are kept.

    `line`: the event's bytes, b"" where a text is stored for them, None where there is no event.
    """

    id: str
    ts: str
    line: bytes | None


class IdempotencyKey(NamedTuple):
    """Which earlier event an idempotency key may answer with: of these types, with these payload fields."""

    key: str
    types: frozenset[str]
    fields: Json

    def matches(self, stream: str | None, first: Event) -> bool:
        """True if the first event is what the repeated command would have written."""
        same_stream = stream is None or first.stream == stream
        same_fields = all(first.payload.get(name) == value for name, value in self.fields.items())
        return same_stream and same_fields and (not self.types or first.type in self.types)


class Log:
    """One store, as this process sees it. `keep_open` saves long-lived writers the cost of opening each time."""

    def __init__(
        self,
        writer: Environment,
        reader: Environment,
        replica: str,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        entropy: Callable[[int], bytes] = os.urandom,
        session: str = "",
        find_session: Callable[[], str] | None = None,
        blob_limit: int = BLOB_LIMIT,
        keep_open: bool = False,
        before_writing: Callable[[Log], None] | None = None,
    ) -> None:
        """`find_session` says before the first write what `session` is, where that costs more than a read should.

        `before_writing` is called once, in the writers' queue, before the first write; it may set `replica`.
        """
        self.environments = {"writer": dict(writer), "reader": dict(reader)}
        self._engines: dict[str, Any] = {}
        self._known: set[str] = set()
        self._turns = 0
        self._at_length = False
        self.replica = replica
        self.clock = clock
        self.entropy = entropy
        self.session = session
        self._find_session = find_session
        self.blob_limit = blob_limit
        self.keep_open = keep_open
        self._before_writing = before_writing

    def create(self) -> None:
        """Make the tables of a new store; harmless on one that exists."""
        engine: Engine = self._open("writer")
        with engine.turn():
            engine.create()
            self._close("writer")

    def close(self) -> None:
        """Close all connections. The writer's is closed in the queue (a checkpoint may happen there)."""
        try:
            if (
                "writer" in self._known
            ):  # else it has no connection, and needs no turn that others may hold for long
                with self.turn():
                    self._finish_writing()
        finally:
            self._close("writer")
            self._close("reader")

    def _open(self, role: str) -> Any:
        if role not in self._engines:
            self._engines[role] = _construct(self.environments[role])
        return self._engines[role]

    def _checked(self, role: str) -> Any:
        engine = self._open(role)
        if role not in self._known:
            engine.check_format()
            self._known.add(role)
            if role == "writer" and self._at_length:
                engine.widen()
        return engine

    def _reader(self) -> Reads:
        reader: Reads = self._checked("reader")
        return reader

    def _writer(self) -> Engine:
        """The engine to write with. The reader is opened first and outlives it.

        An engine that is closed as the last one on a store may tidy up, which costs more than the append itself.
        """
        self._checked("reader")
        writer: Engine = self._checked("writer")
        return writer

    def _close(self, role: str) -> None:
        engine = self._engines.get(role)
        self._known.discard(role)
        if engine:
            engine.close()

    @contextmanager
    def turn(self) -> Generator[None]:
        """Hold the writers' queue over several transactions, or take it for one."""
        if self._turns:
            yield
            return
        if self._find_session:  # before the queue: nobody has to wait for it
            self.session, self._find_session = self._find_session(), None
        try:
            with (
                self._writer().turn()
            ):  # opened before the queue, where it makes nobody wait, and closed in it
                self._turns += 1
                try:
                    self._prepare()
                    yield
                finally:
                    self._turns -= 1
                    if not self.keep_open:
                        self._finish_writing()
        finally:
            if not self.keep_open:
                self._close("writer")  # whoever waited in vain has it open still

    def _finish_writing(self) -> None:
        """Close the writer's connection, in the queue."""
        writer: Engine | None = self._engines.get("writer")
        if writer:
            writer.tidy()
        self._close("writer")

    @contextmanager
    def at_length(self) -> Generator[None]:
        """For many transactions in a row: the connections stay open between them. Others may write in between."""
        before = self.keep_open, self._at_length
        self.keep_open = self._at_length = True
        try:
            yield
        finally:
            self.keep_open, self._at_length = before
            if not self.keep_open and "writer" in self._known:
                with suppress(Refusal):  # no turn: everything is committed, and the next writer tidies up
                    self.settle()

    def settle(self) -> None:
        """Do what the first write would do first (`before_writing`), although nothing may be written."""
        with self.turn():
            pass

    def _prepare(self) -> None:
        prepare, self._before_writing = self._before_writing, None
        if prepare:
            prepare(self)

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """All appends inside commit together, or not at all."""
        with self.turn(), self._committing(self._writer().application_recorder()) as tables:
            yield Transaction(self, tables)

    @contextmanager
    def locked(self) -> Generator[Tables]:
        """The log's own tables, under the write lock; what is done to them is committed at the end."""
        with self.turn(), self._committing(self._writer().application_recorder()) as tables:
            yield tables

    def disown(self) -> None:
        """What was recorded here so far is another store's from now on: this one is a copy."""
        with self.locked() as tables:
            tables.disown()

    def move_to(self, other: Log, place: str, step: moving.Step | None = None) -> None:
        """Copy everything into the empty store `other` and compare; this one then only says that the log is at `place`.

        Harmless to repeat where it was interrupted. Raises Refusal `corrupt` where `other` holds anything else.
        """
        from domain.stores import moving

        with self.locked() as source:
            with other.locked() as target:
                if not target.count("stored_events"):
                    moving.copy(source, target, step)
                moving.compare(source, target)
            self._open("writer").seal(source, place)

    @contextmanager
    def _committing(self, recorder: ApplicationRecorder) -> Generator[Tables]:
        engine: Engine = self._open("writer")
        try:
            with engine.writing(recorder) as tables:
                yield tables
        except BaseException:
            if not engine.sound():
                self._close("writer")  # never go on with a connection that a failed commit left behind
            raise

    def write(
        self,
        stream: str,
        actor: str,
        decide: Decide,
        *,
        retry: IdempotencyKey | None = None,
        session: str | None = None,
    ) -> Written:
        """Decide and append in a transaction of its own."""
        with self.transaction() as transaction:
            return transaction.append(stream, actor, decide, retry=retry, session=session)

    def now(self) -> int:
        """The time that arrivals and pulses are in: the server's where there is one, else this machine's; in µs."""
        return self._reader().now() or self.clock()

    def listen(self, *, pulses: bool = False) -> Listener | None:
        """What tells of new events (or pulses), None for a store whose files one can look at."""
        reader: Reads = self._open("reader")
        return reader.listen(pulses=pulses)

    def members(self) -> frozenset[str]:
        """The replicas that write into this very store, and not into another clone of it."""
        return frozenset({self.replica, *(row[0] for row in self._select("SELECT replica FROM members", ()))})

    def pulse(self, actor: str, payload: Json) -> Event:
        """Append a sign of life to the pulses. Its time is that of its turn, not of the waiting before it."""
        check_payload("agent.pulse", payload, {})
        with self.turn():
            engine = self._writer()
            with self._committing(engine.pulse_recorder()) as tables:
                sealed = self._seal_pulse(actor, payload, tables.now() or self.clock())
                tables.add_pulse(sealed)
        return sealed

    def _seal_pulse(self, actor: str, payload: Json, now: int) -> Event:
        return event.seal(
            {
                "v": event.VERSION,
                "ts": event.format_time(now),
                "from": check_name(actor),
                "to": EVENT_TYPES["agent.pulse"].to,
                "type": "agent.pulse",
                "stream": f"pulse/{actor}",
                "payload": payload,
                "key": self.entropy(8).hex(),
                "replica": self.replica,
                **({"session": self.session} if self.session else {}),
            }
        )

    def prune(self, before: int, actor: str) -> list[Written]:
        """Delete the pulses from before a time (µs), but the newest of each name; what was written down of each name.

        The only delete there is. Each name in a transaction of its own with its `log.pruned`: a long history does not
        keep the others from writing.
        """
        pruned: list[Written] = []
        for (stream,) in self._select("SELECT DISTINCT originator_id FROM pulses ORDER BY originator_id", ()):
            with self.transaction() as transaction:
                pruned += transaction.prune(stream, before, actor)
        return pruned

    def pulses(self, after: int, limit: int = CHUNK) -> list[Stored]:
        """The pulses behind a position, in order."""
        return [_stored(row, 0) for row in self._behind("pulses", after, limit)]

    def pulses_of(self, name: str) -> Generator[Event]:
        """The pulses of one name, the newest first, read as they are asked for."""
        below, limit = MOST, 1
        statement = (
            "SELECT originator_version, state FROM pulses WHERE originator_id = ? AND originator_version < ?"
            " ORDER BY originator_version DESC LIMIT ?"
        )
        while rows := self._select(statement, (f"pulse/{name}", below, limit)):
            for _, state in rows:
                yield event.parse(bytes(state))
            below, limit = rows[-1][0], CHUNK

    def newest_pulse(self) -> int:
        """The position of the newest pulse, 0 where there is none."""
        return self._newest("pulses")

    def position(self) -> int:
        """The position of the newest event, 0 for an empty log."""
        return self._newest("stored_events")

    def _newest(self, table: str) -> int:
        column = self._reader().position_column
        return int(self._select(f"SELECT MAX({column}) FROM {table}", ())[0][0] or 0)  # noqa: S608 - our own names

    def lines(self, after: int, limit: int = CHUNK) -> Sequence[Line]:
        """The events behind a position as they are stored."""
        return self._behind("stored_events", after, limit)

    def _behind(self, table: str, after: int, limit: int) -> list[Line]:
        column = self._reader().position_column
        statement = (
            f"SELECT {column}, originator_id, originator_version, topic, state FROM {table}"  # noqa: S608 - our own names
            f" WHERE {column} > ? ORDER BY {column} LIMIT ?"
        )
        rows = self._select(statement, (after, limit))
        return [Line(row[0], row[1], row[2], row[3], _bytes(row[4])) for row in rows]

    def rows(self, after: int, limit: int = CHUNK) -> list[Row]:
        """The events behind a position as they are stored, with what the table of ids says of them."""
        statement = (
            "SELECT s.{0}, s.originator_id, s.originator_version, s.topic, s.state, e.id, e.arrived"
            " FROM stored_events s LEFT JOIN event_id e ON e.position = s.{0}"
            " WHERE s.{0} > ? ORDER BY s.{0} LIMIT ?"
        )
        column = self._reader().position_column
        return self._select(statement.format(column), (after, limit))

    def read(self, after: int, limit: int = CHUNK, *, timed: bool = True) -> list[Stored]:
        """The events behind a position, with their arrival, or 0 for it where nobody needs to know (`timed` False)."""
        statement = (
            "SELECT s.{0}, s.originator_version, e.arrived, s.state"
            " FROM stored_events s LEFT JOIN event_id e ON e.position = s.{0}"
            " WHERE s.{0} > ? ORDER BY s.{0} LIMIT ?"
        )
        if not timed:
            statement = "SELECT {0}, originator_version, 0, state FROM stored_events WHERE {0} > ? ORDER BY {0} LIMIT ?"
        column = self._checked("reader").position_column
        rows = self._select(statement.format(column), (after, limit))
        parse = event.parse
        return [
            tuple.__new__(Stored, (position, version, arrived or 0, parse(bytes(line))))
            for position, version, arrived, line in rows
        ]

    def stream(self, stream: str, after: int = 0) -> list[Event]:
        """The events of one stream, in the order in which they came, behind a version."""
        statement = (
            "SELECT state FROM stored_events WHERE originator_id = ? AND originator_version > ?"
            " ORDER BY originator_version"
        )
        return [event.parse(bytes(row[0])) for row in self._select(statement, (stream, after))]

    def stream_until(self, stream: str, position: int) -> list[Event]:
        """The events of one stream that stand in the log up to a position."""
        events = self.stream(stream)
        there = self.positions([item.id for item in events])
        return [item for item in events if there.get(item.id, position + 1) <= position]

    def positions(self, ids: Sequence[str]) -> dict[str, int]:
        """The positions of those of the events that are here."""
        return dict(self._select_among("SELECT id, position FROM event_id WHERE id IN ({})", ids))

    def history(self, stream: str) -> history.History:
        """A stream in the one order in which every clone folds it, and what became of each of its events."""
        return history.fold(FOLDS[stream.partition("/")[0]], self.stream(stream))

    def state(self, stream: str) -> Any:
        """The folded state of a stream, or None where it has no event."""
        kind = FOLDS[stream.partition("/")[0]]
        rows = self._select("SELECT state, fold FROM stream_state WHERE stream = ?", (stream,))
        if rows and rows[0][1] == kind.FOLD:
            return kind.load(bytes(rows[0][0])) if rows[0][0] is not None else None
        return history.fold(kind, self.stream(stream)).state

    def find(self, prefix: str, limit: int = 20) -> list[str]:
        """The event ids that begin with the prefix (hex)."""
        statement = "SELECT id FROM event_id WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        return [str(row[0]) for row in self._select(statement, (prefix, prefix + "g", limit))]

    def position_at(self, moment: int) -> int:
        """The position of the last event that had arrived by a time (µs); 0 before the first one."""
        rows = self._select("SELECT MAX(position) FROM event_id WHERE arrived <= ?", (moment,))
        return int(rows[0][0] or 0)

    def position_of(self, event_id: str) -> int:
        """The position of an event, 0 for one that is not here."""
        rows = self._select("SELECT position FROM event_id WHERE id = ?", (event_id,))
        return int(rows[0][0]) if rows else 0

    def event(self, event_id: str) -> Event | None:
        """The event with this whole id."""
        position = self.position_of(event_id)
        return event.parse(self.lines(position - 1, 1)[0].state) if position else None

    def pending(self) -> int:
        """How many events wait for a parent that is not here."""
        return int(self._select("SELECT COUNT(*) FROM pending", ())[0][0])

    def refold_all(self) -> None:
        """Fold every stream anew and keep the states; the events are not touched."""
        for stream in [name for name, *_ in self.all_states()]:
            if stream.partition("/")[0] in FOLDS:
                with self.transaction() as transaction:
                    transaction.refold(stream)

    def known_pending(self, ids: Sequence[str]) -> set[str]:
        """Those of the events that wait for a parent."""
        return {
            event_id for event_id in ids if self._select("SELECT 1 FROM pending WHERE id = ?", (event_id,))
        }

    def all_heads(self) -> Generator[tuple[str, list[tuple[str, str]]]]:
        """Every stream with the ids and times of its heads, as they are kept, sorted; in bounded memory."""
        statement = "SELECT stream, id, ts FROM stream_heads ORDER BY stream, id"
        with self._checked("reader").scanning(statement) as rows:
            for stream, heads in groupby(rows, itemgetter(0)):
                yield stream, [(event_id, ts) for _, event_id, ts in heads]

    def heads_beside_events(self, streams: Sequence[str]) -> Generator[tuple[str, list[KeptHead]]]:
        """The heads of these streams, as they are kept, sorted, each with its event."""
        statement = (
            "SELECT h.stream, h.id, h.ts, s.state FROM stream_heads h LEFT JOIN event_id e ON e.id = h.id"
            " LEFT JOIN stored_events s ON s.{} = e.position WHERE h.stream IN ({{}}) ORDER BY h.stream, h.id"
        )
        statement = statement.format(self._checked("reader").position_column)
        for stream, rows in groupby(self._select_among(statement, streams), itemgetter(0)):
            heads = [
                KeptHead(event_id, ts, b"" if isinstance(line, str) else line and bytes(line))
                for _, event_id, ts, line in rows
            ]
            yield stream, heads

    def all_states(self) -> Generator[StreamState]:
        """Every stream with its version, its state as it is kept, and what is known of the fold that made it."""
        stream = ""
        while rows := self._select(
            "SELECT stream, version, state, fold, unknown FROM stream_state WHERE stream > ? ORDER BY stream LIMIT ?",
            (stream, CHUNK),
        ):
            for name, version, data, fold, unknown in rows:
                # A text was put there by hand, and is no state whatever it says.
                kept = None if data is None else b"" if isinstance(data, str) else bytes(data)
                yield name, version, kept, fold, unknown
            stream = rows[-1][0]

    def all_streams(
        self, known: Callable[[StreamState], bool] = lambda _: False
    ) -> Generator[tuple[StreamState, list[Event] | None]]:
        """Every stream as `all_states` has it, with its events in the order in which they came; many a query.

        Those that are `known` are left out. None for the events of a stream in which somebody changed bytes, so that they
        are no events any more.
        """
        batch: list[StreamState] = []
        size = 0
        for row in self.all_states():
            if known(row):
                continue
            batch.append(row)
            size += row[1]
            if size >= CHUNK or len(batch) == PARAMETERS:
                yield from self._with_events(batch)
                batch, size = [], 0
        yield from self._with_events(batch)

    def _with_events(self, batch: Sequence[StreamState]) -> Generator[tuple[StreamState, list[Event] | None]]:
        events: dict[str, list[Event] | None] = {row[0]: [] for row in batch}
        statement = (
            "SELECT originator_id, state FROM stored_events"  # noqa: S608 - our own marks
            f" WHERE originator_id IN ({', '.join('?' * len(batch))}) ORDER BY originator_id, originator_version"
        )
        for stream, line in self._select(statement, [*events]) if batch else ():
            found = events[stream]
            if found is None:
                continue
            try:
                found.append(event.parse(bytes(line)))
            except (ValueError, TypeError, KeyError):
                events[stream] = None
        for row in batch:
            yield row, events.pop(row[0])

    def stream_count(self) -> int:
        """How many streams have events."""
        return int(self._select("SELECT COUNT(DISTINCT originator_id) FROM stored_events", ())[0][0])

    def state_hash(self) -> str:
        """sha256 over the state of every stream: equal in all clones that hold the same events."""
        digest = hashlib.sha256()
        for stream, _, data, fold, _ in self.all_states():
            kind = FOLDS.get(stream.partition("/")[0])
            if kind is None:
                continue
            if fold != kind.FOLD:
                state = self.state(stream)
                folded = kind.dump(state) if state is not None else None
            else:
                folded = data
            digest.update(stream.encode() + b"\0" + (folded or b"") + b"\n")
        return digest.hexdigest()

    def strays(self, *tables: str) -> dict[str, int]:
        """How many rows of these of the log's own tables, and of that of the ids, belong to no event."""
        absent = "SELECT COUNT(*) FROM {} t LEFT JOIN event_id e ON e.id = t.id WHERE e.id IS NULL"
        found = {name: self._select(absent.format(name), ())[0][0] for name in tables}
        numbers = "SELECT (SELECT COUNT(*) FROM event_id) - (SELECT COUNT(*) FROM stored_events)"
        return {**found, "event_id": abs(self._select(numbers, ())[0][0])}

    def keys(self, borne: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The ids of the events that these actors' idempotency keys stand for, as they are kept."""
        if not borne:
            return {}
        marks = ", ".join(["(?, ?)"] * len(borne))
        statement = f"SELECT actor, key, id FROM keys WHERE (actor, key) IN (VALUES {marks})"  # noqa: S608 - marks only
        return {
            (str(row[0]), str(row[1])): str(row[2])
            for row in self._select(statement, [text for pair in borne for text in pair])
        }

    def all_keys(self) -> Generator[tuple[str, str, str]]:
        """Every idempotency key: actor, key, and the event that it stands for; in no order, and in bounded memory."""
        with self._checked("reader").scanning("SELECT actor, key, id FROM keys") as rows:
            yield from rows

    def key_count(self) -> int:
        """How many idempotency keys are kept."""
        return int(self._select("SELECT COUNT(*) FROM keys", ())[0][0])

    def chains(self) -> dict[str, tuple[int, str]]:
        """The end of each replica's chain: number and id of its last event here."""
        rows = self._select("SELECT replica, seq, id FROM chain ORDER BY replica", ())
        return {str(row[0]): (int(row[1]), str(row[2])) for row in rows}

    def blob(self, digest: str) -> bytes:
        """The bytes of a blob, checked against their hash. Raises Refusal `not-found`, `redacted` or `corrupt`."""
        data = self.find_blob(digest)
        if data is None:
            self._check_redacted(digest)
            raise Refusal(
                "not-found", f"no blob {digest[:12]} here", "Another clone may have it.", sha256=digest
            )
        if hashlib.sha256(data).hexdigest() != digest:
            raise Refusal("corrupt", f"blob {digest[:12]} does not match its hash", sha256=digest)
        return data

    def find_blob(self, digest: str) -> bytes | None:
        """The bytes of a blob as they are kept, None where it is not here."""
        rows = self._select("SELECT data FROM blobs WHERE sha256 = ?", (digest,))
        return bytes(rows[0][0]) if rows else None

    def blobs(self) -> dict[str, int]:
        """All blobs that are kept, with their sizes."""
        rows = self._select("SELECT sha256, size FROM blobs ORDER BY sha256", ())
        return {str(row[0]): int(row[1]) for row in rows}

    def redacted(self) -> dict[str, str]:
        """The blobs that were taken out on purpose, and the event that says so."""
        found: journal.Journal | None = self.state(journal.STREAM)
        return dict(found.redacted) if found else {}

    def absent_blobs(self, digests: Sequence[str]) -> set[str]:
        """Those of the blobs that are neither here nor taken out on purpose."""
        rows = self._select_among("SELECT sha256 FROM blobs WHERE sha256 IN ({})", digests)
        return set(digests) - set(self.redacted()) - {str(row[0]) for row in rows}

    def _check_redacted(self, digest: str) -> None:
        by = self.redacted().get(digest)
        if by:
            hint = f"`crewlog log -n 1000` shows event {by[:12]}: who, when and why."
            raise Refusal("redacted", f"blob {digest[:12]} was taken out", hint, sha256=digest, event=by)

    def snapshot(self) -> AbstractContextManager[None]:
        """To its end, what this thread reads here is of one moment, however much others write."""
        return self._reader().snapshot()

    def _select(self, statement: str, params: Sequence[Any]) -> list[Any]:
        return self._reader().select(statement, params)

    def _select_among(self, statement: str, values: Sequence[str]) -> Generator[Any]:
        """The rows of a statement with a `{}` for as many `?` as one can have."""
        for begin in range(0, len(values), PARAMETERS):
            part = values[begin : begin + PARAMETERS]
            yield from self._select(statement.format(", ".join("?" * len(part))), part)


def _bytes(stored: Any) -> bytes:
    """A stored line; where somebody put a text in its place by hand, that, so that `verify` can say so."""
    return stored.encode() if isinstance(stored, str) else bytes(stored)


class Transaction:
    """Appends under the write lock."""

    def __init__(self, log: Log, tables: Tables) -> None:
        self._log = log
        self._tables = tables
        self._fresh: dict[str, Event] = {}  # appended here; no reader can see them yet

    def insert(self, events: Sequence[Event]) -> Inserted:
        """Insert what is absent of events that another clone wrote and `event.check` let pass; any order will do."""
        from domain.intake import Intake

        arrived = max(self._now(), self._tables.newest())
        return Intake(self._tables, FOLDS, arrived).insert(events)

    def refold(self, stream: str) -> None:
        """Fold a stream from its beginning and keep its state."""
        self._refold(stream, len(self._tables.lines(stream)))

    def keep_blob(self, digest: str, data: bytes) -> None:
        """Keep a blob that came from elsewhere; `digest` must be its hash."""
        self._tables.put_blob(Blob(digest, MEDIA_TYPE, data))

    def redact(self, digest: str, actor: str, reason: str) -> Written:
        """Take a blob out, here and by its event in every clone; the events that refer to it stay as they are."""
        self._tables.delete_blob(digest)
        payload = {"sha256": digest, "reason": reason}
        return self.append(journal.STREAM, actor, lambda _: [Draft("log.redacted", payload, {})])

    def drop_redacted(self, digests: Sequence[str]) -> int:
        """Delete blobs that another clone took out; how many were here."""
        return sum(self._tables.delete_blob(digest) for digest in digests)

    def append(
        self,
        stream: str | None,
        actor: str,
        decide: Decide,
        *,
        retry: IdempotencyKey | None = None,
        session: str | None = None,
    ) -> Written:
        """Load the stream, decide, stamp and store what was decided.

        `stream` None creates a task or a message: its id is drawn here, since it depends on the chain. Raises the Refusal of
        `decide`, or `key-reuse` where the key belongs to a different command.
        """
        if retry and retry.key:
            first = self._tables.key(actor, retry.key)
            if first:
                return self._replayed(first, stream, retry)
        if stream is None:
            return self._append_new(actor, decide, retry, session)
        found = self._situation(stream)
        if found.state.unknown:
            raise _too_new(stream, found.state.unknown)
        seen = Seen(stream, _load(stream, found.state), found.state.version, lambda: self._history(stream))
        return self._store(seen, found, actor, decide(seen), retry.key if retry else "", session)

    def prune(self, stream: str, before: int, actor: str) -> list[Written]:
        """Delete a name's pulses from before a time (µs) and write that down; nothing where there is none."""
        times: list[int] = []
        last = 0
        while chunk := self._old_pulses(stream, last, before):
            times += [moment for _, moment in chunk]
            last = chunk[-1][0]
        if not times:
            return []
        self._tables.delete_pulses(stream, last)
        payload = journal.summary(stream.partition("/")[2], times)
        return [self.append(journal.STREAM, actor, lambda _: [Draft("log.pruned", payload, {})])]

    def _old_pulses(self, stream: str, after: int, before: int) -> list[tuple[int, int]]:
        """Versions and times of the pulses behind a version, as far as they are from before a time."""
        rows = self._tables.pulses(stream, after, CHUNK)
        found = [(version, event.parse_time(event.parse(state).ts)) for version, state in rows]
        young = next((place for place, (_, moment) in enumerate(found) if moment >= before), len(found))
        return found[:young]

    def replay(self, actor: str, retry: IdempotencyKey) -> Written | None:
        """What an earlier command with this key came to, or None where the key is new."""
        first = self._tables.key(actor, retry.key)
        return self._replayed(first, None, retry) if first else None

    def _append_new(
        self, actor: str, decide: Decide, retry: IdempotencyKey | None, session: str | None
    ) -> Written:
        drafts = decide(Seen("", None, 0, list))
        stream, found = self._draw(drafts[0])
        key = retry.key if retry else ""
        return self._store(Seen(stream, None, 0, list), found, actor, drafts, key, session)

    def _draw(self, draft: Draft) -> tuple[str, Situation]:
        """A stream that does not exist yet, for the first event of a task or a message."""
        kind = EVENT_TYPES[draft.type].stream
        prefix, field = (TASK_PREFIX, "title") if kind == "task" else (mail.MESSAGE_PREFIX, "text")
        about = preview(draft.payload.get(field))
        seq = self._tables.chain(self._log.replica).seq
        moment = self._log.clock()
        for attempt in range(100):
            text = "\0".join((self._log.replica, str(seq), str(moment), about, str(attempt)))
            stream = (
                f"{kind}/{task_id(hashlib.sha256(text.encode('utf-8', 'surrogatepass')).digest(), prefix)}"
            )
            found = self._situation(stream)
            if not found.state.version:
                return stream, found
        raise Refusal("internal", "no free id in 100 draws")

    def _replayed(self, first: str, stream: str | None, retry: IdempotencyKey) -> Written:
        found = self._fresh.get(first) or self._log.event(first)
        if found is None:
            raise Refusal("corrupt", f"the event {first[:12]} of key {retry.key!r} is missing", event=first)
        if not retry.matches(stream, found):
            message = f"key {retry.key!r} already belongs to {found.type} on {found.subject}"
            raise Refusal("key-reuse", message, "Use a new key for a new command.", event=found.id)
        state = _load(found.stream, self._situation(found.stream).state)
        return Written((found,), state, replayed=True)

    def _history(self, stream: str) -> list[Event]:
        return [event.parse(line) for line in self._tables.lines(stream)]

    def _situation(self, stream: str) -> Situation:
        """What an event in this stream goes on from; folded anew where an older rule folded it."""
        replica = self._log.replica
        found = self._tables.situation(stream, replica)
        if found.state.version and found.state.fold != FOLDS[stream.partition("/")[0]].FOLD:
            self._refold(stream, found.state.version)
            return self._tables.situation(stream, replica)
        return found

    def _refold(self, stream: str, version: int) -> Any:
        """Fold the stream from its beginning: by an older rule it was folded otherwise, or it has several heads."""
        kind = FOLDS[stream.partition("/")[0]]
        folded = history.fold(kind, self._history(stream))
        data = kind.dump(folded.state) if folded.state is not None else None
        self._tables.put_state(stream, State(version, data, kind.FOLD, folded.unknown))
        return folded.state

    def _store(
        self,
        seen: Seen,
        found: Situation,
        actor: str,
        drafts: Sequence[Draft],
        key: str,
        session: str | None,
    ) -> Written:
        kind = FOLDS[seen.stream.partition("/")[0]]
        state, version = seen.state, seen.version
        session = self._log.session if session is None else session
        events: list[Event] = []
        heads, end, arrived = found.heads if drafts else [], found.end, found.newest
        for draft in drafts:
            sealed = self._seal(seen.stream, actor, draft, key, session, heads[:PARENT_LIMIT], end)
            heads = [*heads[PARENT_LIMIT:], Head(sealed.id, sealed.ts)]
            state, version, key = kind.evolve(state, sealed), version + 1, ""
            end, arrived = Link(sealed.seq, sealed.id), max(self._now(), arrived)
            self._tables.append(sealed, version, arrived)
            self._fresh[sealed.id] = sealed
            events.append(sealed)
        if len(heads) > 1:
            state = self._refold(seen.stream, version)
        elif events:
            self._tables.put_state(seen.stream, State(version, kind.dump(state), kind.FOLD))
        return Written(tuple(events), state)

    def _now(self) -> int:
        """The engine's time, or this machine's."""
        return self._tables.now() or self._log.clock()

    def _seal(
        self, stream: str, actor: str, draft: Draft, key: str, session: str, heads: Sequence[Head], end: Link
    ) -> Event:
        payload, blobs = check_in(draft.type, draft.payload, self._log.blob_limit)
        check_payload(draft.type, payload, draft.on)
        if not is_stored_address(draft.to):
            raise Refusal("bad-name", f"{draft.to[:80]!r} is no address", "Example: bob, +ops, all.")
        optional = {
            "on": draft.on,
            "parents": sorted(head.id for head in heads),
            "session": session,
            "prev": end.id,
        }
        sealed = event.seal(
            {
                "v": event.VERSION,
                "ts": event.after(self._log.clock(), max((head.ts for head in heads), default="")),
                "from": check_name(actor),
                "to": draft.to,
                "type": draft.type,
                "stream": stream,
                "payload": payload,
                "key": key or self._log.entropy(8).hex(),
                "replica": self._log.replica,
                "seq": end.seq + 1,
                **{name: value for name, value in optional.items() if value},
            }
        )
        if not end.seq:
            self._tables.enrol(self._log.replica)
        for blob in blobs:  # only now: an event that is too large leaves no blob behind
            self._tables.put_blob(blob)
        return sealed


def _load(stream: str, stored: State) -> Any:
    return FOLDS[stream.partition("/")[0]].load(stored.data) if stored.data is not None else None


def _too_new(stream: str, unknown: int) -> Refusal:
    message = (
        f"{stream} holds {unknown} event{'s' if unknown > 1 else ''} that this version does not understand"
    )
    return Refusal("unknown-type", message, "Upgrade crewlog: pip install -U crewlog", stream=stream)


def _stored(row: Line, arrived: int) -> Stored:
    return Stored(row.id, row.version, arrived, event.parse(row.state))


def _construct(environment: Environment) -> Any:
    """The engine of a configuration: what it names as its reader, else eventsourcing's factory."""
    module, _, name = environment.get(READER, "").partition(":")
    if module:
        return getattr(import_module(module), name)(environment)
    from eventsourcing.persistence import InfrastructureFactory

    return InfrastructureFactory[Any].construct(environment)
