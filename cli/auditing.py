"""What an auditor asks of each task: what was handed in, by whom, who approved it under which policy, what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.approvals import judge
from cli.call import Call
from domain.task import Approved, Completed, InReview, Merging
from export.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from domain.event import Event
    from domain.task import Approval, Submission, Task

CHUNK = 1_000
Row = dict[str, Any]
_PAST_THE_LOG = frozenset(
    {"commit-missing", "commit-not-here", "merge-unnamed", "merge-lost", "unapproved-in-base"}
)
_MERGES = frozenset({"task.merging", "task.merged"})
_HANDED_IN = (InReview, Approved, Merging, Completed)


def tasks(call: Call) -> list[Row]:
    """A row for every task that was ever handed in and stands so, the oldest first."""
    merges = _merges(call)
    return [_row(call, state, merges) for state in _states(call) if isinstance(state, _HANDED_IN)]


def _states(call: Call) -> Iterator[Task]:
    from projections.tasks import folded

    call.store.views.catch_up()
    yield from folded(call.store.views.connection)


def _row(
    call: Call, state: InReview | Approved | Merging | Completed, merges: Mapping[str, list[Event]]
) -> Row:
    submission: Submission | None = state.submission
    approval: Approval | None = None if isinstance(state, InReview) else state.approval
    return {
        "task": state.card.id,
        "title": state.card.title,
        "state": state.state,
        "commit": submission.commit if submission else None,
        "submission": submission.id if submission else None,
        "submitter": submission.by if submission else None,
        "approver": approval.by if approval else None,
        "approval": approval.id if approval else None,
        "policy": approval.policy if approval else None,
        "signature": _signature(call, approval),
        "note": _note(state, approval),
        "conflicts": len(state.card.conflicts),
        **_merged(call, state.card.id, merges),
    }


def _note(state: Task, approval: Approval | None) -> str:
    if approval:
        return ""
    return "waits for review" if isinstance(state, InReview) else "not approved here"


def _signature(call: Call, approval: Approval | None) -> str | None:
    if approval is None:
        return None
    event = call.store.log.event(approval.id)
    return judge(call, event) if event else "not signed"


def _merges(call: Call) -> dict[str, list[Event]]:
    """What the log says of merges, by task, in its order: to ask for each task's history takes far longer."""
    from domain.event import parse

    found: dict[str, list[Event]] = {}
    position, log = 0, call.store.log
    while rows := log.lines(position, CHUNK):
        position = rows[-1].id
        for row in rows:
            if row.type in _MERGES:
                event = parse(row.state)
                found.setdefault(event.subject, []).append(event)
    return found


def _merged(call: Call, task: str, merges: Mapping[str, list[Event]]) -> Row:
    """The merge commit and what was run on it, as the merging's event says."""
    merge: str | None = None
    gate: str | None = None
    events: Sequence[Event] = merges.get(task, ())
    if len(events) > 2:  # of several merges the last one in the order of the history counts
        events = [event for event in call.store.log.history(f"task/{task}").order if event.type in _MERGES]
    for event in events:
        found = event.payload.get("merge")
        merge = found if isinstance(found, str) else merge
        code = event.payload.get("gate_exit")
        gate = gate if code is None else "passed" if code == 0 else f"exit {code}"
    return {"merge": merge, "gate": gate}


def code_findings(call: Call) -> list[Finding]:
    """What is in a base past the log: merges that it does not name, work that nobody approved; and commits gone from there.

    Where there is no repository none can be looked for.
    """
    from cli.git.auditing import findings
    from cli.git.repository import Repository

    found = findings(Repository(call, call.code)) if call.code else []
    return [finding for finding in found if finding.code in _PAST_THE_LOG]
