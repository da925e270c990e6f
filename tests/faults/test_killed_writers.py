"""kill -9 at random moments: in the queue, in a transaction, in a commit, in a checkpoint, while closing."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.support.processes import Child
from tests.support.stores import SqliteStore, Store, new_stream
from tests.support.wholeness import assert_whole
from tests.support.writers import write_until_killed

pytestmark = pytest.mark.faults

KILLS = 1_500 if os.environ.get("CREWLOG_SOAK") else 30
SECONDS = 900.0 if os.environ.get("CREWLOG_SOAK") else 10.0
WRITERS = 3


@pytest.mark.parametrize("queue", [True, False], ids=["with the queue", "without it"])
def test_whatever_was_acknowledged_before_a_kill_is_in_the_log(store: Store, queue: bool) -> None:
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
    if isinstance(store, SqliteStore):
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
