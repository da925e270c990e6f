"""From the log into tables: the one list of views, their schema, and the fold that moves the checkpoint.

Whoever folds holds the views' lock, or folds into a database that is only its own.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain import agent, task
from domain.collector import no_collector
from domain.event import stated_id
from domain.named import NamedTuple
from projections import agents, mail, notices, sources, tasks
from projections.database import Damaged
from projections.handler import Context, Handler, Table, ViewSet

if TYPE_CHECKING:
    from domain.log import Log, Stored

# Raise LAYOUT whenever a table, or what a handler makes of the same events, changes: older files are then rebuilt.
LAYOUT = 14
VERSION = LAYOUT * 1_000_000 + task.FOLD * 1_000 + agent.FOLD
# Two halves of which neither needs the other's tables: two processes may fold one each.
TASKS = ViewSet((tasks.VIEW, notices.VIEW), VERSION, timed=False)
OTHERS = ViewSet((agents.VIEW, mail.VIEW, sources.VIEW), VERSION)
MAIN = ViewSet(TASKS.views + OTHERS.views, VERSION)

CHECKPOINT = Table("checkpoint", "one")
HELD_LIMIT = 10_000
HASHED = 500  # rows at once

Progress = Callable[[int, int], None]


class Checkpoint(NamedTuple):
    """How far the views have folded which log: `first` is the id at position 1, `event` the one at `position`."""

    first: str = ""
    position: int = 0
    event: str = ""
    pulses: int = 0


def create(connection: sqlite3.Connection, chosen: ViewSet = MAIN) -> None:
    """Make the tables of the views in an empty database. Costs the import of sqlite_utils, 60 to 90 ms."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations("crewlog.views")
    for view in chosen.views:
        for step in view.migrations:
            migrations(name=f"{view.name}{step.__name__}")(step)
    database = Database(connection, execute_plugins=False)  # no stranger's code in a store
    migrations.apply(database)
    columns = {"one": int, "first": str, "position": int, "event": str, "pulses": int}
    database.table("checkpoint").create(columns, pk="one")
    move(connection, Checkpoint())
    connection.execute(f"PRAGMA user_version = {chosen.version}")


def version(connection: sqlite3.Connection) -> int:
    """The version of the tables in this database; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def checkpoint(connection: sqlite3.Connection) -> Checkpoint:
    """How far this database is. Raises Damaged where it does not say that."""
    statement = 'SELECT "first", position, event, pulses FROM checkpoint WHERE one = 1'
    row = connection.execute(statement).fetchone()
    if row is None or [*map(type, row)] != _CHECKPOINT:
        raise Damaged("no checkpoint")
    return Checkpoint(*row)


_CHECKPOINT = [str, int, str, int]


def move(connection: sqlite3.Connection, to: Checkpoint) -> None:
    """Write down how far this database is."""
    connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?, ?)", to)


def marked(connection: sqlite3.Connection) -> Checkpoint:
    """The checkpoint of an empty database, made one that no other has; the first fold forgets that."""
    mark = Checkpoint(event=os.urandom(16).hex())
    move(connection, mark)
    return mark


class Standing(NamedTuple):
    """How a checkpoint stands to a log: whether that log has its event there, and whether it has more."""

    fits: bool
    behind: bool


def standing(mark: Checkpoint, log: Log) -> Standing:
    """One look at the log around the checkpoint: cheap enough for every command."""
    rows = log.lines(max(mark.position - 1, 0), 2)
    if mark.position and not (
        rows and rows[0].id == mark.position and stated_id(rows[0].state) == mark.event
    ):
        return Standing(fits=False, behind=True)
    more = rows[1:] if mark.position else rows
    return Standing(fits=True, behind=bool(more or log.pulses(mark.pulses, 1)))


def begins_alike(mark: Checkpoint, log: Log) -> bool:
    """True if the log has the event that this one was folded from first."""
    rows = log.lines(0, 1)
    return not mark.position or bool(rows and stated_id(rows[0].state) == mark.first)


def fold_chunk(connection: sqlite3.Connection, log: Log, limit: int, chosen: ViewSet = MAIN) -> int:
    """Fold at most `limit` events and as many pulses, in one transaction; how many there were."""
    with transaction(connection):
        mark = checkpoint(connection)
        events = log.read(mark.position, limit, timed=chosen.timed)
        pulses = log.pulses(mark.pulses, limit)
        if events or pulses:
            handlers = _handlers(connection, log, chosen)
            _apply(handlers, events, pulses)
            _flush(handlers)
            move(connection, _moved(mark, events, pulses))
    return len(events) + len(pulses)


def fold_all(
    connection: sqlite3.Connection,
    log: Log,
    until: Checkpoint,
    limit: int,
    progress: Progress | None = None,
    chosen: ViewSet = MAIN,
    *,
    indexed: bool = True,
) -> Checkpoint:
    """Fold everything up to `until`, in one transaction that writes final rows in bulk.

    `indexed` False leaves `late` tables without the indexes that only queries need: they are made to be compared.
    """
    with in_bulk(connection, log, until, chosen, indexed=indexed) as bulk:
        bulk.read_on(limit, progress)
    return bulk.mark


@contextmanager
def in_bulk(
    connection: sqlite3.Connection, log: Log, until: Checkpoint, chosen: ViewSet, *, indexed: bool = True
) -> Generator[Bulk]:
    """What `fold_all` does, in steps of one's own."""
    with transaction(connection), no_collector(), _indexed_at_the_end(connection, chosen, indexed=indexed):
        bulk = Bulk(connection, log, until, chosen)
        yield bulk
        bulk.end()


