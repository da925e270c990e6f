"""The tasks as they are now: their tables, the handler that folds events into them, and what one can ask.

Lists and their order are in `projections.task_pages`; its names are exported here too.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from domain import task as machine
from domain.event import VERSION, Event, Json
from domain.names import TASK_DIGITS, TASK_PREFIX, is_slug, is_task_id
from domain.refusals import Refusal
from domain.registry import EVENT_TYPES
from domain.task import ASSIGNED, CANCELLED, COMPLETED, STATES, IllegalEventError, Task, claim_of
from projections.handler import Table, View
from projections.task_pages import (
    HOLD,
    Page,
    TaskFilter,
    candidates,
    page,
    ready,
)

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Stored

__all__ = [
    "VIEW",
    "Page",
    "TaskFilter",
    "candidates",
    "counts",
    "full",
    "held",
    "held_by",
    "page",
    "ready",
    "resolve",
    "why_not_ready",
]

CANDIDATE_LIMIT = 10
PREFIX_LEAST = 2

Row = dict[str, Any]

# --- tables ------------------------------------------------------------------------------------------------------


def _create_tasks(database: Database) -> None:
    tasks = database.table("tasks")
    tasks.create(
        {
            "id": str,
            "slug": str,
            "title": str,
            "state": str,
            "priority": int,
            "assignee": str,
            "holder": str,
            "claim": str,
            "claimed": str,
            "spawner": str,
            "created": str,
            "updated": str,
            "submission": str,
            "commit_id": str,
            "labels": str,  # JSON, in the order in which they were given
            "hold": int,
            "blockers": int,  # how many tasks it waits for: not COMPLETED, or not known here
            "position": int,
            "data": bytes,
        },
        pk="id",
        not_null={
            "id",
            "title",
            "state",
            "priority",
            "spawner",
            "created",
            "updated",
            "labels",
            "position",
            "data",
        },
    )
    tasks.create_index(["state", "priority", "created", "id"], "tasks_by_state")
    tasks.create_index(["assignee", "state", "priority", "created", "id"], "tasks_by_assignee")
    for statement in _PARTIAL_INDEXES:
        database.execute(statement)


# sqlite-utils makes no partial indexes.
_READY = "state = 'ASSIGNED' AND blockers = 0 AND hold = 0"
_PARTIAL_INDEXES = (
    "CREATE INDEX tasks_by_slug ON tasks (slug, id) WHERE slug IS NOT NULL",
    "CREATE INDEX tasks_by_holder ON tasks (holder, state, priority, created, id) WHERE holder IS NOT NULL",
    f"CREATE INDEX tasks_ready ON tasks (state, priority, created, id) WHERE {_READY}",
    f"CREATE INDEX tasks_ready_for ON tasks (assignee, priority, created, id) WHERE {_READY}",
)


def _create_around_tasks(database: Database) -> None:
    labels = database.table("task_labels")
    labels.create(
        {"label": str, "state": str, "priority": int, "created": str, "task": str},
        pk=("label", "state", "priority", "created", "task"),
    )
    links = database.table("links")
    links.create({"task": str, "blocker": str}, pk=("task", "blocker"))
    links.create_index(["blocker", "task"], "links_by_blocker")
    database.table("counts").create(
        {"facet": str, "value": str, "state": str, "n": int}, pk=("facet", "value", "state"), not_null={"n"}
    )
    database.table("skipped").create(
        {"position": int, "stream": str, "event": str, "reason": str}, pk="position"
    )


# --- handler -----------------------------------------------------------------------------------------------------

Facet = tuple[str, str, str]


def _facets(task: Task, blockers: int) -> list[Facet]:
    """What the task is counted under, so that lists say how many more there are without counting rows."""
    card, state, claim = task.card, task.state, claim_of(task)
    found = [("state", "", state), ("assignee", card.assignee or "", state)]
    if claim:
        found.append(("holder", claim.holder, state))
    found += [("label", label, state) for label in dict.fromkeys(card.labels)]
    if state == ASSIGNED and not blockers and HOLD not in card.labels:
        found += [("ready", card.assignee or "", state), ("ready", "*", state)]
    return found


LabelRow = tuple[str, str, int, str, str]


def _label_rows(task: Task) -> set[LabelRow]:
    card = task.card
    return {(label, task.state, card.priority, card.created, card.id) for label in card.labels}


class _Held:
    """A task in memory: as it is now, and as the tables have it (`before` None: not there)."""

    __slots__ = ("before", "blockers", "blockers_before", "position", "task")

    def __init__(self, before: Task | None, blockers: int, position: int) -> None:
        self.before = before
        self.blockers_before = blockers
        self.task = before
        self.blockers = blockers
        self.position = position


class _Handler:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tasks: dict[str, _Held] = {}
        self._skipped: list[tuple[int, str, str, str]] = []
        self._fresh = connection.execute("SELECT max(rowid) FROM tasks").fetchone()[0] is None

    def held(self) -> int:
        return len(self._tasks)

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Signs of life change no task."""

    def apply(self, events: Sequence[Stored]) -> None:
        mine = [stored for stored in events if stored.event.stream.startswith("task/")]
        if len(mine) < len(events):
            self._skip_unknown(events)
        self._load({stored.event.subject for stored in mine})
        for stored in mine:
            held = self._tasks[stored.event.subject]
            try:
                held.task = _evolve(held.task, stored.event)
            except _SkippedError as skipped:
                self._skip(stored, str(skipped))
            else:
                held.position = stored.position

    def _skip_unknown(self, events: Sequence[Stored]) -> None:
        for stored in events:
            if stored.event.type not in EVENT_TYPES and not stored.event.stream.startswith("task/"):
                self._skip(stored, "unknown type")

    def _skip(self, stored: Stored, reason: str) -> None:
        self._skipped.append((stored.position, stored.event.stream, stored.event.id, reason))

    def _load(self, ids: Iterable[str]) -> None:
        missing = [task_id for task_id in ids if task_id not in self._tasks]
        for task_id in missing:
            self._tasks[task_id] = _Held(None, 0, 0)
        if self._fresh or not missing:
            return
        statement = "SELECT tasks.id, tasks.data, tasks.blockers, tasks.position FROM json_each(?) wanted CROSS JOIN tasks ON tasks.id = wanted.value"
        for task_id, data, blockers, position in self._connection.execute(statement, (_json(missing),)):
            self._tasks[task_id] = _Held(machine.load(data), blockers, position)

    def flush(self) -> None:
        """Write the final rows: links first, since they say whose blockers must be counted again."""
        self._write_links()
        self._count_blockers()
        changed = [held for held in self._tasks.values() if _is_changed(held)]
        self._write_labels(changed)
        self._write_counts(changed)
        self._write_tasks(changed)
        self._many("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?)", self._skipped)
        self._fresh = self._fresh and not self._tasks
        self._tasks, self._skipped = {}, []

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(statement, rows)

    def _write_links(self) -> None:
        spawned = [held.task.card for held in self._tasks.values() if held.task and held.before is None]
        rows = sorted({(card.id, blocker) for card in spawned for blocker in card.after})
        self._many("INSERT OR REPLACE INTO links VALUES (?, ?)", rows)

    def _count_blockers(self) -> None:
        """Count again for new tasks, and for those that wait for a task which became COMPLETED (or came undone)."""
        new = [
            key
            for key, held in self._tasks.items()
            if held.task and held.before is None and held.task.card.after
        ]
        waiting = set(new)
        turned = [key for key, held in self._tasks.items() if _is_done(held.task) != _is_done(held.before)]
        if turned:
            statement = "SELECT task FROM json_each(?) done CROSS JOIN links ON links.blocker = done.value"
            waiting.update(row[0] for row in self._connection.execute(statement, (_json(turned),)))
        if not waiting:
            return
        self._load(waiting)
        open_blockers: Counter[str] = Counter()
        statement = (
            "SELECT links.task, links.blocker, blocker.state FROM json_each(?) waiting"
            " CROSS JOIN links ON links.task = waiting.value LEFT JOIN tasks blocker ON blocker.id = links.blocker"
        )
        for task_id, blocker, state in self._connection.execute(statement, (_json(sorted(waiting)),)):
            held = self._tasks.get(blocker)
            done = _is_done(held.task) if held else state == COMPLETED
            open_blockers[task_id] += not done
        for task_id in waiting:
            self._tasks[task_id].blockers = open_blockers[task_id]

    def _write_labels(self, changed: list[_Held]) -> None:
        gone: list[LabelRow] = []
        new: list[LabelRow] = []
        for held in changed:
            before = _label_rows(held.before) if held.before else set[LabelRow]()
            now = _label_rows(held.task) if held.task else set[LabelRow]()
            gone += before - now
            new += now - before
        where = "label = ? AND state = ? AND priority = ? AND created = ? AND task = ?"
        self._many(f"DELETE FROM task_labels WHERE {where}", gone)  # noqa: S608
        self._many("INSERT INTO task_labels VALUES (?, ?, ?, ?, ?)", sorted(new))

    def _write_counts(self, changed: list[_Held]) -> None:
        change: Counter[Facet] = Counter()
        for held in changed:
            if held.task:
                change.update(_facets(held.task, held.blockers))
            if held.before:
                change.subtract(_facets(held.before, held.blockers_before))
        moved = [(*facet, n) for facet, n in change.items() if n]
        statement = (
            "INSERT INTO counts VALUES (?, ?, ?, ?)"
            " ON CONFLICT (facet, value, state) DO UPDATE SET n = n + excluded.n"
        )
        self._many(statement, moved)
        where = "facet = ? AND value = ? AND state = ? AND n = 0"
        self._many(f"DELETE FROM counts WHERE {where}", [row[:3] for row in moved if row[3] < 0])  # noqa: S608

    def _write_tasks(self, changed: list[_Held]) -> None:
        rows = [_row(held.task, held) for held in changed if held.task]
        self._many(f"INSERT OR REPLACE INTO tasks VALUES ({', '.join('?' * 19)})", rows)  # noqa: S608


