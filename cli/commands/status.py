"""`status`: what needs a person, and how things stand."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.arguments import LimitOption
from cli.attention import attention, sentence, summary
from cli.call import Call
from cli.grammar import command
from cli.output import Answer, Columns
from cli.since import changes, looked, starting_point
from cli.style import BOLD, DIM, Style
from cli.text import age, safe_line
from domain.task import STATES

Row = dict[str, Any]


@command("status", "crewlog status\ncrewlog status --since last\ncrewlog status --brief", looks=True)
def status(
    call: Call,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Also what changed since: 2h, a date or a local time, or `last` for your last look.",
            show_default=False,
        ),
    ] = "",
    brief: Annotated[bool, typer.Option("--brief", help="One line.", show_default=False)] = False,
    limit: LimitOption = 20,
) -> None:
    """Say what needs you, oldest first, each with the command to type; then how many tasks are in which state.

    Work to review, to merge, that failed; what clones did at once; circles of links; tasks that wait for what
    will not be done; questions without an answer; acks
    that are overdue; agents that are lost.
    """
    rows = attention(call)
    standing = _standing(call)
    start = starting_point(call, since) if since else None
    changed = changes(call, start) if start is not None else None
    if not brief and not call.options.looks_elsewhere:
        looked(call, call.store.log.position())
    data: Row = {"attention": rows[:limit], "more": max(0, len(rows) - limit), **standing}
    if changed is not None:
        data["since"] = changed
    style = call.style()
    lines = [_brief(rows, standing)] if brief else _lines(style, rows[:limit], standing)
    if changed is not None and not brief:
        lines += ["", *_changed(style, changed)]
    remarks = [f"{len(rows) - limit} more: --limit {len(rows)}"] if len(rows) > limit and not brief else []
    call.answer(Answer(data, lines, [row["id"] for row in rows[:limit]], remarks))


def _standing(call: Call) -> Row:
    from projections.tasks import counts, ready_count

    connection = call.store.views.connection
    return {"counts": counts(connection), "ready": ready_count(connection)}


def _brief(rows: list[Row], standing: Row) -> str:
    return f"{summary(rows)}; {_counts(standing)}"


def _counts(standing: Row) -> str:
    counts = standing["counts"]
    shown = {state: f"{counts[state]} {state.lower().replace('_', ' ')}" for state in STATES if counts[state]}
    if "ASSIGNED" in shown:
        shown["ASSIGNED"] += f" ({standing['ready']} ready)"
    return ", ".join(shown.values()) or "no tasks"


def _lines(style: Style, rows: list[Row], standing: Row) -> list[str]:
    """Two lines for each thing: what it is, and the command, whole, so that it can be taken with a double click."""
    lines = [style.paint(f"{summary(rows)}", BOLD)]
    for row in rows:
        columns = Columns(style.room)
        columns.add(
            f"  {age(row['age']):>3}", style.paint(f"{row['kind']:<8}", _COLOURS[row["kind"]]), _about(row)
        )
        lines += [*columns.lines(), f"       {row['command']}"]
    return [*lines, "", _counts(standing)]


_COLOURS = {
    "review": "35",
    "merge": "36",
    "setback": "31",
    "conflict": "31",
    "circle": "31",
    "stuck": "31",
    "failed": "31",
    "lost": "31",
    "question": "33",
    "ack": DIM,
}


def _about(row: Row) -> str:
    said = ": ".join(part for part in (safe_line(row["title"]), safe_line(row["text"])) if part)
    return f"{row['id']}  {safe_line(sentence(row))}: {said}"


def _changed(style: Style, changed: Row) -> list[str]:
    lines: list[str] = []
    for word in ("completed", "failed", "cancelled", "spawned"):
        found = changed[word]
        if not found["count"]:
            continue
        lines.append(f"{found['count']} {word}:")
        columns = Columns(style.room)
        for task in found["tasks"]:
            why = f": {safe_line(task['reason'])}" if task.get("reason") else ""
            columns.add(f"  {task['id']}", style.state(task["state"]), safe_line(task["title"]) + why)
        lines += columns.lines()
    taken = changed["imported"]
    if taken["count"]:
        lines.append(f"{taken['count']:,} imported, {taken['completed']:,} of them are completed")
    return lines or ["nothing changed"]
