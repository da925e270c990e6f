"""The answer of a command that wrote: what it came to, and what can be typed next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from cli.call import Call
from cli.output import Answer
from cli.text import safe_line
from domain.task import AFTER, COMPLETED, Approved, Claim, Task, claim_of, linked

if TYPE_CHECKING:
    from domain.log import Written

SHORT = 12
OTHER = "NAME"  # somebody else's, to be filled in: no name has capitals, so nobody becomes it by mistake
REPLAYED = "this key was used before: nothing new was written"


def short(event_id: str) -> str:
    """How people see an event id."""
    return event_id[:SHORT]


def outcome(call: Call, written: Written, **extra: Any) -> dict[str, Any]:
    """The JSON object of one write: `{"task", "state", "event", "claim"?, …, "next"}`; `first` comes first in `next`."""
    task: Task = written.state
    claim = claim_of(task)
    data: dict[str, Any] = {
        "task": task.card.id,
        "state": task.state,
        "event": written.events[0].id if written.events else None,
    }
    if claim:
        data["claim"] = claim.id
    if written.replayed:
        data["replayed"] = True
    first = extra.pop("first", ())
    data |= extra
    who = call.who()
    data["next"] = [*first, *next_lines(task, who.name if who else None, blockers(call, task))]
    if call.options.full:
        from projections.tasks import full

        call.store.views.catch_up()
        data["task_full"] = full(call.store.views.connection, task.card.id)
        data["event_full"] = [orjson.loads(event.line) for event in written.events]
    return data


def answer(
    call: Call,
    written: Written,
    *,
    said: Sequence[str] = (),
    nothing: str = "nothing to do: it is so already",
    **extra: Any,
) -> Answer:
    """The answer of a command that wrote to one task; `nothing` is its remark where there was nothing to write."""
    task: Task = written.state
    data = outcome(call, written, **extra)
    remarks = call.store.after_write() if written.events and not written.replayed else []
    if not written.events:
        remarks.append(nothing)
    if written.replayed:
        remarks.append(REPLAYED)
    lines = [f"{task.card.id}  {task.state:<9}  {safe_line(task.card.title)}", *said]
    lines += [f"  next: {line}" for line in data["next"][:1]]
    return Answer(data, lines, [task.card.id], remarks)


def blockers(call: Call, task: Task) -> list[str]:
    """The tasks that this one waits for as the log has them: those that are not COMPLETED, or not here."""
    states = {other: call.store.log.state(f"task/{other}") for other in linked(task.card, AFTER)}
    return [other for other, state in states.items() if state is None or state.state != COMPLETED]


def next_lines(
    task: Task, viewer: str | None, waits: Sequence[str] = (), *, merges: bool | None = None
) -> list[str]:
    """What the viewer can sensibly type next, wherever it is pasted; a claim is offered to its holder only.

    Nobody is sent to start what `waits` for other tasks: it is shown what stands in the way. `merges`: whether git
    foretells that the work can be merged; None where it was not asked.
    """
    name, claim = task.card.id, claim_of(task)
    match task.state:
        case "ASSIGNED" if waits:
            return [f"crewlog show {waits[0]}"]
        case "ASSIGNED":
            return [f"crewlog start {name}{f' --as {task.card.assignee}' if task.card.assignee else ''}"]
        case "WORKING" if claim and claim.holder == viewer:
            return [_done(name, claim)]
        case "WORKING":
            return [f"crewlog wait --task {name} --state IN_REVIEW"]
        case "IN_REVIEW" | "APPROVED" if task.card.conflicts:
            return [f"crewlog conflicts {name}"]
        case "IN_REVIEW" | "APPROVED" if claim and _cannot_merge(task, merges):
            return [_done(name, claim) if claim.holder == viewer else _reject(task, viewer)]
        case "IN_REVIEW":
            return [
                f"crewlog approve {name} --as {_judge(task, viewer)}",
                _reject(task, viewer),
                f"crewlog review {name}",
            ]
        case "APPROVED" | "MERGING":
            return [f"crewlog merge {name} --as {viewer or OTHER}"]
        case "FAILED" | "CANCELLED":
            return [f"crewlog retry {name} --as {viewer or OTHER}"]
        case _:
            return [f"crewlog log {name}"]


def _done(name: str, claim: Claim) -> str:
    return f"crewlog done {name} --as {claim.holder} --claim {short(claim.id)}"


def _judge(task: Task, viewer: str | None) -> str:
    return viewer if viewer and viewer not in task.card.holders else OTHER


def _reject(task: Task, viewer: str | None) -> str:
    return f'crewlog reject {task.card.id} --reason "…" --as {_judge(task, viewer)}'


def _cannot_merge(task: Task, merges: bool | None) -> bool:
    """True where a conflict is foretold, or the last merging failed for a reason that lies in the work."""
    kind = task.setback.kind if isinstance(task, Approved) and task.setback else ""
    return merges is False or kind == "gate" or (kind == "conflict" and not merges)
