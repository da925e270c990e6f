"""`answer`: answer a message."""

from __future__ import annotations

from cli.call import Call
from cli.grammar import command
from cli.mailing import FileOption, MessageArg, TextArg, message_id, message_text, write, written_answer
from domain import mail


@command("answer", 'crewlog answer m-7kq2 "port 8080"\ncrewlog answer m-7kq2 --file plan.md', writes=True)
def answer(call: Call, message: MessageArg, text: TextArg = None, file: FileOption = None) -> None:
    """Answer a message that was sent to you. That acks it, too."""
    name = message_id(call, message)
    content = message_text(call, text, file)
    command_ = mail.Reply(call.actor, content)
    written = write(call, name, "Reply", lambda state: mail.answer(command_, state), content)
    call.answer(written_answer(call, written, [f"{name}  answered"]))
