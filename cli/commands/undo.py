"""`undo`: the inverse of one's own last event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.arguments import TaskArg
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.draft import Draft
    from domain.log import Seen
    from domain.task import Task


@command("undo", "crewlog undo t-3k9f --as ada", writes=True)
def undo(call: Call, task: TaskArg = None) -> None:
    """Take back your last event on a task. Appends the inverse, if nothing followed it."""
    from domain.commands import Undo
    from domain.decide import decide
    from domain.task import evolve

    name = call.task(task)

    def decided(seen: Seen) -> Sequence[Draft]:
        events = seen.history()
        if not events or seen.state is None:
            raise Refusal(
                "not-found", f"there is no task {name}", "`crewlog list` shows the tasks.", task=name
            )
        before: Task | None = None
        for event in events[:-1]:
            before = evolve(before, event)
        return decide(Undo(call.actor, events[-1], before), seen.state)

    with call.writing() as transaction:
        written = transaction.append(f"task/{name}", call.actor, decided, retry=call.retry("Undo"))
    call.answer(answer(call, written))
