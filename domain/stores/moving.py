"""A whole log from one engine to another, row for row, and compared: the tables are the same on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from domain.event import check
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.stores.tables import Tables

Step = Callable[[int, int], None]


class Rows(NamedTuple):
    """One table: its columns, of which the first `key` are unique together; how many rows are taken at once."""

    table: str
    columns: tuple[str, ...]
    key: int = 1
    limit: int = 1_000


_EVENT = ("{position}", "originator_id", "originator_version", "topic", "state")
EVENTS = Rows("stored_events", _EVENT)
ALL = (
    EVENTS,
    Rows("pulses", _EVENT),
    Rows("event_id", ("position", "id", "arrived")),
    Rows("keys", ("actor", "key", "id"), 2),
    Rows("chain", ("replica", "seq", "id")),
    Rows("members", ("replica",)),
    Rows("stream_heads", ("stream", "id", "ts"), 2),
    Rows("stream_state", ("stream", "version", "state", "fold", "unknown")),
    Rows("pending", ("id", "missing", "state")),
    Rows("blobs", ("sha256", "size", "media_type", "data"), limit=8),
)


def copy(source: Tables, target: Tables, step: Step | None = None) -> None:
    """Fill the empty tables of `target`. `step(done, total)` counts events."""
    total = source.count("stored_events")
    for rows in ALL:
        columns = ", ".join(rows.columns).format(position=target.position_column)
        insert = f"INSERT INTO {rows.table} ({columns}) VALUES ({', '.join('?' * len(rows.columns))})"  # noqa: S608 - our own names
        for chunk in _chunks(source, rows):
            for row in chunk:
                target.cursor.execute(insert, row)
            if step and rows is EVENTS:
                step(chunk[-1][0], total)


def compare(source: Tables, target: Tables) -> None:
    """Refuse (`corrupt`) where a row differs, or an event's bytes do not have its id."""
    for rows in ALL:
        theirs = _rows(target, rows)
        for row in _rows(source, rows):
            if next(theirs, None) != row:
                raise _differs(rows, row)
            if rows.columns is _EVENT:
                check(row[-1])
        if extra := next(theirs, None):
            raise _differs(rows, extra)


def _rows(tables: Tables, rows: Rows) -> Iterator[tuple[Any, ...]]:
    for chunk in _chunks(tables, rows):
        yield from chunk


def _chunks(tables: Tables, rows: Rows) -> Iterator[list[tuple[Any, ...]]]:
    columns = [column.format(position=tables.position_column) for column in rows.columns]
    key = ", ".join(columns[: rows.key])
    select = f"SELECT {', '.join(columns)} FROM {rows.table}"  # noqa: S608 - our own names
    behind = f" WHERE ({key}) > ({', '.join('?' * rows.key)})"
    order = f" ORDER BY {key} LIMIT {rows.limit}"
    tables.cursor.execute(select + order, ())
    while found := [tuple(row) for row in tables.cursor.fetchall()]:
        yield found
        tables.cursor.execute(select + behind + order, found[-1][: rows.key])


def _differs(rows: Rows, row: tuple[Any, ...]) -> Refusal:
    message = (
        f"{rows.table} differs at {row[: rows.key]}: it was not copied rightly, or holds another log already"
    )
    return Refusal("corrupt", message, "The log is where it was. Name an empty place, and try again.")
