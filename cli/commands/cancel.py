"""`cancel`: tasks that are no longer wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.arguments import ReasonOption, TasksArg, text_from, values
from cli.call import Call
from cli.each import each
from cli.grammar import command

if TYPE_CHECKING:
    from domain.log import Written


@command("cancel", 'crewlog cancel t-3k9f --reason "done upstream" --as zoe', writes=True)
def cancel(call: Call, tasks: TasksArg = None, reason: ReasonOption = "") -> None:
    """Say that tasks are no longer wanted. Nothing is deleted; `retry` takes it back."""
    from domain.commands import Cancel

    text = text_from(call, reason, "reason")

    def one(task: str) -> Written:
        return call.write(task, Cancel(call.actor, text), texts=[text])

    each(call, values(tasks) or [None], one)