class _SkippedError(Exception):
    """Why an event is left out of the fold."""


def _evolve(task: Task | None, event: Event) -> Task:
    """The task after the event; raises _SkippedError, since one bad event must not stop all views for ever."""
    if event.v > VERSION:
        raise _SkippedError("newer version")
    if event.type not in EVENT_TYPES:
        raise _SkippedError("unknown type")
    try:
        return machine.evolve(task, event)
    except IllegalEventError as error:
        raise _SkippedError("illegal") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _SkippedError(f"unreadable: {error!r}"[:200]) from error


def _is_done(task: Task | None) -> bool:
    return task is not None and task.state == COMPLETED


def _is_changed(held: _Held) -> bool:
    return held.task is not held.before or held.blockers != held.blockers_before


def _row(task: Task, held: _Held) -> tuple[Any, ...]:
    card, claim = task.card, claim_of(task)
    submission = getattr(task, "submission", None)
    return (
        card.id,
        card.slug,
        card.title,
        task.state,
        card.priority,
        card.assignee,
        claim.holder if claim else None,
        claim.id if claim else None,
        claim.since if claim else None,
        card.spawner,
        card.created,
        card.updated,
        submission.id if submission else None,
        submission.commit if submission else None,
        _json(card.labels),
        int(HOLD in card.labels),
        held.blockers,
        held.position,
        machine.dump(task),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


VIEW = View(
    "tasks",
    (
        Table("tasks", "id"),
        Table("task_labels", "label, state, priority, created, task"),
        Table("links", "task, blocker"),
        Table("counts", "facet, value, state"),
        Table("skipped", "position"),
    ),
    (_create_tasks, _create_around_tasks),
    _Handler,
)

# --- queries -----------------------------------------------------------------------------------------------------


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


def full(connection: sqlite3.Connection, task_id: str) -> Row:
    """Everything about one task, as `show` answers it. Texts may be `{"blob": …, "preview": …}`.

    `after` lists all tasks that it was made to wait for, `blocked_by` those that are not COMPLETED, `blocks` the open
    tasks that wait for it. Raises Refusal `not-found`.
    """
    row = connection.execute("SELECT data FROM tasks WHERE id = ?", (task_id,)).fetchone()
    if row is None:
        raise _not_found(task_id)
    task = machine.load(row[0])
    card, claim = task.card, claim_of(task)
    parts: Json = {
        name: asdict(part) for name in ("submission", "approval", "end") if (part := _part(task, name))
    }
    submission: Json = parts.get("submission", {})
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
        "parent": None,
        "blocks": _blocks(connection, task),
        "blocked_by": [blocker for blocker, _ in _blockers(connection, task_id)],
        "after": list(card.after),
        "branch": None,
        "base": None,
        "commit": submission.get("commit"),
        "spawner": card.spawner,
        "created": card.created,
        "updated": card.updated,
        "attempts": card.attempts,
        "strikes": card.strikes,
        "submission": parts.get("submission"),
        "approval": parts.get("approval"),
        "end": _end(parts),
        "conflicts": 0,
        "notes": card.notes,
        "progress": card.progress,
    }


