"""The views of one store: opened, caught up, rebuilt.

`views.db` may be deleted whenever one likes; what it holds is folded again from the log. Whoever stumbles over something
damaged in it makes it anew. An error that a bug explains as well is a reason for that once: what fails behind it is the
log's fault or ours, and `views.found` keeps everybody from trying again for an hour. Its one rule of safety: a
database that somebody may have open is never renamed, replaced or unlinked. So a rebuild copies its result over the
live file with SQLite's backup API, and a damaged file is removed only while nobody else has it open.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from domain.event import check
from domain.named import NamedTuple
from domain.refusals import Refusal
from projections import folding
from projections.database import (
    AMBIGUOUS,
    MENDED,
    SOUND,
    SOUND_SECONDS,
    TROUBLE,
    Files,
    Unusable,
    connect_memory,
    is_damage,
    is_malformed,
)
from projections.folding import Checkpoint, Progress
from projections.handler import ViewSet

if TYPE_CHECKING:
    from domain.log import Log, Stored
    from domain.stores.apart import Apart
    from projections.halves import Anew

CHUNK = 1_000
FAR = 10_000  # events

Answer = TypeVar("Answer")


class Rebuilt(NamedTuple):
    """What a rebuild found: `same` is False where the views were not what the log says.

    `hash_before` is "" where there were no views of this version and of this log, or damaged ones, which are not the same.
    """

    events: int
    hash_before: str
    hash_after: str
    same: bool
    seconds: float


class Comparison:
    """A fold of the whole log beside the live views, begun, and to be compared with them.

    `live` reads the live views. `same`: once that is done, False where these are not what the log says.
    """

    def __init__(self, anew: Anew, live: sqlite3.Connection | None, *, damaged: bool) -> None:
        """`live`: the live views, None where there are none to compare with, `damaged` or not there at all."""
        self._anew = anew
        self.live = live
        self._damaged = damaged
        self.same: bool | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """A database with the tables of the tasks, as they were folded."""
        return self._anew.connection

    @property
    def take(self) -> Callable[[Sequence[Stored]], None] | None:
        """For who reads the log anyway: what to give its events to, in order; None where nobody wants them."""
        return self._anew.take

    def finish(self, progress: Progress | None = None) -> bool | None:
        """Wait for the end of the fold, and compare; `same`, or None where nothing can be written."""
        with suppress(Unusable):
            self._anew.finish(progress)
            same = self._anew.equals_live()
            self.same = not self._damaged if same is None else same
        return self.same


class Views:
    """The read models of one log. Query through `connection`; call `catch_up` first.

    `remark` says why the views are in memory only, "" where they are on disk.
    """

    def __init__(
        self,
        files: Files,
        log: Log,
        chunk: int = CHUNK,
        progress: Progress | None = None,
        chosen: ViewSet = folding.MAIN,
        before_fold: Callable[[], None] = lambda: None,
    ) -> None:
        self._files = files
        self._set = chosen
        self._log = log
        self._chunk = chunk
        self._progress = progress
        self._before_fold = before_fold
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._opened = 0.0
        self.remark = ""

    @property
    def connection(self) -> sqlite3.Connection:
        """For reading. Ask for it anew after each `catch_up` or `rebuild`: both may have opened the file again."""
        if self._connection is None:
            self._files.enter()
            self._opened = time.time()
            self._connection = self._files.connect_reader()
            self._inode = self._files.inode()
        return self._connection

    def keep(self, connection: sqlite3.Connection, remark: str) -> None:
        """Read from this connection, which nobody else has, from now on."""
        self._connection, self.remark = connection, remark

    def close(self) -> None:
        """Close the file. Readers change nothing by it: they are opened read-only and never checkpoint."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._files.leave()

    # --- catching up ---------------------------------------------------------------------------------------------

    def catch_up(self, wait: bool = True) -> int:  # noqa: FBT001, FBT002 - read as `catch_up(wait=False)`
        """Fold what the log has and the views have not; how much that was, 0 for nothing new.

        Writes only when behind. `wait` False gives up when somebody else is at it, or when nothing can be written:
        the next reader does it. With `wait`, where the file cannot be written a copy is folded in memory.
        """
        try:
            return self._catch_up(wait=wait)
        except Unusable as unusable:
            if not wait:
                return 0
            self._to_memory(str(unusable))
            return self._fold_in_memory()

    def _catch_up(self, *, wait: bool) -> int:
        if self.remark:
            return self._fold_in_memory()
        if self._is_current():
            return 0
        if wait:
            self._before_fold()
        with self._files.turn(wait=wait) as mine:
            return self._write(wait=wait) if mine else 0

    def _is_current(self) -> bool:
        """A look without any lock. False also where the file must be made, or made anew."""
        with suppress(*TROUBLE):
            mark = self._mark()
            return mark is not None and not folding.standing(mark, self._log).behind
        return False

    def _mark(self) -> Checkpoint | None:
        """The checkpoint of a file that is there and of our version; else None."""
        if self._connection is not None and self._inode != self._files.inode():
            self.close()  # it was deleted under us, and perhaps made again
        if self._files.inode() == 0 or folding.version(self.connection) != self._set.version:
            return None
        return folding.checkpoint(self.connection)

    def _sound_mark(self) -> Checkpoint | None:
        """The checkpoint, if the file is there, of our version, and was folded from this log; else None."""
        mark = self._mark()
        return mark if mark and self._fits(mark) else None

    def _write(self, *, wait: bool) -> int:
        """Under the lock: fold what is new, or make the file anew where it is of no use."""
        self._files.sweep()
        folded = self._fold_on(wait=wait)
        if folded is not None:
            return folded
        try:
            return self._make_anew()
        except AMBIGUOUS:
            self._files.note(SOUND)  # it was not what the error came from
            raise

    def _fold_on(self, *, wait: bool) -> int | None:
        """Under the lock: fold what is new; None where the file is of no use."""
        try:
            mark = self._sound_mark()
            if mark is None or self._is_far_behind(mark):
                return None
            with self._files.writer() as connection:
                return self._fold(connection)
        except TROUBLE as error:
            if not self._is_suspect(error) or (isinstance(error, AMBIGUOUS) and not wait):
                raise self._files.refusal(error) from error
            return None

    def _is_suspect(self, error: Exception) -> bool:
        """True if it is worth while to make the file anew for this error."""
        if not isinstance(error, AMBIGUOUS):
            return is_damage(error)
        return (
            is_damage(error)
            and not self._files.noted(SOUND, time.time() - SOUND_SECONDS)
            and not self._is_log_at_fault()
        )

    def _is_log_at_fault(self) -> bool:
        """True if what comes next in the log is no event: to fold all of it anew would only take longer to say so."""
        with suppress(*TROUBLE):
            rows = self._log.lines(folding.checkpoint(self.connection).position, self._chunk)
            try:
                for row in rows:
                    check(row.state)
            except Refusal:
                return True
        return False

    def _is_far_behind(self, mark: Checkpoint) -> bool:
        """True where most of the log is new, as after a large import: to fold all of it anew takes less time."""
        return self._log.position() - mark.position >= max(FAR, mark.position)

    def _make_anew(self) -> int:
        from domain.stores.apart import Apart  # hot commands do not fold anew

        with Apart() as apart, self._beginning_anew(folding.everything(self._log), apart) as anew:
            events = anew.finish(self._progress).position
            self._replace_live(anew.connection)
            return events

    def _fold(self, connection: sqlite3.Connection) -> int:
        total = 0
        while True:
            folded = folding.fold_chunk(connection, self._log, self._chunk, self._set)
            total += folded
            if self._progress and folded == self._chunk:
                self._progress(folding.checkpoint(connection).position, self._log.position())
            if folded < self._chunk:
                return total

    def _fold_in_memory(self) -> int:
        try:
            return self._fold(self.connection)
        except TROUBLE as error:
            if not is_damage(error):
                raise
            self._to_empty_memory(self.remark)
            return self._fold(self.connection)

    def _to_memory(self, why: str) -> None:
        """Go on in memory: with a copy of the file where it is sound, else with empty tables."""
        connection = connect_memory()
        try:
            self._files.copy_into(connection)
            sound = folding.version(connection) == self._set.version and self._fits(
                folding.checkpoint(connection)
            )
        except TROUBLE:
            sound = False
        if sound:
            self.close()
            self.keep(connection, why)
        else:
            connection.close()
            self._to_empty_memory(why)

    def _to_empty_memory(self, why: str) -> None:
        connection = connect_memory()
        folding.create(connection, self._set)
        self.close()
        self.keep(connection, why)

    def _fits(self, mark: Checkpoint) -> bool:
        return folding.standing(mark, self._log).fits and folding.begins_alike(mark, self._log)

    # --- rebuilding ----------------------------------------------------------------------------------------------

    def rebuild(self, progress: Progress | None = None, apart: Apart | None = None) -> Rebuilt:
        """Fold the whole log anew beside the live file, compare, and copy the result over it.

        `progress(done, total)` is called after each chunk. Readers see the old views or the new ones. `apart`: where
        another process may help.
        """
        try:
            with self._files.turn(wait=True):
                return self._rebuild(progress, apart)
        except Unusable as unusable:
            raise Refusal(
                "unwritable", f"the views cannot be rebuilt: {unusable}", path=self._files.path
            ) from None

    def _rebuild(self, progress: Progress | None = None, apart: Apart | None = None) -> Rebuilt:
        """Under the lock."""
        started = time.monotonic()
        self._files.sweep()
        live, damaged = self._caught_up()
        with self._beginning_anew(live or folding.everything(self._log), apart) as anew:
            before = self._hash() if live else None if damaged else ""
            events = anew.finish(progress).position
            after = anew.state_hash()
            self._replace_live(anew.connection)
        return Rebuilt(events, before or "", after, before in ("", after), time.monotonic() - started)

    def mend(self, error: Exception) -> bool:
        """After an error that a damaged file may have caused: make the file anew.

        False where it was what the log says, so that the error has another cause, where nobody has opened it here, or where
        nothing can be written; rows that are right do not excuse a malformed page, which may be one of an index. Raises
        Refusal `locked`.
        """
        opened = self._opened
        if not opened or self.remark or not self._is_suspect(error):
            return False
        self.close()  # an answer that was half read would hold on to its moment
        with suppress(Unusable), self._files.turn(wait=True):
            if self._files.noted(MENDED, opened):  # by somebody who had stumbled over it, too
                return True
            if self._is_suspect(error):  # still, now that it is our turn
                mended = not self._rebuild().same or is_malformed(error)
                self._files.note(MENDED if mended else SOUND)
                self._opened = time.time()
                return mended
        return False

    def compare(self, progress: Progress | None = None) -> bool | None:
        """Fold the whole log anew and compare, and leave the live file as it is; None where nothing can be written."""
        with self.comparing() as comparison:
            return comparison.finish(progress) if comparison else None

    @contextmanager
    def comparing(self, apart: Apart | None = None) -> Generator[Comparison | None]:
        """What `compare` does, begun, and to be ended by `finish`: where another process helps, it is at work meanwhile."""
        with ExitStack() as held:
            try:
                held.enter_context(self._files.turn(wait=True))
                self._files.sweep()
                live, damaged = self._caught_up()
                until = live or folding.everything(self._log)
                beside = self._files if live else None
                anew = held.enter_context(self._beginning_anew(until, apart, kept=False, live=beside))
                comparison = Comparison(anew, self.connection if live else None, damaged=damaged)
            except Unusable:
                comparison = None
            yield comparison

    def _caught_up(self) -> tuple[Checkpoint | None, bool]:
        """How far the live views are, caught up, None where they are of no use; whether they are damaged."""
        try:
            if self._sound_mark():
                with self._files.writer() as connection:
                    self._fold(connection)
                    return folding.checkpoint(connection), False
        except TROUBLE as error:
            return None, is_damage(error)
        return None, False

    def _hash(self) -> str | None:
        """The hash of the live views; None where they turn out to be damaged, "" where they can't be read now."""
        try:
            return folding.state_hash(self.connection, self._set)
        except TROUBLE as error:
            return None if is_damage(error) else ""

    @contextmanager
    def _beginning_anew(
        self, until: Checkpoint, apart: Apart | None = None, *, kept: bool = True, live: Files | None = None
    ) -> Generator[Anew]:
        """Under the lock: begin to fold the log up to a place, beside the live file."""
        from projections.halves import Anew  # hot commands do not fold anew

        about = (self._files, self._log, self._set, until, self._chunk)
        with Anew(*about, kept=kept, live=live).begun(apart) as anew:
            yield anew

    def _replace_live(self, fresh: sqlite3.Connection) -> None:
        try:
            self._files.copy_over(fresh)
        except TROUBLE as error:
            if not is_damage(error):
                raise self._files.refusal(error) from error
            self.close()
            self._files.remove()
            self._files.copy_over(fresh)
        if self._inode != self._files.inode():
            self.close()

    # --- reading -------------------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Generator[sqlite3.Connection]:
        """The connection, inside one snapshot: several queries see the same moment."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            if connection.in_transaction:  # a damaged file may have ended it
                connection.execute("ROLLBACK")

    def ask(self, query: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Catch up and run the query in one snapshot; a file that proves to be damaged is made anew first."""
        self.catch_up()
        try:
            with self.snapshot() as connection:
                return query(connection)
        except TROUBLE as error:
            if not self._is_suspect(error):
                raise
        self._begin_again()
        try:
            with self.snapshot() as connection:
                return query(connection)
        except AMBIGUOUS:
            self._files.note(SOUND)
            raise

    def _begin_again(self) -> None:
        """Make the file anew, or go on in memory where it cannot be written."""
        why = self.remark
        if not why:
            try:
                self.rebuild()
            except Refusal as refusal:
                if refusal.code != "unwritable":
                    raise
                why = refusal.message
        if why:
            self._to_empty_memory(why)
            self._fold(self.connection)

    def state_hash(self) -> str:
        """sha256 over all tables of all views: equal for equal contents, however they came about."""
        with self.snapshot() as connection:
            return folding.state_hash(connection, self._set)

    def tables(self) -> list[str]:
        """The names of the tables, in the order of the state hash."""
        return [table.name for table in folding.tables(self._set)]


def views_in_memory(log: Log, progress: Progress | None = None) -> Views:
    """Views of a log that are folded anew, and leave no file."""
    views = Views(Files(""), log, CHUNK, progress)
    connection = connect_memory()
    folding.create(connection)
    folding.fold_all(connection, log, folding.everything(log), CHUNK, progress)
    views.keep(connection, "they were made for this command only")
    return views


def open_views(
    folder: str,
    log: Log,
    *,
    chunk: int = CHUNK,
    progress: Progress | None = None,
    before_fold: Callable[[], None] = lambda: None,
) -> Views:
    """The views of the store in `folder` (`.crewlog`). Nothing is opened or made before it is needed.

    `chunk`: events a transaction. `progress(done, total)` is called where a catch-up has much to fold.
    `before_fold` is called when a catch-up that waits finds something to fold.
    """
    return Views(Files(folder), log, chunk, progress, before_fold=before_fold)
