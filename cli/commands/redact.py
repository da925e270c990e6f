"""`redact`: take a large text out."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import ReasonOption, needed_reason
from cli.call import Call
from cli.commands.blob import found_blob
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal


@command("redact", 'crewlog redact 3f2a9c1b --reason "held a password" --as zoe', writes=True)
def redact(
    call: Call,
    digest: Annotated[
        str, typer.Argument(metavar="SHA256", help="Which blob; a prefix will do.", show_default=False)
    ],
    reason: ReasonOption = "",
) -> None:
    """Take the bytes of a blob out, here and in every clone that hears of it; its hash and this event stay.

    A preview that the event itself holds stays as well, and so does what git's history of the store keeps.
    """
    found = found_blob(call, digest)
    text = needed_reason(call, reason, "redact", f'{found[:12]} --reason "held a password"')
    if call.options.key:
        raise Refusal("usage", "redact takes no --key: doing it twice is harmless", "Leave --key out.")
    log = call.store.log
    with call.writing([text]) as transaction:
        by = log.redacted().get(found)
        written = None if by else transaction.redact(found, call.actor, text)
    call.store.segments.drop_redacted()
    event = by if written is None else written.events[0].id
    remarks = ["it was taken out before"] if by else call.store.after_write()
    call.answer(Answer({"sha256": found, "event": event}, [f"{found[:12]} is gone"], [found], remarks))
