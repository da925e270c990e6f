"""A clock that is a year ahead, and then a day back: what is stored goes on in order, and the store says what it saw."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.event import parse_time
from tests.cli.conftest import Crew
from tests.support.stores import SqliteStore, all_events, everything
from tests.support.wholeness import assert_whole

pytestmark = pytest.mark.faults

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = time.time_ns() // 1_000
# The machine's clock as each line finds it: right, a year ahead, right again, a day back.
CLOCKS = {"right": NOW, "a year ahead": NOW + 365 * DAY, "right again": NOW + DAY, "a day back": NOW - DAY}


class Ticking:
    """A clock that goes on by a second with every look, from where it was set."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> int:
        self.moment += SECOND
        return self.moment


@pytest.fixture
def clock() -> Ticking:
    """What the crew's machine shows."""
    return Ticking()


@pytest.fixture
def crew(tmp_path: Path, clock: Ticking) -> Crew:
    """A crew on a machine with that clock."""
    made = Crew(tmp_path, clock=clock)
    made.do("init --as zoe")
    return made


def work(crew: Crew, clock: Ticking) -> Iterator[str]:
    """Bring a task to its end in steps, each under another clock; the state behind each."""
    task = crew.spawn()
    for moment, line in zip(
        CLOCKS.values(),
        (
            f"note {task} begun --as ada",
            f"start {task} --as ada",
            f"done {task} --as ada --claim {{claim}}",
            f"approve {task} --as zoe",
        ),
        strict=True,
    ):
        clock.moment = moment
        crew.do(line.format(claim=crew.do(f"show {task}")["task"]["claim"]))
        yield crew.state(task)


def test_a_task_comes_to_its_end_whatever_the_clock_says(crew: Crew, clock: Ticking) -> None:
    assert list(work(crew, clock)) == ["ASSIGNED", "WORKING", "IN_REVIEW", "COMPLETED"]


def test_times_never_go_back_within_a_task_and_arrivals_never_at_all(crew: Crew, clock: Ticking) -> None:
    list(work(crew, clock))

    log = SqliteStore(str(crew.folder / ".crewlog")).open(clock=clock)
    arrived = [row.arrived for row in everything(log.read)]
    assert arrived == sorted(arrived)
    times = [event.ts for event in all_events(log) if event.kind == "task"]
    assert times == sorted(set(times))
    assert parse_time(times[-1]) > CLOCKS["a year ahead"] > clock.moment
    assert_whole(log, set())
    log.close()


def test_every_event_of_a_clock_that_was_ahead_is_named_and_the_store_is_whole(
    crew: Crew, clock: Ticking
) -> None:
    list(work(crew, clock))

    result = crew.run("verify", "--json")

    assert (result.code, result.json["ok"]) == (0, True)
    ahead = [finding for finding in result.json["findings"] if finding["code"] == "future"]
    assert len(ahead) == len(result.json["findings"]) >= 4


def test_doctor_says_that_the_clock_is_behind_what_was_stored(crew: Crew, clock: Ticking) -> None:
    assert "clock-behind" not in codes(crew)
    list(work(crew, clock))
    assert "clock-behind" in codes(crew)


def test_nobody_is_robbed_by_a_clock_that_goes_back(crew: Crew, clock: Ticking) -> None:
    task = crew.spawn()
    crew.start(task)
    crew.do("heartbeat --as ada")
    clock.moment -= DAY

    crew.do("reap --as zoe")

    assert crew.state(task) == "WORKING"


def codes(crew: Crew) -> list[str]:
    """What doctor finds."""
    result = crew.run("doctor", "--json")
    return [finding["code"] for finding in result.json["findings"]]
