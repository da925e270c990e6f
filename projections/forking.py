"""Agents' own streams that forked: what their names are then is folded from the log, in its one order.

A name that works in two clones may subscribe in one while it unsubscribes in the other. By arrival the clones would
go on to disagree for ever about who listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from domain import agent
from domain.agent import Agent
from domain.history import Fold, fold
from domain.named import NamedTuple

if TYPE_CHECKING:
    from domain.event import Event
    from domain.log import Log, Stored

_PREFIX = "agent/"


class Followed(NamedTuple):
    """The heads of a name's stream behind an event; `forked`: the event is not simply the next one."""

    heads: str
    forked: bool


def is_own(event: Event) -> bool:
    """True for what a name said of itself."""
    # Asked of every event: a call of `startswith` takes as long as all the rest of this.
    return event.stream[:6] == _PREFIX and event.subject == event.sender


def follow(heads: str, event: Event) -> Followed:
    """Move the heads (ids with spaces between, sorted)."""
    before = heads.split()
    if list(event.parents) == before:
        return Followed(event.id, forked=False)
    left = {event.id, *(head for head in before if head not in event.parents)}
    return Followed(" ".join(sorted(left)), forked=True)


def folded(log: Log, stored: Stored) -> Agent:
    """The name as all that is known of it up to an event says."""
    events = log.stream_until(stored.event.stream, stored.position)
    state = fold(cast("Fold", agent), events).state
    return cast("Agent", state) if state else Agent(stored.event.subject)
