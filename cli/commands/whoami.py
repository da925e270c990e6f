"""`whoami`: name, task, claim, directory, and why."""

from __future__ import annotations

from cli.binding import worktree_of
from cli.call import Call, Who
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line


@command("whoami", "crewlog whoami --as ada")
def whoami(call: Call) -> None:
    """Say your name here, and why. Also the tasks you hold with their claims, and the directory."""
    from projections.tasks import held_by

    who = call.who()
    held = []
    if who:
        call.store.views.catch_up()
        held = held_by(call.store.views.connection, who.name)
    bound = call.binding
    mine = bound if bound and who and bound.agent == who.name else None
    task = mine.task if mine and mine.task else held[0]["id"] if len(held) == 1 else None
    claim = next((row["claim"] for row in held if row["id"] == task), None)
    data = {
        "name": who.name if who else None,
        "why": who.why if who else "no --as, no CREWLOG_AGENT, no binding",
        "task": task,
        "claim": claim,
        "dir": _folder(call, who, task),
        "store": call.located.path,
        "holds": held,
    }
    lines = [f"{data['name'] or 'nobody'} ({data['why']})", f"  in {data['dir']}, store {data['store']}"]
    for row in held:
        lines.append(f"  {row['id']}  {row['state']:<9}  {safe_line(row['title'])}")
        lines.append(f"    claim {row['claim']}")
    if task and not claim:
        lines.append(f"  {task} is no longer yours: `crewlog log {task}` tells what happened")
    if not who:
        lines.append("  next: crewlog join NAME")
    call.answer(Answer(data, lines, [who.name] if who else []))


def _folder(call: Call, who: Who | None, task: str | None) -> str:
    """Where the task is worked on; else the worktree or the folder that the caller is in."""
    if not call.git:
        return call.shell.cwd
    bound = worktree_of(call.git, who.name, task) if who and task else None
    return bound or call.git.worktree or call.shell.cwd
