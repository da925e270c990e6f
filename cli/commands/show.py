"""`show`: one task with everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import orjson

from cli.arguments import TaskArg, UtcOption
from cli.blobs import whole_text
from cli.call import Call
from cli.events import event_cells, event_table
from cli.grammar import command
from cli.output import Answer
from cli.style import Style
from cli.tables import conflicts_line, rolled_up
from cli.text import safe, safe_line
from cli.writes import next_lines, short
from domain.blobs import digest_of, preview
from domain.refusals import Refusal
from domain.task import (
    AFTER,
    CANCELLED,
    COMPLETED,
    PARENT,
    RELATES,
    Completed,
    Task,
    claim_of,
    handed_in,
    merge_of,
)

EVENTS = 10
BODY_LINES = 30
OUTPUT_LINES = 20


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
    shown["merge"] = shown["merge"] or _merged(call, state)
    events = store.log.history(f"task/{name}").order
    records = [orjson.loads(event.line) for event in events]
    ahead = _ahead(call, state)
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
    lines += [f"  next: {line}" for line in next_lines(state, who.name if who else None)[:2]]
    call.answer(Answer(data, lines, [name]))


def _head(style: Style, shown: dict[str, Any], named: Callable[[Sequence[str]], str]) -> list[str]:
    lines = [
        f"{shown['id']}  {style.state(shown['state'])}  p{shown['priority']}  {safe_line(shown['title'])}"
    ]
    facts = {
        "slug": shown["slug"],
        "source": _source(style, shown),
        "for": _assignee(shown),
        "held by": f"{shown['holder']}, claim {short(shown['claim'])}" if shown["claim"] else None,
        "labels": " ".join(f'"{label}"' if " " in label else label for label in shown["labels"]),
        "part of": named([shown["parent"]] if shown["parent"] else []),
        "parts": rolled_up(shown["parts"]),
        "after": named(shown["after"]),
        "waits for": named(shown["blocked_by"]) if shown["state"] not in (COMPLETED, CANCELLED) else None,
        "blocks": named(shown["blocks"]),
        "relates to": named(shown["relates"]),
        "links": _other_links(shown, named),
        "spawned": None if shown["source"] else f"{style.when(shown['created'])} by {shown['spawner']}",
        "conflicts": _conflicts(shown),
        "attempt": str(shown["attempts"]) if shown["attempts"] > 1 else None,
        "progress": _progress(style, shown["progress"]),
        "code": code_line(shown),
        "evidence": preview(shown["submission"]["evidence"]) if shown["submission"] else None,
        "check": _check(shown["submission"]),
        "approved": _approved(shown["approval"]),
        "merged": _merge(shown["merge"]) if shown["state"] == COMPLETED else None,
        "setback": preview(shown["setback"]["reason"]) if shown["setback"] else None,
        "ended": _end(style, shown["end"], timed=shown["source"] is not None),
    }
    return lines + [f"  {name:<10}{safe_line(str(value))}" for name, value in facts.items() if value]


def _conflicts(shown: dict[str, Any]) -> str | None:
    number = shown["conflicts"]
    return f"{conflicts_line(number)}; `crewlog conflicts {shown['id']}`" if number else None


def code_line(shown: dict[str, Any]) -> str | None:
    """Branch, commit, and how far it is ahead of its base: `crew/t-… → main, 0123456789ab, 2 commits, 3 files, +10 -2`."""
    submission: dict[str, Any] = shown["submission"] or {}
    ahead: dict[str, Any] | None = shown.get("ahead") or submission.get("code")
    if not shown["branch"] and not shown["commit"]:
        return None
    parts = [f"{shown['branch'] or '?'} → {shown['base'] or '?'}"]
    commit: str | None = shown["commit"] or (ahead["commit"] if ahead else None)
    parts += [commit[:12]] if commit else []
    if ahead:
        parts += [f"{ahead['commits']} commit{'' if ahead['commits'] == 1 else 's'}"]
        parts += [f"{ahead['files']} files, +{ahead['added']} -{ahead['removed']}"]
    code: dict[str, Any] = submission.get("code") or {}
    left: int = code.get("uncommitted", 0)
    parts += [f"{left} uncommitted change{'' if left == 1 else 's'} left out"] if left else []
    parts += ["its branch has moved since"] if ahead and ahead.get("moved") else []
    return safe_line(", ".join(parts))


def gate_lines(call: Call, shown: dict[str, Any]) -> list[str]:
    """What the gate said that failed last: the end of it, with --full all that was kept."""
    event = call.store.log.event(shown["setback"]["id"]) if shown["setback"] else None
    output = event.payload.get("gate_output") if event else None
    told = safe(whole_text(call, output)).split("\n") if output else []
    cut = 0 if call.options.full else max(0, len(told) - OUTPUT_LINES)
    more = [f"    … {cut} lines before it; --full shows them"] if cut else []
    return ["  the gate's output:", *more, *(f"    {line}" for line in told[cut:])] if told else []


def _ahead(call: Call, state: Task) -> dict[str, Any] | None:
    """How the branch stands to its base; git is asked only where the task has a branch."""
    claim, submission = claim_of(state), handed_in(state)
    if call.code is None or not ((claim and claim.branch) or (submission and submission.commit)):
        return None
    from cli.git.review import standing

    try:
        found = standing(call, state)
    except Refusal as refusal:  # a look at a task needs no git
        call.shell.remark(f"{refusal.message}; {refusal.hint}")
        return None
    return found._asdict() if found else None


def _check(submission: dict[str, Any] | None) -> str | None:
    check = submission["check"] if submission else None
    return f"`{preview(check['command'])}` exited with {check['exit']}" if check else None


def unfolded(call: Call, value: Any) -> Any:
    """The value as it is, with --full with its long texts whole."""
    return whole(call, value) if call.options.full else value


def _approved(approval: dict[str, Any] | None) -> str | None:
    """`signed` says that there is a signature; `audit` and `verify` look whether it is good."""
    return f"by {approval['by']}, {'signed' if approval['signed'] else 'not signed'}" if approval else None


def _merged(call: Call, state: Task) -> dict[str, Any] | None:
    """The merge that COMPLETED it, as its events say; None where there was none: no commit, or in the base already."""
    ended = call.store.log.event(state.end.id) if isinstance(state, Completed) else None
    begun = call.store.log.event(str(ended.on.get("merging", ""))) if ended else None
    return merge_of(begun)._asdict() if begun else None


def _merge(merge: dict[str, Any] | None) -> str | None:
    return f"{merge['merge'][:12]} into {merge['base']} by {merge['by']}" if merge else None


def _named(call: Call, tasks: Sequence[str]) -> str:
    """The tasks, each with the slug that people know it by."""
    from projections.tasks import slugs

    known = slugs(call.store.views.connection, tasks) if tasks else {}
    return " ".join(f"{task} ({known[task]})" if task in known else task for task in tasks)


def _source(style: Style, shown: dict[str, Any]) -> str | None:
    """`beads bd-dgp, closed; made 2026-02-28T03:42:10Z by mayor` for a task that began in another tool."""
    source = shown["source"]
    if not source:
        return None
    by = f" by {source['by']}" if source["by"] else ""
    made = f"made {style.when(shown['created'])}{by}, changed {style.when(shown['updated'])}"
    taken = f"imported {style.when(source['imported'])} by {shown['spawner']}"
    return f"{source['system']} {source['id']}, {source['status']}; {made}; {taken}"


def _assignee(shown: dict[str, Any]) -> str:
    """For whom it is, and what its source calls them where that is no name of ours."""
    assignee = shown["assignee"] or "anyone"
    original = shown["source"]["assigned"] if shown["source"] else ""
    return f"{assignee}, in the source {original}" if original and original != assignee else assignee


def _other_links(shown: dict[str, Any], named: Callable[[Sequence[str]], str]) -> str:
    """Links of a source for which there is no word of ours: `tracks bd-1`."""
    others = [link for link in shown["links"] if link["kind"] not in (AFTER, PARENT, RELATES)]
    return ", ".join(f"{link['kind']} {named([link['to']])}" for link in others)


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


def whole(call: Call, value: Any) -> Any:
    """The value with every reference to a blob replaced by its text."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if digest_of(members):
            return whole_text(call, members)
        return {name: whole(call, item) for name, item in members.items()}
    if isinstance(value, list):
        return [whole(call, item) for item in cast("Sequence[Any]", value)]
    return value
