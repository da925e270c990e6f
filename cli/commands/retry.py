"""`retry`: a new attempt."""

from __future__ import annotations

from cli.arguments import ReasonOption, TaskArg, text_from
from cli.call import Call
from cli.grammar import command
from cli.writes import answer


@command("retry", "crewlog retry t-3k9f --as zoe", writes=True)
def retry(call: Call, task: TaskArg = None, reason: ReasonOption = "") -> None:
    """Begin a new attempt at a failed or cancelled task."""
    from domain.commands import Retry

    text = text_from(call, reason, "reason")
    call.answer(answer(call, call.write(call.task(task), Retry(call.actor, text), texts=[text])))
