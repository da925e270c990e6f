"""`review`: all that one must know to judge a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.arguments import TaskArg, UtcOption
from cli.blobs import unfolded
from cli.call import Call
from cli.code_lines import OUTPUT_LINES, code_line, gate_lines
from cli.grammar import command
from cli.output import Answer, Columns
from cli.style import Style
from cli.tables import conflicts_line
from cli.text import safe, safe_line
from cli.writes import next_lines
from domain.blobs import preview
from domain.refusals import Refusal
from domain.task import IN_REVIEW, InReview, Submission, Task, handed_in

if TYPE_CHECKING:
    from cli.git.repository import Repository

FILES = 20


@command("review", "crewlog review\ncrewlog review t-3k9f --full", looks=True)
def review(call: Call, task: TaskArg = None, utc: UtcOption = False) -> None:
    """Show what was handed in: evidence, checks, files, notes, whether it merges, and the lines to judge it by.

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
    outlook = _outlook(call, state)
    who = call.who()
    merges = outlook["merges"] if outlook else None
    ahead = next_lines(state, who.name if who else None, merges=merges)
    lines = [line for line in ahead if not line.startswith("crewlog review")]
    files = _files(call, state)
    data = {"task": shown, "files": files, "notes": notes, "outlook": outlook, "next": lines}
    told = _lines(call.style(utc=utc), shown, files, notes, outlook, gate_lines(call, shown), lines)
    call.answer(Answer(data, told, [name]))


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


def _files(call: Call, state: Task) -> list[dict[str, Any]]:
    """The files that were changed, and by how many lines; [] where the commit is not here, or there is none."""
    submission = handed_in(state)
    if submission is None or not submission.commit or call.code is None:
        return []
    from cli.git.repository import printable
    from cli.git.review import ends_of

    try:
        found, before, commit = ends_of(call, state)
        rows = found.changed(before, commit)
    except Refusal:  # what is not here is told with the outlook
        return []
    return [{"path": printable(row.path), "added": row.added, "removed": row.removed} for row in rows]


def _outlook(call: Call, state: Task) -> dict[str, Any] | None:
    """Whether it would merge now, and whether the branch is where it was; None for work without a commit."""
    submission = handed_in(state)
    # A look at the past leaves it out: git says how it is now.
    if submission is None or not submission.commit or call.code is None or call.options.at is not None:
        return None
    from cli.git.repository import Repository
    from cli.git.review import base_of

    found, commit, base = Repository(call, call.code), submission.commit, base_of(submission)
    unknown: dict[str, Any] = {"merges": None, "conflicts": [], "found": False, "refused": None}
    if not found.has(commit):
        return {"here": False, "moved": False, "base": base or None, **unknown}
    tip = found.tip(str((submission.code or {}).get("branch", "")))
    moved = tip is not None and tip != commit
    about = unknown | _foretold(found, state.card.id, submission, base)
    return {"here": True, "moved": moved, "base": base or None, **about}


def _foretold(found: Repository, task: str, submission: Submission, base: str) -> dict[str, Any]:
    """What a merge would come to: `found` says that the base has it already, `refused` why there would be none now."""
    from cli.git.merging import check_base, plan_into

    about: dict[str, Any] = {}
    try:
        plan = plan_into(found, task, submission, base)
        conflicts = list(plan.prediction.conflicts)
        about = {"merges": not conflicts, "conflicts": conflicts, "found": plan.found}
        if not plan.found:
            check_base(found, plan)
    except Refusal as refusal:
        about["refused"] = refusal.message
    return about


def _lines(
    style: Style,
    shown: dict[str, Any],
    files: Sequence[dict[str, Any]],
    notes: Sequence[dict[str, Any]],
    outlook: dict[str, Any] | None,
    gate: Sequence[str],
    ahead: Sequence[str],
) -> list[str]:
    submission = shown["submission"]
    lines = [f"{shown['id']}  {shown['state']}  {safe_line(shown['title'])}"]
    if submission:
        lines += [
            f"  handed in by {submission['by']} at {style.when(submission['at'])}",
            *_said("evidence", submission["evidence"]),
        ]
        lines += _checked(submission["check"])
        lines += _said("states to have run", submission["ran"])
    line = code_line(shown)
    lines += [f"  {line}"] if line else []
    lines += _stat(files)
    if shown["conflicts"]:
        lines += [f"  {conflicts_line(shown['conflicts'])} of clones: settle them first"]
    lines += _merging(outlook)
    for note in notes:
        lines += _said(f"note by {note['by']}", note["text"])
    if shown["setback"]:
        lines += [*_said("the last merge failed", shown["setback"]["reason"]), *gate]
    return lines + [f"  next: {line}" for line in ahead]


def _stat(files: Sequence[dict[str, Any]]) -> list[str]:
    columns = Columns()
    for row in files[:FILES]:
        binary = row["added"] is None
        columns.add(
            "  ", "binary" if binary else f"+{row['added']} -{row['removed']}", safe_line(row["path"])
        )
    more = [f"    … {len(files) - FILES} more files"] if len(files) > FILES else []
    return [*columns.lines(), *more]


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
        return ["  its commit is not in this repository: `crewlog sync` gets it"]
    base = safe_line(outlook["base"] or "")
    told = f"is in {base} already" if outlook["found"] else f"merges with {base}"
    lines = [f"  {told}"] if outlook["merges"] else []
    if outlook["conflicts"]:
        files = ", ".join(safe_line(name) for name in outlook["conflicts"][:FILES])
        lines = [f"  conflicts with {base} in {files}"]
    lines += (
        [f"  a merge would be refused now: {safe_line(outlook['refused'])}"] if outlook["refused"] else []
    )
    return lines + (["  its branch has moved since: it must be handed in again"] if outlook["moved"] else [])
