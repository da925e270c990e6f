"""`inbox`: what one was sent."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import LimitOption
from cli.call import Call
from cli.grammar import command
from cli.mailing import rows_with_texts, table
from cli.output import UNREAD, Answer


@command("inbox", "crewlog inbox\ncrewlog inbox --all --json")
def inbox(
    call: Call,
    all_: Annotated[
        bool, typer.Option("--all", "-a", help="Also what you have acked: the newest.", show_default=False)
    ] = False,
    limit: LimitOption = 50,
) -> None:
    """List what is addressed to you and not acked, oldest first. `?` waits for an answer, `!` for an ack."""
    from projections import mail

    name = call.actor
    views = call.store.views
    views.catch_up()
    found = (mail.everything if all_ else mail.inbox)(views.connection, name, limit)
    lines = table(call, found.rows, name)
    if found.rows:
        lines.append("  next: crewlog read ID, crewlog ack ID, crewlog answer ID TEXT")
    remarks = [] if found.rows else ["nothing" if all_ else "nothing unread"]
    if found.more and not (call.options.json or call.options.quiet):
        which = "older" if all_ else "more"
        remarks.append(f"{found.more:,} {which}: --limit {len(found.rows) + found.more}")
    data = {"messages": rows_with_texts(call, found.rows), "more": found.more}
    call.answer(Answer(data, lines, [row["id"] for row in found.rows], remarks, tells=[UNREAD]))
