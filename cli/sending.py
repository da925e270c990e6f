"""A message on its way: who may be meant, the write, what is remarked. `send` and `ask` share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.call import Call
from cli.mailing import key_fields, message_id, no_message, shown_address
from domain import mail
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.log import Written


def send(call: Call, wanted: mail.Send, *, allow_unknown: bool) -> tuple[Written, list[str]]:
    """Send a message; what was written, and remarks.

    Refused (`not-found`) for a name that was never here, unless `allow_unknown`.
    """
    remarks = [] if allow_unknown else _check_addressees(call, wanted)
    with call.writing([wanted.text]) as transaction:
        written = transaction.append(
            None,
            wanted.actor,
            call.marked(lambda _: mail.send(wanted), [wanted.text]),
            retry=call.retry("Send", **_key_fields(call, wanted)),
        )
    first = written.events[0]
    if written.replayed and first.to != wanted.to:
        message = f"key {call.options.key!r} already belongs to a message to {shown_address(first.to)}"
        raise Refusal("key-reuse", message, "Use a new key for a new command.", event=first.id)
    return written, remarks


def _key_fields(call: Call, wanted: mail.Send) -> dict[str, object]:
    nothing = dict.fromkeys(("question", "needs_ack", "reply", "task"))
    return {**nothing, **key_fields(call, "mail.sent", mail.send(wanted)[0].payload)}


def replied(call: Call, text: str | None) -> str | None:
    """The id of the message that is followed. Refused (`not-found`) where there is none."""
    if text is None:
        return None
    name = message_id(call, text)
    if call.store.log.state(f"mail/{name}") is None:
        raise no_message(name)
    return name


def about(call: Call, text: str | None) -> str | None:
    """The id of the task that a message is about. Refused (`not-found`) where there is none."""
    return call.state_of(call.task(text)).card.id if text is not None else None


def _check_addressees(call: Call, wanted: mail.Send) -> list[str]:
    """What is to be remarked about who would get it. Refused where it is a name that was never here."""
    from projections import mail as view

    store = call.store
    if wanted.to == wanted.actor or store.log.state(f"agent/{wanted.to}"):
        return []  # the cheap look: who joined needs no view
    store.views.catch_up()
    connection = store.views.connection
    if wanted.to.startswith(mail.GROUPS):
        nobody = not view.addressees(connection, wanted.actor, wanted.to)
        return [f"nobody else is in {shown_address(wanted.to)} now: only the log has it"] if nobody else []
    if not view.is_known(connection, wanted.to):
        raise _never_here(wanted.to, view.names(connection))
    return []


def _never_here(name: str, known: list[str]) -> Refusal:
    import difflib

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    hint = f"{guess}With --allow-unknown it waits until {name!r} comes; `crewlog agents` shows who was here."
    return Refusal("not-found", f"nobody by the name of {name!r} was ever here", hint, given=name, near=near)
