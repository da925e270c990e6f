"""The views folded anew, beside the live ones: by one process, or a long log by two.

Then another process makes the tables of the tasks, and this one all others, in a file of their own. When both have
ended these are put to the tasks'; or each has compared its own with the live ones, where nothing else is wanted. What
comes of it is the same, to the byte, as what one process makes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from domain.named import NamedTuple
from domain.stores.apart import WORTHWHILE
from projections import folding
from projections.database import Unusable, attached, connect_fresh, is_damage
from projections.folding import CHECKPOINT, MAIN, OTHERS, TASKS, Bulk, Checkpoint, Progress

if TYPE_CHECKING:
    from domain.log import Log, Stored
    from domain.stores.apart import Apart, Job
    from projections.database import Files
    from projections.handler import Table, ViewSet

OTHERS_FILE = "others"

Digests = dict[str, str]


class Half(NamedTuple):
    """What came of one half.

    `digests`: of its tables, where they are to be kept. `same`: whether the live ones hold the same, None where that was not
    asked.
    """

    digests: Digests
    same: bool | None


class _Others(NamedTuple):
    """The half that this process folds, in a file of its own."""

    connection: sqlite3.Connection
    path: str
    bulk: Bulk


class Anew:
    """Views folded up to `until` into a temporary file, which `connection` has open."""

    def __init__(
        self,
        files: Files,
        log: Log,
        chosen: ViewSet,
        until: Checkpoint,
        chunk: int,
        *,
        kept: bool = True,
        live: Files | None = None,
    ) -> None:
        """`kept`: whether they are to be the live ones; else they need no indexes, and are compared with those in `live`."""
        self._files = files
        self._log = log
        self._set = chosen
        self._until = until
        self._chunk = chunk
        self._kept = kept
        self._live = live.path if live else ""
        self._held = ExitStack()
        self._job: Job[Half] | None = None
        self._folding = ExitStack()
        self._others: _Others | None = None
        self._digests: Digests = {}
        self._same: bool | None = None
        self._failed: sqlite3.Error | None = None

    @contextmanager
    def begun(self, apart: Apart | None) -> Generator[Anew]:
        """Under the lock: make the file; where it pays, another process is at work from now on."""
        with self._held, self._folding:
            self._files.beside(OTHERS_FILE).sweep()
            self._open()
            if apart and apart.number > 1 and self._until.position >= WORTHWHILE and self._set is MAIN:
                mark = folding.marked(self.connection)
                about = (self._files.fresh_path, mark, self._until, self._chunk, self._kept, self._live)
                self._job = apart.begin(fold_tasks, self._log, *about)
                self._begin_others()
            yield self

    @property
    def take(self) -> Callable[[Sequence[Stored]], None] | None:
        """For who reads the log anyway: what to give its events to, from the first one on; None where nobody wants them.

        Whoever stops on the way does no harm: the rest is read here.
        """
        return self._take if self._others else None

    def _take(self, events: Sequence[Stored]) -> None:
        """What is wrong with the file, `finish` says: whoever reads the log has nothing to do with it."""
        if self._others and not self._failed:
            try:
                self._others.bulk.take(events)
            except sqlite3.Error as error:
                self._failed = error
                self._others.bulk.abandon()

    def _begin_others(self) -> None:
        files = self._files.beside(OTHERS_FILE)
        connection = self._held.enter_context(files.fresh())
        folding.create(connection, OTHERS)
        about = (connection, self._log, self._until, OTHERS)
        bulk = self._folding.enter_context(folding.in_bulk(*about, indexed=self._kept))
        self._others = _Others(connection, files.fresh_path, bulk)

    def _open(self) -> None:
        self.connection = self._held.enter_context(self._files.fresh())
        folding.create(self.connection, self._set)

    def finish(self, progress: Progress | None) -> Checkpoint:
        """Fold what nobody else folds, and wait for the rest; how far it is. Raises Unusable."""
        try:
            if self._failed:
                raise self._failed
            return self._finish(progress)
        except sqlite3.Error as error:
            raise self._files.refusal(error) from error

    def _finish(self, progress: Progress | None) -> Checkpoint:
        if self._job and self._others:
            mark = self._joined(self._job, self._others, progress)
            if mark:
                return mark
            self._held.close()  # the other process was killed perhaps, and left half a file
            self._open()
        about = (self._until, self._chunk, progress, self._set)
        return folding.fold_all(self.connection, self._log, *about, indexed=self._kept)

    def _joined(self, job: Job[Half], others: _Others, progress: Progress | None) -> Checkpoint | None:
        others.bulk.read_on(self._chunk, _half(progress, 0))
        self._folding.close()
        mine = _half_of(others.connection, OTHERS, [CHECKPOINT], self._kept, self._live)
        tasks = job.result(_half(progress, 1))
        if tasks is None:
            return None
        self._digests = {**tasks.digests, **mine.digests}
        self._same = mine.same and tasks.same
        if self._kept:
            _add_others(self.connection, others.path, others.bulk.mark)
        return others.bulk.mark

    def state_hash(self) -> str:
        """The hash of what was folded."""
        if not self._digests:
            return folding.state_hash(self.connection, self._set)
        place = {CHECKPOINT.name: folding.digest(self.connection, CHECKPOINT)}
        return folding.hash_of({**place, **self._digests}, self._set)

    def equals_live(self) -> bool | None:
        """True if the live views hold the same rows; None where there are none."""
        if self._live and self._same is None:
            self._same = _same_as(self.connection, self._live, folding.tables(self._set))
        return self._same


def fold_tasks(
    log: Log,
    path: str,
    mark: Checkpoint,
    until: Checkpoint,
    chunk: int,
    kept: bool,  # noqa: FBT001 - as `Apart.begin` calls it
    live: str,
    progress: Progress,
) -> Half:
    """In a process of its own: fold the tasks' half into a database that has its tables.

    Where it is to be `kept` it gets its indexes. `live`: the file with which it is compared, "" for none. Where the file does
    not bear the `mark`, who asked was killed, and somebody else has begun anew: raises Unusable.
    """
    with closing(connect_fresh(path)) as connection:
        if folding.checkpoint(connection) != mark:
            raise Unusable(path)
        folding.fold_all(connection, log, until._replace(pulses=0), chunk, progress, TASKS, indexed=kept)
        return _half_of(connection, TASKS, [], kept, live)


def _half_of(
    connection: sqlite3.Connection,
    chosen: ViewSet,
    also: list[Table],
    kept: bool,  # noqa: FBT001 - as above
    live: str,
) -> Half:
    digests = folding.digests(connection, chosen) if kept else {}
    return Half(digests, _same_as(connection, live, also + folding.own_tables(chosen)) if live else None)


def _same_as(connection: sqlite3.Connection, live: str, compared: list[Table]) -> bool:
    try:
        with attached(connection, live, "live"):
            return folding.same_rows(connection, "live", compared)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False


def _add_others(connection: sqlite3.Connection, path: str, until: Checkpoint) -> None:
    with attached(connection, path, "half"), folding.transaction(connection):
        for table in folding.own_tables(OTHERS):
            connection.execute(f"INSERT INTO main.{table.name} SELECT * FROM half.{table.name}")  # noqa: S608 - our own names
        folding.move(connection, until)


def _half(progress: Progress | None, half: int) -> Progress | None:
    """The progress of one of two that come one after the other."""
    return (lambda done, total: progress((done + half * total) // 2, total)) if progress else None
