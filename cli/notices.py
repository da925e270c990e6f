"""Notices: what is new for who gives this command, at most three lines, each told once.

How far a name was told is kept in `.crewlog/told/NAME`. It is only a memory of this machine: without it a notice is
told again, and nothing else is lost.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from cli.files import read_private, write_private
from cli.text import cut, safe_line
from domain.blobs import preview
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.store import Store

LINES = 3
WIDTH = 80
FOLDER = "told"


def news(store: Store, name: str) -> list[str]:
    """What the name was not told yet; from now on it counts as told."""
    from projections.folding import checkpoint
    from projections.mail_pages import answers_for, delivered_since, unread_count
    from projections.notices import behind

    try:
        store.views.catch_up(wait=False)
        connection = store.views.connection
        told = _told(store, name)
        lines = [notice.text for notice in behind(connection, name, told, store.session, LINES)]
        lines += [_answered(row) for row in answers_for(connection, name, told, LINES)]
        lines = lines[-LINES:]
        if delivered_since(connection, name, told):
            unread = unread_count(connection, name)
            lines = [*lines[-LINES + 1 :], f"{unread} unread: `crewlog inbox`"] if unread else lines
        if lines:
            _tell(store, name, checkpoint(connection).position)
    except (Refusal, OSError, sqlite3.Error):
        return []  # a command must not fail for what it would have said beside its answer
    return lines


def _answered(row: dict[str, Any]) -> str:
    return f"{row['from']} answered {row['message']}: {cut(safe_line(preview(row['text'])), WIDTH)}"


def _told(store: Store, name: str) -> int:
    text = read_private(os.path.join(store.folder, FOLDER, name)).strip()
    return int(text) if text.isdigit() else 0


def _tell(store: Store, name: str, position: int) -> None:
    folder = os.path.join(store.folder, FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    write_private(os.path.join(folder, name), f"{position}\n")
