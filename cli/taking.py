"""Taking a task: by name, or the best one that is ready, at once or when there is one; and who had it before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.call import Call
from domain.refusals import Refusal
from domain.task import ASSIGNED, TAKING, branch_of

if TYPE_CHECKING:
    from domain.commands import Start
    from domain.event import Event
    from domain.log import Written

CANDIDATES = 64
# A task that someone else took a moment ago, or gave to another: look at the next one.
PASSED_BY = frozenset({"held", "wrong-state", "not-assignee"})
# What makes a holder lost is that nothing comes, so it is looked for without a signal, too.
REAP_EVERY = 10.0

_ENDING = {
    "task.expired": "expired",
    "task.released": "released",
    "task.failed": "failed",
    "task.cancelled": "cancelled",
    "task.rejected": "rejected",
}


def take_best(call: Call, wanted: Start, wait: float, *, reap: bool) -> tuple[Written, list[str]]:
    """The best task that is ready, within `wait` seconds; and the tasks that were taken from lost holders for it.

    Refused (`nothing-yet`) where there is none.
    """
    from cli.follow import patiently, remaining, signal_of

    earlier = call.replayed("Start")
    if earlier:
        return earlier, []
    signal, left, rested = signal_of(call.store), remaining(wait), remaining(0)
    reaped: list[str] = []
    waited = False

    def attempt() -> Written | None:
        nonlocal rested, waited
        if wait:
            signal.wait(0)  # what comes from here on is seen by the next look
        if reap and rested() <= 0:
            reaped.extend(_reap(call))
            rested = remaining(REAP_EVERY)
        if waited and not _anything(call):  # of many who wait, not each takes the queue for every event
            return None
        waited = True
        return _take_best(call, wanted)

    while True:
        written = patiently(call.shell, left, attempt)
        if written:
            return written, reaped
        if left() <= 0:
            raise _nothing(call)
        signal.wait(min(left(), REAP_EVERY) if reap else left())


def _anything(call: Call) -> bool:
    """True if a task looks ready, without a lock."""
    from projections.task_pages import candidates

    call.store.views.catch_up()
    return bool(candidates(call.store.views.connection, call.actor, 1))


def _nothing(call: Call) -> Refusal:
    from projections.tasks import counts

    hint = f"`crewlog start --wait 100 --as {call.actor}` waits for a task."
    if counts(call.store.views.connection)[ASSIGNED]:
        hint = f"`crewlog ready --explain --as {call.actor}` says what the others wait for."
    return Refusal("nothing-yet", f"nothing is ready for {call.actor}", hint)


def _reap(call: Call) -> list[str]:
    from cli.reaping import line, reap_lost

    rows = reap_lost(call)
    for row in rows:
        call.shell.remark(line(row))
    return [row["task"] for row in rows]


def previous(call: Call, written: Written) -> dict[str, Any] | None:
    """Who held the task before this claim and how that ended; None for a task that nobody held."""
    claim, card = written.events[0], written.state.card
    if list(claim.parents) == [card.attempt] and card.attempts == 1:
        return None  # nothing happened between spawn and start
    holder, branch = "", None
    found: tuple[str, Event, str | None] | None = None
    for event in call.store.log.stream(claim.stream):
        if event.id == claim.id:
            break
        if event.type in TAKING:
            branch = branch_of(event) or (branch if event.type == "task.resumed" else None)
            holder = event.sender
        elif event.type in _ENDING and holder and _ends(event):
            found, holder = (holder, event, branch), ""
    return _described(*found, card.notes) if found else None


def _ends(event: Event) -> bool:
    return event.type != "task.rejected" or bool(event.payload.get("assignee"))


def _described(holder: str, event: Event, branch: str | None, notes: int) -> dict[str, Any]:
    from domain.blobs import preview

    return {
        "holder": holder,
        "ended": _ENDING[event.type],
        "at": event.ts,
        "reason": preview(event.payload.get("reason") or event.payload.get("why")),
        "notes": notes,
        "branch": branch,
    }


def previous_line(task: str, before: dict[str, Any]) -> str:
    """Who held the task before, for people."""
    from cli.text import cut, safe_line

    reason = f": {cut(safe_line(before['reason']), 120)}" if before["reason"] else ""
    notes = f"; {before['notes']} notes in `crewlog show {task}`" if before["notes"] else ""
    branch = f"; the work is on {safe_line(before['branch'])}" if before["branch"] else ""
    return f"  before you {before['holder']} held it, and it was {before['ended']}{reason}{branch}{notes}"


def _take_best(call: Call, wanted: Start) -> Written | None:
    """The views propose, the log decides: the queue is held, so what they propose is current."""
    from projections.task_pages import candidates

    store = call.store
    with store.log.turn():
        store.views.catch_up()
        for task in candidates(store.views.connection, call.actor, CANDIDATES):
            try:
                return call.write(task, wanted)
            except Refusal as refusal:
                if refusal.code not in PASSED_BY:
                    raise
    return None
