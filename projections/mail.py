"""Who was sent what, what became of it, and who listens where.

Addressees are fixed when a message is sent, from what the log held before it: a name; `#channel`: its members; `*`:
everybody; `#people`: every person. A group is made of names that are here, and never of the sender. A name is here
from the first event that it writes; `leave` ends that, and joining or taking a task begins it again.

What one can ask is in `projections.mail_pages`; its names are exported here too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from domain.event import VERSION, Event
from domain.registry import is_blob
from projections.forking import folded, follow, is_own
from projections.handler import Context, Table, View
from projections.mail_pages import (
    CHANNEL,
    EVERYBODY,
    PEOPLE,
    Messages,
    addressees,
    answers_for,
    answers_to,
    channels,
    delivered_since,
    everything,
    inbox,
    is_known,
    members,
    message,
    names,
    resolve_message,
    thread,
    unacked,
    unanswered,
    unread_count,
)

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Stored

__all__ = [
    "VIEW",
    "Messages",
    "addressees",
    "answers_for",
    "answers_to",
    "channels",
    "delivered_since",
    "everything",
    "inbox",
    "is_known",
    "members",
    "message",
    "names",
    "resolve_message",
    "thread",
    "unacked",
    "unanswered",
    "unread_count",
]


Row = dict[str, Any]

# --- tables ------------------------------------------------------------------------------------------------------

_NAME = ("name", "known", "here", "person", "unread", "received", "heads")
_MESSAGE = (
    *("id", "event", "position", "sender", "address", "text", "at", "question", "needs_ack", "reply", "task"),
    *("thread", "pending", "answers", "answered"),
)
_DELIVERY = ("name", "position", "message", "acked")
_ANSWER = ("id", "position", "message", "asker", "sender", "at", "text")
_NUMBERS = frozenset(
    (
        "known",
        "here",
        "person",
        "unread",
        "received",
        "position",
        "question",
        "needs_ack",
        "pending",
        "answers",
    )
)


def _columns(columns: Iterable[str]) -> dict[str, Any]:
    return {name: int if name in _NUMBERS else str for name in columns}


def _create_names(database: Database) -> None:
    names_ = database.table("names")
    names_.create(_columns(_NAME), pk="name", not_null=set(_NAME))
    database.table("members").create({"channel": str, "name": str}, pk=("channel", "name"))
    database.execute("CREATE INDEX names_here ON names (name) WHERE here = 1")


def _create_messages(database: Database) -> None:
    messages = database.table("messages")
    messages.create(_columns(_MESSAGE), pk="id", not_null=set(_MESSAGE) - {"reply", "task", "answered"})
    messages.create_index(["event"], "messages_by_event")
    messages.create_index(["thread", "position"], "messages_by_thread")
    deliveries = database.table("deliveries")
    deliveries.create(_columns(_DELIVERY), pk=("name", "position"), not_null={"message"})
    deliveries.create_index(["message", "name"], "deliveries_by_message")
    answers = database.table("answers")
    columns = {
        "id": str,
        "position": int,
        "message": str,
        "asker": str,
        "sender": str,
        "at": str,
        "text": str,
    }
    answers.create(columns, pk="id", not_null=set(columns))
    answers.create_index(["message", "position"], "answers_by_message")
    answers.create_index(["asker", "position"], "answers_by_asker")
    database.table("unread").create(
        {"position": int, "stream": str, "event": str, "reason": str}, pk="position"
    )
    for statement in _PARTIAL_INDEXES:
        database.execute(statement)


# sqlite-utils makes no partial indexes.
_PARTIAL_INDEXES = (
    "CREATE INDEX deliveries_unread ON deliveries (name, position) WHERE acked IS NULL",
    "CREATE INDEX messages_unacked ON messages (position) WHERE needs_ack = 1 AND pending > 0",
    "CREATE INDEX messages_unanswered ON messages (position) WHERE question = 1 AND answers = 0",
)

# --- handler -----------------------------------------------------------------------------------------------------

_ONE_NAME = f"SELECT {', '.join(_NAME)} FROM names WHERE name = ?"  # noqa: S608
_NAMES_HERE = f"SELECT {', '.join(_NAME)} FROM names INDEXED BY names_here WHERE here = 1 AND name > ''"  # noqa: S608
_ONE_MESSAGE = f"SELECT {', '.join(_MESSAGE)} FROM messages WHERE id = ?"  # noqa: S608
_ONE_DELIVERY = "SELECT name, position, message, acked FROM deliveries WHERE name = ? AND position = ?"


class _SkippedError(Exception):
    """Why an event is left out of the fold."""


def _row(columns: Sequence[str], values: Sequence[Any]) -> Row:
    return dict(zip(columns, values, strict=True))


class _Names(dict[str, Row]):
    """Names, each loaded when it is first asked for; one that is not there is made."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection
        self._complete = False

    def __missing__(self, name: str) -> Row:
        found = self._connection.execute(_ONE_NAME, (name,)).fetchone()
        self[name] = row = _row(_NAME, found or (name, 0, 0, 0, 0, 0, ""))
        return row

    def here(self) -> list[Row]:
        """Everybody who is here."""
        if not self._complete:
            for found in self._connection.execute(_NAMES_HERE):
                self.setdefault(found[0], _row(_NAME, found))
            self._complete = True
        return [row for row in self.values() if row["here"]]


