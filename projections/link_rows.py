"""The table of links: which task is bound to which, written from the tasks' cards.

What one can ask of it is in `projections.graph`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain.task import AFTER, Task
from projections.handler import Table

if TYPE_CHECKING:
    from sqlite_utils import Database

LINKS = Table("links", "task, kind, other")

LinkRow = tuple[str, str, str]


def create_links(database: Database) -> None:
    """Make the table. An index for each direction: what a task is bound to, and what is bound to it."""
    links = database.table("links")
    links.create({"task": str, "kind": str, "other": str}, pk=("task", "kind", "other"))
    links.create_index(["other", "kind", "task"], "links_by_other")


def link_rows(task: Task | None) -> set[LinkRow]:
    """The links of a task. Two clones may have made one link each: that is one row."""
    return {(task.card.id, link.kind, link.to) for link in task.card.links} if task else set()


def write_links(
    connection: sqlite3.Connection, changed: Iterable[tuple[Task | None, Task | None]]
) -> set[str]:
    """Write the links of tasks, each given before and now; the tasks that wait for others than before."""
    gone: set[LinkRow] = set()
    new: set[LinkRow] = set()
    for before, now in changed:
        if (before.card.links if before else ()) != (now.card.links if now else ()):
            old, rows = link_rows(before), link_rows(now)
            gone |= old - rows
            new |= rows - old
    connection.executemany("DELETE FROM links WHERE task = ? AND kind = ? AND other = ?", sorted(gone))
    connection.executemany("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", sorted(new))
    return {task for task, kind, _ in gone | new if kind == AFTER}
