"""`fail`: give a task up."""

from __future__ import annotations

from cli.arguments import ClaimOption, ReasonOption, TaskArg, needed_reason
from cli.call import Call
from cli.commands.join import unbind
from cli.grammar import command
from cli.writes import answer


@command("fail", 'crewlog fail t-3k9f --claim 9f2c1a7b --reason "needs a decision on the API"', writes=True)
def fail(call: Call, task: TaskArg = None, claim: ClaimOption = "", reason: ReasonOption = "") -> None:
    """Give up a task that you hold, and say why. `retry` makes it a task again."""
    from domain.commands import Fail

    name = call.task(task)
    text = needed_reason(call, reason, "fail")
    written = call.write(name, Fail(call.actor, call.claim(name, claim), text), texts=[text])
    unbind(call, name)
    call.answer(answer(call, written))
