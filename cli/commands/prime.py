"""`prime`: what an agent that joins now must know, in under 1,900 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from cli.call import Call, Who
from cli.grammar import command
from cli.holding import held, unread
from cli.output import UNREAD, Answer
from cli.text import cut, safe_line
from cli.writes import short
from domain.task import WORKING

LIMIT = 1_900
TITLE = 60
TASKS = 5
MESSAGES = 3


@command("prime", "crewlog prime\ncrewlog prime --as ada")
def prime(call: Call) -> None:
    """Print what an agent must know to begin. Its tasks with claim and directory, its mail, the commands that it needs."""
    data = primed(call, call.who())
    ids = [row["id"] for row in data["holds"]]
    call.answer(Answer(data, data["text"].split("\n"), ids, tells=[UNREAD]))


def primed(call: Call, who: Who | None, task: str = "") -> dict[str, Any]:
    """What `prime` answers; `text` is what it prints. `task` is what the agent works on, if not the first that it holds."""
    holds = held(call, who.name) if who else []
    holds.sort(key=lambda row: row["id"] != task)
    mail, count = unread(call, who.name, MESSAGES) if who else ([], 0)
    about, commands = _about(call, who), _commands(holds, who)
    room = LIMIT - _size(about) - _size(commands)
    shown = _fitting([_task(row) for row in holds[:TASKS]], [_message(row) for row in mail], room)
    lines = [*about, *_tasks(len(holds), shown[0], who), *_mail(count, shown[1]), *commands]
    return {"name": who.name if who else None, "holds": holds, "unread": count, "text": "\n".join(lines)}


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _fitting(tasks: list[str], mail: list[str], room: int) -> tuple[list[str], list[str]]:
    """As many tasks and messages as fit, by turns, so that neither crowds the other out."""
    room -= _size([*_tasks(10**9, [], Who("x" * 64, "--as")), *_mail(10**9, [])])
    shown: tuple[list[str], list[str]] = ([], [])
    for pair in zip_longest(tasks, mail):
        for kept, text in zip(shown, pair, strict=True):
            if text is not None and _size([text]) <= room:
                kept.append(text)
                room -= _size([text])
    return shown


def _about(call: Call, who: Who | None) -> list[str]:
    from projections.tasks import counts

    call.store.views.catch_up()
    known = counts(call.store.views.connection)
    states = ", ".join(f"{count} {state}" for state, count in known.items() if count)
    name = f"You are {who.name} ({who.why})." if who else "You have no name yet: --as NAME, or CREWLOG_AGENT."
    return [f"crewlog: the crew's task log. {name}", f"Tasks: {states or 'none'}."]


def _task(row: dict[str, Any]) -> str:
    folder = f"\n  in {safe_line(row['dir'])}" if row["dir"] else ""
    title = cut(safe_line(row["title"]), TITLE)
    return f"You hold {row['id']} {row['state']}: {title}; claim {short(row['claim'])}{folder}"


def _tasks(count: int, shown: list[str], who: Who | None) -> list[str]:
    if not count:
        return ["You hold no task."]
    more = count - len(shown)
    hidden = [f"You hold {more:,} more: `crewlog whoami{_name(who)}`"] if more else []
    return [line for text in shown for line in text.split("\n")] + hidden


def _message(row: dict[str, Any]) -> str:
    from domain.blobs import preview

    mark = "? " if row["question"] else ""
    return f"  {row['id']} {row['from']}: {mark}{cut(safe_line(preview(row['text'])), TITLE)}"


def _mail(count: int, shown: list[str]) -> list[str]:
    return [f"{count:,} unread{', the oldest' if count > len(shown) else ''}:", *shown] if count else []


def _name(who: Who | None) -> str:
    """What a pasted command must say of the name: nothing where the surroundings say it."""
    return f" --as {who.name}" if who and who.why == "--as" else ""


def _commands(holds: list[dict[str, Any]], who: Who | None) -> list[str]:
    """For who works on a task the commands for it; else how to get one."""
    name = _name(who)
    work = holds[0] if holds and holds[0]["state"] == WORKING else None
    task, claim = (work["id"], f" --claim {short(work['claim'])}") if work else ("TASK", "")
    start = f"  crewlog start{name}     (takes the best task that is ready; prints your claim)"
    return [
        *([] if work else [start]),
        f"  crewlog show {task}",
        f'  crewlog progress {task}{claim}{name} --text "…"',
        f'  crewlog done {task}{claim}{name} --evidence "why it works"     (or fail --reason, release)',
        f'  crewlog inbox{name}     (then: ack ID, answer ID "…", ask NAME "…" --wait 100)',
        "Exit 5: the task is no longer yours, stop. Exit 8: nothing yet. `crewlog help agents`: the rules.",
    ]