class Bulk:
    """A fold of everything up to `until`, on its way; `mark` says how far it is."""

    def __init__(self, connection: sqlite3.Connection, log: Log, until: Checkpoint, chosen: ViewSet) -> None:
        self.mark = checkpoint(connection)
        self._connection = connection
        self._log = log
        self._until = until
        self._timed = chosen.timed
        self._handlers = _handlers(connection, log, chosen)
        self._abandoned = False

    def abandon(self) -> None:
        """Write nothing more: the file is of no use."""
        self._abandoned = True

    def take(self, events: Sequence[Stored], pulses: Sequence[Stored] = ()) -> None:
        """Fold the next events, and pulses; what lies beyond `until` is left out."""
        if events and events[-1].position > self._until.position:
            events = [stored for stored in events if stored.position <= self._until.position]
        _apply(self._handlers, events, pulses)
        if sum(handler.held() for handler in self._handlers) > HELD_LIMIT:
            _flush(self._handlers)
        self.mark = _moved(self.mark, events, pulses)

    def read_on(self, limit: int, progress: Progress | None) -> None:
        """Fold all that is left, as the log has it."""
        until = self._until
        while self.mark.position < until.position or self.mark.pulses < until.pulses:
            number = min(limit, until.position - self.mark.position)
            events = self._log.read(self.mark.position, number, timed=self._timed)
            pulses = [
                row for row in self._log.pulses(self.mark.pulses, limit) if row.position <= until.pulses
            ]
            if not events and not pulses:
                break
            self.take(events, pulses)
            if progress:
                progress(self.mark.position, until.position)

    def end(self) -> None:
        """Write what is held, and how far it is."""
        if self._abandoned:
            return
        _flush(self._handlers)
        # The last pulses before `until` may have been pruned since they were folded.
        self.mark = self.mark._replace(pulses=self._until.pulses)
        move(self._connection, self.mark)


def everything(log: Log) -> Checkpoint:
    """How far views are that have folded all there is now."""
    pulses = 0
    while rows := log.pulses(pulses):
        pulses = rows[-1].position
    return Checkpoint(position=log.position(), pulses=pulses)


def _handlers(connection: sqlite3.Connection, log: Log, chosen: ViewSet) -> list[Handler]:
    context = Context(connection, log, set())
    return [view.handler(context) for view in chosen.views]


