"""`show`: one task with everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from cli.arguments import TaskArg, UtcOption
from cli.blobs import unfolded
from cli.call import Call
from cli.code_lines import ahead_of_base, check_line, code_line, gate_lines, merge_line, merge_that_completed
from cli.events import event_cells, event_table
from cli.grammar import command
from cli.output import Answer
from cli.source_lines import assignee_line, other_links_line, source_line
from cli.style import Style
from cli.tables import conflicts_line, rolled_up
from cli.text import safe, safe_line
from cli.writes import next_lines, short
from domain.blobs import preview
from domain.refusals import Refusal
from domain.task import (
    CANCELLED,
    COMPLETED,
)

EVENTS = 10
BODY_LINES = 30


@command("show", "crewlog show t-3k9f\ncrewlog show t-3k9f --full --json", looks=True)
def show(call: Call, task: TaskArg = None, utc: UtcOption = False) -> None:
    """Show one task: what it says, who holds it, what happened. --full shows long texts whole."""
    from projections.tasks import full

    name = call.task(task)
    store = call.store
    store.views.catch_up()
    state = store.log.state(f"task/{name}")
    if state is None:
        raise Refusal("not-found", f"there is no task {name}", "`crewlog list` shows the tasks.", task=name)
    shown = full(store.views.connection, name)
    shown["merge"] = shown["merge"] or merge_that_completed(call, state)
    events = store.log.history(f"task/{name}").order
    records = [orjson.loads(event.line) for event in events]
    ahead = ahead_of_base(call, state)
    shown |= {"ahead": ahead} if ahead else {}
    shown, records = unfolded(call, shown), unfolded(call, records)
    data = {"task": shown, "events": records}
    style = call.style(utc=utc)
    lines = [*_head(style, shown, partial(_named, call)), *gate_lines(call, shown)]
    lines += _body(call, shown["body"])
    who = call.who()
    latest = events if call.options.full else events[-EVENTS:]
    count = f"{len(events)} event{'s' if len(events) > 1 else ''}"
    lines += ["", f"  {count}" + (f", the last {EVENTS}:" if len(events) > len(latest) else ":")]
    table = event_table(style)
    for event in latest:
        table.add(*event_cells(style, event))
    lines += table.lines()
    lines += [
        f"  next: {line}" for line in next_lines(state, who.name if who else None, shown["blocked_by"])[:2]
    ]
    call.answer(Answer(data, lines, [name]))


def _head(style: Style, shown: dict[str, Any], named: Callable[[Sequence[str]], str]) -> list[str]:
    lines = [
        f"{shown['id']}  {style.state(shown['state'])}  p{shown['priority']}  {safe_line(shown['title'])}"
    ]
    facts = {
        "slug": shown["slug"],
        "source": source_line(style, shown),
        "for": assignee_line(shown),
        "held by": f"{shown['holder']}, claim {short(shown['claim'])}" if shown["claim"] else None,
        "labels": " ".join(f'"{label}"' if " " in label else label for label in shown["labels"]),
        "part of": named([shown["parent"]] if shown["parent"] else []),
        "parts": rolled_up(shown["parts"]),
        "after": named(shown["after"]),
        "waits for": named(shown["blocked_by"]) if shown["state"] not in (COMPLETED, CANCELLED) else None,
        "blocks": named(shown["blocks"]),
        "relates": named(shown["relates"]),
        "links": other_links_line(shown, named),
        "spawned": None if shown["source"] else f"{style.when(shown['created'])} by {shown['spawner']}",
        "conflicts": _conflicts(shown),
        "attempt": str(shown["attempts"]) if shown["attempts"] > 1 else None,
        "progress": _progress(style, shown["progress"]),
        "code": code_line(shown),
        "evidence": preview(shown["submission"]["evidence"]) if shown["submission"] else None,
        "check": check_line(shown["submission"]),
        "approved": _approved(shown["approval"]),
        "merged": merge_line(shown["merge"]) if shown["state"] == COMPLETED else None,
        "setback": preview(shown["setback"]["reason"]) if shown["setback"] else None,
        "ended": _end(style, shown["end"], timed=shown["source"] is not None),
    }
    return lines + [f"  {name:<10}{safe_line(str(value))}" for name, value in facts.items() if value]


def _conflicts(shown: dict[str, Any]) -> str | None:
    number = shown["conflicts"]
    return f"{conflicts_line(number)}; `crewlog conflicts {shown['id']}`" if number else None


def _approved(approval: dict[str, Any] | None) -> str | None:
    """`signed` says that there is a signature; `audit` and `verify` look whether it is good."""
    return f"by {approval['by']}, {'signed' if approval['signed'] else 'not signed'}" if approval else None


def _named(call: Call, tasks: Sequence[str]) -> str:
    """The tasks, each with the slug that people know it by."""
    from projections.tasks import slugs

    known = slugs(call.store.views.connection, tasks) if tasks else {}
    return " ".join(f"{task} ({known[task]})" if task in known else task for task in tasks)


def _progress(style: Style, progress: dict[str, Any] | None) -> str | None:
    if not progress:
        return None
    percent = f"{progress['percent']}%" if "percent" in progress else ""
    said = (percent, preview(progress.get("text")), f"({style.when(progress['at'])})")
    return " ".join(part for part in said if part)


def _end(style: Style, end: dict[str, Any] | None, *, timed: bool) -> str | None:
    """Who ended it and why; with the time where that is not the time of an event."""
    if not end:
        return None
    said = ((style.when(end["at"]), timed), (f"by {end['by']}", bool(end["by"])))
    reason = preview(end["reason"])
    return " ".join(text for text, wanted in said if wanted) + (f": {reason}" if reason else "")


def _body(call: Call, body: str | dict[str, Any]) -> list[str]:
    text = preview(body)
    lines = safe(text).split("\n") if text else []
    if call.options.full or (len(lines) <= BODY_LINES and isinstance(body, str)):
        return ["", *(f"    {line}" for line in lines)] if lines else []
    size = body["blob"]["size"] if isinstance(body, dict) else len(text)
    return [
        "",
        *(f"    {line}" for line in lines[:BODY_LINES]),
        f"    … {size:,} bytes in all; --full shows them",
    ]
