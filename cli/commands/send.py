"""`send`: say something to somebody."""

from __future__ import annotations

from cli.call import Call
from cli.grammar import command
from cli.mailing import (
    AboutOption,
    FileOption,
    NeedsAckOption,
    ReplyOption,
    TextArg,
    ToArg,
    UnknownOption,
    address,
    message_text,
    shown_address,
    written_answer,
)
from cli.sending import about, replied
from cli.sending import send as send_message
from domain import mail


@command(
    "send",
    'crewlog send bob "the parser is ready" --task t-3k9f\ncrewlog send +ops --needs-ack --file report.txt',
    writes=True,
)
def send(
    call: Call,
    to: ToArg,
    text: TextArg = None,
    reply: ReplyOption = None,
    needs_ack: NeedsAckOption = False,
    task: AboutOption = None,
    file: FileOption = None,
    allow_unknown: UnknownOption = False,
) -> None:
    """Send a message to a name, a channel (+ops), all or people.

    It reaches who is there now: members of the channel, everybody who was seen here and has not left, every person.
    """
    content = message_text(call, text, file)
    wanted = mail.Send(
        call.actor,
        address(to),
        content,
        needs_ack=needs_ack,
        reply=replied(call, reply),
        task=about(call, task),
    )
    written, remarks = send_message(call, wanted, allow_unknown=allow_unknown)
    message = written.state
    line = f"{message.id}  to {shown_address(message.to)}"
    call.answer(written_answer(call, written, [line], remarks, to=message.to))
