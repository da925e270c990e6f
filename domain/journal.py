"""The `log` stream: what was done to the store itself. Its state is how much of the pulses was pruned so far."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import orjson

from domain.event import Event, Json, format_time

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


def summary(name: str, times: Sequence[int]) -> Json:
    """The payload of `log.pruned` for pulses of a name at these times (µs, in the order of the pulses)."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return {
        "agent": name,
        "count": len(times),
        "first": format_time(times[0]),
        "last": format_time(times[-1]),
        "longest_gap": max(0, *gaps) // 1_000 if gaps else 0,
    }


def dump(journal: Journal) -> bytes:
    """The state as JSON bytes."""
    return orjson.dumps(journal._asdict())


def load(data: bytes) -> Journal:
    """The state that `dump` wrote."""
    return Journal(**orjson.loads(data))
