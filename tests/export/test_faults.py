"""The live file under fire: killed at any byte, fed by many at once, on a full disk, followed by a tail."""

from __future__ import annotations

import os
import random
import time

import pytest

from domain.log import Log
from export.live import LiveFile
from tests.export.workers import (
    content,
    feed_for_ever,
    feed_on_a_full_disk,
    fill,
    follow,
    just_feed,
    rebuild_for_ever,
    write_and_feed,
)
from tests.support.processes import Child, alone, together
from tests.support.stores import SqliteStore

pytestmark = pytest.mark.faults

KILLS = 200 if os.environ.get("CREWLOG_SOAK") else 12


def text(live: LiveFile) -> bytes:
    """What is in the file."""
    with open(live.path, "rb") as file:
        return file.read()


def test_a_feed_that_is_killed_at_any_moment_is_finished_by_the_next(
    store: SqliteStore, log: Log, live: LiveFile
) -> None:
    fill(log, 300)
    whole, chance = content(log), random.Random(3)
    behind = 0
    for seed in range(KILLS):
        child = Child(feed_for_ever, store, seed)
        assert child.receive() == "begun"
        time.sleep(chance.uniform(0, 0.1))
        child.kill()
        found = text(live)
        assert whole.startswith(found)
        behind += found != whole
        assert live.feed().remark is None
        assert text(live) == whole
    assert behind, "no feed was ever killed half-way"


def test_a_rebuild_that_is_killed_at_any_moment_is_finished_by_the_next(
    store: SqliteStore, log: Log, live: LiveFile
) -> None:
    fill(log, 100)
    chance = random.Random(4)
    for _ in range(KILLS // 2):
        child = Child(rebuild_for_ever, store)
        assert child.receive() == "begun"
        time.sleep(chance.uniform(0, 0.1))
        child.kill()
        live.rebuild()
        assert text(live) == content(log)


def test_many_processes_that_write_and_feed_leave_the_file_equal_to_the_log(
    store: SqliteStore, log: Log, live: LiveFile
) -> None:
    written = together(write_and_feed, [(store, number) for number in range(8)])
    last = live.feed()
    assert sum(written) + last.written == log.position()
    assert text(live) == content(log)
    assert live.compare() == []


def test_many_processes_that_feed_at_once_write_each_line_once(
    store: SqliteStore, log: Log, live: LiveFile
) -> None:
    fill(log, 200)
    fed = together(just_feed, [(store,) for _ in range(8)])
    assert sum(one.written for one in fed) == 200
    assert all(one.remark is None for one in fed)
    assert text(live) == content(log)


@pytest.mark.parametrize("limit", [0, 1, 100, 5_000])
def test_a_full_disk_stops_a_feed_cleanly_and_the_next_one_completes_it(
    limit: int, store: SqliteStore, log: Log, live: LiveFile
) -> None:
    fill(log, 50)
    fed = alone(feed_on_a_full_disk, store, limit)
    assert fed.remark is not None
    assert fed.remark.code == "live-unwritable"
    assert "Nothing is lost" in fed.remark.hint
    found = text(live) if os.path.exists(live.path) else b""
    assert found == content(log)[:limit]
    assert found.count(b"\n") >= fed.written
    assert live.feed() == (50 - found.count(b"\n"), None)
    assert text(live) == content(log)


def test_who_follows_the_file_reads_the_log_and_nothing_else(
    store: SqliteStore, log: Log, live: LiveFile
) -> None:
    live.feed()
    followers = [Child(follow, live.path) for _ in range(2)]
    assert {follower.receive() for follower in followers} == {"begun"}
    together(write_and_feed, [(store, number) for number in range(3)])
    live.feed()
    for follower in followers:
        follower.connection.send("stop")
        assert follower.receive() == content(log)
        follower.close()
