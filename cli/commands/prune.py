"""`prune`: delete old signs of life."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal

# Claims are judged by their pulses: those that may still matter stay.
YOUNGEST = 3_600.0


@command("prune", "crewlog prune --pulses --older-than 7d --as zoe")
def prune(
    call: Call,
    pulses: Annotated[
        bool, typer.Option("--pulses", help="What to delete; nothing else can be.", show_default=False)
    ] = False,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="At least 1h; like 12h, 7d.")
    ] = "7d",
) -> None:
    """Delete old pulses, but the newest of each name. `log.pruned` keeps how many and from when, name by name."""
    from domain.config import duration
    from domain.event import format_time

    age = duration(older_than, "--older-than")
    if not pulses:
        raise Refusal("usage", "say --pulses: nothing else is ever deleted", "crewlog prune --pulses")
    if age < YOUNGEST:
        raise Refusal("bad-value", f"--older-than {older_than} is under an hour", "Example: --older-than 7d")
    before = call.store.log.now() - int(age * 1_000_000)
    written = call.store.log.prune(before, call.actor)
    rows = [item.events[0].payload for item in written]
    count = sum(row["count"] for row in rows)
    remarks = call.store.after_write() if rows else ["nothing is that old"]
    lines = [f"{row['agent']}: {row['count']} pulses, {row['first']} to {row['last']}" for row in rows]
    data = {"pruned": rows, "count": count, "before": format_time(before)}
    call.answer(Answer(data, lines, [item.events[0].id for item in written], remarks))
