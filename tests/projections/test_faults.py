"""Views under fire: killed at any moment, caught up by many at once, rebuilt under the eyes of readers."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import closing

import pytest

from domain.log import Log
from projections import folding
from projections.views import Views, open_views
from tests.projections.histories import Crew, some_steps
from tests.projections.workers import (
    catch_up_for_ever,
    expected,
    open_and_hash,
    read_for_ever,
    rebuild_for_ever,
    write_and_catch_up,
)
from tests.support.processes import Child, together
from tests.support.stores import SqliteStore, new_stream

pytestmark = pytest.mark.faults

SOAK = bool(os.environ.get("CREWLOG_SOAK"))
KILLS = 200 if SOAK else 12


@pytest.fixture
def busy(log: Log) -> Log:
    """A log of some hundred events."""
    Crew(log).play(some_steps(1_500, seed=5))
    return log


def is_whole(views: Views) -> bool:
    """SQLite's own check."""
    return bool(views.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def test_a_catch_up_that_is_killed_at_any_moment_is_finished_by_the_next(
    store: SqliteStore, busy: Log
) -> None:
    chance, truth = random.Random(7), expected(busy)
    partly = 0
    for _ in range(KILLS):
        child = Child(catch_up_for_ever, store)
        assert child.receive() == "begun"
        time.sleep(chance.uniform(0, 0.15))
        child.kill()
        views = open_views(store.folder, busy)
        partly += 0 < folding.checkpoint(views.connection).position < busy.position()
        views.catch_up()
        assert is_whole(views)
        assert views.state_hash() == truth
        views.close()
    assert partly, "no catch-up was ever killed half-way"


def test_a_rebuild_that_is_killed_at_any_moment_leaves_whole_views(store: SqliteStore, busy: Log) -> None:
    chance, truth = random.Random(8), expected(busy)
    left = 0
    for _ in range(KILLS):
        child = Child(rebuild_for_ever, store)
        assert child.receive() == "begun"
        time.sleep(chance.uniform(0, 0.15))
        child.kill()
        left += os.path.exists(os.path.join(store.folder, "views.new.db"))
        views = open_views(store.folder, busy)
        views.catch_up()
        assert is_whole(views)
        assert views.state_hash() == truth
        views.close()
    assert left, "no rebuild was ever killed half-way"
    views = open_views(store.folder, busy)
    assert views.rebuild().same
    assert "views.new.db" not in os.listdir(store.folder)
    views.close()


def test_many_processes_catch_up_at_once_and_each_sees_its_own_writes(store: SqliteStore, log: Log) -> None:
    pids = together(write_and_catch_up, [(store, number) for number in range(8)])
    assert len(set(pids)) == 8
    views = open_views(store.folder, log)
    views.catch_up()
    assert views.state_hash() == expected(log)
    assert is_whole(views)
    views.close()


def test_many_processes_that_find_no_views_at_all_make_them_once(store: SqliteStore, busy: Log) -> None:
    hashes = together(open_and_hash, [(store,) for _ in range(8)])
    assert set(hashes) == {expected(busy)}


def test_readers_during_a_rebuild_see_the_old_views_or_the_new_ones(store: SqliteStore, log: Log) -> None:
    for _ in range(300):
        new_stream(log, title="new", body="x" * 2_000)
    views = open_views(store.folder, log)
    views.catch_up()
    path = os.path.join(store.folder, "views.db")
    readers = [Child(read_for_ever, store) for _ in range(3)]
    assert {reader.receive() for reader in readers} == {"begun"}
    for _ in range(20 if SOAK else 6):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE tasks SET title = 'old'")
            other.execute("UPDATE counts SET n = n + 1000")
            other.execute("COMMIT")
        assert not views.rebuild().same
    seen: set[tuple[str, ...]] = set()
    for reader in readers:
        reader.connection.send("stop")
        seen |= reader.receive()
        reader.close()
    assert seen == {("new", "(4, 300)"), ("old", "(4, 1300)")}
    views.close()
