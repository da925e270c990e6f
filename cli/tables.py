"""Lists of tasks and agents for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.output import Answer, Columns
from cli.text import cut, safe_line
from domain.refusals import Refusal
from domain.task import CANCELLED, COMPLETED, STATES

if TYPE_CHECKING:
    from projections.task_pages import Page

TITLE_WIDTH = 72


def page_answer(call: Call, page: Page, fields: list[str] | None = None) -> Answer:
    """`{"tasks": […], "more": N}` and a table."""
    rows = [_full(call, row["id"]) if call.options.full else row for row in page.rows]
    if fields:
        _check_fields(fields, rows)
        rows = [{name: row.get(name) for name in fields} for row in rows]
    data: dict[str, Any] = {"tasks": rows, "more": page.more}
    if page.cursor:
        data["cursor"] = page.cursor
    columns = Columns()
    for row in page.rows:
        columns.add(row["id"], row["state"], f"p{row['priority']}", who(row), _title(call, row))
    remarks: list[str] = []
    if page.more and not (call.options.json or call.options.quiet):
        remarks.append(f"{page.more:,} more: --limit {len(page.rows) + page.more}, or --cursor {page.cursor}")
    if not page.rows:
        remarks.append("no tasks")
    return Answer(data, columns.lines(), [row["id"] for row in page.rows], remarks)


def who(row: dict[str, Any]) -> str:
    """`ada` for who holds it, `→ada` for whom it is assigned to, `-` for anyone."""
    if row["holder"]:
        return str(row["holder"])
    return f"→{row['assignee']}" if row["assignee"] else "-"


def rolled_up(parts: dict[str, int]) -> str:
    """`2 of 5 done: 1 WORKING, 2 ASSIGNED` for the parts of an epic, "" for a task that has none."""
    total = sum(number for state, number in parts.items() if state != CANCELLED)
    left = [f"{parts[state]} {state}" for state in STATES if parts.get(state) and state != COMPLETED]
    return (
        f"{parts.get(COMPLETED, 0)} of {total} done{': ' if left else ''}{', '.join(left)}" if parts else ""
    )


def _title(call: Call, row: dict[str, Any]) -> str:
    title = safe_line(row["title"])
    labels = "".join(f" [{safe_line(label)}]" for label in row["labels"])
    return (title if call.options.full else cut(title, TITLE_WIDTH)) + labels


def _full(call: Call, task: str) -> dict[str, Any]:
    from projections.tasks import full

    return full(call.store.views.connection, task)


def _check_fields(fields: list[str], rows: list[dict[str, Any]]) -> None:
    known = list(rows[0]) if rows else fields
    for name in fields:
        if name not in known:
            raise Refusal("bad-value", f"there is no field {name[:40]!r}", f"Fields: {', '.join(known)}.")
