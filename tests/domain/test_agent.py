from __future__ import annotations

import pytest

from domain import agent, event
from domain.agent import Agent, ProcessState, Signs, Verdict, verdict
from domain.event import Event
from tests.support.streams import SOME_TIME

INTERVAL, QUIET = 10.0, 1_800.0


@pytest.mark.parametrize(
    ("sign_age", "pulse_age", "process", "expected"),
    [
        # who beats is judged by its beats
        (0, 0, "unknown", "alive"),
        (99, 25, "unknown", "alive"),
        (99, 25.1, "unknown", "suspect"),
        (99, 60, "unknown", "suspect"),
        (99, 60.1, "unknown", "lost"),
        (3_600, 3_600, "there", "lost"),
        (3_600, 3_600, "elsewhere", "lost"),
        # a command is a sign of life as well
        (25, 3_600, "unknown", "alive"),
        (60, 3_600, "unknown", "suspect"),
        (60.1, 3_600, "unknown", "lost"),
        # a stopped process with its pid still there no longer beats
        (61, 61, "stopped", "lost"),
        (1, 1, "stopped", "alive"),
        # a process that is gone says all
        (0, 0, "gone", "lost"),
        (0, None, "gone", "lost"),
        # who never beat is judged by its process
        (10**6, None, "there", "alive"),
        (10**6, None, "stopped", "alive"),
        # and where nobody can look, by the quiet lease, which every command renews
        (1_800, None, "elsewhere", "alive"),
        (1_800.1, None, "elsewhere", "lost"),
        (1_800, None, "unknown", "alive"),
        (1_800.1, None, "unknown", "lost"),
    ],
)
def test_the_verdict(
    sign_age: float, pulse_age: float | None, process: ProcessState, expected: Verdict
) -> None:
    assert verdict(Signs(sign_age, pulse_age, process), INTERVAL, QUIET) == expected


@pytest.mark.parametrize("interval", [0.5, 10.0, 600.0])
def test_the_verdict_scales_with_the_interval(interval: float) -> None:
    ages = {"alive": 2.5, "suspect": 6.0, "lost": 6.01}

    assert {
        name: verdict(Signs(10**9, age * interval, "unknown"), interval, QUIET) for name, age in ages.items()
    } == {name: name for name in ages}


def joined(number: int, **payload: object) -> Event:
    return event.seal(
        {
            "v": 1,
            "ts": event.format_time(SOME_TIME + number),
            "from": "ada",
            "to": "*",
            "type": "agent.joined",
            "stream": "agent/ada",
            "payload": payload,
        }
    )


def test_who_joins_is_known_by_name_since_then() -> None:
    first = joined(1, process={"pid": 17})

    assert agent.evolve(None, first) == Agent("ada", first.ts, person=False, process={"pid": 17})


def test_joining_again_renews_the_process_and_keeps_since_when() -> None:
    first, second = joined(1, process={"pid": 17}), joined(2, process={"pid": 18})

    assert agent.evolve(agent.evolve(None, first), second) == Agent("ada", first.ts, False, {"pid": 18})


def test_a_person_stays_one_until_it_says_otherwise() -> None:
    person = agent.evolve(None, joined(1, person=True))

    assert agent.evolve(person, joined(2)).person
    assert not agent.evolve(person, joined(2, person=False)).person


@pytest.mark.parametrize("process", [None, {"pid": 17, "host": "hüben"}])
def test_an_agent_survives_being_stored(process: dict[str, object] | None) -> None:
    ada = Agent("ada", event.format_time(SOME_TIME), person=True, process=process)

    assert agent.load(agent.dump(ada)) == ada


@pytest.mark.parametrize(
    ("signs", "woke", "expected"),
    [
        # nobody's silence counts as longer than the machine is awake
        (Signs(30_000, 30_000, "there"), 0, "alive"),
        (Signs(30_000, 30_000, "there"), 60, "suspect"),
        (Signs(30_000, 30_000, "there"), 60.1, "lost"),
        (Signs(30_000, None, "elsewhere"), 1_800, "alive"),
        (Signs(30_000, None, "elsewhere"), 1_801, "lost"),
        # but who is gone is gone, and who just gave a sign is alive
        (Signs(30_000, 30_000, "gone"), 0, "lost"),
        (Signs(1, 1, "there"), 30_000, "alive"),
    ],
)
def test_waking_from_a_suspend_counts_as_a_sign_of_everybody(
    signs: Signs, woke: float, expected: Verdict
) -> None:
    assert verdict(signs, INTERVAL, QUIET, woke) == expected


def test_the_first_look_at_a_boot_only_remembers() -> None:
    first = agent.look(None, "boot-1", 500.0, SOME_TIME)

    assert first == agent.Awake("boot-1", 500.0, 0)
    assert agent.look(agent.Awake("boot-0", 3.0, 17), "boot-1", 500.0, SOME_TIME) == first


def test_a_machine_that_slept_between_two_looks_woke_at_the_second() -> None:
    before = agent.Awake("boot-1", 500.0)

    woken = agent.look(before, "boot-1", 530.0, SOME_TIME)

    assert woken == agent.Awake("boot-1", 530.0, SOME_TIME)
    assert agent.look(woken, "boot-1", 530.0, SOME_TIME + 10**9) == woken


def test_a_clock_that_is_set_back_and_then_forward_again_robs_nobody() -> None:
    before = agent.Awake("boot-1", 500.0, SOME_TIME)

    back = agent.look(before, "boot-1", 500.0 - 3_600, SOME_TIME - 3_600 * 10**6)
    forward = agent.look(back, "boot-1", 500.0, SOME_TIME + 10**6)

    assert back == agent.Awake("boot-1", 500.0 - 3_600, SOME_TIME - 3_600 * 10**6)
    assert forward == agent.Awake("boot-1", 500.0, SOME_TIME + 10**6)


@pytest.mark.parametrize("noise", [-1.5, -1e-6, 0.0, 1e-6, 1.5])
def test_clocks_that_were_not_read_at_the_same_moment_are_no_suspend(noise: float) -> None:
    before = agent.Awake("boot-1", 500.0)

    assert agent.look(before, "boot-1", 500.0 + noise, SOME_TIME) == before


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        (Signs(1, None, "gone"), "process is gone"),
        (Signs(99, 70, "there"), "no sign for 70 s; 60 s are allowed"),
        (Signs(1_900, None, "elsewhere"), "never beat, and gave no sign for 1900 s"),
    ],
)
def test_the_reason_says_how_one_knows(signs: Signs, words: str) -> None:
    assert verdict(signs, INTERVAL, QUIET) == "lost"
    assert words in agent.reason(signs, INTERVAL, QUIET)


@pytest.mark.parametrize(
    ("age", "lived", "expected"),
    [
        (None, 0, True),  # somebody named it
        (5, 0, True),
        (4, 0, False),  # perhaps a script that was made for one command
        (4, 1, True),
        (0, 4.9, False),
        (0, 3_600, True),
    ],
)
def test_the_end_of_a_process_tells_of_its_session_once_it_has_lived_for_a_while(
    age: int | None, lived: float, expected: bool
) -> None:
    assert agent.tells(age, lived) == expected
