"""`where`: which store, and why."""

from __future__ import annotations

import os

from cli import place
from cli.call import Call
from cli.grammar import command
from cli.output import Answer


@command("where", "crewlog where")
def where(call: Call) -> None:
    """Say which store is used here, and why this one."""
    located = call.located
    place.guard(located.path)
    git = call.git
    data = {
        "store": located.path,
        "why": located.why,
        "worktree": git.worktree if git else None,
        "writable": os.access(located.path, os.W_OK),
        "events": call.store.log.position(),
        "server": located.url,
    }
    lines = [located.path, f"  because: {located.why}", f"  events: {data['events']:,}"]
    lines += [f"  the log is at {located.url}"] if located.url else []
    call.answer(Answer(data, lines, [located.path]))
