"""Lists of tasks, a page at a time, by (priority, created, id).

Each state (or other range of an index) is read by itself and the few rows are merged here: one query over several
states would sort all tasks in them. How many more there are comes from the counts table where one facet was asked
for, else from counting a range of an index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

import orjson

from domain.event import format_time, parse_time
from domain.named import NamedTuple
from domain.names import TASK_PREFIX, is_task_id
from domain.refusals import Refusal
from domain.task import STATES

Row = dict[str, Any]
Key = tuple[int, str, str]

_COLUMNS = "t.id, t.title, t.state, t.priority, t.assignee, t.holder, t.labels, t.updated, t.slug, t.created"


class TaskFilter(NamedTuple):
    """Which tasks: in any of `states` (none: all), held by, for (`assignee` "": for anyone), with all `labels`."""

    states: tuple[str, ...] = ()
    holder: str | None = None
    assignee: str | None = None
    labels: tuple[str, ...] = ()


class Page(NamedTuple):
    """Some rows, how many more match behind them, and the cursor that continues there ("" at the end)."""

    rows: list[Row]
    more: int
    cursor: str


class _Range(NamedTuple):
    """A range of an index that holds its rows in page order."""

    source: str
    where: str
    params: tuple[Any, ...]
    key: str = "t.priority, t.created, t.id"
    rank: int = 0
    facet: tuple[str, str, str] | None = None


def page(connection: sqlite3.Connection, chosen: TaskFilter, limit: int, cursor: str = "") -> Page:
    """The tasks that match, lowest priority number and oldest first. Raises Refusal `bad-value` for a broken cursor."""
    states = tuple(state for state in STATES if not chosen.states or state in chosen.states)
    labels = _rarest_first(connection, tuple(dict.fromkeys(chosen.labels)), states)
    return _page(connection, [_range(chosen, labels, state) for state in states], limit, cursor)


def ready(connection: sqlite3.Connection, name: str | None, limit: int, cursor: str = "") -> Page:
    """The tasks that can be started: for `name` (its own first, then anyone's), or with None whoever they are for."""
    return _page(connection, _ready_ranges(name), limit, cursor)


def candidates(connection: sqlite3.Connection, name: str, limit: int) -> list[str]:
    """The ids of the tasks that `start` without a task may take, best first."""
    found = _first(connection, _ready_ranges(name), limit, None)
    return [row["id"] for _, row in found]


_READY = "t.state = 'ASSIGNED' AND t.blockers = 0 AND t.hold = 0"


def _ready_ranges(name: str | None) -> list[_Range]:
    if name is None:
        facet = ("ready", "*", "ASSIGNED")
        return [_Range("tasks t INDEXED BY tasks_ready", _READY, (), facet=facet)]
    source = "tasks t INDEXED BY tasks_ready_for"
    return [
        _Range(source, f"t.assignee = ? AND {_READY}", (name,), rank=0, facet=("ready", name, "ASSIGNED")),
        _Range(source, f"t.assignee IS NULL AND {_READY}", (), rank=1, facet=("ready", "", "ASSIGNED")),
    ]


def _rarest_first(
    connection: sqlite3.Connection, labels: tuple[str, ...], states: tuple[str, ...]
) -> tuple[str, ...]:
    if len(labels) < 2:
        return labels
    return tuple(
        sorted(labels, key=lambda label: _counted(connection, [("label", label, s) for s in states]))
    )


def _range(chosen: TaskFilter, labels: tuple[str, ...], state: str) -> _Range:
    """The range to walk for one state: the narrowest index; what it does not cover is checked row by row."""
    found = _by_label(labels[0], state) if labels else _by_column(chosen, state)
    for label in labels[1:]:
        found = _and(found, _HAS_LABEL, label)
    if labels and chosen.holder is not None:
        found = _and(found, "t.holder = ?", chosen.holder)
    if chosen.assignee is not None and (labels or chosen.holder is not None):
        found = _and(found, "t.assignee IS ?", chosen.assignee or None)
    return found


_HAS_LABEL = (
    "EXISTS (SELECT 1 FROM task_labels o WHERE o.label = ? AND o.state = t.state AND o.priority = t.priority"
    " AND o.created = t.created AND o.task = t.id)"
)


def _by_label(label: str, state: str) -> _Range:
    source = "task_labels l CROSS JOIN tasks t ON t.id = l.task"  # CROSS: walk the labels, look the tasks up
    facet = ("label", label, state)
    return _Range(
        source, "l.label = ? AND l.state = ?", (label, state), "l.priority, l.created, l.task", 0, facet
    )


def _by_column(chosen: TaskFilter, state: str) -> _Range:
    if chosen.holder is not None:
        facet = ("holder", chosen.holder, state)
        source = "tasks t INDEXED BY tasks_by_holder"
        return _Range(source, "t.holder = ? AND t.state = ?", (chosen.holder, state), facet=facet)
    if chosen.assignee is not None:
        facet = ("assignee", chosen.assignee, state)
        source = "tasks t INDEXED BY tasks_by_assignee"
        return _Range(
            source, "t.assignee IS ? AND t.state = ?", (chosen.assignee or None, state), facet=facet
        )
    return _Range("tasks t INDEXED BY tasks_by_state", "t.state = ?", (state,), facet=("state", "", state))


def _and(found: _Range, condition: str, *params: Any) -> _Range:
    return found._replace(where=f"{found.where} AND {condition}", params=found.params + params, facet=None)


# --- reading ranges ----------------------------------------------------------------------------------------------

Ranked = tuple[int, Key]


def _page(connection: sqlite3.Connection, ranges: list[_Range], limit: int, cursor: str) -> Page:
    start = _parse_cursor(cursor) if cursor else None
    ranges = [part for part in ranges if start is None or part.rank >= start[0]]
    found = _first(connection, ranges, limit, start)
    rows = [row for _, row in found]
    if len(rows) < limit:
        return Page(rows, 0, "")
    end = found[-1][0] if found else start
    more = _behind(connection, ranges, len(rows), start, end)
    return Page(rows, more, _format_cursor(end) if more and end else "")


def _first(
    connection: sqlite3.Connection, ranges: list[_Range], limit: int, start: Ranked | None
) -> list[tuple[Ranked, Row]]:
    """The first `limit` rows behind `start`, over all ranges; of each range only those that are taken, and the next."""
    ranked = [_ranked(connection, part, limit, start) for part in ranges]
    return [*islice(merge(*ranked, key=itemgetter(0)), limit)]


def _ranked(
    connection: sqlite3.Connection, part: _Range, limit: int, start: Ranked | None
) -> Iterator[tuple[Ranked, Row]]:
    for row in _rows(connection, part, limit, start):
        yield (part.rank, (row["priority"], row.pop("created"), row["id"])), row


def _rows(connection: sqlite3.Connection, part: _Range, limit: int, start: Ranked | None) -> Iterable[Row]:
    where, params = _where(part, start)
    statement = f"SELECT {_COLUMNS} FROM {part.source} WHERE {where} ORDER BY {part.key} LIMIT ?"  # noqa: S608
    cursor = connection.execute(statement, (*params, limit))
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        row["labels"] = orjson.loads(row["labels"])
        yield row


def _where(part: _Range, start: Ranked | None) -> tuple[str, Sequence[Any]]:
    if start is None or part.rank > start[0]:
        return part.where, part.params
    return f"{part.where} AND ({part.key}) > (?, ?, ?)", (*part.params, *start[1])


def _behind(
    connection: sqlite3.Connection, ranges: list[_Range], given: int, start: Ranked | None, end: Ranked | None
) -> int:
    """How many rows lie behind the page."""
    facets = [part.facet for part in ranges if part.facet]
    if start is None and len(facets) == len(ranges):
        return _counted(connection, facets) - given
    more = 0
    for part in ranges:
        where, params = _where(part, end)
        statement = f"SELECT count(*) FROM {part.source} WHERE {where}"  # noqa: S608
        more += int(connection.execute(statement, params).fetchone()[0])
    return more


def _counted(connection: sqlite3.Connection, facets: Iterable[tuple[str, str, str]]) -> int:
    statement = "SELECT n FROM counts WHERE facet = ? AND value = ? AND state = ?"
    rows = [connection.execute(statement, facet).fetchone() for facet in facets]
    return sum(int(row[0]) for row in rows if row)


# --- cursors -----------------------------------------------------------------------------------------------------


def _format_cursor(key: Ranked) -> str:
    rank, (priority, created, task_id) = key
    return f"{rank}.{priority}.{parse_time(created)}.{task_id.removeprefix(TASK_PREFIX)}"


def _parse_cursor(text: str) -> Ranked:
    parts = text.split(".")
    task_id = TASK_PREFIX + parts[-1]
    numbers = [part for part in parts[:-1] if part.isascii() and part.isdigit() and len(part) <= 18]
    if len(parts) != 4 or len(numbers) != 3 or not is_task_id(task_id):
        raise _broken(text)
    try:
        created = format_time(int(numbers[2]))
    except OverflowError as error:
        raise _broken(text) from error
    return int(numbers[0]), (int(numbers[1]), created, task_id)


def _broken(text: str) -> Refusal:
    message = f"{text[:80]!r} is no cursor of a list"
    return Refusal("bad-value", message, "Leave --cursor out to begin at the first page.", given=text[:200])


def assignees_ending(connection: sqlite3.Connection, end: str) -> list[str]:
    """Names that tasks are for and that end with a dot and this: `gastown.crew.nux` for `nux`. The first few."""
    statement = "SELECT DISTINCT value FROM counts WHERE facet = 'assignee' AND n > 0 AND substr(value, -?) = ? ORDER BY value LIMIT 5"
    return [str(row[0]) for row in connection.execute(statement, (len(end) + 1, f".{end}"))]
