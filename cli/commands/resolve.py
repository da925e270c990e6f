"""`resolve`: say that conflicts were dealt with."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import TaskArg, text_from, values
from cli.call import Call
from cli.grammar import command
from cli.writes import answer


@command("resolve", 'crewlog resolve t-3k9f --note "bob helps ada instead" --as zoe', writes=True)
def resolve(
    call: Call,
    task: TaskArg = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="ID", help="Only this conflict; may be repeated.", show_default=False
        ),
    ] = None,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="How; - reads standard input.", show_default=False)
    ] = "",
) -> None:
    """Say that a task's conflicts were dealt with: all of them, or those named. They stay in the log."""
    from domain.commands import Resolve

    name = call.task(task)
    text = text_from(call, note, "note")
    wanted = Resolve(call.actor, tuple(values(event)), text)
    call.answer(answer(call, call.write(name, wanted, texts=[text])))
