from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain.commands import Progress, Start
from domain.draft import Draft
from domain.event import Json
from domain.log import Log
from projections import agents
from projections.agents import TASKS_SHOWN
from projections.views import Views, open_views
from tests.support.stores import SqliteStore, claim, do, new_stream

SECOND = 1_000_000
START = 10**15


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    """Time, as the log of this test sees it."""
    return Clock()


@pytest.fixture
def log(store: SqliteStore, clock: Clock) -> Iterator[Log]:
    """A log with that clock."""
    opened = store.open(keep_open=True, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def views(store: SqliteStore, log: Log) -> Iterator[Views]:
    """Its views."""
    opened = open_views(store.folder, log)
    yield opened
    opened.close()


def join(log: Log, name: str, **payload: Any) -> None:
    """Join, as the command does."""
    log.write(f"agent/{name}", name, lambda _: (Draft("agent.joined", payload, {}),))


def roster(views: Views, clock: Clock, process: str = "there") -> dict[str, dict[str, Any]]:
    """Everybody, by name, with an interval of 10 s and a quiet lease of 30 min."""
    views.catch_up()
    rows = agents.roster(views.connection, clock.now, 10, 1_800, lambda _: process)
    return {row["name"]: row for row in rows}


def test_every_name_that_wrote_an_event_is_there_with_its_ages(log: Log, views: Views, clock: Clock) -> None:
    stream = new_stream(log, actor="zoe")
    shown = claim(do(log, stream, Start("ada")))
    clock.wait(30)
    do(log, stream, Progress("ada", shown, "half"))
    clock.wait(12.9)
    found = roster(views, clock)
    assert list(found) == ["ada", "zoe"]
    assert (found["ada"]["last_seen"], found["ada"]["progress"], found["ada"]["last_type"]) == (
        12,
        12,
        "task.progressed",
    )
    assert (found["zoe"]["last_seen"], found["zoe"]["progress"], found["zoe"]["joined"]) == (42, None, None)
    assert [task["state"] for task in found["ada"]["tasks"]] == ["WORKING"]


def test_a_person_is_a_person_and_stays_one(log: Log, views: Views, clock: Clock) -> None:
    join(log, "zoe", person=True)
    join(log, "ada")
    join(log, "zoe")
    found = roster(views, clock)
    assert (found["zoe"]["person"], found["ada"]["person"]) == (True, False)
    assert found["zoe"]["joined"] is not None


def test_the_newest_session_says_which_process_it_is(log: Log, views: Views, clock: Clock) -> None:
    join(log, "ada", process={"pid": 7, "host": "here", "started": 5})
    stream = new_stream(log)
    views.catch_up()
    one = agents.one(views.connection, "ada")
    assert one is not None
    assert (one["host"], one["pid"], one["process"]["started"]) == ("here", 7, 5)
    do(log, stream, Start("ada", {"pid": 8, "host": "there"}))
    assert (roster(views, clock)["ada"]["host"], roster(views, clock)["ada"]["pid"]) == ("there", 8)
    do(log, new_stream(log), Start("ada"))
    assert roster(views, clock)["ada"]["pid"] is None


def test_nobody_is_known_by_a_name_that_never_wrote(views: Views) -> None:
    assert views.ask(lambda connection: agents.one(connection, "ada")) is None


def test_who_beats_is_judged_by_the_interval(log: Log, views: Views, clock: Clock) -> None:
    join(log, "ada", process={"pid": 7})
    clock.wait(5)
    log.pulse("ada", {})
    assert (roster(views, clock)["ada"]["verdict"], roster(views, clock)["ada"]["last_pulse"]) == ("alive", 0)
    clock.wait(30)
    assert roster(views, clock)["ada"]["verdict"] == "suspect"
    clock.wait(60)
    assert roster(views, clock)["ada"]["verdict"] == "lost"


def test_who_beat_in_an_earlier_session_is_judged_by_its_process_now(
    log: Log, views: Views, clock: Clock
) -> None:
    log.pulse("ada", {})
    clock.wait(3_600)
    join(log, "ada", process={"pid": 7})
    clock.wait(1_200)
    assert roster(views, clock)["ada"]["verdict"] == "alive"
    assert roster(views, clock, "gone")["ada"]["verdict"] == "lost"


def test_who_never_beat_and_names_no_process_has_the_quiet_lease(
    log: Log, views: Views, clock: Clock
) -> None:
    join(log, "ada")
    clock.wait(1_700)
    assert roster(views, clock)["ada"]["verdict"] == "alive"
    clock.wait(200)
    assert roster(views, clock)["ada"]["verdict"] == "lost"


def test_only_a_pulse_and_nothing_else_is_a_sign_of_life_too(log: Log, views: Views, clock: Clock) -> None:
    log.pulse("ada", {})
    found = roster(views, clock)["ada"]
    assert (found["verdict"], found["last_seen"], found["last_pulse"], found["events"]) == (
        "alive",
        None,
        0,
        0,
    )


def test_the_recorded_process_is_what_is_looked_at(log: Log, views: Views, clock: Clock) -> None:
    looked: list[Json] = []

    def state(process: Json) -> str:
        looked.append(process)
        return "there"

    join(log, "ada", process={"pid": 7})
    join(log, "bob")
    views.catch_up()
    agents.roster(views.connection, clock.now, 10, 1_800, state)
    assert looked == [{"pid": 7}]


def test_only_some_of_many_held_tasks_are_shown(log: Log, views: Views, clock: Clock) -> None:
    for _ in range(TASKS_SHOWN + 3):
        do(log, new_stream(log), Start("ada"))
    found = roster(views, clock)["ada"]
    assert (len(found["tasks"]), found["more_tasks"]) == (TASKS_SHOWN, 3)


@pytest.mark.parametrize(("session", "verdict"), [("7.99", "lost"), ("8.99", "alive")])
def test_a_young_process_that_is_gone_tells_only_of_a_session_that_it_was_seen_in_later(
    log: Log, views: Views, clock: Clock, session: str, verdict: str
) -> None:
    join(log, "ada", process={"pid": 7, "started": "99", "age": 0})
    clock.wait(5)
    log.write(
        "agent/ada", "ada", lambda _: (Draft("agent.subscribed", {"channel": "ops"}, {}),), session=session
    )
    views.catch_up()

    [row] = agents.roster(views.connection, clock.now, 10, 1_800, lambda _: "gone")

    assert row["verdict"] == verdict
