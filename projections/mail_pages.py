"""What one can ask about mail: inboxes, messages and their threads, what is overdue, who listens where.

A message is a row `{"id", "from", "to", "text", "at", "question", "needs_ack", "reply", "task", "thread", "position"}`.
`to` is the stored address, `text` a text or the claim check of a large one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from domain.mail import MESSAGE_PREFIX
from domain.named import NamedTuple
from domain.names import TASK_DIGITS
from domain.refusals import Refusal

EVERYBODY = "*"
CHANNEL = "#"
PEOPLE = "#people"

CANDIDATE_LIMIT = 10
PREFIX_LEAST = 2
EVENT_PREFIX_LEAST = 8

Row = dict[str, Any]


class Messages(NamedTuple):
    """Some messages, oldest first, and how many more there are."""

    rows: list[Row]
    more: int


_ROW = (
    "m.id, m.sender AS 'from', m.address AS 'to', m.text, m.at, m.question, m.needs_ack, m.reply, m.task,"
    " m.thread, m.position"
)
_FLAGS = ("question", "needs_ack")


def _select(connection: sqlite3.Connection, statement: str, params: Sequence[Any] = ()) -> list[Row]:
    cursor = connection.execute(statement, params)
    names = [column[0] for column in cursor.description]
    rows: list[Row] = []
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        row["text"] = orjson.loads(row["text"])
        row.update((flag, bool(row[flag])) for flag in _FLAGS if flag in row)
        rows.append(row)
    return rows


# --- what a name was sent ----------------------------------------------------------------------------------------

_DELIVERED = f"SELECT {_ROW}, d.acked FROM deliveries d"  # noqa: S608
_MESSAGE_OF = "CROSS JOIN messages m ON m.id = d.message"  # CROSS: walk the deliveries, look the messages up


def inbox(connection: sqlite3.Connection, name: str, limit: int) -> Messages:
    """The messages to a name that it has not acked, oldest first; with `acked`, always None here."""
    statement = (
        f"{_DELIVERED} INDEXED BY deliveries_unread {_MESSAGE_OF}"
        " WHERE d.name = ? AND d.acked IS NULL ORDER BY d.position LIMIT ?"
    )
    rows = _select(connection, statement, (name, limit))
    return Messages(rows, unread_count(connection, name) - len(rows))


def everything(connection: sqlite3.Connection, name: str, limit: int) -> Messages:
    """The newest messages to a name, oldest first; `acked` says when, None for not yet. `more` are older."""
    statement = f"{_DELIVERED} {_MESSAGE_OF} WHERE d.name = ? ORDER BY d.position DESC LIMIT ?"
    rows = _select(connection, statement, (name, limit))
    return Messages(rows[::-1], _counter(connection, "received", name) - len(rows))


def delivered_since(connection: sqlite3.Connection, name: str, since: int, limit: int = 50) -> list[Row]:
    """The messages to a name behind a position of the log, acked or not, oldest first."""
    statement = f"{_DELIVERED} {_MESSAGE_OF} WHERE d.name = ? AND d.position > ? ORDER BY d.position LIMIT ?"
    return _select(connection, statement, (name, since, limit))


def unread_count(connection: sqlite3.Connection, name: str) -> int:
    """How many messages to a name are not acked. Costs the same however many there are."""
    return _counter(connection, "unread", name)


def _counter(connection: sqlite3.Connection, column: str, name: str) -> int:
    row = connection.execute(f"SELECT {column} FROM names WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return int(row[0]) if row else 0


# --- one message -------------------------------------------------------------------------------------------------

_ANSWER = "a.id, a.message, a.sender AS 'from', a.text, a.at, a.position"
_ANSWERS = f"SELECT {_ANSWER} FROM answers a"  # noqa: S608


def message(connection: sqlite3.Connection, message_id: str) -> Row:
    """A message with its `event`, `answers`, `acks` (name, at) and `waiting`, the addressees that have not acked.

    Raises Refusal `not-found`.
    """
    rows = _select(connection, f"SELECT {_ROW}, m.event FROM messages m WHERE m.id = ?", (message_id,))  # noqa: S608
    if not rows:
        raise _not_found(message_id)
    statement = "SELECT name, acked FROM deliveries WHERE message = ? ORDER BY name"
    delivered: list[Any] = connection.execute(statement, (message_id,)).fetchall()
    acks = sorted(({"name": name, "at": at} for name, at in delivered if at), key=lambda ack: ack["at"])
    return {
        **rows[0],
        "answers": answers_to(connection, message_id),
        "acks": acks,
        "waiting": [name for name, at in delivered if at is None],
    }


def thread(connection: sqlite3.Connection, message_id: str, limit: int = 200) -> list[Row]:
    """The messages of the conversation that a message belongs to, oldest first, each with its `answers`."""
    statement = (
        f"SELECT {_ROW} FROM messages m INDEXED BY messages_by_thread"  # noqa: S608
        " WHERE m.thread = (SELECT thread FROM messages WHERE id = ?) ORDER BY m.position LIMIT ?"
    )
    rows = _select(connection, statement, (message_id, limit))
    return [{**row, "answers": answers_to(connection, row["id"])} for row in rows]


def answers_to(connection: sqlite3.Connection, message_id: str, since: int = -1) -> list[Row]:
    """The answers to a message behind a position: `id` (of the event), `message`, `from`, `text`, `at`, `position`."""
    statement = f"{_ANSWERS} WHERE a.message = ? AND a.position > ? ORDER BY a.position"
    return _select(connection, statement, (message_id, since))


def answers_for(connection: sqlite3.Connection, name: str, since: int, limit: int = 50) -> list[Row]:
    """The answers that others gave to a name's messages behind a position, oldest first."""
    statement = (
        f"{_ANSWERS} WHERE a.asker = ? AND a.position > ? AND a.sender <> a.asker ORDER BY a.position LIMIT ?"
    )
    return _select(connection, statement, (name, since, limit))


