"""`backup`: a whole copy of the event store."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.progress import progress
from domain.refusals import Refusal


@command("backup", "crewlog backup /mnt/safe/crewlog-monday.db")
def backup(
    call: Call,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where; a new file.", show_default=False)],
) -> None:
    """Copy the event store into a new file, whole, while others go on writing. Everything else can be made anew from it.

    `crewlog restore FILE` brings it back.
    """
    from domain.stores.copies import back_up

    if call.store.address:
        hint = "pg_dump takes a whole copy of its schema; docs/operating.md has the line."
        raise Refusal("usage", f"the log is at {call.store.address}", hint)
    path = os.path.join(call.shell.cwd, file)
    with progress(call.shell, "copying") as step:
        size = back_up(call.store.path("crewlog.db"), path, step)
    data = {"path": path, "size": size, "events": call.store.log.position()}
    call.answer(Answer(data, [f"{path}: {data['events']:,} events, {size:,} bytes"], [path]))
