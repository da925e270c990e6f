"""The event store on a server: eventsourcing's PostgreSQL recorder, with our tables, our locks and our refusals.

`InfrastructureFactory.construct` finds `Factory` here when PERSISTENCE_MODULE names this module; that is the only
thing that `domain.log` knows of PostgreSQL. Everything of one crew stands in one schema.

Who writes holds two locks: an advisory one, which is the writers' queue of all machines, and the lock of the table, so
that positions are given in the order of the commits whoever else writes. Both are handed out in turn by the server, and
both end with the connection.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any, Literal, TypeVar, cast

import psycopg
from eventsourcing.persistence import PersistenceError
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection, Cursor, IsolationLevel, Pipeline
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg.sql import SQL, Identifier

from domain.refusals import Refusal
from domain.stores import tables
from domain.stores.address import Address
from domain.stores.postgres_refusals import refusal, refusal_to_connect, unacknowledged

FORMAT = 1
OLDEST_SERVER = 140_000  # idle_session_timeout
SCANNED = 10_000  # rows that a scan brings over at once
CONNECT_SECONDS = 10
SECRETS = {"password": "PGPASSWORD", "passfile": "PGPASSFILE"}
# A peer that vanished is noticed within half a minute: by who only listens, and by the server whose lock it holds.
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now"
_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|[?%]")

Row = Connection[DictRow]


@lru_cache(maxsize=256)
def placeholders(statement: str) -> bytes:
    """The statement with `%s` for each `?` that stands outside of quotes, and `%%` for `%`."""

    def put(found: re.Match[str]) -> str:
        return "%s" if found[0] == "?" else found[0].replace("%", "%%")

    return _QUOTED_OR_MARK.sub(put, statement).encode()


Entered = TypeVar("Entered")
_ON_DISK = "SET synchronous_commit = on"


class _Cursor:
    """A cursor that takes the statements of `domain.stores.tables`.

    A new one for each: in a pipeline the late answer to one statement would else be taken for that of the next. Each
    answer that is waited for ends the batch: within one the server does not notice that its client stands still.
    """

    def __init__(self, connection: Row, pipeline: Pipeline) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self._cursor = connection.cursor(row_factory=tuple_row)

    def execute(self, statement: str, params: Sequence[Any] = ()) -> None:
        self._cursor = self._connection.cursor(row_factory=tuple_row)
        self._cursor.execute(placeholders(statement), params)

    def executemany(self, statement: str, params: Sequence[Sequence[Any]]) -> None:
        for one in params:
            self.execute(statement, one)

    def fetchone(self) -> Any:
        self._pipeline.sync()
        return self._cursor.fetchone()

    def fetchall(self) -> Any:
        self._pipeline.sync()
        return self._cursor.fetchall()


def _read_only(stack: ExitStack, connection: Row) -> Row:
    stack.enter_context(connection.transaction(force_rollback=True))
    return connection


def _in_a_pipeline(stack: ExitStack, connection: Row) -> _Cursor:
    pipeline = stack.enter_context(connection.pipeline())
    return _Cursor(_read_only(stack, connection), pipeline)


class _Single:
    """One connection in place of the library's pool: no threads, and what is wrong with connecting comes at once."""

    def __init__(self, connect: Callable[[], Row]) -> None:
        self._connect = connect
        self.held: Row | None = None
        self._lock = threading.RLock()

    def open(self, *_: object) -> None:
        """The pool's method; there is nothing to open before it is needed."""

    @contextmanager
    def connection(self) -> Generator[Row]:
        with self._lock:
            if self.held is None or self.held.closed:
                self.held = self._connect()
            yield self.held

    def close(self) -> None:
        held, self.held = self.held, None
        if held is not None:
            held.close()


class _Datastore(PostgresDatastore):
    def __init__(self, single: _Single, schema: str) -> None:
        super().__init__("", "", "", "", "", schema=schema, originator_id_type="text")
        self.pool = cast("Any", single)

    def register_type_adapters(self) -> None:
        """Our statements use no composite types, so no connection has to ask for them."""


