"""The table of links: which task is bound to which, written from the tasks' cards.

What one can ask of it is in `projections.graph`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from domain.task import AFTER, PARENT, Task
from projections.handler import Table

if TYPE_CHECKING:
    from sqlite_utils import Database

LINKS = Table("links", "task, kind, other")
CIRCLES = Table("circles", "kind, task, other")

LinkRow = tuple[str, str, str]
Ends = tuple[str, str]


def create_links(database: Database) -> None:
    """Make the table. An index for each direction: what a task is bound to, and what is bound to it."""
    links = database.table("links")
    links.create({"task": str, "kind": str, "other": str}, pk=("task", "kind", "other"))
    links.create_index(["other", "kind", "task"], "links_by_other")
    # The links on which something waits for itself, or is a part of itself; and ways between two such circles.
    database.table("circles").create({"kind": str, "task": str, "other": str}, pk=("kind", "task", "other"))


def link_rows(task: Task | None) -> set[LinkRow]:
    """The links of a task. Two clones may have made one link each: that is one row."""
    return {(task.card.id, link.kind, link.to) for link in task.card.links} if task else set()


def write_links(
    connection: sqlite3.Connection, changed: Iterable[tuple[Task | None, Task | None]]
) -> set[str]:
    """Write the links of tasks, each given before and now; the tasks that wait for others, or are parts of others, now."""
    gone: set[LinkRow] = set()
    new: set[LinkRow] = set()
    for before, now in changed:
        if (before.card.links if before else ()) != (now.card.links if now else ()):
            old, rows = link_rows(before), link_rows(now)
            gone |= old - rows
            new |= rows - old
    connection.executemany("DELETE FROM links WHERE task = ? AND kind = ? AND other = ?", sorted(gone))
    connection.executemany("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", sorted(new))
    for kind in (AFTER, PARENT):
        _write_circles(connection, kind, *({row for row in rows if row[1] == kind} for rows in (gone, new)))
    return {task for task, kind, _ in gone | new if kind in (AFTER, PARENT)}


# --- circles -----------------------------------------------------------------------------------------------------
#
# `link` refuses them; a merge of clones and an import can bring them. Looking for them in all links costs too much for
# a command, so the table is kept right: a new link can only close one if something is bound to its task already, and
# then whatever it closes is found on the ways that lead up from there.


def _write_circles(connection: sqlite3.Connection, kind: str, gone: set[LinkRow], new: set[LinkRow]) -> None:
    if not gone and not new:
        return
    closing = _closing(connection, kind, new)
    known: set[Ends] = {*connection.execute("SELECT task, other FROM circles WHERE kind = ?", (kind,))}
    if not closing and known.isdisjoint((task, other) for task, _, other in gone):
        return
    found = _peeled(_ways_up(connection, kind, closing | {task for task, _ in known}))
    delete = "DELETE FROM circles WHERE kind = ? AND task = ? AND other = ?"
    connection.executemany(delete, [(kind, *ends) for ends in sorted(known - found)])
    connection.executemany(
        "INSERT INTO circles VALUES (?, ?, ?)", [(kind, *ends) for ends in sorted(found - known)]
    )


def _closing(connection: sqlite3.Connection, kind: str, new: set[LinkRow]) -> set[str]:
    """The tasks whose new links may close a circle: bound to by others, and to what is bound itself."""
    statement = (
        "SELECT json_extract(new.value, '$[0]') FROM json_each(?) new"
        " WHERE EXISTS (SELECT 1 FROM links WHERE links.other = json_extract(new.value, '$[0]') AND links.kind = ?)"
        " AND EXISTS (SELECT 1 FROM links WHERE links.task = json_extract(new.value, '$[1]') AND links.kind = ?)"
    )
    pairs = orjson.dumps([(task, other) for task, _, other in new]).decode()
    return {row[0] for row in connection.execute(statement, (pairs, kind, kind))} if new else set()


def _ways_up(connection: sqlite3.Connection, kind: str, tasks: set[str]) -> set[Ends]:
    """All links on the ways that begin at these tasks."""
    statement = (
        "WITH RECURSIVE above (task) AS (SELECT value FROM json_each(?)"
        " UNION SELECT links.other FROM above CROSS JOIN links ON links.task = above.task AND links.kind = ?)"
        " SELECT links.task, links.other FROM above"
        " CROSS JOIN links ON links.task = above.task AND links.kind = ?"
    )
    return {*connection.execute(statement, (orjson.dumps(sorted(tasks)).decode(), kind, kind))}


def _peeled(links: set[Ends]) -> set[Ends]:
    """What is left when links are taken off that begin where none ends, then those that end where none begins."""
    forth = _from_ends(links)
    return {(task, other) for other, task in _from_ends({(other, task) for task, other in forth})}


def _from_ends(links: set[Ends]) -> set[Ends]:
    """The links whose beginnings cannot all be taken off one after the other (Kahn's algorithm)."""
    onward: dict[str, list[str]] = {}
    arriving = Counter(other for _, other in links)
    for task, other in links:
        onward.setdefault(task, []).append(other)
    free = [task for task in onward if not arriving[task]]
    while free:
        for other in onward.pop(free.pop()):
            arriving[other] -= 1
            if not arriving[other] and other in onward:
                free.append(other)
    return {(task, other) for task, others in onward.items() for other in others}
