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
from domain.refusals import Refusal
from projections.database import Files, connect_memory, is_damage
from projections.folding import Progress
from projections.search_rows import INDEX, INSERT, Texts, create_words, index_row, second, texts, word
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
    """What is searched: an FTS5 expression, and filters; `since` in microseconds."""

    expression: str
    kind: str = ""
    sender: str = ""
    about: str = ""
    since: int = 0
    newest: bool = False


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


def search(connection: sqlite3.Connection, log: Log, wanted: Wanted, limit: int) -> Found:
    """The hits in a caught-up index. Raises Refusal `bad-value` for an expression that FTS5 cannot read."""
    text = f"{{title body}} : ({wanted.expression})"
    try:
        total, ranked, positions = _positions(connection, text, wanted, limit)
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
    return [Hit(position, events[position], excerpts.get(position, "")) for position in positions]


def _small_row(log: Log, position: int, event: Event) -> tuple[Any, ...]:
    found = texts(event, log.blob)
    plain = Texts(*(text.translate(_SEPARATORS) for text in found))
    return position, *index_row(event, plain)
