"""The words of the log: which texts of an event can be searched, and the full-text index (FTS5) that holds them.

The index stands in a file of its own, `search.db`, which is caught up when somebody searches: what nobody searches
costs no other command anything. It is contentless: it holds words and where they occur, not the texts, which are in
the log already. Whoever wants an excerpt reads the event.

Filters are words as well, in columns of their own: so the index itself finds what matches text and filters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from domain.blobs import digest_of, preview
from domain.event import Event
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import EVENT_TYPES
from projections.handler import Context, Handler, Table, View, ViewSet

if TYPE_CHECKING:
    import re

    from sqlite_utils import Database

    from domain.log import Stored

# Raise it when the tables, or which words of an event they hold, change.
VERSION = 3

# What a program reads: in an excerpt it would stand before what somebody wrote.
_NO_TEXT = frozenset(
    (
        "allowed_secret",
        "claim",
        "digest",
        "first",
        "kind",
        "last",
        "reply",
        "sha256",
        "state",
        "status",
        "task",
        "to",
    )
)
TITLES = ("title", "slug", "labels", "add_labels")
WEIGHTS = (4.0, 1.0, 0.0, 0.0, 0.0)  # of the columns: a hit in a title says more
COLUMNS = ("title", "body", "sender", "kind", "about")
# Greek and Cyrillic accents too (2); English endings, so that `greet` finds `greeting` (porter).
TOKENIZER = "porter unicode61 remove_diacritics 2"

# A zero-width space.
PART = "\u200b"

ReadBlob = Callable[[str], bytes]


class Texts(NamedTuple):
    """What can be searched of one event."""

    title: str
    body: str


@cache
def word(text: str) -> str:
    """A name or a type as one word of a filter's column: no tokenizer takes it apart."""
    return "x" + text.encode().hex()


@cache
def _kinds(type_name: str) -> str:
    return f"{word(type_name)} {word(type_name.partition('.')[0])}"


@cache
def _fields(type_name: str) -> tuple[str, ...]:
    """The fields of a type that hold text to be found."""
    kind = EVENT_TYPES.get(type_name)
    named = [field.name for field in kind.fields if field.kind in ("line", "text")] if kind else []
    return tuple(name for name in named if name not in TITLES and name not in _NO_TEXT)


def texts(event: Event, blob: ReadBlob) -> Texts:
    """The texts of an event, large ones whole as far as they are here."""
    payload = event.payload
    body = [_whole(payload[name], blob) for name in _fields(event.type) if name in payload]
    titles: list[str] = []
    for name in TITLES:
        if name in payload:
            value = payload[name] or ()
            titles += [value] if isinstance(value, str) else value
    return Texts("\n".join(titles), "\n".join(body))


def _whole(value: Any, blob: ReadBlob) -> str:
    if isinstance(value, str):
        return value
    digest = digest_of(value)
    if digest:
        try:
            return blob(digest).decode("utf-8", "replace")
        except Refusal:  # another clone has it, or it is damaged, which is `verify`'s business
            pass
    return preview(value)


def apart(text: str) -> str:
    """The text with Chinese and Japanese signs apart, each a word, since no spaces stand between words there.

    What parts them is no space: a text that is shown must be as it was (`together`).
    """
    return text if text.isascii() else _signs().sub(lambda sign: sign[0] + PART, text)


def together(text: str) -> str:
    """The text as it was before `apart`."""
    return text.replace(PART, "")


@cache
def _signs() -> re.Pattern[str]:
    import re

    return re.compile("[\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def index_row(event: Event, found: Texts) -> tuple[str, ...]:
    """The columns of the index for one event: its texts, and by what it can be filtered."""
    about = word.__wrapped__(event.subject)
    task = event.payload.get("task")
    if isinstance(task, str):
        about += f" {word.__wrapped__(task)}"
    by, _ = in_source(event)
    sender = f"{word(event.sender)} {word(by)}" if by else word(event.sender)
    return apart(found.title), apart(found.body), sender, _kinds(event.type), about


def in_source(event: Event) -> tuple[str, str]:
    """Who wrote in another tool what an import took over, as a name of ours, and when; "" for what is not known."""
    payload = event.payload
    if "digest" not in payload:
        return "", ""
    made = payload.get("updated" if event.type == "task.synced" else "created")
    return str(payload.get("by") or ""), str(payload.get("at") or made or "")


def second(ts: str) -> int:
    """A time as a number that sorts: 20261123173105. Quicker than reading it, for millions of them."""
    return int(ts[:19].translate(_NO_SIGNS))


_NO_SIGNS = str.maketrans("", "", "-T:")


def create_words(connection: sqlite3.Connection, *, contentless: bool = True) -> None:
    """Make the index in a database."""
    content = ", content = ''" if contentless else ""
    columns = ", ".join(COLUMNS)
    connection.execute(f"CREATE VIRTUAL TABLE words USING fts5({columns}{content}, tokenize = '{TOKENIZER}')")
    weights = ", ".join(map(str, WEIGHTS))
    connection.execute("INSERT INTO words (words, rank) VALUES ('rank', ?)", (f"bm25({weights})",))


INSERT = f"INSERT INTO words (rowid, {', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - names from here


def _create(database: Database) -> None:
    create_words(database.conn)
    database.table("documents").create({"position": int, "second": int}, pk="position")


class _Handler:
    def __init__(self, connection: sqlite3.Connection, blob: ReadBlob) -> None:
        self._connection = connection
        self._blob = blob
        self._rows: list[tuple[Any, ...]] = []
        self._times: list[tuple[int, int]] = []

    def held(self) -> int:
        return len(self._rows)

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        """Signs of life are not searched."""

    def apply(self, events: Sequence[Stored]) -> None:
        for stored in events:
            found = texts(stored.event, self._blob)
            if found.title or found.body:
                self._rows.append((stored.position, *index_row(stored.event, found)))
                at = in_source(stored.event)[1] or stored.event.ts
                self._times.append((stored.position, second(at)))

    def flush(self) -> None:
        self._connection.executemany(INSERT, self._rows)
        self._connection.executemany("INSERT INTO documents VALUES (?, ?)", self._times)
        self._rows, self._times = [], []


def _handler(context: Context) -> Handler:
    return _Handler(context.connection, context.log.blob)


# The index, to be opened and caught up like any other set of views.
INDEX = ViewSet(
    (View("words", (Table("documents", "position"),), (_create,), _handler),), VERSION, timed=False
)