def resolve_message(connection: sqlite3.Connection, text: str) -> str:
    """The message id for a whole id, its unique prefix with or without `m-`, or one of its event's id.

    Raises Refusal `not-found` or `ambiguous`.
    """
    found = {row["id"]: row for row in (*_by_prefix(connection, text), *_by_event(connection, text))}
    if len(found) == 1:
        return str(next(iter(found)))
    raise _ambiguous(text, list(found.values())) if found else _not_found(text)


_CANDIDATE = "SELECT id, sender, address, text FROM messages"


def _by_prefix(connection: sqlite3.Connection, text: str) -> list[Row]:
    digits = text.removeprefix(MESSAGE_PREFIX)
    if not PREFIX_LEAST <= len(digits) <= TASK_DIGITS or not digits.isascii() or not digits.isalnum():
        return []
    prefix = MESSAGE_PREFIX + digits
    statement = f"{_CANDIDATE} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return _select(connection, statement, (prefix, prefix + "{", CANDIDATE_LIMIT + 1))


def _by_event(connection: sqlite3.Connection, text: str) -> list[Row]:
    if len(text) < EVENT_PREFIX_LEAST or not text.isascii() or not text.isalnum():
        return []
    statement = f"{_CANDIDATE} WHERE event >= ? AND event < ? ORDER BY event LIMIT ?"
    return _select(connection, statement, (text, text + "g", CANDIDATE_LIMIT + 1))


def _ambiguous(text: str, found: list[Row]) -> Refusal:
    many = f"more than {CANDIDATE_LIMIT}" if len(found) > CANDIDATE_LIMIT else str(len(found))
    hint = f"Type more of the id, for example {found[0]['id']}."
    # The shape that tasks have, too: the command line prints id, state and title.
    candidates = [
        {"id": row["id"], "state": "", "title": f"from {row['sender']} to {row['address']}"}
        for row in found[:CANDIDATE_LIMIT]
    ]
    message_ = f"{text[:80]!r} fits {many} messages"
    return Refusal("ambiguous", message_, hint, given=text[:200], candidates=candidates)


def _not_found(text: str) -> Refusal:
    hint = "`crewlog inbox --all` shows what you were sent."
    if len(text.removeprefix(MESSAGE_PREFIX)) < PREFIX_LEAST:
        hint = f"Type at least {PREFIX_LEAST} characters of the id; {hint}"
    return Refusal("not-found", f"no message has the id {text[:80]!r}", hint, given=text[:200])


# --- what is overdue ---------------------------------------------------------------------------------------------


def unacked(connection: sqlite3.Connection, limit: int = 50) -> list[Row]:
    """Messages that want an ack and lack one, oldest first, with `waiting`: for whom."""
    statement = (
        f"SELECT {_ROW} FROM messages m INDEXED BY messages_unacked"  # noqa: S608
        " WHERE m.needs_ack = 1 AND m.pending > 0 AND m.position > 0 ORDER BY m.position LIMIT ?"
    )
    waiting = "SELECT name FROM deliveries WHERE message = ? AND acked IS NULL ORDER BY name"
    rows = _select(connection, statement, (limit,))
    for row in rows:
        row["waiting"] = [name for (name,) in connection.execute(waiting, (row["id"],))]
    return rows


def unanswered(connection: sqlite3.Connection, limit: int = 50) -> list[Row]:
    """Questions that nobody answered, oldest first."""
    statement = (
        f"SELECT {_ROW} FROM messages m INDEXED BY messages_unanswered"  # noqa: S608
        " WHERE m.question = 1 AND m.answers = 0 AND m.position > 0 ORDER BY m.position LIMIT ?"
    )
    return _select(connection, statement, (limit,))


# --- who listens -------------------------------------------------------------------------------------------------


def is_known(connection: sqlite3.Connection, name: str) -> bool:
    """True for a name that was ever here."""
    return bool(connection.execute("SELECT 1 FROM names WHERE name = ? AND known = 1", (name,)).fetchone())


def names(connection: sqlite3.Connection) -> list[str]:
    """Every name that was ever here."""
    return [name for (name,) in connection.execute("SELECT name FROM names WHERE known = 1 ORDER BY name")]


def addressees(connection: sqlite3.Connection, sender: str, address: str) -> list[str]:
    """Who a message to a stored address would go to now."""
    if not address.startswith((EVERYBODY, CHANNEL)):
        return [address]
    if address in (EVERYBODY, PEOPLE):
        statement = "SELECT name FROM names INDEXED BY names_here WHERE here = 1 AND name > '' AND person >= ? ORDER BY name"
        found = connection.execute(statement, (int(address == PEOPLE),))
    else:
        found = connection.execute(_LISTENING, (address.removeprefix(CHANNEL),))
    return [name for (name,) in found if name != sender]


_LISTENING = (
    "SELECT l.name FROM members l CROSS JOIN names n ON n.name = l.name"
    " WHERE l.channel = ? AND n.here = 1 ORDER BY l.name"
)


def members(connection: sqlite3.Connection, channel: str) -> list[str]:
    """Who listens to a channel, here or not."""
    statement = "SELECT name FROM members WHERE channel = ? ORDER BY name"
    return [name for (name,) in connection.execute(statement, (channel,))]


def channels(connection: sqlite3.Connection) -> list[Row]:
    """Every channel that somebody listens to, by name: `{"channel", "members"}`."""
    found: dict[str, list[str]] = {}
    for channel, name in connection.execute("SELECT channel, name FROM members ORDER BY channel, name"):
        found.setdefault(channel, []).append(name)
    return [{"channel": channel, "members": listening} for channel, listening in found.items()]