def _part(task: Task, name: str) -> Any:
    return getattr(task, name, None)


def _end(parts: Json) -> Json | None:
    end: Json | None = parts.get("end")
    return {name: end[name] for name in ("by", "at", "reason")} if end else None


def _blocks(connection: sqlite3.Connection, task: Task) -> list[str]:
    if task.state == COMPLETED:
        return []
    statement = (
        "SELECT tasks.id, tasks.state FROM links CROSS JOIN tasks ON tasks.id = links.task"
        " WHERE links.blocker = ? ORDER BY links.task"
    )
    found = connection.execute(statement, (task.card.id,))
    return [str(row[0]) for row in found if row[1] not in (COMPLETED, CANCELLED)]


def _blockers(connection: sqlite3.Connection, task_id: str) -> list[tuple[str, str | None]]:
    """The tasks that this one still waits for, and their states (None: not known here)."""
    statement = (
        "SELECT links.blocker, blocker.state FROM links LEFT JOIN tasks blocker ON blocker.id = links.blocker"
        " WHERE links.task = ? ORDER BY links.blocker"
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
        reasons.append(f"It has the label {HOLD!r}.")
    for blocker, state in _blockers(connection, task_id):
        reasons.append(f"It waits for {blocker}, which is {state or 'not known here'}.")
    return reasons


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


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many tasks are in each state; every state is there."""
    statement = "SELECT state, n FROM counts WHERE facet = 'state' AND value = ''"
    return dict.fromkeys(STATES, 0) | dict(connection.execute(statement))