def _apply(handlers: list[Handler], events: Sequence[Stored], pulses: Sequence[Stored]) -> None:
    for handler in handlers:
        if events:
            handler.apply(events)
        if pulses:
            handler.apply_pulses(pulses)


def _flush(handlers: list[Handler]) -> None:
    for handler in handlers:
        handler.flush()


def _moved(mark: Checkpoint, events: Sequence[Stored], pulses: Sequence[Stored]) -> Checkpoint:
    if pulses:
        mark = mark._replace(pulses=pulses[-1].position)
    if events:
        first = mark.first or events[0].event.id
        mark = mark._replace(first=first, position=events[-1].position, event=events[-1].event.id)
    return mark


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """A transaction that takes the write lock at its beginning: reading first and writing later fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def _indexed_at_the_end(connection: sqlite3.Connection, chosen: ViewSet, *, indexed: bool) -> Generator[None]:
    """Sorting all rows once is quicker than putting each into its place, the more so the more there are."""
    names = {table.name for table in tables(chosen) if table.late}
    made = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    indexes = [row for row in connection.execute(made).fetchall() if row[0] in names]
    for _, name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, _, statement in indexes if indexed else ():
        connection.execute(statement)


def tables(chosen: ViewSet = MAIN) -> list[Table]:
    """All tables of the views, in the order in which the state hash reads them."""
    return [CHECKPOINT, *own_tables(chosen)]


def own_tables(chosen: ViewSet) -> list[Table]:
    """The same without the checkpoint, which is nobody's."""
    return [table for view in chosen.views for table in view.tables]


def same_rows(connection: sqlite3.Connection, other: str, compared: Iterable[Table]) -> bool:
    """True if these tables of an attached database hold the same rows: a third of the time that two hashes take."""
    return all(_same_rows(connection, other, table) for table in compared)


def _same_rows(connection: sqlite3.Connection, other: str, table: Table) -> bool:
    """Each row is known by what the table is ordered by, which is its key."""
    columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table.name})")]
    there = [row[1] for row in connection.execute(f"PRAGMA {other}.table_info({table.name})")]
    keys = " AND ".join(f"a.{name} = b.{name}" for name in table.order.split(", "))
    equal = " AND ".join(f"a.{name} IS b.{name}" for name in columns)
    statement = (
        f"SELECT (SELECT count(*) FROM main.{table.name}), (SELECT count(*) FROM {other}.{table.name}),"  # noqa: S608 - our own names
        f" (SELECT count(*) FROM main.{table.name} a CROSS JOIN {other}.{table.name} b ON {keys} WHERE {equal})"
    )
    here, others, pairs = connection.execute(statement).fetchone() if columns == there else (0, 1, 0)
    return bool(here == others == pairs)


def state_hash(connection: sqlite3.Connection, chosen: ViewSet = MAIN) -> str:
    """sha256 over all rows of the views: equal for equal contents, however they came about."""
    return hash_of({CHECKPOINT.name: digest(connection, CHECKPOINT), **digests(connection, chosen)}, chosen)


def hash_of(digests: Mapping[str, str], chosen: ViewSet = MAIN) -> str:
    """The state hash, made of what `digest` says of each table."""
    return hashlib.sha256(repr([digests[table.name] for table in tables(chosen)]).encode()).hexdigest()


def digests(connection: sqlite3.Connection, chosen: ViewSet) -> dict[str, str]:
    """What `digest` says of each table of these views."""
    return {table.name: digest(connection, table) for table in own_tables(chosen)}


def digest(connection: sqlite3.Connection, table: Table) -> str:
    """sha256 over all rows of a table."""
    found = hashlib.sha256()
    cursor = connection.execute(f"SELECT * FROM {table.name} ORDER BY {table.order}")  # noqa: S608
    found.update(repr((table.name, [column[0] for column in cursor.description])).encode())
    while rows := cursor.fetchmany(HASHED):
        # Version 2 has no references: the same rows are the same bytes, and it takes a fifth of the time of text.
        found.update(marshal.dumps(rows, 2))
    return found.hexdigest()
