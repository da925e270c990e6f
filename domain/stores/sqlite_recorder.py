"""What writes into the embedded event store: eventsourcing's SQLite recorder, with our table and our write lock.

`InfrastructureFactory.construct` finds `Factory` here when PERSISTENCE_MODULE names this module.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import PersistenceError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
    SQLiteTransaction,
)
from eventsourcing.utils import Environment, EnvType

from domain.stores import queue, tables, wal
from domain.stores.sqlite import APPLICATION_ID, FORMAT, MOVED, check_format, refusal

if TYPE_CHECKING:
    from types import TracebackType

STATEMENTS = 128
_TYPES = {"bytes": "BLOB", "position": "INTEGER", "narrow": " WITHOUT ROWID"}


class _Transaction(SQLiteTransaction):
    """Takes the write lock at the beginning.

    A transaction that reads first and writes later fails with `database is locked` whatever the timeout.
    """

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        return cursor


class _Connection(SQLiteConnection):
    @contextmanager
    def transaction(self, *, commit: bool) -> Generator[SQLiteCursor]:
        with _Transaction(self, commit=commit) as cursor, cursor:
            yield cursor


class _Pool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        """A connection that keeps its statements: the library's keeps one, and a write has a dozen."""
        connection = sqlite3.connect(
            self.db_name,
            uri=True,
            timeout=self.lock_timeout or 0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={wal.CHECKPOINT_PAGES}")
        except sqlite3.Error:
            connection.close()
            raise
        return _Connection(connection, max_age=self.max_age)


class Recorder(SQLiteApplicationRecorder):
    """The main log: one table whose positions are an explicit primary key, which VACUUM cannot renumber."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name)
        # The library inserts by column position; our table has one column more.
        self.insert_events_statement = f"INSERT INTO {events_table_name} (originator_id, originator_version, topic, state) VALUES (?,?,?,?)"  # noqa: S608

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Insert; the positions. Many at once come one behind the other, since nobody else writes meanwhile."""
        if len(stored_events) < 2:
            return super()._insert_events(c, stored_events, **kwargs)
        c.execute(f"SELECT COALESCE(MAX(rowid), 0) + 1 FROM {self.events_table_name}")  # noqa: S608 - our own table's name
        first = int(c.fetchone()[0])
        rows = [(one.originator_id, one.originator_version, one.topic, one.state) for one in stored_events]
        c.executemany(self.insert_events_statement, rows)
        return range(first, first + len(rows))

    def construct_create_table_statements(self) -> list[str]:
        """None: the library asks for them each time, `init` once."""
        return []

    def ddl(self) -> list[str]:
        """Tables and triggers; run once, by `init`."""
        name = self.events_table_name
        return [
            _events_ddl(name, ""),
            *(statement.format_map(_TYPES) for statement in tables.DDL),
            _refuse(name, "UPDATE", "events are immutable"),
            _refuse(name, "DELETE", "events are immutable"),
            _refuse_replace(
                name, " OR EXISTS (SELECT 1 FROM event_id WHERE id = substr(CAST(NEW.state AS TEXT), 8, 64))"
            ),
            f"PRAGMA application_id = {APPLICATION_ID}",
            f"PRAGMA user_version = {FORMAT}",
        ]


class PulseRecorder(SQLiteApplicationRecorder):
    """Signs of life: the same kind of table, whose rows may be pruned and whose positions are never used again."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "pulses") -> None:
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = f"INSERT INTO {events_table_name} (originator_id, originator_version, topic, state) VALUES (?,?,?,?)"  # noqa: S608

    def construct_create_table_statements(self) -> list[str]:
        """None: the library asks for them each time, `init` once."""
        return []

    def ddl(self) -> list[str]:
        """The table and the trigger that keeps pulses as they were."""
        name = self.events_table_name
        return [
            _events_ddl(name, " AUTOINCREMENT"),
            _refuse(name, "UPDATE", "pulses are immutable"),
            _refuse_replace(name),
        ]


def _events_ddl(name: str, autoincrement: str) -> str:
    return (
        f"CREATE TABLE {name} (rowid INTEGER PRIMARY KEY{autoincrement}, originator_id TEXT NOT NULL,"
        " originator_version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL,"
        " UNIQUE (originator_id, originator_version))"
    )


def _refuse(name: str, verb: str, why: str) -> str:
    return f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} BEGIN SELECT RAISE(ABORT, '{why}'); END"


def _refuse_replace(name: str, or_where: str = "") -> str:
    """INSERT OR REPLACE slips past a DELETE trigger."""
    return (
        f"CREATE TRIGGER {name}_no_replace BEFORE INSERT ON {name}"  # noqa: S608 - our own table's name
        f" WHEN EXISTS (SELECT 1 FROM {name} WHERE rowid = NEW.rowid)"
        f" OR EXISTS (SELECT 1 FROM {name} WHERE originator_id = NEW.originator_id"
        f" AND originator_version = NEW.originator_version){or_where}"
        " BEGIN SELECT RAISE(ABORT, 'the event is already there'); END"
    )


class Factory(SQLiteFactory):
    """What `domain.log` asks for recorders, the writers' queue and transactions."""

    position_column = "rowid"
    aggregate_recorder_class = PulseRecorder
    application_recorder_class = Recorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._path = self.env.get("CREWLOG_DATABASE") or ""
        self._queue = self.env.get("CREWLOG_QUEUE") or ""
        self._wait = float(self.env.get("CREWLOG_WAIT") or queue.WAIT)
        timeout = int(self.env.get(self.SQLITE_LOCK_TIMEOUT) or "60")
        name = self.env.get(self.SQLITE_DBNAME) or ""
        self.datastore.pool = _Pool(db_name=name, lock_timeout=timeout, pool_size=1, max_overflow=0)

    def turn(self) -> Any:
        """The writers' queue, as a context manager."""
        return queue.turn(self._queue, self._wait) if self._queue else _no_queue()

    def create(self) -> None:
        """Make the tables, in one transaction; where there are some already, check that we know them."""
        with self.refusing():
            if self._is_empty(self.connection.cursor()):
                self._create_tables()
        self.check_format()

    def _create_tables(self) -> None:
        recorders = (Recorder(self.datastore), self.pulse_recorder())
        with self.connection.transaction(commit=True) as cursor:
            if self._is_empty(cursor):
                for recorder in recorders:
                    for statement in recorder.ddl():
                        cursor.execute(statement)

    def application_recorder(self) -> Recorder:
        """The recorder of the main log: always the same, for making one costs more than a query."""
        return self._log

    def pulse_recorder(self) -> PulseRecorder:
        """The recorder of the pulses' table."""
        return self._pulses

    @cached_property
    def _log(self) -> Recorder:
        return Recorder(self.datastore)

    @cached_property
    def _pulses(self) -> PulseRecorder:
        return PulseRecorder(self.datastore)

    def check_format(self) -> None:
        """Refuse what is no store of ours (`corrupt`) or was made by a newer crewlog (`newer-store`)."""
        with self.refusing():
            cursor = self.connection.cursor()
            check_format(cast("tables.Executes", cursor), self._path)
            # Prepares what an append runs, once for each of no rows, while nobody waits for it.
            for statement in (self._log.insert_events_statement, *tables.APPENDS):
                cursor.executemany(statement, ())

    def seal(self, written: tables.Tables, place: str) -> None:
        """The last transaction: from its commit on nothing is written, also by who has opened the store before."""
        run = written.cursor.execute
        run("INSERT INTO moved (place) VALUES (?)", (place,))
        for table in ("stored_events", "pulses"):
            run(_refuse(table, "INSERT", MOVED))
        run(f"PRAGMA user_version = -{FORMAT}")

    def _is_empty(self, cursor: SQLiteCursor) -> bool:
        return self._number(cursor, "SELECT COUNT(*) FROM sqlite_master") == 0

    def _number(self, cursor: SQLiteCursor, statement: str) -> int:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])

    def sound(self) -> bool:
        """Whatever failed: a new connection to a file costs little."""
        return False

    def now(self) -> None:
        """A file has no clock: the writer's is the one that counts."""

    def writing(self, recorder: SQLiteApplicationRecorder) -> _Writing:
        """A transaction that holds the write lock from its beginning to its commit."""
        return _Writing(self, recorder)

    @cached_property
    def connection(self) -> SQLiteConnection:
        """The one connection, out of the pool from its first use to the end: each time it would cost a tenth of an append."""
        return self.datastore.pool.get_connection()

    def widen(self) -> None:
        """Rows with random ids touch nearly a page each: with few pages in memory each is read and written again and again."""
        run = self.connection.cursor().execute
        run(f"PRAGMA cache_size=-{wal.KIB_AT_LENGTH}")
        run(f"PRAGMA wal_autocheckpoint={wal.PAGES_AT_LENGTH}")

    def tidy(self) -> None:
        """Keep the -wal short; inside the queue only."""
        if "connection" in vars(self):
            wal.shorten(self.connection.cursor().execute, self._path)

    def close(self) -> None:
        """Close the connection. The pool stays: the next use opens another one."""
        held: SQLiteConnection | None = vars(self).pop("connection", None)
        if held:
            held.close()
            self.datastore.pool.put_connection(held)

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Turn the engine's errors into refusals."""
        try:
            yield
        except (sqlite3.Error, PersistenceError) as error:
            raise refusal(error, self._path) from error


class _Writing:
    """A transaction of the recorder's, with its errors as refusals; a class, since generators cost more."""

    def __init__(self, factory: Factory, recorder: SQLiteApplicationRecorder) -> None:
        self._factory = factory
        self._recorder = recorder

    def __enter__(self) -> tables.Tables:
        factory = self._factory
        with factory.refusing():
            self._transaction = _Transaction(factory.connection, commit=True)
            self._cursor = self._transaction.__enter__()
        plain = self._cursor.sqlite_cursor  # its wrapper takes as long again
        return tables.Tables(
            cast("tables.Executes", plain), self._insert, factory.now, factory.position_column
        )

    def _insert(self, rows: Sequence[tables.Stored]) -> Sequence[int]:
        events = cast("Sequence[StoredEvent]", rows)  # it has all that an insert asks for
        return self._recorder._insert_events(self._cursor, events) or ()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._factory.refusing():
                self._transaction.__exit__(kind, error, trace)  # raises the error again
        finally:
            self._cursor.sqlite_cursor.close()


@contextmanager
def _no_queue() -> Generator[None]:
    yield
