"""Streams that forked: views fold them from the log, whatever came first, and however it was cut into pieces."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import task
from domain.commands import Note, Start, Submit
from domain.log import Log
from domain.refusals import Refusal
from domain.task import claim_of
from projections import notices, tasks
from projections.views import Views, open_views
from tests.projections.test_rebuilt import folded_at_once
from tests.support.clones import some_command
from tests.support.stores import SqliteStore, all_events, claim, do, new_stream

_TASKS = (
    "SELECT id, title, state, priority, assignee, holder, claim, labels, blockers, heads, data"
    " FROM tasks ORDER BY id"
)


class Clone:
    """A log, its views, and their folder."""

    def __init__(self, folder: Path, replica: str, chunk: int = 1_000) -> None:
        place = folder / replica
        place.mkdir()
        self.log: Log = SqliteStore(str(place)).create().open(replica, keep_open=True)
        self.views: Views = open_views(str(place), self.log, chunk=chunk)

    def take(self, other: Clone, size: int = 1_000) -> None:
        """Take in what another clone has, in pieces of this size."""
        events = all_events(other.log)
        for begin in range(0, len(events), size):
            with self.log.transaction() as transaction:
                transaction.insert(events[begin : begin + size])
            self.views.catch_up()

    def row(self, stream: str) -> dict[str, Any]:
        """What the views say of a task."""
        self.views.catch_up()
        return tasks.full(self.views.connection, stream.partition("/")[2])

    def rows(self) -> list[tuple[Any, ...]]:
        """All tasks as the views have them, without what only this clone knows."""
        self.views.catch_up()
        found = self.views.connection.execute(_TASKS).fetchall()
        counts = self.views.connection.execute("SELECT * FROM counts ORDER BY facet, value, state").fetchall()
        conflicts = self.views.connection.execute("SELECT * FROM conflicts ORDER BY task, event").fetchall()
        return [*found, *counts, *conflicts]

    def close(self) -> None:
        """Close both."""
        self.views.close()
        self.log.close()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Clone, Clone, str]:
    """Two clones that know of one task, and its stream."""
    one, two = Clone(tmp_path, "r-1"), Clone(tmp_path, "r-2")
    stream = new_stream(one.log)
    two.take(one)
    return one, two, stream


def test_the_views_show_the_winner_and_count_the_conflict(pair: tuple[Clone, Clone, str]) -> None:
    one, two, stream = pair
    winner = do(one.log, stream, Start("ada"))
    loser = do(two.log, stream, Start("bob"))
    for here, there in ((one, two), (two, one)):
        here.views.catch_up()
        here.take(there)

    for clone in (one, two):
        row = clone.row(stream)
        assert (row["holder"], row["claim"], row["conflicts"]) == ("ada", claim(winner), 1)
        found, more = tasks.conflicts(clone.views.connection, None, 10)
        assert (found, more) == ({stream.partition("/")[2]: [claim(loser)]}, 0)
    assert one.rows() == two.rows()


def test_news_goes_to_the_winner_and_not_to_who_lost(pair: tuple[Clone, Clone, str]) -> None:
    one, two, stream = pair
    started = do(one.log, stream, Start("ada"))
    do(one.log, stream, Submit("ada", claim(started)))
    do(two.log, stream, Start("bob"))
    one.take(two)
    from domain.commands import Reject

    do(one.log, stream, Reject("zoe", "no"))
    one.views.catch_up()

    told = {name: notices.behind(one.views.connection, name, 0, "", 9) for name in ("ada", "bob")}
    assert [notice.text.split(" ", 1)[1] for notice in told["ada"]] == ["was rejected by zoe: no"]
    assert told["bob"] == []


def test_a_closed_fork_is_folded_event_by_event_again(pair: tuple[Clone, Clone, str]) -> None:
    one, two, stream = pair
    do(one.log, stream, Start("ada"))
    do(two.log, stream, Note("bob", "hm"))
    one.take(two)
    (joined,) = do(one.log, stream, Note("zoe", "both")).events
    one.views.catch_up()

    heads = one.views.connection.execute("SELECT heads FROM tasks").fetchone()[0]
    do(one.log, stream, Note("zoe", "and on"))

    assert heads == joined.id
    assert one.row(stream)["notes"] == 3


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), chunk=st.sampled_from((1, 2, 1_000)), size=st.sampled_from((1, 3, 1_000)))
def test_clones_that_hold_the_same_show_the_same_and_rebuilt_views_too(
    seed: int, chunk: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("forks")
    crew = [Clone(folder, f"r-{number}", chunk) for number in range(3)]
    streams = [new_stream(crew[0].log), new_stream(crew[0].log)]
    for clone in crew[1:]:
        clone.take(crew[0])
    for _ in range(12):
        clone, stream = chance.choice(crew), chance.choice(streams)
        with suppress(Refusal):
            do(clone.log, stream, some_command(chance, clone.log.state(stream)))
        if chance.random() < 0.3:
            clone.take(chance.choice(crew), size)
    for _ in range(2):
        for clone in crew:
            for other in crew:
                clone.take(other, size)

    shown = [clone.rows() for clone in crew]
    assert shown[0] == shown[1] == shown[2]
    for clone in crew:
        for stream in streams:
            state = clone.log.state(stream)
            row = clone.row(stream)
            held = claim_of(state)
            assert (row["state"], row["claim"]) == (state.state, held.id if held else None)
            assert task.load(task.dump(state)) == state
        assert clone.views.state_hash() == folded_at_once(clone.log, 7)
        clone.close()
