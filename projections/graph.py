"""How tasks hang together: what waits for what, what is part of what. Derived from links, never legality."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from graphlib import CycleError, TopologicalSorter

import orjson

from domain.event import Json
from domain.task import AFTER, COMPLETED, PARENT, RELATES, Task, claim_of, linked, load
from projections.tasks import parts_of


def path(connection: sqlite3.Connection, start: str, goal: str, kind: str) -> list[str]:
    """The shortest way from `start` to `goal` along links of this kind, both ends named; [] where there is none."""
    return _way(start, goal, lambda edge: _bound_to(connection, edge, kind))


def waits(connection: sqlite3.Connection, start: str, goal: str) -> list[str]:
    """A way on which `start` waits for `goal`: after what comes before it, and an epic for its parts; [] for none."""
    return _way(start, goal, lambda edge: _waited_for(connection, edge))


def _way(start: str, goal: str, step: Callable[[list[str]], list[tuple[str, str]]]) -> list[str]:
    came_from: dict[str, str] = {start: ""}
    edge = [start]
    while edge and goal not in came_from:
        found = step(edge)
        edge = []
        for task, other in found:
            if other not in came_from:
                came_from[other] = task
                edge.append(other)
    return _walked(came_from, goal) if goal in came_from else []


def _waited_for(connection: sqlite3.Connection, tasks: list[str]) -> list[tuple[str, str]]:
    wanted = orjson.dumps(tasks).decode()
    return sorted(connection.execute(_WAITS, (wanted, wanted)))


_WAITS = (
    "SELECT links.task, links.other FROM json_each(?) wanted"
    " CROSS JOIN links ON links.task = wanted.value AND links.kind = 'after'"
    " UNION ALL SELECT links.other, links.task FROM json_each(?) wanted"
    " CROSS JOIN links ON links.other = wanted.value AND links.kind = 'parent'"
)


def _walked(came_from: dict[str, str], goal: str) -> list[str]:
    way = [goal]
    while came_from[way[-1]]:
        way.append(came_from[way[-1]])
    return way[::-1]


def _bound_to(connection: sqlite3.Connection, tasks: list[str], kind: str) -> list[tuple[str, str]]:
    """(task, other) for every link of this kind that these tasks have."""
    statement = (
        "SELECT links.task, links.other FROM json_each(?) wanted"
        " CROSS JOIN links ON links.task = wanted.value AND links.kind = ?"
    )
    return sorted(connection.execute(statement, (orjson.dumps(tasks).decode(), kind)))


def around(connection: sqlite3.Connection, task: str, limit: int) -> list[str]:
    """The task, all that it waits for or is a part of, and all that waits for it or is a part of it; so many at most."""
    found = {task: None}
    for step in (_above, _below):
        edge = [task]
        while edge and len(found) < limit:
            edge = [other for other in step(connection, edge) if other not in found][: limit - len(found)]
            found |= dict.fromkeys(edge)
    return list(found)


def _above(connection: sqlite3.Connection, tasks: list[str]) -> list[str]:
    found = [other for kind in (AFTER, PARENT) for _, other in _bound_to(connection, tasks, kind)]
    return list(dict.fromkeys(found))


def _below(connection: sqlite3.Connection, tasks: list[str]) -> list[str]:
    statement = (
        "SELECT links.task FROM json_each(?) wanted CROSS JOIN links"
        " ON links.other = wanted.value AND links.kind IN ('after', 'parent')"
    )
    return sorted({row[0] for row in connection.execute(statement, (orjson.dumps(tasks).decode(),))})


def hanging(connection: sqlite3.Connection, limit: int) -> list[str]:
    """The open tasks that wait for something, are waited for, have parts or are some, best first; so many at most."""
    statement = (
        "SELECT id FROM tasks WHERE state NOT IN ('COMPLETED', 'CANCELLED') AND ("
        " EXISTS (SELECT 1 FROM links WHERE links.task = tasks.id AND links.kind IN ('after', 'parent'))"
        " OR EXISTS (SELECT 1 FROM links WHERE links.other = tasks.id AND links.kind IN ('after', 'parent')))"
        " ORDER BY priority, created, id LIMIT ?"
    )
    return [row[0] for row in connection.execute(statement, (limit,))]


def nodes(connection: sqlite3.Connection, tasks: Sequence[str]) -> list[Json]:
    """What a picture of these tasks needs of each, best first; those that are not here are left out."""
    statement = "SELECT tasks.data FROM json_each(?) wanted CROSS JOIN tasks ON tasks.id = wanted.value"
    found = [load(row[0]) for row in connection.execute(statement, (orjson.dumps(tasks).decode(),))]
    found.sort(key=lambda task: (task.card.priority, task.card.created, task.card.id))
    parts = parts_of(connection, tasks)
    return [_node(task, parts.get(task.card.id, {})) for task in found]


def _node(task: Task, parts: dict[str, int]) -> Json:
    card, claim = task.card, claim_of(task)
    return {
        "id": card.id,
        "slug": card.slug,
        "title": card.title,
        "state": task.state,
        "priority": card.priority,
        "assignee": card.assignee,
        "holder": claim.holder if claim else None,
        "parent": next(reversed(linked(card, PARENT)), None),
        "after": linked(card, AFTER),
        "relates": linked(card, RELATES),
        "parts": parts,
    }


def circle(connection: sqlite3.Connection, task: str) -> list[str]:
    """The way on which the task waits for itself, which only a merge of clones can make; [] for none."""
    for _, other in _bound_to(connection, [task], AFTER):
        way = path(connection, other, task, AFTER)
        if way:
            return [task, *way]
    return []


def circles(connection: sqlite3.Connection, kind: str, *, harmful: bool = False) -> list[list[str]]:
    """Ways on which tasks wait for themselves (or are parts of themselves), the first task named at both ends.

    Taking off the first link of each opens all of them. `harmful` leaves out what holds nobody up: links to what is
    COMPLETED.
    """
    statement = (
        "SELECT circles.task, circles.other, tasks.state FROM circles"
        " LEFT JOIN tasks ON tasks.id = circles.other WHERE circles.kind = ? ORDER BY circles.task, circles.other"
    )
    waits: dict[str, set[str]] = {}
    for task, other, state in connection.execute(statement, (kind,)):
        if not (harmful and state == COMPLETED):
            waits.setdefault(task, set()).add(other)
    found: list[list[str]] = []
    while True:
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            way: list[str] = error.args[1][::-1]
            found.append(way)
            waits[way[0]].discard(way[1])
        else:
            return found
