"""`review`: all that one must know to judge a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.arguments import TaskArg
from cli.call import Call
from cli.commands.show import code_line, unfolded
from cli.grammar import command
from cli.output import Answer
from cli.tables import conflicts_line
from cli.text import safe, safe_line
from cli.writes import next_lines
from domain.blobs import preview
from domain.refusals import Refusal
from domain.task import IN_REVIEW, InReview

FILES = 20
OUTPUT_LINES = 20


@command("review", "crewlog review\ncrewlog review t-3k9f --full", looks=True)
def review(call: Call, task: TaskArg = None) -> None:
    """Show what was handed in: evidence, checks, size, notes, whether it merges, and the lines to judge it by.

    Without TASK the one that waits longest. --full shows texts whole.
    """
    from projections.tasks import full

    name = call.task(task) if task is not None else _oldest(call)
    call.store.views.catch_up()
    state = call.state_of(name)
    shown = unfolded(call, full(call.store.views.connection, name))
    notes = [
        {"by": event.sender, "at": event.ts, "text": unfolded(call, event.payload["text"])}
        for event in call.store.log.stream(f"task/{name}")
        if event.type == "task.noted"
    ]
    outlook = _outlook(call, shown)
    lines = [line for line in next_lines(state, None) if not line.startswith("crewlog review")]
    data = {"task": shown, "notes": notes, "outlook": outlook, "next": lines}
    call.answer(Answer(data, _lines(shown, notes, outlook, lines), [name]))


def _oldest(call: Call) -> str:
    from projections.task_pages import TaskFilter, page

    call.store.views.catch_up()
    rows = page(call.store.views.connection, TaskFilter(states=(IN_REVIEW,)), 10_000).rows
    waiting = [(call.state_of(str(row["id"])), str(row["id"])) for row in rows]
    since = [(state.submission.at, name) for state, name in waiting if isinstance(state, InReview)]
    if not since:
        raise Refusal(
            "nothing-yet", "nothing waits for a review", "`crewlog wait --event task.submitted` does."
        )
    return min(since)[1]


def _outlook(call: Call, shown: dict[str, Any]) -> dict[str, Any] | None:
    """Whether it would merge now, and whether the branch is where it was; None for work without a commit."""
    submission, commit = shown["submission"], shown["commit"]
    if not commit or call.code is None or call.options.at is not None:  # git says how it is now
        return None
    from cli.git.repository import Repository
    from cli.git.review import predict

    found = Repository(call, call.code)
    if not found.has(commit):
        return {"here": False, "moved": False, "base": shown["base"], "merges": None, "conflicts": []}
    code: dict[str, Any] = submission["code"] or {}
    tip, base = found.tip(code.get("branch", "")), found.tip(code.get("base", ""))
    conflicts = list(predict(found, base, commit).conflicts) if base else []
    moved = tip is not None and tip != commit
    merges = not conflicts if base else None
    return {"here": True, "moved": moved, "base": shown["base"], "merges": merges, "conflicts": conflicts}


def _lines(
    shown: dict[str, Any],
    notes: Sequence[dict[str, Any]],
    outlook: dict[str, Any] | None,
    ahead: Sequence[str],
) -> list[str]:
    submission = shown["submission"]
    lines = [f"{shown['id']}  {shown['state']}  {safe_line(shown['title'])}"]
    if submission:
        lines += [
            f"  handed in by {submission['by']} at {submission['at']}",
            *_said("evidence", submission["evidence"]),
        ]
        lines += _checked(submission["check"])
        lines += _said("states to have run", submission["ran"])
    line = code_line(shown)
    lines += [f"  {line}"] if line else []
    if shown["conflicts"]:
        lines += [f"  {conflicts_line(shown['conflicts'])} of clones: settle them first"]
    lines += _merging(outlook)
    for note in notes:
        lines += _said(f"note by {note['by']}", note["text"])
    if shown["setback"]:
        lines += _said("the last merge failed", shown["setback"]["reason"])
    return lines + [f"  next: {line}" for line in ahead]


def _checked(check: dict[str, Any] | None) -> list[str]:
    if not check:
        return ["  no check was run"]
    told = preview(check.get("output")).split("\n")[-OUTPUT_LINES:]
    lines = [f"  checked: `{safe_line(preview(check['command']))}` exited with {check['exit']}"]
    return lines + [f"    {safe(line)}" for line in told if line]


def _said(what: str, text: Any) -> list[str]:
    told = preview(text)
    return [f"  {what}:", *(f"    {safe(line)}" for line in told.split("\n"))] if told else []


def _merging(outlook: dict[str, Any] | None) -> list[str]:
    if outlook is None:
        return []
    if not outlook["here"]:
        return ["  its commit is not in this repository: fetch it first"]
    base = safe_line(outlook["base"] or "")
    lines = [f"  merges with {base}"] if outlook["merges"] else []
    if outlook["conflicts"]:
        files = ", ".join(safe_line(name) for name in outlook["conflicts"][:FILES])
        lines = [f"  conflicts with {base} in {files}"]
    return lines + (["  its branch has moved since: it must be handed in again"] if outlook["moved"] else [])
