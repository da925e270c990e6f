"""The tasks as they are now: what one can ask of them.

Lists and their order are in `projections.task_pages`, tables and handler in `projections.task_rows`; their public
names are here too.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from domain import task as machine
from domain.event import Json
from domain.names import TASK_DIGITS, TASK_PREFIX, is_slug, is_task_id
from domain.refusals import Refusal
from domain.task import (
    AFTER,
    APPROVED,
    ASSIGNED,
    CANCELLED,
    COMPLETED,
    FAILED,
    IN_REVIEW,
    OPEN,
    PARENT,
    RELATES,
    STATES,
    Card,
    Task,
    claim_of,
    linked,
)
from projections import sources
from projections.task_pages import Page, TaskFilter, candidates, page, ready
from projections.task_rows import HOLD, VIEW

__all__ = [
    "VIEW",
    "Page",
    "TaskFilter",
    "candidates",
    "conflicts",
    "counts",
    "folded",
    "full",
    "held",
    "held_by",
    "named",
    "names",
    "page",
    "parts_of",
    "ready",
    "ready_count",
    "resolve",
    "slugs",
    "states",
    "why_not_ready",
]

CANDIDATE_LIMIT = 10
PREFIX_LEAST = 2

Row = dict[str, Any]


def resolve(connection: sqlite3.Connection, text: str) -> str:
    """The task id for a whole id, a slug, or a unique prefix of an id, with or without `t-`.

    A slug wins over the prefix of an id that happens to begin like it: ids are random, and a word that somebody
    chose must not stop working when there are many tasks. Text that begins with `t-` looks like an id, so there
    both count. Raises Refusal `not-found` or `ambiguous`.
    """
    if is_task_id(text) and connection.execute("SELECT 1 FROM tasks WHERE id = ?", (text,)).fetchone():
        return text
    found = _by_slug(connection, text)
    if not found or text.startswith(TASK_PREFIX):
        found = found + [row for row in _by_prefix(connection, text) if row not in found]
    found = found or _by_source(connection, text)
    if len(found) == 1:
        return str(found[0]["id"])
    raise _ambiguous(text, found) if found else _not_found(text)


_CANDIDATE = "SELECT id, title, state FROM tasks"


def _by_slug(connection: sqlite3.Connection, text: str) -> list[Row]:
    if not is_slug(text):
        return []
    return _rows(connection, f"{_CANDIDATE} WHERE slug = ? ORDER BY id LIMIT ?", (text, CANDIDATE_LIMIT + 1))


def _by_prefix(connection: sqlite3.Connection, text: str) -> list[Row]:
    digits = text.removeprefix(TASK_PREFIX)
    if not PREFIX_LEAST <= len(digits) <= TASK_DIGITS or not digits.isascii() or not digits.isalnum():
        return []
    prefix = TASK_PREFIX + digits
    statement = f"{_CANDIDATE} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return _rows(connection, statement, (prefix, prefix + "{", CANDIDATE_LIMIT + 1))


def _by_source(connection: sqlite3.Connection, text: str) -> list[Row]:
    """The task that an issue of another tool became whose id is no slug."""
    tasks = sources.find(connection, text, CANDIDATE_LIMIT + 1)
    return [row for task in tasks for row in _rows(connection, f"{_CANDIDATE} WHERE id = ?", (task,))]


def _rows(connection: sqlite3.Connection, statement: str, params: Sequence[Any]) -> list[Row]:
    cursor = connection.execute(statement, params)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _ambiguous(text: str, found: list[Row]) -> Refusal:
    many = f"more than {CANDIDATE_LIMIT}" if len(found) > CANDIDATE_LIMIT else str(len(found))
    message = f"{text[:80]!r} fits {many} tasks"
    hint = f"Type more of the id, for example {found[0]['id']}."
    return Refusal("ambiguous", message, hint, given=text[:200], candidates=found[:CANDIDATE_LIMIT])


def _not_found(text: str) -> Refusal:
    hint = "`crewlog list` shows the tasks there are."
    if len(text.removeprefix(TASK_PREFIX)) < PREFIX_LEAST:
        hint = f"Type at least {PREFIX_LEAST} characters of the id; `crewlog list` shows the tasks there are."
    return Refusal("not-found", f"no task has the id or slug {text[:80]!r}", hint, given=text[:200])


_PARTS = ("submission", "approval", "merge", "setback", "end")


def full(connection: sqlite3.Connection, task_id: str) -> Row:
    """Everything about one task, as `show` answers it. Texts may be `{"blob": …, "preview": …}`.

    `after` lists all tasks that it was made to wait for, `blocked_by` those that are not COMPLETED, `blocks` the open
    tasks that wait for it, `parts` counts all tasks below it by state. Raises Refusal `not-found`.
    """
    row = connection.execute("SELECT data FROM tasks WHERE id = ?", (task_id,)).fetchone()
    if row is None:
        raise _not_found(task_id)
    task = machine.load(row[0])
    card, claim = task.card, claim_of(task)
    parts: Json = {name: part._asdict() for name in _PARTS if (part := getattr(task, name, None))}
    return {
        "id": card.id,
        "slug": card.slug,
        "title": card.title,
        "body": card.body,
        "state": task.state,
        "priority": card.priority,
        "assignee": card.assignee,
        "holder": claim.holder if claim else None,
        "claim": claim.id if claim else None,
        "claimed": claim.since if claim else None,
        "labels": list(card.labels),
        "parent": _parent(card),
        "parts": parts_of(connection, [card.id]).get(card.id, {}),
        "blocks": _blocks(connection, task),
        "blocked_by": [blocker for blocker, _ in _blockers(connection, task_id)],
        "after": linked(card, AFTER),
        "relates": linked(card, RELATES),
        "links": [link._asdict() for link in card.links],
        **_code(task, parts.get("submission")),
        "spawner": card.spawner,
        "created": card.created,
        "updated": card.updated,
        "attempts": card.attempts,
        "strikes": card.strikes,
        "submission": parts.get("submission"),
        "approval": parts.get("approval"),
        "merge": parts.get("merge"),
        "setback": parts.get("setback"),
        "end": _end(parts),
        "conflicts": len(card.conflicts),
        "notes": card.notes,
        "progress": card.progress,
        "source": _source(card),
    }


def _code(task: Task, submission: Json | None) -> Row:
    """Where the code is: as it was handed in, else as the claim began it."""
    claim = getattr(task, "claim", None)
    handed_in: Json = (submission or {}).get("code") or {}
    return {
        "branch": handed_in.get("branch") or (claim.branch if claim else None),
        "base": handed_in.get("base") or (claim.base if claim else None),
        "commit": (submission or {}).get("commit"),
    }


def _source(card: Card) -> Json | None:
    names = ("system", "id", "status", "by", "assigned", "imported")
    return {name: card.source.get(name, "") for name in names} if card.source else None


def slugs(connection: sqlite3.Connection, tasks: Sequence[str]) -> dict[str, str]:
    """The slugs of those of the tasks that have one."""
    return {task: slug for task, (slug, _) in names(connection, tasks).items() if slug is not None}


def names(connection: sqlite3.Connection, tasks: Sequence[str]) -> dict[str, tuple[str | None, str]]:
    """Slug and title of those of the tasks that are here."""
    statement = (
        "SELECT tasks.id, tasks.slug, tasks.title FROM json_each(?) wanted"
        " CROSS JOIN tasks ON tasks.id = wanted.value"
    )
    found = connection.execute(statement, (orjson.dumps([*tasks]).decode(),))
    return {task: (slug, title) for task, slug, title in found}


def _end(parts: Json) -> Json | None:
    end: Json | None = parts.get("end")
    return {name: end[name] for name in ("by", "at", "reason")} if end else None


def _parent(card: Card) -> str | None:
    """The newest one: clones that each gave it another parent may have met."""
    return next(reversed(linked(card, PARENT)), None)


def _blocks(connection: sqlite3.Connection, task: Task) -> list[str]:
    if task.state == COMPLETED:
        return []
    statement = (
        "SELECT tasks.id, tasks.state FROM links CROSS JOIN tasks ON tasks.id = links.task"
        " WHERE links.other = ? AND links.kind = 'after' ORDER BY links.task"
    )
    found = connection.execute(statement, (task.card.id,))
    return [str(row[0]) for row in found if row[1] not in (COMPLETED, CANCELLED)]


def _blockers(connection: sqlite3.Connection, task_id: str) -> list[tuple[str, str | None]]:
    """The tasks that this one still waits for, and their states (None: not known here)."""
    statement = (
        "SELECT links.other, blocker.state FROM links LEFT JOIN tasks blocker ON blocker.id = links.other"
        " WHERE links.task = ? AND links.kind = 'after' ORDER BY links.other"
    )
    return [(row[0], row[1]) for row in connection.execute(statement, (task_id,)) if row[1] != COMPLETED]


def why_not_ready(connection: sqlite3.Connection, task_id: str) -> list[str]:
    """A sentence for each thing that keeps the task from being ready; none for one that is. Raises `not-found`."""
    task = full(connection, task_id)
    reasons: list[str] = []
    if task["state"] != ASSIGNED:
        held = f", held by {task['holder']} since {task['claimed']}" if task["holder"] else ""
        reasons.append(f"It is {task['state']}{held}; only an ASSIGNED task can be started.")
    if HOLD in task["labels"]:
        reasons.append(f"It has the label {HOLD!r}: `crewlog edit {task_id} --remove-label {HOLD}`.")
    for blocker, state in _blockers(connection, task_id):
        told = f"It waits for {named(connection, blocker)}, which is {state or 'not known here'}"
        reasons.append(f"{told}: {_way_on(task_id, blocker, state)}.")
    if parts := _open_parts(connection, task_id):
        shown = ", ".join(named(connection, part) for part in parts[:3]) + (", …" if len(parts) > 3 else "")
        number = "an open part" if len(parts) == 1 else f"{len(parts)} open parts"
        reasons.append(f"It has {number}: {shown}; `crewlog graph {task_id}`.")
    return reasons


def named(connection: sqlite3.Connection, task_id: str) -> str:
    """The id, and behind it the slug or title by which people know the task, where it is here."""
    known = names(connection, [task_id]).get(task_id)
    return f"{task_id} ({known[0] or known[1]})" if known else task_id


def _open_parts(connection: sqlite3.Connection, task_id: str) -> list[str]:
    statement = (
        "SELECT tasks.id, tasks.state FROM links CROSS JOIN tasks ON tasks.id = links.task"
        " WHERE links.other = ? AND links.kind = 'parent' ORDER BY links.task"
    )
    return [row[0] for row in connection.execute(statement, (task_id,)) if row[1] in OPEN]


def _way_on(task_id: str, blocker: str, state: str | None) -> str:
    """What one can type about a task that another one waits for."""
    unlink = f"`crewlog unlink {task_id} --after {blocker}`"
    known = {
        None: unlink,
        CANCELLED: f"{unlink} or `crewlog retry {blocker}`",
        FAILED: f"`crewlog retry {blocker}`",
        IN_REVIEW: f"`crewlog review {blocker}`",
        APPROVED: f"`crewlog merge {blocker}`",
    }
    return known.get(state, f"`crewlog show {blocker}`")


_HELD = (
    "SELECT id, title, state, priority, holder, claim, claimed AS since, updated"
    " FROM tasks INDEXED BY tasks_by_holder WHERE "
)


def held_by(connection: sqlite3.Connection, name: str) -> list[Row]:
    """The tasks that the name holds: WORKING first, then those whose submission waits (IN_REVIEW, APPROVED)."""
    return sorted(_rows(connection, f"{_HELD} holder = ?", (name,)), key=_working_first)


def held(connection: sqlite3.Connection) -> dict[str, list[Row]]:
    """All tasks that somebody holds, by holder, each in the order of `held_by`."""
    found: dict[str, list[Row]] = {}
    for row in sorted(_rows(connection, f"{_HELD} holder > ''", ()), key=_working_first):
        found.setdefault(row["holder"], []).append(row)
    return found


def _working_first(row: Row) -> tuple[int, int, str, str]:
    return STATES.index(row["state"]), row["priority"], row["since"], row["id"]


def conflicts(
    connection: sqlite3.Connection, task_id: str | None, limit: int
) -> tuple[dict[str, list[str]], int]:
    """The events that nobody has settled, by task; how many there are beyond `limit`."""
    where, params = ("task = ?", task_id) if task_id else ("task > ?", "")
    statement = f"SELECT task, event FROM conflicts WHERE {where} ORDER BY task, event"  # noqa: S608 - one of two
    rows = connection.execute(statement, (params,)).fetchall()
    found: dict[str, list[str]] = {}
    for task, event_id in rows[:limit]:
        found.setdefault(task, []).append(event_id)
    return found, max(0, len(rows) - limit)


def losers(connection: sqlite3.Connection, task_id: str) -> list[str]:
    """Whose events on a task nobody has settled."""
    statement = "SELECT DISTINCT sender FROM conflicts WHERE task = ? ORDER BY sender"
    return [row[0] for row in connection.execute(statement, (task_id,))]


def conflict_counts(connection: sqlite3.Connection, tasks: Sequence[str]) -> dict[str, int]:
    """How many events of each of these tasks nobody has settled; only those that have any."""
    statement = "SELECT task, count(*) FROM json_each(?) wanted CROSS JOIN conflicts ON task = wanted.value GROUP BY task"
    return dict(connection.execute(statement, (orjson.dumps(tasks).decode(),)).fetchall())


def parts_of(connection: sqlite3.Connection, parents: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each of these that has parts: how many of them, and of their parts in turn, are in which state.

    Each part counts once, also where clones gave it two parents; a task in a circle is no part of itself.
    """
    statement = (
        "WITH RECURSIVE below (parent, task) AS ("
        " SELECT wanted.value, links.task FROM json_each(?) wanted"
        " CROSS JOIN links ON links.other = wanted.value AND links.kind = 'parent'"
        " UNION SELECT below.parent, links.task FROM below"
        " CROSS JOIN links ON links.other = below.task AND links.kind = 'parent')"
        " SELECT below.parent, tasks.state FROM below CROSS JOIN tasks ON tasks.id = below.task"
        " WHERE below.task <> below.parent"
    )
    found: dict[str, Counter[str]] = {}
    for parent, state in connection.execute(statement, (orjson.dumps(parents).decode(),)):
        found.setdefault(parent, Counter())[state] += 1
    return {parent: dict(numbers) for parent, numbers in found.items()}


def folded(connection: sqlite3.Connection, of: Sequence[str] = ()) -> Iterator[Task]:
    """All tasks, or those in some states, as they were folded; the oldest first."""
    where = f" WHERE state IN ({', '.join('?' * len(of))})" if of else ""
    for (data,) in connection.execute(f"SELECT data FROM tasks{where} ORDER BY created, id", of):  # noqa: S608 - marks only
        yield machine.load(data)


def states(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Every task's stream and its state as bytes (`domain.task.dump`), sorted by the stream."""
    for task_id, data in connection.execute("SELECT id, data FROM tasks ORDER BY id"):
        yield f"task/{task_id}", data


def ready_count(connection: sqlite3.Connection) -> int:
    """How many tasks can be started by someone."""
    statement = "SELECT n FROM counts WHERE facet = 'ready' AND value = '*' AND state = 'ASSIGNED'"
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many tasks are in each state; every state is there."""
    statement = "SELECT state, n FROM counts WHERE facet = 'state' AND value = ''"
    return dict.fromkeys(STATES, 0) | dict(connection.execute(statement))
