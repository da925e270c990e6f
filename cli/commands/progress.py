"""`progress`: say how far the work is."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import ClaimOption, TaskArg, text_from
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal


@command("progress", 'crewlog progress t-3k9f --percent 60 --text "parser done, printer next"', writes=True)
def progress(
    call: Call,
    task: TaskArg = None,
    text: Annotated[
        str, typer.Option("--text", "-t", help="What was done; - reads stdin.", show_default=False)
    ] = "",
    percent: Annotated[int | None, typer.Option("--percent", help="0 to 100.", show_default=False)] = None,
    claim: ClaimOption = "",
) -> None:
    """Say how far a task is that you hold."""
    from domain.commands import Progress

    said = text_from(call, text, "text")
    if not said.strip() and percent is None:
        raise Refusal("usage", "say --text or --percent", "Example: crewlog progress t-3k9f --percent 60")
    if percent is not None and not 0 <= percent <= 100:
        raise Refusal("bad-value", f"{percent} is not 0 to 100", "Example: --percent 60")
    name = call.task(task)
    wanted = Progress(call.actor, call.claim(name, claim), said, percent)
    call.answer(answer(call, call.write(name, wanted, texts=[said])))
