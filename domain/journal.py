"""The `log` stream: what was done to the store itself. Its state is how much of the pulses was pruned so far."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from domain.event import Event

FOLD = 1


class Journal(NamedTuple):
    """How many pulses were pruned, in how many runs."""

    runs: int = 0
    pruned: int = 0


def evolve(journal: Journal | None, event: Event) -> Journal:
    """The journal after an event of the stream."""
    now = journal or Journal()
    return (
        Journal(now.runs + 1, now.pruned + int(event.payload["count"])) if event.type == "log.pruned" else now
    )


def dump(journal: Journal) -> bytes:
    """The state as JSON bytes."""
    return orjson.dumps(journal._asdict())


def load(data: bytes) -> Journal:
    """The state that `dump` wrote."""
    return Journal(**orjson.loads(data))
