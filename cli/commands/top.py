"""`top`: the crew live, full-screen."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command


@command("top", "crewlog top\ncrewlog top --as zoe --no-reap")
def top(
    call: Call,
    no_reap: Annotated[
        bool, typer.Option("--no-reap", help="Leave lost agents what they hold.", show_default=False)
    ] = False,
) -> None:
    """Watch the crew: what needs you, who is here, what is in work, what happens. Where no terminal is: `status`.

    Tab goes to the next list, Enter opens, a approves, r rejects, k acks, w answers, / filters, q leaves. What you do
    here is written as the same commands would, under your name.
    """
    if (
        call.options.json
        or call.options.quiet
        or not (call.shell.stdin.isatty() and call.shell.stdout.isatty())
    ):
        from cli.commands.status import status

        status(call)
        return
    from cli.screen.app import Top

    Top(call, reap=not no_reap).run()
