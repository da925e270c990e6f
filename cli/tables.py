"""Lists of tasks and agents for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.output import Answer, Columns
from cli.style import Style
from cli.text import cut, safe_line
from domain.refusals import Refusal
from domain.task import CANCELLED, COMPLETED, STATES

if TYPE_CHECKING:
    from projections.task_pages import Page

TITLE_WIDTH = 72
Row = dict[str, Any]


def page_answer(call: Call, page: Page, fields: list[str] | None = None) -> Answer:
    """`{"tasks": […], "more": N}` and a table."""
    from projections.tasks import conflict_counts

    _add_parts(call, page.rows)
    rows = [_full(call, row["id"]) if call.options.full else row for row in page.rows]
    if fields:
        _check_fields(fields, rows)
        rows = [{name: row.get(name) for name in fields} for row in rows]
    data: dict[str, Any] = {"tasks": rows, "more": page.more}
    if page.cursor:
        data["cursor"] = page.cursor
    style = call.style()
    columns = Columns(style.room)
    unsettled = conflict_counts(call.store.views.connection, [row["id"] for row in page.rows])
    for row in page.rows:
        *cells, title = task_cells(call, style, row)
        number = unsettled.get(row["id"], 0)
        columns.add(*cells, f"{title} ({conflicts_line(number)})" if number else title)
    remarks: list[str] = []
    if page.more and not (call.options.json or call.options.quiet):
        remarks.append(f"{page.more:,} more: --limit {len(page.rows) + page.more}, or --cursor {page.cursor}")
    if not page.rows:
        remarks.append("no tasks")
    return Answer(data, columns.lines(), [row["id"] for row in page.rows], remarks)


def task_cells(call: Call, style: Style, row: Row) -> tuple[str, ...]:
    """Id, state, priority, who, title: one task in a table."""
    return (
        row["id"],
        style.state(row["state"]),
        f"p{row['priority']}",
        who(style, row),
        _title(call, style, row),
    )


def who(style: Style, row: Row) -> str:
    """`ada` for who holds it, `→ada` for whom it is assigned to, `-` for anyone."""
    if row["holder"]:
        return style.name(row["holder"])
    return style.name(row["assignee"], f"→{row['assignee']}") if row["assignee"] else "-"


def _add_parts(call: Call, rows: list[Row]) -> None:
    """Say of epics how many of their parts are in which state."""
    from projections.tasks import parts_of

    found = parts_of(call.store.views.connection, [row["id"] for row in rows])
    for row in rows:
        if row["id"] in found:
            row["parts"] = found[row["id"]]


def rolled_up(parts: dict[str, int]) -> str:
    """`2 of 5 done: 1 WORKING, 2 ASSIGNED` for the parts of an epic, "" for a task that has none."""
    total = sum(number for state, number in parts.items() if state != CANCELLED)
    left = [f"{parts[state]} {state}" for state in STATES if parts.get(state) and state != COMPLETED]
    return (
        f"{parts.get(COMPLETED, 0)} of {total} done{': ' if left else ''}{', '.join(left)}" if parts else ""
    )


def named(row: Row) -> str:
    """The title, behind the slug by which people know the task."""
    return safe_line(f"{row['slug']}: {row['title']}" if row.get("slug") else row["title"])


def _title(call: Call, style: Style, row: Row) -> str:
    title = named(row)
    labels = "".join(f" [{safe_line(label)}]" for label in row.get("labels", ()))
    parts = f" ({rolled_up(row['parts'])})" if row.get("parts") else ""
    return (title if call.options.full or style.room else cut(title, TITLE_WIDTH)) + labels + parts


def conflicts_line(number: int) -> str:
    """`2 conflicts`."""
    return f"{number} conflict{'' if number == 1 else 's'}"


def _full(call: Call, task: str) -> dict[str, Any]:
    from projections.tasks import full

    return full(call.store.views.connection, task)


def _check_fields(fields: list[str], rows: list[dict[str, Any]]) -> None:
    known = list(rows[0]) if rows else fields
    for name in fields:
        if name not in known:
            raise Refusal("bad-value", f"there is no field {name[:40]!r}", f"Fields: {', '.join(known)}.")
