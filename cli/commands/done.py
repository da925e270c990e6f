"""`done`: hand work in, or take it back."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import ClaimOption, ReasonOption, TaskArg, text_from
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal


@command("done", 'crewlog done t-3k9f --claim 9f2c1a7b --evidence "all 31 tests pass"', writes=True)
def done(
    call: Call,
    task: TaskArg = None,
    claim: ClaimOption = "",
    evidence: Annotated[
        str,
        typer.Option("--evidence", "-e", help="Why one may believe it; - reads stdin.", show_default=False),
    ] = "",
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take it back instead.", show_default=False)
    ] = False,
    reason: ReasonOption = "",
) -> None:
    """Hand your work in for review. Again, to replace what you handed in; --withdraw takes it back."""
    from domain.commands import Submit, Withdraw

    name = call.task(task)
    shown = call.claim(name, claim)
    if not withdraw:
        if reason:
            raise Refusal("usage", "--reason goes with --withdraw", "What speaks for the work is --evidence.")
        text = text_from(call, evidence, "evidence")
        call.answer(answer(call, call.write(name, Submit(call.actor, shown, text), texts=[text])))
        return
    text = text_from(call, reason, "reason")
    call.answer(answer(call, call.write(name, Withdraw(call.actor, shown, text), texts=[text])))
