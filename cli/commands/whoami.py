"""`whoami`: name, task, claim, directory, and why."""

from __future__ import annotations

import os
from typing import Any

from cli.binding import read_binding
from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.place import find_git
from cli.text import safe_line


@command("whoami", "crewlog whoami --as ada")
def whoami(call: Call) -> None:
    """Say your name here, and why. Also the tasks you hold with their claims, and the directory."""
    from projections.tasks import held_by

    who = call.who()
    held: list[dict[str, Any]] = []
    if who:
        call.store.views.catch_up()
        held = [{**row, "dir": _folder(call, row)} for row in held_by(call.store.views.connection, who.name)]
    bound = call.binding
    mine = bound if bound and who and bound.agent == who.name else None
    task: str | None = mine.task if mine and mine.task else held[0]["id"] if len(held) == 1 else None
    claim = next((row["claim"] for row in held if row["id"] == task), None)
    data = {
        "name": who.name if who else None,
        "why": who.why if who else "no --as, no CREWLOG_AGENT, no binding",
        "task": task,
        "claim": claim,
        "dir": call.git.worktree if call.git and call.git.worktree else call.shell.cwd,
        "store": call.located.path,
        "holds": held,
    }
    lines = [f"{data['name'] or 'nobody'} ({data['why']})", f"  in {data['dir']}, store {data['store']}"]
    for row in held:
        lines.append(f"  {row['id']}  {row['state']:<9}  {safe_line(row['title'])}")
        lines.append(f"    claim {row['claim']}" + (f", in {row['dir']}" if row["dir"] else ""))
    if task and not claim:
        lines.append(f"  {task} is no longer yours: `crewlog log {task}` tells what happened")
    if not who:
        lines.append("  next: crewlog join NAME")
    call.answer(Answer(data, lines, [who.name] if who else []))


def _folder(call: Call, held: dict[str, Any]) -> str | None:
    """The worktree that was made for the claim, found by what is bound there: no git is asked."""
    for name in (held["id"], f"{held['id']}-{held['claim'][:8]}"):
        folder = call.store.path(os.path.join("work", name))
        git = find_git(folder) if os.path.isdir(folder) else None
        bound = read_binding(git) if git and git.worktree == folder else None
        if bound and (bound.task, bound.claim) == (held["id"], held["claim"]):
            return folder
    return None
