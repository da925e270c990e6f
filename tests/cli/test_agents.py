"""`agents`, `heartbeat`: who is here, and signs of life."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Crew, why

SECOND = 1_000_000


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock(crew: Crew) -> Clock:
    crew.clock = Clock()
    return crew.clock


def agent(crew: Crew, name: str) -> Any:
    return next(row for row in crew.do("agents")["agents"] if row["name"] == name)


def test_everyone_seen_here_is_listed_with_the_tasks_they_hold(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task, "ada")

    ada, zoe = crew.do("agents")["agents"]

    assert (ada["name"], ada["person"], ada["verdict"], ada["joined"]) == ("ada", False, "alive", None)
    assert [held["id"] for held in ada["tasks"]] == [task]
    assert (zoe["name"], zoe["person"], zoe["tasks"]) == ("zoe", True, [])
    lines = crew.run("agents").out.splitlines()
    assert [line.split()[:3] for line in lines] == [["ada", "agent", "alive"], ["zoe", "person", "alive"]]
    assert crew.run("agents", "-q").out.split() == ["ada", "zoe"]


def test_who_beats_is_judged_by_the_interval(crew: Crew, clock: Clock) -> None:
    crew.do("heartbeat --as ada")
    assert agent(crew, "ada")["verdict"] == "alive"

    clock.pass_by(26)
    assert agent(crew, "ada")["verdict"] == "suspect"

    clock.pass_by(35)
    assert agent(crew, "ada")["verdict"] == "lost"

    crew.do("heartbeat --as ada")
    assert agent(crew, "ada")["verdict"] == "alive"


def test_any_event_is_a_sign_of_life(crew: Crew, clock: Clock) -> None:
    crew.do("heartbeat --as ada")
    clock.pass_by(100)

    crew.do(f"note {crew.spawn()} hm --as ada")

    ada = agent(crew, "ada")
    assert (ada["verdict"], ada["last_seen"], ada["last_pulse"]) == ("alive", 0, 100)


def test_the_interval_is_a_setting(crew: Crew, clock: Clock) -> None:
    (crew.folder / ".crewlog/config.toml").write_text('[liveness]\ninterval = "10m"\n')
    crew.do("heartbeat --as ada")

    clock.pass_by(1_200)

    assert agent(crew, "ada")["verdict"] == "alive"


def test_a_heartbeat_says_what_it_is_about(crew: Crew) -> None:
    about = {"CREWLOG_AGENT": "ada", "CREWLOG_TASK": "t-abcdefgh", "CREWLOG_CLAIM": "9f2c"}

    answer = crew.do("heartbeat --note 'reading the code'", environ=about)

    assert answer["agent"] == "ada"
    [line] = crew.run("tail", "--pulses", "-q").out.split()
    assert line == answer["event"]


@pytest.mark.parametrize("note", ["two\nlines", "x" * 501])
def test_a_note_that_is_no_short_line_is_refused(crew: Crew, note: str) -> None:
    result = crew.run("heartbeat", "--note", note, "--as", "ada", "--json")

    assert (result.code, result.error["code"]) == (2, "bad-value")


def test_a_heartbeat_needs_a_name(crew: Crew) -> None:
    assert why(crew.refused("heartbeat")) == ("no-name", 2)
