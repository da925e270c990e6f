"""`release`: give a task back."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import ClaimOption, ReasonOption, TaskArg, text_from
from cli.call import Call
from cli.commands.join import unbind
from cli.grammar import command
from cli.writes import answer


@command(
    "release",
    'crewlog release t-3k9f --claim 9f2c1a7b\ncrewlog release t-3k9f --force --reason "her session died" --as zoe',
    writes=True,
)
def release(
    call: Call,
    task: TaskArg = None,
    claim: ClaimOption = "",
    reason: ReasonOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Take it from its holder; needs --reason.", show_default=False)
    ] = False,
) -> None:
    """Give a task back unfinished, so that another can take it."""
    from domain.commands import Release

    name = call.task(task)
    text = text_from(call, reason, "reason")
    written = call.write(name, Release(call.actor, call.claim(name, claim), text, force), texts=[text])
    unbind(call, name)
    call.answer(answer(call, written))
