"""`assign`: give a waiting task to a name, or to anyone."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import TaskArg, anyone_or_name
from cli.call import Call
from cli.completion import complete_name
from cli.grammar import command
from cli.writes import answer


@command("assign", "crewlog assign t-3k9f --to bob --as zoe", writes=True)
def assign(
    call: Call,
    task: TaskArg = None,
    to: Annotated[
        str, typer.Option("--to", metavar="NAME", help="A name, or `anyone`.", autocompletion=complete_name)
    ] = "anyone",
) -> None:
    """Give a task that nobody holds to a name, or to anyone."""
    from domain.commands import Assign

    call.answer(answer(call, call.write(call.task(task), Assign(call.actor, anyone_or_name(to)))))
