"""What every view is made of: tables, a handler that folds events into them, and queries (in the view's own module).

The same handler serves catch-up and rebuild: it loads the rows that its events touch, folds in memory, and writes the
final rows once. So what the tables hold depends on the events alone, never on how they were cut into chunks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from domain.named import NamedTuple

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Log, Stored


class Context(NamedTuple):
    """What handlers share: the tables, the log, and the events (ids) that did not simply follow their stream's head.

    The tasks' handler comes first and fills `forks`: where an event forked its stream, the stream's state is no longer
    what the next event makes of the last state, and is folded from the log (`domain.history`).
    """

    connection: sqlite3.Connection
    log: Log
    forks: set[str]


class Handler(Protocol):
    """Folds events into the tables of one view."""

    def apply(self, events: Sequence[Stored]) -> None:
        """Fold events of the main log, in log order."""

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Fold signs of life, in their order."""

    def flush(self) -> None:
        """Write what was folded since the last flush, and forget it."""

    def held(self) -> int:
        """How many rows are kept in memory until the next flush."""
        ...


class Table(NamedTuple):
    """A table and the columns that order its rows, so that equal contents read as equal text.

    `late`: no handler looks anything up by its indexes, so that a fold of everything makes them at its end.
    """

    name: str
    order: str
    late: bool = False


class View(NamedTuple):
    """A view: its tables, the migrations that make them, oldest first, and its handler."""

    name: str
    tables: tuple[Table, ...]
    migrations: tuple[Callable[[Database], None], ...]
    handler: Callable[[Context], Handler]


class ViewSet(NamedTuple):
    """The views that stand in one file and are caught up together. Another `version` has the file made anew.

    `timed`: whether a handler asks when an event arrived, which costs a look at another table.
    """

    views: tuple[View, ...]
    version: int
    timed: bool = True
