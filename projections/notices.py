"""What agents forget to look at: things that others did to a task which somebody holds, told to the holder."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import orjson

from domain import task
from domain.blobs import preview
from domain.event import Event
from domain.history import Fold, fold
from domain.named import NamedTuple
from domain.task import TAKING, claim_of
from projections.handler import Context, Table, View

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Stored

REASON = 120
UNCERTAIN = "?"  # no name: histories met, and nobody has asked since who won
# News also for the name that did it: from another session, or by a command that meant well.
_NEWS_TO_ONESELF = frozenset({"task.resumed", "task.expired", "task.merge-failed"})
_ENDING = frozenset({"task.cancelled", "task.expired", "task.released", "task.failed", "task.merged"})
_JUDGING = frozenset({"task.rejected", "task.approved", "task.merge-failed"})
# What takes nothing from anybody, however histories meet.
_IDLE = frozenset(
    {"task.noted", "task.edited", "task.linked", "task.unlinked", "task.synced", "task.source-event"}
)
_CONCERNED = TAKING | _ENDING | _JUDGING


class Notice(NamedTuple):
    """Something to tell a name, once; not to the session that did it itself."""

    position: int
    text: str


def _create_notices(database: Database) -> None:
    columns = {"position": int, "name": str, "session": str, "text": str}
    database.table("notices").create(columns, pk=("name", "position"), not_null=set(columns))
    database.table("holders").create({"task": str, "holder": str}, pk="task", not_null={"holder"})
    database.table("meetings").create({"task": str, "position": int}, pk="task", not_null={"position"})


class _Handler:
    def __init__(self, context: Context) -> None:
        self._connection = context.connection
        self._log = context.log
        self._forks = context.forks
        self._holders: dict[str, str | None] = {}
        self._kept: set[str] = set()  # those of `_holders` that have a row
        self._notices: list[tuple[int, str, str, str]] = []
        self._meetings: dict[str, int] = {}
        # Whether any task may be UNCERTAIN. While none is, most events need no look at their task.
        newest = self._connection.execute("SELECT max(rowid) FROM holders").fetchone()
        self._may_doubt = newest[0] is not None

    def held(self) -> int:
        return len(self._holders) + len(self._notices)

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Signs of life are no news."""

    def apply(self, events: Sequence[Stored]) -> None:
        forks, holders = self._forks, self._holders
        self._may_doubt = self._may_doubt or bool(forks)
        if not self._may_doubt:
            events = [stored for stored in events if stored.event.type in _CONCERNED]
        mine = [(stored, stored.event.stream[5:]) for stored in events if stored.event.stream[:5] == "task/"]
        self._load({task_id for _, task_id in mine})
        for stored, task_id in mine:
            event = stored.event
            if event.id in forks:
                holders[task_id] = UNCERTAIN
                if event.type not in _IDLE:
                    self._meetings[task_id] = stored.position
                continue
            if event.type not in _CONCERNED and holders[task_id] != UNCERTAIN:
                continue  # work on a task that somebody holds, as most events are
            holder = self._holder(stored, task_id)
            for name, text in _told(event, holder):
                # Two names may share a session, a name two sessions: only what one did oneself is no news.
                own_session = event.session if name == event.sender else ""
                self._notices.append((stored.position, name, own_session, text))
            holders[task_id] = _holder_after(event, holder)

    def _holder(self, stored: Stored, task_id: str) -> str | None:
        """Who held the task before the event; where histories met, the log's one order says it."""
        if self._holders[task_id] == UNCERTAIN:
            events = self._log.stream_until(stored.event.stream, stored.position - 1)
            claim = claim_of(fold(cast("Fold", task), events).state)
            self._holders[task_id] = claim.holder if claim else None
        return self._holders[task_id]

    def _load(self, tasks: set[str]) -> None:
        missing = [task for task in tasks if task not in self._holders]
        self._holders.update(dict.fromkeys(missing))
        statement = (
            "SELECT holders.task, holders.holder FROM json_each(?) wanted"
            " CROSS JOIN holders ON holders.task = wanted.value"
        )
        rows = self._connection.execute(statement, (orjson.dumps(missing).decode(),)).fetchall()
        self._holders.update(rows)
        self._kept.update(task for task, _ in rows)

    def flush(self) -> None:
        gone = [(task,) for task in self._kept if self._holders[task] is None]
        held = [(task, holder) for task, holder in self._holders.items() if holder is not None]
        self._connection.executemany("DELETE FROM holders WHERE task = ?", gone)
        self._connection.executemany("INSERT OR REPLACE INTO holders VALUES (?, ?)", held)
        self._connection.executemany("INSERT OR REPLACE INTO notices VALUES (?, ?, ?, ?)", self._notices)
        self._connection.executemany("INSERT OR REPLACE INTO meetings VALUES (?, ?)", self._meetings.items())
        self._holders, self._kept, self._notices, self._meetings = {}, set(), [], {}


