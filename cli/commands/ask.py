"""`ask`: a question, and the wait for its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.blobs import whole_text
from cli.call import Call
from cli.follow import patiently, remaining, signal_of
from cli.grammar import command
from cli.mailing import (
    AboutOption,
    FileOption,
    ReplyOption,
    TextArg,
    ToArg,
    UnknownOption,
    address,
    message_text,
    rows_with_texts,
    shown_address,
    written_answer,
)
from cli.output import Answer, print_answer
from cli.sending import about, replied, send
from cli.text import safe
from domain import mail
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.mail import Message


@command(
    "ask", 'crewlog ask bob "which port?" --wait 100\ncrewlog ask people "may I drop the table?"', writes=True
)
def ask(
    call: Call,
    to: ToArg,
    text: TextArg = None,
    wait: Annotated[float, typer.Option("--wait", "-w", min=0, help="For how many seconds.")] = 0.0,
    reply: ReplyOption = None,
    task: AboutOption = None,
    file: FileOption = None,
    allow_unknown: UnknownOption = False,
) -> None:
    """Ask a question. With --wait the first answer is printed, or after so many seconds the id, with exit 8.

    The question stands then; do not ask it again, but `crewlog wait --reply ID`.
    """
    content = message_text(call, text, file)
    wanted = mail.Send(
        call.actor,
        address(to),
        content,
        question=True,
        reply=replied(call, reply),
        task=about(call, task),
    )
    written, remarks = send(call, wanted, allow_unknown=allow_unknown)
    message: Message = written.state
    asked = f"{message.id}  to {shown_address(message.to)}"
    answered = written_answer(call, written, [asked], remarks, to=message.to)
    if wait:
        call.shell.remark(f"asked {asked}; waiting {wait:g} s")  # so that who is interrupted knows the id
    given = _first_answer(call, message.id, wait)
    if wait and not given:
        raise _not_yet(call, message, answered, wait)
    call.answer(_answered(call, message, answered, given) if given else _asked(message, answered))


def _first_answer(call: Call, message: str, wait: float) -> mail.Answer | None:
    """The first answer, once there is one; None after `wait` seconds. Looks only when the store has changed."""
    signal, left = signal_of(call.store), remaining(wait)

    def look() -> Message:
        signal.wait(0)  # what comes from here on is seen by the next look
        state: Message = call.store.log.state(f"mail/{message}")
        return state

    while True:
        answers = patiently(call.shell, left, look).answers
        if answers or left() <= 0:
            return answers[0] if answers else None
        signal.wait(left())


def _answered(call: Call, message: Message, asked: Answer, given: mail.Answer) -> Answer:
    shown = {"id": given.id, "from": given.by, "at": given.at, "text": given.text}
    (shown,) = rows_with_texts(call, [shown])
    text = safe(whole_text(call, given.text))
    lines = [f"{given.by} answers {message.id}:", *(f"    {line}" for line in text.split("\n"))]
    return asked._replace(data={**asked.data, "answer": shown}, lines=lines, tells=[given.id])


def _asked(message: Message, asked: Answer) -> Answer:
    return asked._replace(data={**asked.data, "answer": None, "next": [_way_on(message)]})


def _not_yet(call: Call, message: Message, asked: Answer, wait: float) -> Refusal:
    """No answer in time is what it is to any command that waits; only that stdout has the id, for scripts."""
    if not call.options.json:
        print_answer(call.shell, asked, as_json=False, quiet=call.options.quiet)
    hint = f"The question stands: `{_way_on(message)}` waits on."
    found = {"message": message.id, "event": asked.data["event"], "next": [_way_on(message)]}
    return Refusal("nothing-yet", f"no answer to {message.id} yet, after {wait:g} s", hint, **found)


def _way_on(message: Message) -> str:
    return f"crewlog wait --reply {message.id} --timeout 100"
