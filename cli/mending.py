"""What is damaged in `views.db` and comes to light in the middle of a command: mended, and told.

Catching up mends what it stumbles over by itself (`projections.views`). A query that comes after it may be one of
several, with a write between them, so that it cannot simply be run again.
"""

from __future__ import annotations

import sqlite3
from traceback import walk_tb
from typing import TYPE_CHECKING

from domain.refusals import Refusal
from projections.database import is_damage

if TYPE_CHECKING:
    from cli.call import Call


def mended(error: Exception, call: Call) -> Refusal | None:
    """Make the views anew if they are damaged and that is what the error came from; what to tell then."""
    if not is_damage(error) or not _is_of_views(error):
        return None
    opened = call.opened
    if opened is None or not opened.views.mend(error):
        return None
    message = "views.db was damaged, and has been made anew from the log"
    hint = (
        "Run it again, a write with the same --key; without one look first (`crewlog log`) if it was written."
    )
    return Refusal("views-mended", message, hint)


def _is_of_views(error: Exception) -> bool:
    """True if it was raised while views were read: an error of SQLite about the log is a refusal by then."""
    if isinstance(error, sqlite3.Error):
        return True
    modules = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(module.startswith("projections.") for module in modules)
