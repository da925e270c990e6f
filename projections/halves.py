"""The views folded anew, beside the live ones: by one process, or a long log by two.

Then another process makes the tables of the tasks, and this one all others, in a file of their own; these are put to
the tasks' when both have ended. What comes of it is the same, to the byte, as what one process makes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from domain.stores.apart import WORTHWHILE
from projections import folding
from projections.database import connect_fresh
from projections.folding import CHECKPOINT, MAIN, OTHERS, TASKS, Checkpoint, Progress

if TYPE_CHECKING:
    from domain.log import Log
    from domain.stores.apart import Apart, Job
    from projections.database import Files
    from projections.handler import ViewSet

OTHERS_FILE = "others"

Digests = dict[str, str]


class Anew:
    """Views folded up to `until` into a temporary file, which `connection` has open."""

    def __init__(
        self, files: Files, log: Log, chosen: ViewSet, until: Checkpoint, chunk: int, *, kept: bool = True
    ) -> None:
        """`kept`: whether they are to be the live ones; else they are only compared, and need no indexes."""
        self._files = files
        self._log = log
        self._set = chosen
        self._until = until
        self._chunk = chunk
        self._kept = kept
        self._held = ExitStack()
        self._job: Job[Digests] | None = None
        self._digests: Digests = {}

    @contextmanager
    def begun(self, apart: Apart | None) -> Generator[Anew]:
        """Under the lock: make the file; where it pays, another process is at work from now on."""
        with self._held:
            self._files.beside(OTHERS_FILE).sweep()
            self._open()
            if apart and apart.number > 1 and self._until.position >= WORTHWHILE and self._set is MAIN:
                self._job = apart.begin(
                    fold_tasks, self._log, self._files.fresh_path, self._until, self._chunk, self._kept
                )
            yield self

    def _open(self) -> None:
        self.connection = self._held.enter_context(self._files.fresh())
        folding.create(self.connection, self._set)

    def finish(self, progress: Progress | None) -> Checkpoint:
        """Fold what nobody else folds, and wait for the rest; how far it is. Raises Unusable."""
        try:
            return self._finish(progress)
        except sqlite3.Error as error:
            raise self._files.refusal(error) from error

    def _finish(self, progress: Progress | None) -> Checkpoint:
        if self._job:
            mark = self._joined(self._job, progress)
            if mark:
                return mark
            self._held.close()  # the other process was killed perhaps, and left half a file
            self._open()
        return self._fold(self.connection, self._set, progress)

    def _fold(self, connection: sqlite3.Connection, chosen: ViewSet, progress: Progress | None) -> Checkpoint:
        about = (self._until, self._chunk, progress, chosen)
        return folding.fold_all(connection, self._log, *about, indexed=self._kept)

    def _joined(self, job: Job[Digests], progress: Progress | None) -> Checkpoint | None:
        beside = self._files.beside(OTHERS_FILE)
        with beside.fresh() as others:
            folding.create(others, OTHERS)
            mark = self._fold(others, OTHERS, _half(progress, 0))
            tasks = job.result(_half(progress, 1))
            if tasks is None:
                return None
            self._digests = {**tasks, **folding.digests(others, OTHERS)}
            _add_others(self.connection, beside.fresh_path, mark)
        return mark

    def state_hash(self) -> str:
        """The hash of what was folded."""
        if not self._digests:
            return folding.state_hash(self.connection, self._set)
        place = {CHECKPOINT.name: folding.digest(self.connection, CHECKPOINT)}
        return folding.hash_of({**place, **self._digests}, self._set)


def fold_tasks(
    log: Log,
    path: str,
    until: Checkpoint,
    chunk: int,
    indexed: bool,  # noqa: FBT001 - as `Apart.begin` calls it
    progress: Progress,
) -> Digests:
    """In a process of its own: fold the tasks' half into a database that has its tables; the digests of these."""
    with closing(connect_fresh(path)) as connection:
        folding.fold_all(connection, log, until._replace(pulses=0), chunk, progress, TASKS, indexed=indexed)
        return folding.digests(connection, TASKS)


def _add_others(connection: sqlite3.Connection, path: str, until: Checkpoint) -> None:
    connection.execute("ATTACH ? AS half", (path,))
    with folding.transaction(connection):
        for table in (table for view in OTHERS.views for table in view.tables):
            connection.execute(f"INSERT INTO main.{table.name} SELECT * FROM half.{table.name}")  # noqa: S608 - our own names
        folding.move(connection, until)
    connection.execute("DETACH half")


def _half(progress: Progress | None, half: int) -> Progress | None:
    """The progress of one of two that come one after the other."""
    return (lambda done, total: progress((done + half * total) // 2, total)) if progress else None
