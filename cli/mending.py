"""What is damaged in `views.db` and comes to light in the middle of a command: mended, and told.

Catching up mends what it stumbles over by itself (`projections.views`). A query that comes after it may be one of
several, with a write between them, so that it cannot simply be run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.call import Call


def mended(error: Exception, call: Call) -> Refusal | None:
    """Make the views anew if the command has read them and they are damaged; what to tell then."""
    opened = call.opened
    if opened is None or "views" not in opened.__dict__ or not opened.views.mend(error):
        return None
    message = "views.db was damaged, and has been made anew from the log"
    hint = (
        "Run it again, a write with the same --key; without one look first (`crewlog log`) if it was written."
    )
    return Refusal("views-mended", message, hint)
