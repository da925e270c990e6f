"""`undo`: the inverse of one's own last event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.arguments import TaskArg
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.history import APPLIED
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.draft import Draft
    from domain.event import Event
    from domain.history import History
    from domain.log import Seen
    from domain.task import Task


@command("undo", "crewlog undo t-3k9f --as ada", writes=True)
def undo(call: Call, task: TaskArg = None) -> None:
    """Take back your last event on a task. Appends the inverse, if nothing followed it."""
    from domain.commands import Undo
    from domain.decide import decide
    from domain.history import fold
    from domain.log import FOLDS

    name = call.task(task)

    def decided(seen: Seen) -> Sequence[Draft]:
        events = seen.history()
        if not events or seen.state is None:
            raise Refusal(
                "not-found", f"there is no task {name}", "`crewlog list` shows the tasks.", task=name
            )
        kind = FOLDS["task"]
        last = _newest(fold(kind, events))
        before: Task | None = fold(kind, [event for event in events if event.id != last.id]).state
        return decide(Undo(call.actor, last, before), seen.state)

    with call.writing() as transaction:
        written = transaction.append(f"task/{name}", call.actor, decided, retry=call.retry("Undo"))
    call.answer(answer(call, written))


def _newest(history: History) -> Event:
    """The event that has seen all others; refused where two clones went on at once, or where it had no effect."""
    last = history.order[-1]
    if len(history.heads) == 1 and history.dispositions[last.id] == APPLIED:
        return last
    message = (
        "several clones wrote last, at once" if len(history.heads) > 1 else "the last event had no effect"
    )
    raise Refusal("cannot-undo", message, f"`crewlog log {last.subject}` shows what happened.", event=last.id)
