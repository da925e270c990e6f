"""How tasks hang together: what waits for what, what is part of what. Derived from links, never legality."""

from __future__ import annotations

import sqlite3

import orjson


def path(connection: sqlite3.Connection, start: str, goal: str, kind: str) -> list[str]:
    """The shortest way from `start` to `goal` along links of this kind, both ends named; [] where there is none."""
    came_from: dict[str, str] = {start: ""}
    edge = [start]
    while edge and goal not in came_from:
        found = _bound_to(connection, edge, kind)
        edge = []
        for task, other in found:
            if other not in came_from:
                came_from[other] = task
                edge.append(other)
    return _walked(came_from, goal) if goal in came_from else []


def _walked(came_from: dict[str, str], goal: str) -> list[str]:
    way = [goal]
    while came_from[way[-1]]:
        way.append(came_from[way[-1]])
    return way[::-1]


def _bound_to(connection: sqlite3.Connection, tasks: list[str], kind: str) -> list[tuple[str, str]]:
    """(task, other) for every link of this kind that these tasks have."""
    statement = (
        "SELECT links.task, links.other FROM json_each(?) wanted"
        " CROSS JOIN links ON links.task = wanted.value AND links.kind = ? ORDER BY links.task, links.other"
    )
    return connection.execute(statement, (orjson.dumps(tasks).decode(), kind)).fetchall()
