"""`whoami`: name, task, claim, directory, mail, and why."""

from __future__ import annotations

from typing import Any

from cli.call import Call
from cli.grammar import command
from cli.holding import held, unread
from cli.output import UNREAD, Answer
from cli.text import safe_line

MESSAGES = 10


@command("whoami", "crewlog whoami --as ada")
def whoami(call: Call) -> None:
    """Say your name, and why it is this one. Also the tasks you hold, each with its claim and directory, and your mail.

    It finds all that from any directory: a name is enough for who forgot the rest.
    """
    who = call.who()
    holds = held(call, who.name) if who else []
    mail, count = unread(call, who.name, MESSAGES) if who else ([], 0)
    here = call.git.worktree if call.git and call.git.worktree else call.shell.cwd
    bound = call.binding
    mine = bound if bound and who and bound.agent == who.name else None
    task = mine.task if mine and mine.task else holds[0]["id"] if len(holds) == 1 else None
    row = next((row for row in holds if row["id"] == task), None)
    data = {
        "name": who.name if who else None,
        "why": who.why if who else "no --as, no CREWLOG_AGENT, no binding",
        "task": task,
        "claim": row["claim"] if row else None,
        "dir": (row["dir"] if row else None) or here,
        "store": call.located.path,
        "holds": holds,
        "unread": count,
        "messages": mail,
    }
    lines = [f"{data['name'] or 'nobody'} ({data['why']})", f"  here is {here}, store {data['store']}"]
    lines += [line for row in holds for line in _held(row)]
    if task and not row:
        lines.append(f"  {task} is no longer yours: `crewlog log {task}` tells what happened")
    lines += _mail(call, mail, count, who.name if who else "")
    if not who:
        lines.append("  next: crewlog join NAME")
    call.answer(Answer(data, lines, [who.name] if who else [], tells=[UNREAD]))


def _held(row: dict[str, Any]) -> list[str]:
    folder = [f"    in {safe_line(row['dir'])}"] if row["dir"] else []
    return [
        f"  {row['id']}  {row['state']:<9}  {safe_line(row['title'])}",
        *folder,
        f"    claim {row['claim']}",
    ]


def _mail(call: Call, mail: list[dict[str, Any]], count: int, name: str) -> list[str]:
    if not count:
        return []
    from cli.mailing import table

    more = f", the oldest {len(mail)}" if count > len(mail) else ""
    return [f"  {count} unread{more}: `crewlog inbox`", *(f"    {line}" for line in table(call, mail, name))]
