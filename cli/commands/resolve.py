"""`resolve`: say that conflicts were dealt with."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import TaskArg, text_from, values
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal


@command(
    "resolve",
    'crewlog resolve t-3k9f --note "bob helps ada instead" --as zoe\n'
    'crewlog resolve --fork r-7d12 --note "a copied machine image; nothing is lost" --as zoe',
    writes=True,
)
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
    fork: Annotated[
        str,
        typer.Option(
            "--fork",
            metavar="REPLICA",
            help="A chain that two stores wrote, instead of a task.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Say that a task's conflicts were dealt with: all of them, or those named. They stay in the log.

    With --fork: that `verify` found two events with one number, and that somebody looked into it. Only the events that are
    here are meant; where the chain forks again, that is found again.
    """
    text = text_from(call, note, "note")
    if fork:
        from cli.commands.resolve_fork import resolve_fork

        if task or event:
            raise Refusal("usage", "--fork takes neither TASK nor --event", "crewlog resolve --fork REPLICA")
        resolve_fork(call, fork, text)
        return
    from domain.commands import Resolve

    name = call.task(task)
    wanted = Resolve(call.actor, tuple(values(event)), text)
    call.answer(answer(call, call.write(name, wanted, texts=[text])))
