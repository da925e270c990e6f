"""`prime`: what an agent that joins now must know, in under 1,900 bytes."""

from __future__ import annotations

from typing import Any

from cli.binding import worktree_of
from cli.call import Call, Who
from cli.grammar import command
from cli.output import Answer
from cli.text import cut, safe_line
from cli.writes import short

LIMIT = 1_900
TITLE = 60
TASKS = 5
MESSAGES = 3


@command("prime", "crewlog prime\ncrewlog prime --as ada")
def prime(call: Call) -> None:
    """Print what an agent must know to begin. Its task and claim, its mail, the five commands that it needs."""
    data = primed(call)
    call.answer(Answer(data, data["text"].split("\n"), [row["id"] for row in data["holds"]]))


def primed(call: Call) -> dict[str, Any]:
    """What `prime` answers; `text` is what it prints."""
    call.store.views.catch_up()
    who = call.who()
    held = _held(call, who)
    mail, unread = _mail(call, who)
    commands = _commands(held, who)
    room = LIMIT - sum(len(line.encode()) + 1 for line in commands)
    lines = [*bounded([*_about(call, who), *_tasks(call, held), *_messages(mail, unread)], room), *commands]
    return {"name": who.name if who else None, "holds": held, "unread": unread, "text": "\n".join(lines)}


def bounded(lines: list[str], room: int) -> list[str]:
    """As many of the lines as fit into so many bytes with their newlines."""
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _held(call: Call, who: Who | None) -> list[dict[str, Any]]:
    from projections.tasks import held_by

    return held_by(call.store.views.connection, who.name) if who else []


def _mail(call: Call, who: Who | None) -> tuple[list[dict[str, Any]], int]:
    from projections.mail_pages import inbox, unread_count

    if not who:
        return [], 0
    connection = call.store.views.connection
    return inbox(connection, who.name, MESSAGES).rows, unread_count(connection, who.name)


def _about(call: Call, who: Who | None) -> list[str]:
    from projections.tasks import counts

    known = counts(call.store.views.connection)
    states = ", ".join(f"{count} {state}" for state, count in known.items() if count)
    name = f"You are {who.name} ({who.why})." if who else "You have no name yet: --as NAME, or CREWLOG_AGENT."
    return [f"crewlog: the crew's task log. {name}", f"Tasks: {states or 'none'}."]


def _tasks(call: Call, held: list[dict[str, Any]]) -> list[str]:
    if not held:
        return ["You hold no task."]
    lines: list[str] = []
    for row in held[:TASKS]:
        title = cut(safe_line(row["title"]), TITLE)
        lines.append(f"You hold {row['id']} {row['state']}: {title}; claim {short(row['claim'])}")
        folder = worktree_of(call.git, row["holder"], row["id"]) if call.git else None
        lines += [f"  in {safe_line(folder)}"] if folder else []
    return lines


def _messages(mail: list[dict[str, Any]], unread: int) -> list[str]:
    from domain.blobs import preview

    if not unread:
        return []
    lines = [f"{unread} unread:"]
    for row in mail:
        mark = "? " if row["question"] else ""
        lines.append(f"  {row['id']} {row['from']}: {mark}{cut(safe_line(preview(row['text'])), TITLE)}")
    return lines


def _commands(held: list[dict[str, Any]], who: Who | None) -> list[str]:
    task = held[0]["id"] if held else "TASK"
    claim = f" --claim {short(held[0]['claim'])}" if held else ""
    name = f" --as {who.name}" if who and who.why == "--as" else ""
    return [
        f"  crewlog start{name}     (takes the best task that is ready; prints your claim)",
        f"  crewlog show {task}",
        f'  crewlog progress {task}{claim}{name} --text "…"',
        f'  crewlog done {task}{claim}{name} --evidence "why it works"     (or fail --reason, release)',
        f'  crewlog inbox{name}     (then: ack ID, answer ID "…", ask NAME "…" --wait 100)',
        "Exit 5: the task is no longer yours, stop. Exit 8: nothing yet. `crewlog help agents`: the rules.",
    ]
