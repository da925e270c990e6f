"""The `log` stream: what was done to the store itself. Its state is how much of the pulses was pruned so far."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import orjson

from domain.event import Event, Json, format_time
from domain.named import NamedTuple

FOLD = 2
STREAM = "log"


class Journal(NamedTuple):
    """How many pulses were pruned, in how many runs; which blobs were taken out, each with the event that says so."""

    runs: int = 0
    pruned: int = 0
    redacted: tuple[tuple[str, str], ...] = ()


def evolve(journal: Journal | None, event: Event) -> Journal:
    """The journal after an event of the stream."""
    now = journal or Journal()
    if event.type == "log.pruned":
        return now._replace(runs=now.runs + 1, pruned=now.pruned + int(event.payload["count"]))
    if event.type == "log.redacted":
        return now._replace(redacted=(*now.redacted, (str(event.payload["sha256"]), event.id)))
    return now


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
    fields: Json = orjson.loads(data)
    return Journal(fields["runs"], fields["pruned"], tuple((one, by) for one, by in fields["redacted"]))
