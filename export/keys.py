"""Whether the table of idempotency keys says what the events say: a key stands for the first event that bears it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from domain.named import NamedTuple

if TYPE_CHECKING:
    from domain.log import Log


class Used(NamedTuple):
    """An event and the key that it bears."""

    position: int
    actor: str
    key: str
    id: str


def kept(log: Log, progress: Callable[[int, int], None] | None = None) -> int:  # noqa: ARG001 - as `Apart.begin` calls it
    """The sum of the hashes of (actor, key, id) of all keys that the table has.

    To ask for each key costs more than all else that is looked at. This sum is that of the events which bear a key, if
    the table is right; the two differ, rightly, also where two clones used one key.
    """
    return sum(map(hash, log.all_keys()))


class Keys:
    """One pass over the log's keys, in its order, each asked for."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._first = 0

    def wrong(self, events: Sequence[Used]) -> Iterator[Used]:
        """Those of the next events whose key does not lead to them, nor to an earlier event with that key."""
        borne = [event for event in events if event.key]
        kept = self._log.keys([(event.actor, event.key) for event in borne])
        for event in borne:
            holder = kept.get((event.actor, event.key), "")
            self._first += holder == event.id
            if holder != event.id and not self._bears(holder, event):
                yield event

    def _bears(self, holder: str, later: Used) -> bool:
        """True if an event before `later` really bears the key that both are said to have."""
        found = self._log.event(holder) if holder else None
        return (
            found is not None
            and (found.sender, found.key) == (later.actor, later.key)
            and self._log.position_of(holder) < later.position
        )

    def surplus(self) -> int:
        """How many keys stand for no event that bears them; to be asked at the end."""
        return self._log.key_count() - self._first