class Recorder(PostgresApplicationRecorder):
    """The main log. Positions are given under the table's lock, so that none is left out, and none comes late."""

    # The library would insert through a composite type, and take positions from a sequence, which has gaps.
    deletes = False

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        table = Identifier(datastore.schema, events_table_name)
        self.channel_name = f"{datastore.schema}.{events_table_name}"  # channels belong to the whole database
        self.lock_table_statements = [SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(table)]
        self.insert_one = SQL(
            "INSERT INTO {0} (originator_id, originator_version, topic, state, notification_id) VALUES"
            " (%s, %s, %s, %s, (SELECT coalesce(max(notification_id), 0) + 1 FROM {0})) RETURNING notification_id"
        ).format(table)

    def insert(self, connection: Row, events: Sequence[tables.Stored]) -> list[int]:
        """Insert under the table's lock; the positions."""
        self._notify_channel(connection.cursor())
        positions: list[int] = []
        for event in events:
            fields = (event.originator_id, event.originator_version, event.topic, event.state)
            row = connection.execute(self.insert_one, fields).fetchone()
            positions.append(row["notification_id"] if row else 0)
        return positions

    def ddl(self) -> list[str]:
        """Table and triggers; run once, by `init`."""
        name = self.events_table_name
        never = "UPDATE" if self.deletes else "UPDATE OR DELETE"
        refuse = "EXECUTE FUNCTION refuse_change()"
        return [
            f"""CREATE TABLE {name} (originator_id TEXT NOT NULL, originator_version BIGINT NOT NULL,
            topic TEXT NOT NULL, state BYTEA NOT NULL, notification_id BIGINT PRIMARY KEY,
            UNIQUE (originator_id, originator_version))""",
            f"CREATE TRIGGER {name}_immutable BEFORE {never} ON {name} FOR EACH ROW {refuse}",
            f"CREATE TRIGGER {name}_kept BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {refuse}",
        ]


class PulseRecorder(Recorder):
    """Signs of life: the same kind of table, whose rows may be pruned.

    The newest pulse of a name is never pruned, so the last position stands, and none is used again.
    """

    deletes = True

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "pulses") -> None:
        super().__init__(datastore, events_table_name=events_table_name)


