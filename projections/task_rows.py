"""The tables of the tasks, and the handler that folds events into them. What one can ask is in `projections.tasks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

import orjson

from domain import task as machine
from domain.event import VERSION, Event
from domain.history import UNKNOWN, Fold, fold, is_known, step
from domain.registry import EVENT_TYPES
from domain.task import ASSIGNED, CANCELLED, COMPLETED, OPEN, PARENT, Task, claim_of
from projections.handler import Context, Table, View
from projections.link_rows import CIRCLES, LINKS, create_links, write_links

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Stored

HOLD = "hold"
UNKNOWN_HERE, EPIC = "UNKNOWN", "EPIC"
STUCK = (CANCELLED, UNKNOWN_HERE, EPIC)
KIND = cast("Fold", machine)

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
            "blockers": int,  # how many tasks it waits for: not COMPLETED, or not known here; and its open parts
            "position": int,
            "heads": str,  # of its events, those that no other one follows
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
            "heads",
            "data",
        },
    )
    tasks.create_index(["state", "priority", "created", "id"], "tasks_by_state")
    tasks.create_index(["assignee", "state", "priority", "created", "id"], "tasks_by_assignee")
    for statement in _PARTIAL_INDEXES:
        database.execute(statement)


# sqlite-utils makes no partial indexes.
_READY = "state = 'ASSIGNED' AND blockers = 0 AND hold = 0"
# What a person has to do something about. A query says it in these words, or SQLite does not see that the index fits.
WAITING = "state IN ('IN_REVIEW', 'APPROVED', 'MERGING', 'FAILED')"
_PARTIAL_INDEXES = (
    "CREATE INDEX tasks_by_slug ON tasks (slug, id) WHERE slug IS NOT NULL",
    "CREATE INDEX tasks_by_holder ON tasks (holder, state, priority, created, id) WHERE holder IS NOT NULL",
    f"CREATE INDEX tasks_waiting ON tasks (state, updated, id) WHERE {WAITING}",
    f"CREATE INDEX tasks_ready ON tasks (state, priority, created, id) WHERE {_READY}",
    f"CREATE INDEX tasks_ready_for ON tasks (assignee, priority, created, id) WHERE {_READY}",
)


def _create_around_tasks(database: Database) -> None:
    labels = database.table("task_labels")
    labels.create(
        {"label": str, "state": str, "priority": int, "created": str, "task": str},
        pk=("label", "state", "priority", "created", "task"),
    )
    create_links(database)
    database.table("counts").create(
        {"facet": str, "value": str, "state": str, "n": int}, pk=("facet", "value", "state"), not_null={"n"}
    )
    conflicts = database.table("conflicts")
    conflicts.create({"task": str, "event": str, "sender": str}, pk=("task", "event"), not_null={"sender"})
    conflicts.create_index(["sender", "task"], "conflicts_by_sender")
    # Links to what will never be COMPLETED as things stand: CANCELLED, UNKNOWN here, or the EPIC that waits for this part.
    stuck = database.table("stuck")
    stuck.create({"why": str, "task": str, "other": str}, pk=("why", "task", "other"))
    unfolded = database.table("unfolded")  # streams whose events make no task yet
    unfolded.create({"task": str, "heads": str}, pk="task", not_null={"heads"})
    database.table("skipped").create(
        {"position": int, "stream": str, "event": str, "reason": str}, pk="position"
    )


# --- handler -----------------------------------------------------------------------------------------------------

_ANYTHING = "SELECT (SELECT max(rowid) FROM tasks), (SELECT max(rowid) FROM unfolded)"
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


def _conflict_rows(task: Task) -> set[tuple[str, str]]:
    return {(task.card.id, event_id) for event_id in task.card.conflicts}


class _Held:
    """A task in memory: as it is now, and as the tables have it (`before` None: not there)."""

    __slots__ = ("before", "blockers", "blockers_before", "forked", "heads", "moved", "position", "task")

    def __init__(
        self, before: Task | None, blockers: int, position: int, heads: tuple[str, ...] = ()
    ) -> None:
        self.before = before
        self.blockers_before = blockers
        self.task = before
        self.blockers = blockers
        self.position = position
        self.heads = heads
        self.moved = False  # since it was loaded: there are new events
        self.forked = False  # since it was loaded: the task must be folded from the log

    def fork(self, event: Event) -> None:
        """Move the heads by an event that has not seen exactly these."""
        self.heads = tuple(sorted({event.id, *(head for head in self.heads if head not in event.parents)}))
        self.forked = True


class _Handler:
    def __init__(self, context: Context) -> None:
        connection = context.connection
        self._connection = connection
        self._log = context.log
        self._forks = context.forks
        self._tasks: dict[str, _Held] = {}
        self._skipped: list[tuple[int, str, str, str]] = []
        self._fresh = not any(connection.execute(_ANYTHING).fetchone())

    def held(self) -> int:
        return len(self._tasks)

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Signs of life change no task."""

    def apply(self, events: Sequence[Stored]) -> None:
        mine = [(stored, stored.event.stream[5:]) for stored in events if stored.event.stream[:5] == "task/"]
        if len(mine) < len(events):
            self._skip_unknown(events)
        tasks = self._tasks
        self._load({task_id for _, task_id in mine})
        for stored, task_id in mine:
            held, event = tasks[task_id], stored.event
            held.position, held.moved = stored.position, True
            if event.parents == held.heads:
                held.heads = (event.id,)
            else:
                held.fork(event)
                self._forks.add(event.id)
            if held.forked:
                known = is_known(event)
            else:
                held.task, became = step(KIND, held.task, event)
                known = became != UNKNOWN
            if not known:
                self._skip(stored, "newer version" if event.v > VERSION else "unknown type")

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
        statement = (
            "SELECT tasks.id, tasks.data, tasks.blockers, tasks.position, tasks.heads"
            " FROM json_each(?) wanted CROSS JOIN tasks ON tasks.id = wanted.value"
        )
        run, wanted = self._connection.execute, (_json(missing),)
        for task_id, data, blockers, position, heads in run(statement, wanted):
            self._tasks[task_id] = _Held(machine.load(data), blockers, position, tuple(heads.split()))
        statement = "SELECT task, heads FROM unfolded WHERE task IN (SELECT value FROM json_each(?))"
        for task_id, heads in run(statement, wanted):
            self._tasks[task_id] = _Held(None, 0, 0, tuple(heads.split()))

    def _fold_forked(self) -> None:
        for task_id, held in self._tasks.items():
            if held.forked:
                events = self._log.stream_until(f"task/{task_id}", held.position)
                held.task = fold(KIND, events).state

    def flush(self) -> None:
        """Write the final rows: links first, since they say whose blockers must be counted again."""
        self._fold_forked()
        waiting = write_links(self._connection, [(held.before, held.task) for held in self._tasks.values()])
        self._count_blockers(waiting | self._touched())
        changed = [held for held in self._tasks.values() if _is_changed(held)]
        self._write_labels(changed)
        self._write_conflicts(changed)
        self._write_counts(changed)
        self._write_tasks(changed)
        self._many("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?)", self._skipped)
        self._fresh = self._fresh and not self._tasks
        self._tasks, self._skipped = {}, []

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(statement, rows)

    def _touched(self) -> set[str]:
        """The tasks for which others count otherwise now: what waits for these, and the epics that these are parts of."""
        turned = [key for key, held in self._tasks.items() if _standing(held.task) != _standing(held.before)]
        statement = (
            "SELECT task FROM json_each(?) turned"
            " CROSS JOIN links ON links.other = turned.value AND links.kind = 'after'"
        )
        found = (
            {row[0] for row in self._connection.execute(statement, (_json(turned),))}
            if turned
            else set[str]()
        )
        for key, held in self._tasks.items():
            found |= _open_in(held.before) ^ _open_in(held.task)
            if held.task and held.before is None:  # its parts may have been here before it
                found.add(key)
        return found

    def _count_blockers(self, waiting: set[str]) -> None:
        """Count again for these: what they wait for, and their open parts."""
        if not waiting:
            return
        self._load(waiting)
        blockers: Counter[str] = Counter()
        stuck: list[tuple[str, str, str]] = []
        for task_id, blocker, standing, in_it in self._waited_for(waiting):
            blockers[task_id] += standing != COMPLETED
            if standing in (CANCELLED, UNKNOWN_HERE):
                stuck.append((standing, task_id, blocker))
            elif in_it and standing != COMPLETED:
                stuck.append((EPIC, task_id, blocker))
        for epic in self._open_parts(waiting):
            blockers[epic] += 1
        known = [key for key in waiting if self._tasks[key].before]
        where = "why = ? AND task = ?"
        self._many(
            f"DELETE FROM stuck WHERE {where}",  # noqa: S608 - text from here
            [(why, key) for key in sorted(known) for why in STUCK],
        )
        self._many("INSERT OR REPLACE INTO stuck VALUES (?, ?, ?)", sorted(stuck))
        for task_id in waiting:
            self._tasks[task_id].blockers = blockers[task_id]

    def _waited_for(self, tasks: set[str]) -> Iterator[tuple[str, str, str, bool]]:
        """What each of these waits for: the standing of it, and whether it is the epic of the one that waits."""
        statement = (
            "SELECT links.task, links.other, blocker.state, EXISTS (SELECT 1 FROM links part"
            " WHERE part.task = links.task AND part.kind = 'parent' AND part.other = links.other)"
            " FROM json_each(?) waiting"
            " CROSS JOIN links ON links.task = waiting.value AND links.kind = 'after'"
            " LEFT JOIN tasks blocker ON blocker.id = links.other"
        )
        rows = self._connection.execute(statement, (_json(sorted(tasks)),)).fetchall()
        for task_id, blocker, state, in_it in rows:
            held = self._tasks.get(blocker)
            standing = _standing(held.task) if held else state or UNKNOWN_HERE
            yield task_id, blocker, standing, bool(in_it)

    def _open_parts(self, epics: set[str]) -> Iterator[str]:
        """Each of these once for every part of it that is open."""
        statement = (
            "SELECT links.other, links.task, part.state FROM json_each(?) epics"
            " CROSS JOIN links ON links.other = epics.value AND links.kind = 'parent'"
            " LEFT JOIN tasks part ON part.id = links.task"
        )
        for epic, part, state in self._connection.execute(statement, (_json(sorted(epics)),)).fetchall():
            held = self._tasks.get(part)
            if (held.task.state if held and held.task else state) in OPEN:
                yield epic

    def _write_labels(self, changed: list[_Held]) -> None:
        gone: list[LabelRow] = []
        new: list[LabelRow] = []
        for held in changed:
            now = _label_rows(held.task) if held.task else set[LabelRow]()
            if held.before is None:  # as all are while everything is folded
                new += now
                continue
            before = _label_rows(held.before)
            gone += before - now
            new += now - before
        where = "label = ? AND state = ? AND priority = ? AND created = ? AND task = ?"
        self._many(f"DELETE FROM task_labels WHERE {where}", gone)  # noqa: S608
        self._many("INSERT INTO task_labels VALUES (?, ?, ?, ?, ?)", sorted(new))

    def _write_conflicts(self, changed: list[_Held]) -> None:
        gone: list[tuple[str, str]] = []
        new: list[tuple[str, str]] = []
        for held in changed:
            if not any(task and task.card.conflicts for task in (held.before, held.task)):
                continue
            before = _conflict_rows(held.before) if held.before else set[tuple[str, str]]()
            now = _conflict_rows(held.task) if held.task else set[tuple[str, str]]()
            gone += before - now
            new += now - before
        self._many("DELETE FROM conflicts WHERE task = ? AND event = ?", gone)
        self._many(
            "INSERT INTO conflicts VALUES (?, ?, ?)", [(*row, self._sender(row[1])) for row in sorted(new)]
        )

    def _sender(self, event_id: str) -> str:
        event = self._log.event(event_id)
        return event.sender if event else ""

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
        if not self._fresh:
            made = [(held.task.card.id,) for held in changed if held.task and held.before is None]
            self._many("DELETE FROM unfolded WHERE task = ?", made)
        unmade = [
            (key, " ".join(held.heads)) for key, held in self._tasks.items() if held.moved and not held.task
        ]
        self._many("INSERT OR REPLACE INTO unfolded VALUES (?, ?)", unmade)
        # One row at a time: kept in a list, they cost more than all the rest of it.
        rows = (_row(task, held) for _, task, held in sorted(_folded(changed), key=itemgetter(0)))
        self._many(f"INSERT OR REPLACE INTO tasks VALUES ({', '.join('?' * 20)})", rows)  # noqa: S608


def _standing(task: Task | None) -> str:
    """What those that wait for the task have to know of it."""
    if task is None:
        return UNKNOWN_HERE
    return task.state if task.state in (COMPLETED, CANCELLED) else ASSIGNED


def _open_in(task: Task | None) -> set[str]:
    """The epics of which the task is an open part."""
    return (
        {link.to for link in task.card.links if link.kind == PARENT} if task and task.state in OPEN else set()
    )


def _is_changed(held: _Held) -> bool:
    return held.moved or held.blockers != held.blockers_before


def _folded(changed: Iterable[_Held]) -> list[tuple[str, Task, _Held]]:
    return [(held.task.card.id, held.task, held) for held in changed if held.task]


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
        " ".join(held.heads),
        machine.dump(task),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


VIEW = View(
    "tasks",
    (
        Table("tasks", "id", late=True),
        Table("task_labels", "label, state, priority, created, task"),
        Table("conflicts", "task, event"),
        Table("unfolded", "task"),
        LINKS,
        CIRCLES,
        Table("stuck", "why, task, other"),
        Table("counts", "facet, value, state"),
        Table("skipped", "position"),
    ),
    (_create_tasks, _create_around_tasks),
    _Handler,
)
