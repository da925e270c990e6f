"""`heartbeat`: a sign of life."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal
from domain.registry import LINE_TEXT_LIMIT


@command("heartbeat", "crewlog heartbeat --as ada", writes=False)
def heartbeat(
    call: Call,
    note: Annotated[
        str, typer.Option("--note", help="What you are doing, in one line.", show_default=False)
    ] = "",
) -> None:
    """Give one sign of life. It goes into a table of its own, beside the log."""
    if len(note) > LINE_TEXT_LIMIT or not note.isprintable():
        raise Refusal(
            "bad-value", f"--note is one line of at most {LINE_TEXT_LIMIT} characters", "Say it shorter."
        )
    call.secret([note])
    bound = call.binding
    mine = bound if bound and bound.agent == call.actor else None
    environ = call.shell.environ
    facts = {
        "task": environ.get("CREWLOG_TASK") or (mine.task if mine else None),
        "claim": environ.get("CREWLOG_CLAIM") or (mine.claim if mine else None),
        "note": note,
    }
    pulse = call.store.log.pulse(call.actor, {name: value for name, value in facts.items() if value})
    data = {"agent": call.actor, "event": pulse.id, "ts": pulse.ts}
    call.answer(Answer(data, [f"{call.actor} beats at {pulse.ts}"], [pulse.id]))
