"""What a decision comes to: an event that the log has yet to stamp."""

from __future__ import annotations

from domain.event import Json
from domain.named import NamedTuple


class Draft(NamedTuple):
    """An event before the log stamps it: type, payload, what it acts on, whom it addresses."""

    type: str
    payload: Json
    on: Json
    to: str = "*"
