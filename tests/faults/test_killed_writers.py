"""kill -9 at random moments: in the queue, in a transaction, in a commit, in a checkpoint, while closing."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from domain import task
from domain.blobs import digest_of
from domain.event import check
from domain.log import Log
from domain.task import Task
from tests.support.processes import Child
from tests.support.stores import SqliteStore, broken_links, everything, new_stream
from tests.support.writers import write_until_killed

pytestmark = pytest.mark.faults

KILLS = 1_500 if os.environ.get("CREWLOG_SOAK") else 30
SECONDS = 900.0 if os.environ.get("CREWLOG_SOAK") else 10.0
WRITERS = 3


@pytest.mark.parametrize("queue", [True, False], ids=["with the queue", "without it"])
def test_whatever_was_acknowledged_before_a_kill_is_in_the_log(tmp_path: Path, queue: bool) -> None:
    store = SqliteStore(str(tmp_path)).create()
    log = store.open()
    streams = [new_stream(log, title=f"task {number}") for number in range(2)]
    acknowledged: set[str] = set()
    chance = random.Random(KILLS)

    def writer(number: int) -> Child:
        options = {"queue": queue, "keep_open": number % 2 == 0}
        return Child(write_until_killed, store, streams, f"w{number}", options)

    crew = [writer(number) for number in range(WRITERS)]
    kills, end = 0, time.monotonic() + SECONDS
    while kills < KILLS and time.monotonic() < end:
        victim = crew.pop(chance.randrange(WRITERS))
        victim.connection.poll(1.0)  # most have begun to write; some are killed while they open the store
        time.sleep(chance.uniform(0.0, 0.03))
        victim.kill()
        acknowledged |= set(victim.rest())
        kills += 1
        crew.append(writer(kills))
    for victim in crew:
        victim.kill()
        acknowledged |= set(victim.rest())

    assert kills > WRITERS
    assert acknowledged
    assert_whole(log, acknowledged)
    new_stream(log)
    log.close()
    assert store.rows("PRAGMA integrity_check") == [("ok",)]


def assert_whole(log: Log, acknowledged: set[str]) -> None:
    """Nothing is lost, nothing is half there, and all that the log keeps beside its events agrees with them."""
    stored = everything(log.read)
    events = [check(found.event.line) for found in stored]
    ids = {event.id for event in events}
    assert acknowledged <= ids
    assert len(ids) == len(events)
    assert [found.position for found in stored] == list(range(1, len(stored) + 1))
    assert broken_links(events) == []
    states: dict[str, Task | None] = {}
    versions: dict[str, int] = {}
    for found in stored:
        event = found.event
        states[event.stream] = task.evolve(states.get(event.stream), event)
        versions[event.stream] = versions.get(event.stream, 0) + 1
        assert found.version == versions[event.stream]
        assert log.position_of(event.id) == found.position
        for name in ("body", "text"):
            digest = digest_of(event.payload.get(name))
            if digest:
                log.blob(digest)
    for stream, state in states.items():
        assert log.state(stream) == state
