"""Searching the log: what words mean, the best hits, and the excerpts that show them.

Up to RANKED hits the best come first (bm25). Beyond, the newest do: ranking reads how long the text of every hit is, three
times what finding it costs, to order what nobody looks through.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from domain.event import Event, format_time, parse
from domain.named import NamedTuple
from domain.names import TASK_DIGITS, TASK_PREFIX, is_task_id
from domain.refusals import Refusal
from projections.database import Files, connect_memory, is_damage
from projections.folding import Progress
from projections.search_rows import (
    INDEX,
    INSERT,
    Texts,
    apart,
    create_words,
    index_row,
    second,
    texts,
    together,
    word,
)
from projections.views import CHUNK, Views

if TYPE_CHECKING:
    from domain.log import Log

RANKED = 3_000
COUNTED = 10_000
EXCERPT = 16  # words
# Where a matching word begins and ends. No text that was indexed keeps them.
BEGIN, END = "\x02", "\x03"
_SEPARATORS = str.maketrans({BEGIN: " ", END: " ", "\n": " ", "\r": " ", "\t": " "})


class Wanted(NamedTuple):
    """What is searched: an FTS5 expression, and filters; `since` in microseconds.

    `named` is the beginning of a task's id: what is about that task is found like what the expression finds.
    """

    expression: str
    kind: str = ""
    sender: str = ""
    about: str = ""
    since: int = 0
    newest: bool = False
    named: str = ""


class Hit(NamedTuple):
    """An event that matches; `excerpt` has BEGIN and END around what does."""

    position: int
    event: Event
    excerpt: str


class Found(NamedTuple):
    """The first hits and how many there are: COUNTED + 1 stands for more. `ranked`: best first, else newest first."""

    hits: list[Hit]
    total: int
    ranked: bool


def open_index(folder: str, log: Log, progress: Progress | None = None) -> Views:
    """The index of a store; `catch_up` before searching."""
    return Views(Files(folder, "search"), log, CHUNK, progress, INDEX)


def quoted(text: str) -> str:
    """The expression for words as people type them: all must occur, `foo-bar` in this order, `gre*` as a beginning."""
    return " ".join(_quoted(part) for part in text.split() if any(char.isalnum() for char in part))


def _quoted(part: str) -> str:
    words = part.replace('"', '""').replace("\0", "")
    return f'"{words[:-1]}" *' if words.endswith("*") else f'"{words}"'


def named(text: str) -> str:
    """The text where it is the beginning of a task's id, else ""."""
    whole = text.ljust(len(TASK_PREFIX) + TASK_DIGITS, "a")
    return text if text != TASK_PREFIX and is_task_id(whole) else ""


def search(connection: sqlite3.Connection, log: Log, wanted: Wanted, limit: int) -> Found:
    """The hits in a caught-up index. Raises Refusal `bad-value` for an expression that FTS5 cannot read."""
    text = f"{{title body}} : ({apart(wanted.expression)})"
    sought = f"({text} OR about : {word(wanted.named)} *)" if wanted.named else text
    try:
        total, ranked, positions = _positions(connection, sought, wanted, limit)
    except sqlite3.OperationalError as error:
        if is_damage(error) and "no such column" not in str(error):
            raise
        hint = 'Leave --raw out to search for words as typed. FTS5 reads: foo OR bar, "foo bar", foo*, title : foo.'
        raise Refusal("bad-value", f"that is no search: {error}", hint) from error
    return Found(_excerpts(log, positions, text), total, ranked)


def _positions(
    connection: sqlite3.Connection, text: str, wanted: Wanted, limit: int
) -> tuple[int, bool, list[int]]:
    """How many hits, whether the best come first, and the positions of the first ones.

    Ranked is by the text alone: bm25 counts how often each word occurs in the whole log, and a filter's word, as that
    of all tasks, occurs everywhere.
    """
    hits, params = _filtered(text, wanted)
    newest = f"SELECT rowid FROM {hits} ORDER BY rowid DESC LIMIT ?"  # noqa: S608 - text from here
    passed = _rows(connection, newest, (*params, max(limit, COUNTED + 1)))
    total, filtered = min(len(passed), COUNTED + 1), (hits, params) != (_HITS, (text,))
    few = f"SELECT rowid FROM {_HITS} LIMIT ?"  # noqa: S608 - the same
    by_text = len(_rows(connection, few, (text, RANKED + 1))) if filtered and not wanted.newest else total
    if by_text > RANKED or wanted.newest:
        return total, False, passed[:limit]
    return total, True, _best(connection, text, passed, limit) if total > 1 else passed


def _best(connection: sqlite3.Connection, text: str, passed: Sequence[int], limit: int) -> list[int]:
    """The best of what passed the filters."""
    best = f"SELECT rowid FROM {_HITS} AND rowid BETWEEN ? AND ? ORDER BY rank, rowid DESC"  # noqa: S608 - text from here
    allowed = {*passed}
    found = (row[0] for row in connection.execute(best, (text, passed[-1], passed[0])) if row[0] in allowed)
    return [*islice(found, limit)]


_HITS = "words WHERE words MATCH ?"


def _filtered(text: str, wanted: Wanted) -> tuple[str, tuple[Any, ...]]:
    """What is selected from, and its parameters."""
    filters = {"sender": wanted.sender, "kind": wanted.kind, "about": wanted.about}
    match = " AND ".join([text, *(f"{column} : {word(name)}" for column, name in filters.items() if name)])
    if not wanted.since:
        return _HITS, (match,)
    late = "(SELECT second FROM documents WHERE position = words.rowid) >= ?"
    return f"{_HITS} AND {late}", (match, second(format_time(wanted.since)))


def _rows(connection: sqlite3.Connection, statement: str, params: Sequence[Any]) -> list[int]:
    return [row[0] for row in connection.execute(statement, params)]


def _excerpts(log: Log, positions: Sequence[int], match: str) -> list[Hit]:
    """The events, each with the part that matches: found by a small index that holds the texts of these few."""
    events = {position: parse(log.lines(position - 1, 1)[0].state) for position in positions}
    with closing(connect_memory()) as small:
        create_words(small, contentless=False)
        small.executemany(INSERT, [_small_row(log, *item) for item in events.items()])
        statement = "SELECT rowid, snippet(words, -1, ?, ?, '…', ?) FROM words WHERE words MATCH ?"
        excerpts: dict[int, str] = dict(small.execute(statement, (BEGIN, END, EXCERPT, match)))
    return [
        Hit(position, event, together(excerpts.get(position, "")) or _beginning(log, event))
        for position, event in events.items()
    ]


def _small_row(log: Log, position: int, event: Event) -> tuple[Any, ...]:
    return position, *index_row(event, _plain(log, event))


def _plain(log: Log, event: Event) -> Texts:
    return Texts(*(text.translate(_SEPARATORS) for text in texts(event, log.blob)))


def _beginning(log: Log, event: Event) -> str:
    """How the text begins of what was found by what it is about."""
    plain = _plain(log, event)
    words = (plain.title or plain.body).split(maxsplit=EXCERPT)
    return " ".join(words[:EXCERPT]) + ("…" if len(words) > EXCERPT else "")