def _holder_after(event: Event, holder: str | None) -> str | None:
    if event.type in TAKING:
        return event.sender
    if event.type in _ENDING or (event.type == "task.rejected" and event.payload.get("assignee")):
        return None
    return holder


def _told(event: Event, holder: str | None) -> list[tuple[str, str]]:
    """Whom the event is news for, and what they are told."""
    told: list[tuple[str, str]] = []
    if holder and (holder != event.sender or event.type in _NEWS_TO_ONESELF) and (text := _sentence(event)):
        told.append((holder, text))
    assignee = event.payload.get("assignee")
    if event.type == "task.rejected" and assignee and assignee != event.sender:
        told.append(
            (assignee, f"{event.subject} is for you now, after a review by {event.sender}{_reason(event)}")
        )
    return told


_SENTENCES = {
    "task.cancelled": "{0} was cancelled by {1}",
    "task.rejected": "{0} was rejected by {1}",
    "task.resumed": "{0} was resumed by another session of yours: the old claim is stale",
    "task.expired": "{0} was taken from you, since you gave no sign of life",
    "task.approved": "{0} was approved by {1}",
    "task.merge-failed": "{0} could not be merged",
    "task.released": "{0} was released by {1}: your claim is stale",
}


def _sentence(event: Event) -> str:
    said = _SENTENCES.get(event.type)
    return said.format(event.subject, event.sender) + _reason(event) if said else ""


def _reason(event: Event) -> str:
    reason = " ".join(preview(event.payload.get("reason")).split())
    return f": {reason[:REASON]}" if reason else ""


VIEW = View(
    "notices",
    (Table("notices", "name, position"), Table("holders", "task"), Table("meetings", "task")),
    (_create_notices,),
    _Handler,
)

# --- queries -----------------------------------------------------------------------------------------------------


def behind(
    connection: sqlite3.Connection, name: str, position: int, session: str, limit: int
) -> list[Notice]:
    """The newest notices of a name behind a position that another session caused, oldest first."""
    statement = (
        "SELECT position, text FROM notices WHERE name = ? AND position > ? AND (session = '' OR session <> ?)"
        " ORDER BY position DESC LIMIT ?"
    )
    rows: list[Any] = connection.execute(statement, (name, position, session, limit)).fetchall()
    return [Notice(*row) for row in reversed(rows)]


def lost(connection: sqlite3.Connection, name: str, position: int, limit: int) -> list[tuple[str, list[str]]]:
    """The tasks whose histories last met behind a position, with the events of the name that are in conflict.

    In the order of the meetings. What was settled meanwhile is no news.
    """
    statement = (
        "SELECT meetings.position, conflicts.task, conflicts.event FROM conflicts INDEXED BY conflicts_by_sender"
        " CROSS JOIN meetings ON meetings.task = conflicts.task"
        " WHERE conflicts.sender = ? AND meetings.position > ?"
    )
    found: dict[tuple[int, str], list[str]] = {}
    for met, task_id, event_id in connection.execute(statement, (name, position)):
        found.setdefault((met, task_id), []).append(event_id)
    return [(task_id, found[met, task_id]) for met, task_id in sorted(found)[-limit:]]
