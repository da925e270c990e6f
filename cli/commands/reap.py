"""`reap`: take back what lost holders hold."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer


@command("reap", "crewlog reap --dry-run\ncrewlog reap --as zoe")
def reap(
    call: Call,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be taken.", show_default=False)
    ] = False,
) -> None:
    """Take back the tasks of holders who are lost. No process is ended; the third loss in one attempt fails a task.

    Who beats is lost after 6 intervals without a sign. Who never beat is lost when its session's process is gone, or,
    where that cannot be seen, after the quiet lease. Each is judged again when nobody else can write.
    """
    from cli.reaping import kept_line, line, reap_all, would_line

    if not dry_run:
        call.actor  # noqa: B018 - refused without a name, before anything is looked at
    expired, kept = reap_all(call, dry_run=dry_run)
    remarks = call.store.after_write() if expired and not dry_run else []
    lines = [would_line(row) if dry_run else line(row) for row in expired]
    lines += [kept_line(row) for row in kept]
    if not lines:
        remarks.append("nobody works on anything")
    call.answer(Answer({"expired": expired, "kept": kept}, lines, [row["task"] for row in expired], remarks))
