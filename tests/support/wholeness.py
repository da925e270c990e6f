"""What must be true of a log whatever happened to it."""

from __future__ import annotations

from typing import Any

from domain.blobs import digest_of
from domain.event import check
from domain.log import FOLDS, Log
from tests.support.stores import broken_links, everything


def assert_whole(log: Log, acknowledged: set[str]) -> None:
    """Nothing is lost, nothing is half there, and all that the log keeps beside its events agrees with them."""
    stored = everything(log.read)
    events = [check(found.event.line) for found in stored]
    ids = {event.id for event in events}
    assert acknowledged <= ids
    assert len(ids) == len(events)
    assert [found.position for found in stored] == list(range(1, len(stored) + 1))
    assert broken_links(events) == []
    known: set[str] = set()
    for event in events:
        assert set(event.parents) <= known
        known.add(event.id)
    states: dict[str, Any] = {}
    versions: dict[str, int] = {}
    for found in stored:
        event = found.event
        states[event.stream] = FOLDS[event.kind].evolve(states.get(event.stream), event)
        versions[event.stream] = versions.get(event.stream, 0) + 1
        assert found.version == versions[event.stream]
        assert log.position_of(event.id) == found.position
        for name in ("body", "text"):
            digest = digest_of(event.payload.get(name))
            if digest:
                log.blob(digest)
    for stream, state in states.items():
        assert log.state(stream) == state
