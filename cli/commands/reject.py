"""`reject`: send work back."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import ReasonOption, TaskArg, needed_reason
from cli.call import Call
from cli.completion import complete_name
from cli.grammar import command
from cli.writes import answer
from domain.names import check_name


@command("reject", 'crewlog reject t-3k9f --reason "no test for empty input" --as zoe', writes=True)
def reject(
    call: Call,
    task: TaskArg = None,
    reason: ReasonOption = "",
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NAME",
            help="Give it to someone else; default: back to its holder.",
            autocompletion=complete_name,
            show_default=False,
        ),
    ] = None,
    submission: Annotated[
        str, typer.Option("--submission", metavar="ID", help="Only this submission.", show_default=False)
    ] = "",
) -> None:
    """Send work back with a reason. Its holder keeps the claim; --to gives it to someone else."""
    from domain.commands import Reject

    name = call.task(task)
    text = needed_reason(call, reason, "reject")
    wanted = Reject(call.actor, text, check_name(to) if to is not None else None, submission)
    call.answer(answer(call, call.write(name, wanted, texts=[text])))
