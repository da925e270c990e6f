"""What waits for a person: work to judge, to bring in or to give up on, questions, acks. The oldest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from domain.blobs import preview
from domain.event import format_time
from domain.named import NamedTuple
from domain.task import (
    AFTER,
    APPROVED,
    CANCELLED,
    FAILED,
    IN_REVIEW,
    MERGING,
    PARENT,
    Approved,
    Card,
    Failed,
    InReview,
    Merging,
    Setback,
    Task,
    load,
)
from projections.graph import circles
from projections.mail_pages import PEOPLE, Row, unacked, unanswered
from projections.task_rows import EPIC, UNKNOWN_HERE, WAITING
from projections.tasks import conflicts, losers, named

# An ack that was asked for this many seconds ago is overdue; the help of --needs-ack says so.
OVERDUE = 600
_STATES = (IN_REVIEW, APPROVED, MERGING, FAILED)


class Item(NamedTuple):
    """One thing that waits. `subject` is a task or a message; `who` is concerned beside the one who looks.

    `kind` is review, merge, setback (a merging that failed), conflict, circle (of links), stuck, failed, question, ack or
    lost. `closed`: the names that may not act on it; `open`: the only one that may, "" for any other, `#people` for
    any person. `link`: the kind and the other end of the link that opens the circle. `elsewhere`: the claim is of another store.
    """

    kind: str
    since: str
    subject: str
    who: str
    text: str
    title: str = ""
    closed: tuple[str, ...] = ()
    open: str = ""
    submission: str | None = None
    elsewhere: bool = False
    link: tuple[str, str] = ("", "")


def waiting(connection: sqlite3.Connection, now: int, limit: int) -> list[Item]:
    """The things that wait, at most `limit` of each kind; `now` in microseconds."""
    found = [_of_task(task) for state in _STATES for task in _tasks(connection, state, limit)]
    unsettled = {*conflicts(connection, None, limit)[0]}
    # What is in conflict can be neither approved nor merged before that is settled.
    found = [item for item in found if item.subject not in unsettled]
    found += [_in_conflict(connection, name) for name in sorted(unsettled)]
    found += [
        _in_circle(connection, kind, way)
        for kind in (AFTER, PARENT)
        for way in circles(connection, kind, harmful=True)[:limit]
    ]
    found += _stuck(connection, limit)
    found += map(_question, unanswered(connection, limit))
    asked_before = format_time(now - OVERDUE * 1_000_000)
    found += [_ack(row) for row in unacked(connection, limit) if row["at"] < asked_before]
    return found


def _tasks(connection: sqlite3.Connection, state: str, limit: int) -> Iterable[Task]:
    statement = (
        f"SELECT data FROM tasks INDEXED BY tasks_waiting WHERE {WAITING} AND state = ?"  # noqa: S608 - text from here
        " ORDER BY updated, id LIMIT ?"
    )
    return (load(row[0]) for row in connection.execute(statement, (state, limit)))


def _of_task(task: Task) -> Item:
    card = task.card
    match task:
        case InReview():
            by = task.submission.by
            closed = tuple(dict.fromkeys((*card.holders, by)))
            said = preview(task.submission.evidence)
            return Item(
                "review",
                task.submission.at,
                card.id,
                by,
                said,
                card.title,
                closed,
                submission=task.submission.id,
            )
        case Approved(setback=Setback(kind="conflict" | "gate") as back):
            closed = (task.claim.holder,)
            return Item("setback", back.at, card.id, back.by, preview(back.reason), card.title, closed)
        case Approved(setback=back):  # that another merge came between says nothing against the next try
            why = preview(back.reason) if back else ""
            return Item("merge", task.approval.at, card.id, task.approval.by, why, card.title)
        case Merging():
            return Item("merge", task.merge.at, card.id, task.approval.by, "a merging is open", card.title)
        case Failed():
            return Item("failed", task.end.at, card.id, task.end.by, preview(task.end.reason), card.title)
        case _:
            raise ValueError(task.state)


def _card(connection: sqlite3.Connection, name: str) -> Card:
    return load(connection.execute("SELECT data FROM tasks WHERE id = ?", (name,)).fetchone()[0]).card


def _in_circle(connection: sqlite3.Connection, kind: str, way: list[str]) -> Item:
    card = _card(connection, way[0])
    link = (kind, way[1])
    return Item("circle", card.updated, card.id, card.spawner, " → ".join(way), card.title, link=link)


def _stuck(connection: sqlite3.Connection, limit: int) -> list[Item]:
    """The waiting tasks that nothing will make ready: what they wait for is CANCELLED, not here, or their own epic."""
    statement = (
        "SELECT stuck.why, stuck.other, tasks.data FROM stuck CROSS JOIN tasks ON tasks.id = stuck.task"
        " WHERE stuck.why = ? AND tasks.state = 'ASSIGNED' AND tasks.hold = 0 LIMIT ?"
    )
    found: list[Item] = []
    for why, says in _NEVER.items():
        for _, other, data in connection.execute(statement, (why, limit)):
            card = load(data).card
            text = f"{named(connection, other)}, which is {says}"
            found.append(
                Item("stuck", card.updated, card.id, card.spawner, text, card.title, link=(AFTER, other))
            )
    return found


_NEVER = {CANCELLED: CANCELLED, UNKNOWN_HERE: "not known here", EPIC: "the epic that waits for it"}


def _in_conflict(connection: sqlite3.Connection, name: str) -> Item:
    card = _card(connection, name)
    who = ", ".join(losers(connection, name))
    return Item("conflict", card.updated, name, who, f"{len(card.conflicts)} events", card.title)


def _question(row: Row) -> Item:
    return Item("question", row["at"], row["id"], row["from"], preview(row["text"]), *_for(row))


def _ack(row: Row) -> Item:
    still = ", ".join(row["waiting"][:5])
    title, closed, only = _for(row)
    return Item(
        "ack",
        row["at"],
        row["id"],
        row["from"],
        f"{preview(row['text'])} (not read by {still})",
        title,
        closed,
        only,
    )


def _for(row: Row) -> tuple[str, tuple[str, ...], str]:
    """Title, who may not answer it, who alone may: a message to a group is for anyone but its sender."""
    if row["to"] == PEOPLE:
        return "", (row["from"],), PEOPLE
    group = str(row["to"]).startswith(("#", "*"))
    return "", (row["from"],) if group else (), "" if group else row["to"]