_CREATE = (
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'events are immutable'; END $$""",
    """CREATE FUNCTION refuse_moved() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'CRW01', MESSAGE = (SELECT max(place) FROM moved); END $$""",
    *(statement.format(bytes="BYTEA", position="BIGINT", narrow="") for statement in tables.DDL),
    "CREATE TABLE crewlog (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), format INTEGER NOT NULL)",
)


class Factory(PostgresFactory):
    """What `domain.log` asks for recorders, the writers' queue and transactions."""

    position_column = "notification_id"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._schema = self.datastore.schema
        self._address = Address(self.env.get("CREWLOG_URL") or "", self._schema)
        self._wait = float(self.env.get("CREWLOG_WAIT") or "60")
        self._queue = self.env.get("CREWLOG_QUEUE") == "y"
        self._reads = self.env.get("CREWLOG_READS") == "y"
        self._own_clock = self.env.get("CREWLOG_CLOCK") == "writer"
        self._lock_key = int.from_bytes(sha256(f"crewlog {self._schema}".encode()).digest()[:8], signed=True)
        self.datastore.close()
        self._single = _Single(self._connect)
        self.datastore = _Datastore(self._single, self._schema)
        self._off = False  # the server's default acknowledges what is not on its disk
        self._whole: Row | None = None  # the connection of the snapshot that is open
        self._log = Recorder(self.datastore)
        self._pulses = PulseRecorder(self.datastore)

    # --- connecting ----------------------------------------------------------------------------------------------

    def _connect(self) -> Row:
        try:
            given = conninfo_to_dict(self._address.url)
            options = f"{given.pop('options', None) or os.environ.get('PGOPTIONS', '')} {self._options()}"
            settings: dict[str, Any] = {
                "connect_timeout": CONNECT_SECONDS,
                **_KEEPALIVE,
                **given,
                **self._secrets(),
            }
            name = f"crewlog {os.getpid()} on {socket.gethostname()}"[:63]
            connection = Connection[DictRow].connect(
                **settings, options=options, application_name=name, autocommit=True, row_factory=dict_row
            )
        except psycopg.Error as error:
            raise refusal_to_connect(error, self._address.text) from error
        if self._reads:
            connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
        elif self._off:
            connection.execute(_ON_DISK)
        return connection

    def _secrets(self) -> dict[str, str]:
        found = {keyword: self.env.get(variable) or "" for keyword, variable in SECRETS.items()}
        return {keyword: value for keyword, value in found.items() if value}

    def _options(self) -> str:
        """A writer that was stopped in the middle must not keep all others waiting until they give up."""
        wait = max(1, round(self._wait * 1_000))
        settings = {"search_path": self._schema, "lock_timeout": wait, "client_min_messages": "warning"}
        if not self._reads:
            settings["idle_in_transaction_session_timeout"] = max(1_000, wait // 2)
            settings |= {
                f"tcp_{name}": value for name, value in _KEEPALIVE.items() if name.startswith("keep")
            }
            settings["idle_session_timeout"] = settings["statement_timeout"] = max(2_000, 2 * wait)
        return " ".join(f"-c {name}={value}" for name, value in settings.items())

    # --- what is there -------------------------------------------------------------------------------------------

    def application_recorder(self) -> Recorder:
        """The recorder of the main log."""
        return self._log

    def pulse_recorder(self) -> PulseRecorder:
        """The recorder of the pulses' table."""
        return self._pulses

    def create(self) -> None:
        """Make schema and tables, in one transaction; where there are some already, check that we know them."""
        with self.refusing(), self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (self._lock_key,))
            if self._holds(cursor) == "nothing":
                self._create_tables(cursor)
        self.check_format()

    def _create_tables(self, cursor: Cursor[DictRow]) -> None:
        cursor.execute("SELECT to_regnamespace(%s) IS NULL AS missing", (self._schema,))
        row = cursor.fetchone()
        if row and row["missing"]:
            cursor.execute(SQL("CREATE SCHEMA {}").format(Identifier(self._schema)))
        for statement in (*_CREATE, *self._log.ddl(), *self._pulses.ddl()):
            # The order of texts is that of their bytes, as in SQLite, whatever the language of the database.
            cursor.execute(statement.replace(" TEXT", ' TEXT COLLATE "C"').encode())
        cursor.execute("INSERT INTO crewlog (format) VALUES (%s)", (FORMAT,))

    def _holds(self, cursor: Cursor[DictRow]) -> str:
        """What is in the schema: `ours`, `nothing` (also where there is no schema), or `others`."""
        cursor.execute(
            "SELECT count(*) AS all, count(*) FILTER (WHERE relname = 'crewlog') AS ours FROM pg_class"
            " WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'",
            (self._schema,),
        )
        found = cursor.fetchone() or {"all": 0, "ours": 0}
        return "ours" if found["ours"] else "others" if found["all"] else "nothing"

    def check_format(self) -> None:
        """Refuse what is no store of ours, was made by a newer crewlog, or has moved."""
        with self.refusing(), self.datastore.get_connection() as connection:
            try:
                found = self._facts(connection)
            except psycopg.errors.UndefinedTable:
                raise self._no_log(connection) from None
            if found["off"] and not self._reads:  # what is acknowledged must be on the server's disk
                self._off = True
                connection.execute(_ON_DISK)
        self._judge(found)

    def _facts(self, connection: Row) -> DictRow:
        statement = SQL(
            "SELECT format, current_setting('synchronous_commit') = 'off' AS off,"
            " current_setting('server_version_num')::integer AS server,"
            " (SELECT string_agg(place, '') FROM {}) AS moved FROM {}"
        ).format(Identifier(self._schema, "moved"), Identifier(self._schema, "crewlog"))
        return connection.execute(statement).fetchone() or {
            "format": 0,
            "off": False,
            "server": 0,
            "moved": None,
        }

    def _judge(self, found: DictRow) -> None:
        place = self._address.text
        if found["format"] > FORMAT:
            message = f"{place} has format {found['format']}; this crewlog knows up to {FORMAT}"
            raise Refusal("newer-store", message, "Upgrade crewlog: pip install -U crewlog", store=place)
        if found["moved"]:
            raise tables.moved(place, found["moved"])
        if found["server"] < OLDEST_SERVER:
            message = (
                f"{place} is PostgreSQL {found['server'] // 10_000}; 14 is the oldest that is known to work"
            )
            raise Refusal("no-access", message, "Upgrade the server.", store=place)

    def _no_log(self, connection: Row) -> Refusal:
        place = self._address.text
        with connection.cursor() as cursor:
            others = self._holds(cursor) != "nothing"
        if others:
            hint = "Look whose schema that is, or name another one: ?schema=NAME."
            return Refusal("corrupt", f"{place} holds no log, but something else", hint, store=place)
        return Refusal(
            "no-store", f"there is no log at {place}", f"crewlog init --store '{place}'", store=place
        )

    # --- turns and transactions ----------------------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Generator[None]:
        """The writers' queue of all machines: in the order in which they came."""
        if not self._queue:
            yield
            return
        with self.refusing():
            self._take_turn()
        try:
            yield
        finally:
            self._give_turn_back()

    def _take_turn(self) -> None:
        for last in (False, True):
            with self.datastore.get_connection() as connection:
                try:
                    connection.execute("SELECT pg_advisory_lock(%s)", (self._lock_key,))
                except psycopg.errors.LockNotAvailable as error:
                    raise self._locked(connection) from error
                except psycopg.OperationalError:
                    # It went stale while it was idle. Nothing was sent yet, so it is simply replaced, once.
                    if last or not connection.closed:
                        raise
                else:
                    return

    def _give_turn_back(self) -> None:
        held = self._single.held
        if held is not None and not held.closed:  # else the server has taken it back
            with suppress(psycopg.Error):
                held.execute("SELECT pg_advisory_unlock(%s)", (self._lock_key,))

    def _locked(self, connection: Row) -> Refusal:
        halves = {"high": (self._lock_key >> 32) & 0xFFFFFFFF, "low": self._lock_key & 0xFFFFFFFF}
        statement = (
            "SELECT pid, coalesce(application_name, '') AS name FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND classid = %(high)s AND objid = %(low)s"
        )
        row = connection.execute(statement, halves).fetchone() or {"pid": None, "name": ""}
        who = f"process {row['pid']} of the server ({row['name'] or 'unnamed'})" if row["pid"] else "someone"
        message = f"{who} has held the log at {self._address.text} for {self._wait:.0f} s"
        return Refusal("locked", message, "Run it again.", store=self._address.text, pid=row["pid"])

    def widen(self) -> None:
        """The server has its own memory."""

    def tidy(self) -> None:
        """The server looks after its own files."""

    def sound(self) -> bool:
        """True if the connection can be used after a transaction that failed."""
        held = self._single.held
        return held is not None and not held.closed and held.info.transaction_status == TransactionStatus.IDLE

    @contextmanager
    def writing(self, recorder: Recorder) -> Generator[tables.Tables]:
        """A transaction that holds the table's lock from its beginning to its commit.

        What needs no answer is sent together with what does: on a network the way there and back is what costs.
        """
        committing = False
        with self.refusing(), self.datastore.get_connection() as connection:
            try:
                with connection.pipeline() as pipeline, connection.transaction():
                    recorder._lock_table(connection.cursor())  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
                    pipeline.sync()
                    insert, now = partial(recorder.insert, connection), partial(self._now_in, connection)
                    yield tables.Tables(_Cursor(connection, pipeline), insert, now, self.position_column)
                    committing = True
            except psycopg.Error as error:
                if committing and connection.closed:
                    raise unacknowledged(self._address.text) from error
                raise

    def seal(self, written: tables.Tables, place: str) -> None:
        """The last transaction: from its commit on nothing is written, also by who has opened the store before."""
        run = written.cursor.execute
        run("INSERT INTO moved (place) VALUES (?)", (place,))
        for table in ("stored_events", "pulses"):
            trigger = f"CREATE TRIGGER {table}_moved BEFORE INSERT ON {table}"
            run(f"{trigger} FOR EACH STATEMENT EXECUTE FUNCTION refuse_moved()", ())

    def select(self, statement: str, params: Sequence[Any]) -> list[Any]:
        """The rows that one statement finds."""
        with self.reading() as cursor:
            cursor.execute(statement, params)
            rows: list[Any] = cursor.fetchall()
        return rows

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """To its end all that this thread reads is of one moment: transactions inside are parts of this one."""
        with self.refusing(), ExitStack() as stack:
            self._whole = self._begin(stack)
            try:
                yield
            finally:
                self._whole = None

    def _begin(self, stack: ExitStack) -> Row:
        """A transaction that only reads."""
        return self._entered(stack, _read_only)

    def _entered(
        self, stack: ExitStack, enter: Callable[[ExitStack, Row], Entered], *, again: bool = True
    ) -> Entered:
        """Enter a transaction, once more where the connection went stale while it was idle."""
        attempt = ExitStack()
        connection = attempt.enter_context(self._reader())
        try:
            entered = enter(attempt, connection)
        except psycopg.OperationalError:
            stale = connection.closed
            with suppress(psycopg.Error, PersistenceError):
                attempt.close()
            if not (stale and again) or self._whole:
                raise
            return self._entered(stack, enter, again=False)
        stack.enter_context(attempt)
        return entered

    @contextmanager
    def _reader(self) -> Generator[Row]:
        """The connection to read with. A snapshot ends with its connection: what another one reads is of another moment."""
        with self.datastore.get_connection() as connection:
            if self._whole and connection is not self._whole:
                raise psycopg.OperationalError("the connection was lost in the middle")
            yield connection

    @contextmanager
    def reading(self) -> Generator[tables.Executes]:
        """A cursor over one consistent snapshot."""
        with self.refusing(), ExitStack() as stack:
            yield self._entered(stack, _in_a_pipeline)

    @contextmanager
    def scanning(self, statement: str) -> Generator[Iterable[Any]]:
        """The rows of a statement, read as they are asked for: the server keeps the cursor."""
        with self.refusing(), ExitStack() as stack:
            connection = self._begin(stack)
            with connection.cursor("scanning", row_factory=tuple_row) as cursor:
                cursor.itersize = SCANNED
                cursor.execute(placeholders(statement))
                yield cursor

    def _now_in(self, connection: Row) -> int | None:
        row = None if self._own_clock else connection.execute(_NOW).fetchone()
        return int(row["now"]) if row else None

    def now(self) -> int | None:
        """The server's clock in microseconds since 1970: the only one that all machines share."""
        with self.refusing(), ExitStack() as stack:
            return self._now_in(self._begin(stack))

    def listen(self, *, pulses: bool) -> Listener:
        """What tells of new events, or of new pulses."""
        return Listener(self, (self._pulses if pulses else self._log).channel_name)

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Turn the engine's errors into refusals."""
        try:
            yield
        except (psycopg.Error, PersistenceError) as error:
            raise refusal(error, self._address.text) from error


class Listener:
    """Sleeps until the server tells of a commit. It shares the reader's connection: each costs the server a process."""

    def __init__(self, factory: Factory, channel: str) -> None:
        self._factory = factory
        self._channel = channel
        self._listening: Row | None = None

    def wait(self, timeout: float) -> bool:
        """True when there may be something new, also after connecting again; False after `timeout` seconds."""
        with self._factory.refusing(), self._factory.datastore.get_connection() as connection:
            if connection is not self._listening:
                connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
                self._listening = connection
                return True
            return bool(list(connection.notifies(timeout=timeout, stop_after=1)))


def environment(
    address: Address,
    environ: Mapping[str, str],
    *,
    read_only: bool,
    queue: bool = True,
    wait: float = 60.0,
    clock: Literal["server", "writer"] = "server",
) -> dict[str, str]:
    """The configuration that makes `InfrastructureFactory.construct` open this store.

    `environ` may hold PGPASSWORD and PGPASSFILE. `wait` is how many seconds a writer waits for its turn, and then for
    the table's lock. `clock`: whose time an event arrives at.
    """
    secrets = {name: environ[name] for name in SECRETS.values() if environ.get(name)}
    unused = dict.fromkeys(("POSTGRES_DBNAME", "POSTGRES_HOST", "POSTGRES_USER", "POSTGRES_PASSWORD"), "")
    return {
        **unused,
        **secrets,
        "PERSISTENCE_MODULE": f"{__name__}:{Factory.__name__}",
        "POSTGRES_SCHEMA": address.schema,
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "n",
        "CREWLOG_URL": address.url,
        "CREWLOG_QUEUE": "y" if queue else "n",
        "CREWLOG_READS": "y" if read_only else "n",
        "CREWLOG_WAIT": str(wait),
        "CREWLOG_CLOCK": clock,
    }
