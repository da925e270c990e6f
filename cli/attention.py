"""What needs the one who looks: each thing with the command that acts on it and, pasted, succeeds."""

from __future__ import annotations

import shlex
from typing import Any

from cli.call import Call, Who
from domain.event import parse_time
from domain.named import NamedTuple
from projections.attention import Item, waiting

MOST = 50  # of each kind
WORKING_MOST = 1_000

ELSEWHERE = "the claim is of another store: only if nobody works there any more"
WORDS = {
    "review": ("{who} handed in", "reviews"),
    "merge": ("approved by {who}, not merged", "merges"),
    "setback": ("{who} could not merge it", "failed merges"),
    "conflict": ("another clone's work came before that of {who}", "conflicts"),
    "circle": ("hangs on itself", "circles"),
    "stuck": ("waits for what will not be done", "stuck"),
    "failed": ("{who} gave up", "failed"),
    "question": ("{who} asks", "questions"),
    "ack": ("{who} waits for an ack", "acks"),
    "lost": ("{who} is lost", "lost agents"),
}


class Viewer(NamedTuple):
    """Who looks, "" where nobody knows, and what a command needs so that it is theirs. `groups`: whom else they speak for."""

    name: str
    suffix: str
    groups: tuple[str, ...] = ()


def attention(call: Call) -> list[dict[str, Any]]:
    """Everything that waits for a person, the oldest first, as `status` answers it."""
    now = call.shell.clock()
    call.store.views.catch_up()
    items = waiting(call.store.views.connection, now, MOST) + _lost(call, now)
    viewer = viewer_of(call)
    judges = call.store.config.review_by != "person" or bool(viewer.groups)
    found = [_record(item, viewer, now, may_approve=judges) for item in items]
    return sorted(found, key=lambda row: (row["since"], row["id"]))


def viewer_of(call: Call) -> Viewer:
    """Who looks: by name, or in their place a person who joined."""
    from projections.mail_pages import PEOPLE, addressees

    who: Who | None = call.who()
    if who is None:
        name = next(iter(addressees(call.store.views.connection, "", PEOPLE)), "")
        return Viewer(name, f" --as {name}" if name else " --as NAME", (PEOPLE,) if name else ())
    groups = (PEOPLE,) if _is_person(call, who.name) else ()
    return Viewer(who.name, f" --as {who.name}" if who.why == "--as" else "", groups)


def _is_person(call: Call, name: str) -> bool:
    agent = call.store.log.state(f"agent/{name}") if name else None
    return bool(agent and agent.person)


def _lost(call: Call, now: int) -> list[Item]:
    from cli.reaping import is_elsewhere, judge_all
    from domain.event import format_time

    return [
        Item(
            "lost",
            format_time(now - judged.silence * 1_000_000),
            judged.held.task,
            judged.held.holder,
            f"{judged.why}; {ELSEWHERE}" if elsewhere else judged.why,
            judged.held.title,
            elsewhere=elsewhere,
        )
        for judged in judge_all(call, WORKING_MOST)
        if judged.verdict == "lost"
        for elsewhere in [is_elsewhere(call, judged)]
    ]


def _record(item: Item, viewer: Viewer, now: int, *, may_approve: bool) -> dict[str, Any]:
    commands = [
        shlex.join(words) + viewer.suffix for words in _commands(item, viewer, may_approve=may_approve)
    ]
    return {
        "kind": item.kind,
        "id": item.subject,
        "since": item.since,
        "age": max(0, (now - parse_time(item.since)) // 1_000_000),
        "who": item.who,
        "title": item.title,
        "text": item.text,
        "submission": item.submission,
        "command": commands[0],
        "commands": commands,
    }


# What anybody may do about a thing: the words before and after its name.
_OPEN_TO_ALL: dict[str, tuple[tuple[str, ...], ...]] = {
    "conflict": (("conflicts",),),
    "merge": (("merge",),),
    "failed": (("retry",), ("cancel",)),
}


def _commands(item: Item, viewer: Viewer, *, may_approve: bool) -> list[list[str]]:
    """What the viewer may do about it, the likely first; where someone else must act, how to look at it."""
    from cli.reaping import forced_release

    name = item.subject
    mine = viewer.name not in item.closed and item.open in ("", viewer.name, *viewer.groups)
    commands = [[first, name, *more] for first, *more in _OPEN_TO_ALL.get(item.kind, ())]
    match item.kind:
        case "review" if mine and may_approve:
            commands = [["approve", name], ["reject", name, "--reason", "…"]]
        case "setback":
            judged = [["reject", name, "--reason", "…"]] if viewer.name not in item.closed else []
            commands = [*judged, ["review", name]]
        case "circle" | "stuck":
            kind, other = item.link
            commands = [["unlink", name, f"--{kind}", other], ["graph", name]]
        case "question" if mine:
            commands = [["answer", name, "…"]]
        case "ack" if mine:
            commands = [["ack", name]]
        case "lost":
            commands = [forced_release(name) if item.elsewhere else ["reap"]]
        case _:
            pass
    look = "read" if item.kind in ("question", "ack") else "show"
    return [["crewlog", *words] for words in [*commands, [look, name]]]


def sentence(row: dict[str, Any]) -> str:
    """`ada handed in`: what happened, for people."""
    return WORDS[row["kind"]][0].format(who=row["who"])


def summary(rows: list[dict[str, Any]]) -> str:
    """`4 need you: 2 reviews, 1 questions, 1 lost agents`."""
    if not rows:
        return "nothing needs you"
    kinds = [row["kind"] for row in rows]
    parts = [f"{kinds.count(kind)} {words}" for kind, (_, words) in WORDS.items() if kind in kinds]
    return f"{len(rows)} need{'s' if len(rows) == 1 else ''} you: {', '.join(parts)}"
