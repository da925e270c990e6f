"""What the shell offers on TAB: task ids with their titles, names, labels. Never an error, never a slow answer."""

from __future__ import annotations

import os
import sqlite3
import sys

LIMIT = 40


def complete_task(incomplete: str) -> list[tuple[str, str]]:
    """Open tasks whose id or slug begins with what is typed; the shell takes only what begins so, too."""
    rows = _rows(
        "SELECT id, title, slug FROM tasks WHERE (id LIKE ? OR slug LIKE ?) AND state NOT IN ('COMPLETED', 'CANCELLED')"
        " ORDER BY updated DESC LIMIT ?",
        (incomplete + "%", incomplete + "%", LIMIT),
    )
    return [(row[0] if row[0].startswith(incomplete) else row[2], row[1]) for row in rows]


def complete_name(incomplete: str) -> list[str]:
    """Names that were seen here."""
    return [
        row[0]
        for row in _rows("SELECT name FROM agents WHERE name LIKE ? LIMIT ?", (incomplete + "%", LIMIT))
    ]


def complete_label(incomplete: str) -> list[str]:
    """Labels in use."""
    statement = "SELECT DISTINCT label FROM task_labels WHERE label LIKE ? LIMIT ?"
    return [row[0] for row in _rows(statement, (incomplete + "%", LIMIT))]


def _rows(statement: str, params: tuple[object, ...]) -> list[tuple[str, ...]]:
    """Rows of the views as they are: completion neither catches up nor waits."""
    from cli.place import locate_store
    from domain.refusals import Refusal

    try:
        folder = locate_store(os.getcwd(), os.environ, _typed_store()).path
        connection = sqlite3.connect(f"file:{folder}/views.db?mode=ro", uri=True, timeout=0.1)
        try:
            return connection.execute(statement, params).fetchall()
        finally:
            connection.close()
    except (Refusal, sqlite3.Error, OSError):
        return []


def _typed_store() -> str | None:
    words = os.environ.get("COMP_WORDS", " ".join(sys.argv)).split()
    return words[words.index("--store") + 1] if "--store" in words[:-1] else None
