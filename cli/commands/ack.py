"""`ack`: say that one has read something."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.each import several
from cli.grammar import command
from cli.mailing import message_id, write, written_answer
from cli.output import Answer
from domain import mail


@command("ack", "crewlog ack m-7kq2\ncrewlog ack $(crewlog inbox --quiet)", writes=True)
def ack(
    call: Call,
    messages: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="Ids or unique prefixes; each is judged alone.", show_default=False
        ),
    ],
) -> None:
    """Say that you have read messages. They leave your inbox; `inbox --all` still shows them."""
    command_ = mail.Ack(call.actor)

    def one(text: str | None) -> Answer:
        name = message_id(call, text or "")
        written = write(call, name, "Ack", lambda state: mail.ack(command_, state))
        return written_answer(call, written, [f"{name}  acked"])

    several(call, "message", messages, one)
