"""The log as this store knew it at an earlier moment: nothing behind a position is there, and nothing is written.

Each position keeps when it arrived here, so what was imported later does not rewrite the past.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from domain import history
from domain.event import Event, parse_time
from domain.log import CHUNK, FOLDS, Line, Log, Stored
from domain.refusals import Refusal


class Past(Log):
    """`log` up to `position` and, of the pulses, up to `moment` (µs)."""

    def __init__(self, log: Log, position: int, moment: int) -> None:
        super().__init__(
            log.environments["writer"],
            log.environments["reader"],
            log.replica,
            clock=lambda: moment,
            entropy=log.entropy,
            blob_limit=log.blob_limit,
        )
        self._until = position
        self._moment = moment

    @contextmanager
    def turn(self) -> Generator[None]:
        """Refused: the past is only read."""
        if self._until >= 0:
            raise Refusal("usage", "--at looks at the past; nothing can be written there", "Leave --at out.")
        yield

    def now(self) -> int:
        """The moment that is looked at."""
        return self._moment

    def position(self) -> int:
        """The position of the newest event of then."""
        return min(super().position(), self._until)

    def lines(self, after: int, limit: int = CHUNK) -> Sequence[Line]:
        """The events behind a position that were here then."""
        limit = min(limit, self._until - after)
        if limit <= 0:
            return []
        return [row for row in super().lines(after, limit) if row.id <= self._until]

    def read(self, after: int, limit: int = CHUNK, *, timed: bool = True) -> list[Stored]:
        """The events behind a position that were here then, with their arrival."""
        limit = min(limit, self._until - after)
        if limit <= 0:
            return []
        return [row for row in super().read(after, limit, timed=timed) if row.position <= self._until]

    def stream(self, stream: str, after: int = 0) -> list[Event]:
        """The events of one stream that were here then."""
        events = super().stream(stream, after)
        there = self.positions([item.id for item in events])
        return [item for item in events if there.get(item.id, self._until + 1) <= self._until]

    def state(self, stream: str) -> Any:
        """The state of a stream as it was then."""
        return history.fold(FOLDS[stream.partition("/")[0]], self.stream(stream)).state

    def find(self, prefix: str, limit: int = 20) -> list[str]:
        """The event ids of then that begin with the prefix."""
        return [found for found in super().find(prefix, limit) if self.position_of(found)]

    def position_of(self, event_id: str) -> int:
        """The position of an event, 0 for one that was not here."""
        found = super().position_of(event_id)
        return found if found <= self._until else 0

    def pulses(self, after: int, limit: int = CHUNK) -> list[Stored]:
        """The pulses of then behind a position."""
        return [row for row in super().pulses(after, limit) if parse_time(row.event.ts) <= self._moment]

    def pulses_of(self, name: str) -> Generator[Event]:
        """The pulses of one name up to then, the newest first."""
        yield from (pulse for pulse in super().pulses_of(name) if parse_time(pulse.ts) <= self._moment)
