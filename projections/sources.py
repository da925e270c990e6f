"""Where tasks came from: which task an issue of another tool became, and what its actors are called here."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain.event import Event
from projections.handler import Context, Table, View

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Stored

_TYPES = frozenset(("task.imported", "task.synced", "task.noted", "task.source-event"))


def find(connection: sqlite3.Connection, issue: str, limit: int) -> list[str]:
    """The tasks that an issue of this id became: one for each tool that has such an issue."""
    statement = "SELECT task FROM sources WHERE issue = ? ORDER BY task LIMIT ?"
    return [str(row[0]) for row in connection.execute(statement, (issue, limit))]


def people(connection: sqlite3.Connection) -> dict[str, str]:
    """What imports have called actors up to now: original → name."""
    return dict(connection.execute("SELECT original, name FROM source_people"))


def _create(database: Database) -> None:
    database.table("sources").create(
        {"issue": str, "system": str, "task": str}, pk=("issue", "system", "task")
    )
    database.table("source_people").create({"original": str, "name": str}, pk="original", not_null={"name"})


class _Handler:
    def __init__(self, context: Context) -> None:
        self._connection = context.connection
        self._issues: set[tuple[str, str, str]] = set()
        self._people: dict[str, str] = {}

    def apply(self, events: Sequence[Stored]) -> None:
        for stored in events:
            if stored.event.type in _TYPES and "digest" in stored.event.payload:
                self._note(stored.event)

    def _note(self, event: Event) -> None:
        payload = event.payload
        if event.type == "task.imported":
            self._issues.add((str(payload["id"]), str(payload["system"]), event.subject))
        if payload.get("by"):
            self._people.setdefault(payload.get("actor") or payload["by"], payload["by"])
        if payload.get("assigned") and payload.get("assignee"):
            self._people.setdefault(payload["assigned"], payload["assignee"])

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Signs of life say nothing about imports."""

    def held(self) -> int:
        return len(self._issues) + len(self._people)

    def flush(self) -> None:
        """The first name that an actor got stays."""
        run = self._connection.executemany
        run("INSERT OR IGNORE INTO sources VALUES (?, ?, ?)", sorted(self._issues))
        run("INSERT OR IGNORE INTO source_people VALUES (?, ?)", sorted(self._people.items()))
        self._issues, self._people = set(), {}


VIEW = View(
    "sources",
    (Table("sources", "issue, system, task"), Table("source_people", "original")),
    (_create,),
    _Handler,
)