class _Members(dict[str, set[str]]):
    """Who listens to a channel, loaded when it is first asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, channel: str) -> set[str]:
        rows = self._connection.execute("SELECT name FROM members WHERE channel = ?", (channel,))
        self[channel] = found = {row[0] for row in rows}
        return found


class _Loaded(dict[tuple[Any, ...], "Row | None"]):
    """Rows by key, each loaded when it is first asked for; None for one that is not there."""

    def __init__(self, connection: sqlite3.Connection, statement: str, columns: Sequence[str]) -> None:
        super().__init__()
        self._connection = connection
        self._statement = statement
        self._columns = columns

    def __missing__(self, key: tuple[Any, ...]) -> Row | None:
        found = self._connection.execute(self._statement, key).fetchone()
        self[key] = row = _row(self._columns, found) if found else None
        return row

    def rows(self) -> list[tuple[Any, ...]]:
        """What there is, ready to be written."""
        return [tuple(row.values()) for row in self.values() if row]


class _Handler:
    def __init__(self, context: Context) -> None:
        self._connection = context.connection
        self._log = context.log
        self._begin()

    def _begin(self) -> None:
        connection = self._connection
        self._names = _Names(connection)
        self._members = _Members(connection)
        self._listening: dict[tuple[str, str], bool] = {}
        self._messages = _Loaded(connection, _ONE_MESSAGE, _MESSAGE)
        self._deliveries = _Loaded(connection, _ONE_DELIVERY, _DELIVERY)
        self._answers: list[tuple[Any, ...]] = []
        self._skipped: list[tuple[int, str, str, str]] = []

    def held(self) -> int:
        return len(self._names) + len(self._messages) + len(self._deliveries) + len(self._answers)

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Who only beats is not here: nobody could have told them how to read mail."""

    def apply(self, events: Sequence[Stored]) -> None:
        names = self._names
        for stored in events:
            event = stored.event
            name = names[event.sender]
            if not name["known"]:
                name["known"] = name["here"] = 1
            fold = _FOLDS.get(event.type)
            if is_own(event):
                name["heads"], forked = follow(name["heads"], event)
                fold = _Handler.settle if forked and fold else fold
            if fold is None:
                continue
            reason = self._try(fold, stored)
            if reason:
                self._skipped.append((stored.position, event.stream, event.id, reason))

    def _try(self, fold: Callable[[_Handler, Stored], None], stored: Stored) -> str:
        """Fold one event; or the reason why not, since a bad event must not stop all views for ever."""
        if stored.event.v > VERSION:
            return "newer version"
        try:
            fold(self, stored)
        except _SkippedError as skipped:
            return str(skipped)
        except (KeyError, TypeError, ValueError) as error:
            return f"unreadable: {error!r}"[:200]
        return ""

    # Each of these reads all it needs before it changes anything, so that what is skipped leaves no half.

    def join(self, stored: Stored) -> None:
        """A name is here, perhaps as a person."""
        event = stored.event
        name = self._names[event.sender]
        name["person"] = int(bool(event.payload.get("person", name["person"])))
        name["here"] = 1

    def start(self, stored: Stored) -> None:
        """Who takes a task is here."""
        self._names[stored.event.sender]["here"] = 1

    def leave(self, stored: Stored) -> None:
        """A name is here no more."""
        self._names[stored.event.sender]["here"] = 0

    def subscribe(self, stored: Stored) -> None:
        """A name listens to a channel."""
        channel, name = _word(stored.event, "channel"), stored.event.sender
        self._members[channel].add(name)
        self._listening[channel, name] = True

    def unsubscribe(self, stored: Stored) -> None:
        """A name listens to a channel no more."""
        channel, name = _word(stored.event, "channel"), stored.event.sender
        self._members[channel].discard(name)
        self._listening[channel, name] = False

    def settle(self, stored: Stored) -> None:
        """A name said different things of itself in two clones: the log's one order says what holds."""
        name, state = self._names[stored.event.sender], folded(self._log, stored)
        name["person"], name["here"] = int(state.person), int(state.left is None)
        listens = self._channels_of(state.name)
        for channel in listens.symmetric_difference(state.channels):
            now = channel in state.channels
            (self._members[channel].add if now else self._members[channel].discard)(state.name)
            self._listening[channel, state.name] = now

    def _channels_of(self, name: str) -> set[str]:
        """The channels that a name listens to; seldom asked, so there is no index for it."""
        rows = self._connection.execute("SELECT channel FROM members WHERE name = ?", (name,))
        changed = {channel: now for (channel, who), now in self._listening.items() if who == name}
        return ({row[0] for row in rows} - changed.keys()) | {
            channel for channel, now in changed.items() if now
        }

    def send(self, stored: Stored) -> None:
        """A message goes to whoever it is for now."""
        event, position = stored.event, stored.position
        if self._messages[event.subject,]:
            raise _SkippedError("illegal")
        row = _message(stored)
        first = self._messages[row["reply"],] if row["reply"] else None
        row["thread"] = first["thread"] if first else row["reply"] or row["id"]
        for name in self._addressees(event):
            row["pending"] += 1
            delivery = (name["name"], position, row["id"], None)
            self._deliveries[delivery[:2]] = _row(_DELIVERY, delivery)
            name["received"] += 1
            name["unread"] += 1
        self._messages[row["id"],] = row

    def _addressees(self, event: Event) -> list[Row]:
        if not event.to.startswith((EVERYBODY, CHANNEL)):
            return [self._names[event.to]]
        if event.to in (EVERYBODY, PEOPLE):
            chosen = [row for row in self._names.here() if row["person"] or event.to == EVERYBODY]
        else:
            listening = self._members[event.to.removeprefix(CHANNEL)]
            chosen = [row for row in map(self._names.__getitem__, listening) if row["here"]]
        return [row for row in chosen if row["name"] != event.sender]

    def ack(self, stored: Stored) -> None:
        """An addressee has read it."""
        self._ack(stored.event, self._known_message(stored))

    def answer(self, stored: Stored) -> None:
        """Somebody answered; that acks it, too."""
        event, message_ = stored.event, self._known_message(stored)
        about = (event.id, stored.position, message_["id"], message_["sender"])
        self._answers.append((*about, event.sender, event.ts, _text(event)))
        message_["answers"] += 1
        message_["answered"] = event.ts
        self._ack(event, message_)

    def _known_message(self, stored: Stored) -> Row:
        found = self._messages[stored.event.subject,]
        if found is None:
            raise _SkippedError("illegal")
        return found

    def _ack(self, event: Event, message_: Row) -> None:
        delivery = self._deliveries[event.sender, message_["position"]]
        if delivery and delivery["acked"] is None:
            delivery["acked"] = event.ts
            message_["pending"] -= 1
            self._names[event.sender]["unread"] -= 1

    def flush(self) -> None:
        gone = [key for key, listens in self._listening.items() if not listens]
        new = [key for key, listens in self._listening.items() if listens]
        self._many("DELETE FROM members WHERE channel = ? AND name = ?", gone)
        self._many("INSERT OR REPLACE INTO members VALUES (?, ?)", new)
        self._put("names", _NAME, [tuple(row.values()) for row in self._names.values()])
        self._put("messages", _MESSAGE, self._messages.rows())
        self._put("deliveries", _DELIVERY, self._deliveries.rows())
        self._put("answers", _ANSWER, self._answers)
        self._many("INSERT OR REPLACE INTO unread VALUES (?, ?, ?, ?)", self._skipped)
        self._begin()

    def _put(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        self._many(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)  # noqa: S608

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self._connection.executemany(statement, rows)


_FOLDS: dict[str, Callable[[_Handler, Stored], None]] = {
    "agent.joined": _Handler.join,
    "agent.left": _Handler.leave,
    "task.started": _Handler.start,
    "task.resumed": _Handler.start,
    "agent.subscribed": _Handler.subscribe,
    "agent.unsubscribed": _Handler.unsubscribe,
    "mail.sent": _Handler.send,
    "mail.acked": _Handler.ack,
    "mail.answered": _Handler.answer,
}


def _message(stored: Stored) -> Row:
    """The row of a new message, nobody's yet."""
    event, payload = stored.event, stored.event.payload
    reply, task = (_word(event, name) if name in payload else None for name in ("reply", "task"))
    return {
        "id": event.subject,
        "event": event.id,
        "position": stored.position,
        "sender": event.sender,
        "address": event.to,
        "text": _text(event),
        "at": event.ts,
        "question": int(bool(payload.get("question"))),
        "needs_ack": int(bool(payload.get("needs_ack"))),
        "reply": reply,
        "task": task,
        "thread": "",
        "pending": 0,
        "answers": 0,
        "answered": None,
    }


def _text(event: Event) -> str:
    """The text, or the reference to its blob, as JSON."""
    text = event.payload["text"]
    if isinstance(text, str) or is_blob(text):
        return orjson.dumps(text, option=orjson.OPT_SORT_KEYS).decode()
    raise TypeError("text")


def _word(event: Event, field: str) -> str:
    value = event.payload[field]
    if isinstance(value, str):
        return value
    raise TypeError(field)


VIEW = View(
    "mail",
    (
        Table("names", "name"),
        Table("members", "channel, name"),
        Table("messages", "id"),
        Table("deliveries", "name, position"),
        Table("answers", "id"),
        Table("unread", "position"),
    ),
    (_create_names, _create_messages),
    _Handler,
)
