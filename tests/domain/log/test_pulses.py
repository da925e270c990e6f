from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain import event, journal
from domain.journal import Journal
from domain.log import Log
from domain.refusals import Refusal
from tests.support.stores import Store, add_task, all_events, broken_links
from tests.support.streams import ADA, BOB, SOME_TIME, ZOE

SECOND = 1_000_000


def test_a_pulse_is_kept_beside_the_log(store: Store, log: Log) -> None:
    pulses = [log.pulse(ADA, {"note": str(number)}) for number in range(3)]
    other = store.open()

    stored = other.pulses(0)
    assert [found.event for found in stored] == pulses
    assert [found.position for found in stored] == [1, 2, 3]
    assert [found.version for found in stored] == [1, 2, 3]
    assert other.pulses(1, limit=1) == stored[1:2]
    assert other.position() == 0
    other.close()


def test_pulses_are_events_of_their_own_stream_and_of_no_chain(log: Log) -> None:
    pulse = log.pulse(ADA, {"task": "t-aaaaaaaa", "claim": "f" * 64})
    add_task(log)

    assert event.check(pulse.line) == pulse
    assert (pulse.stream, pulse.type, pulse.seq, pulse.prev) == ("pulse/ada", "agent.pulse", 0, "")
    assert all_events(log)[0].seq == 1


def test_two_pulses_of_one_moment_are_two(store: Store) -> None:
    log = store.open(clock=lambda: SOME_TIME)
    log.pulse(ADA, {})
    log.pulse(ADA, {})

    assert len({found.event.id for found in log.pulses(0)}) == 2
    log.close()


@pytest.mark.parametrize(
    "payload", [{"note": "x" * 501}, {"note": "two\nlines"}, {"mood": "good"}, {"task": 7}]
)
def test_a_pulse_that_the_registry_does_not_allow_is_refused(log: Log, payload: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        log.pulse(ADA, payload)
    assert caught.value.code == "bad-value"
    assert log.pulses(0) == []


def clock_of(*seconds: float) -> Callable[[], int]:
    """A clock that shows these times and then stays; in seconds."""
    times = [SOME_TIME + round(second * SECOND) for second in seconds]
    return lambda: times.pop(0) if len(times) > 1 else times[0]


def test_the_pulses_of_one_name_are_read_newest_first(log: Log) -> None:
    mine = [log.pulse(ADA, {"note": str(number)}) for number in range(5)]
    log.pulse(BOB, {})

    assert list(log.pulses_of(ADA)) == mine[::-1]
    assert list(log.pulses_of(ZOE)) == []


def test_the_newest_pulse_has_the_last_position(log: Log) -> None:
    assert log.newest_pulse() == 0
    log.pulse(ADA, {})
    log.pulse(BOB, {})

    assert log.newest_pulse() == 2


def test_pruning_deletes_old_pulses_but_the_newest_of_each_name_and_writes_it_down(store: Store) -> None:
    log = store.open(clock=clock_of(0, 10, 40, 41, 100))
    ada = [log.pulse(ADA, {}) for _ in range(3)]
    bob = log.pulse(BOB, {})

    pruned = log.prune(SOME_TIME + 90 * SECOND, ZOE)
    assert [found.event for found in log.pulses(0)] == [ada[2], bob]
    [written] = pruned
    [record] = written.events
    assert record == all_events(log)[0]
    assert (record.type, record.stream, record.sender) == ("log.pruned", "log", ZOE)
    assert record.payload == {
        "agent": ADA,
        "count": 2,
        "first": ada[0].ts,
        "last": ada[1].ts,
        "longest_gap": 10_000,
    }
    assert log.state("log") == Journal(runs=1, pruned=2)
    log.close()


def test_pruning_leaves_what_is_young(store: Store) -> None:
    log = store.open(clock=clock_of(0, 10, 20, 30, 100))
    pulses = [log.pulse(ADA, {}) for _ in range(4)]

    log.prune(SOME_TIME + 20 * SECOND, ZOE)
    assert [found.event for found in log.pulses(0)] == pulses[2:]
    log.close()


def test_pruning_nothing_writes_nothing(log: Log) -> None:
    assert log.prune(2 * SOME_TIME, ZOE) == []
    log.pulse(ADA, {})

    assert log.prune(2 * SOME_TIME, ZOE) == []
    assert log.position() == 0


def test_pulses_go_on_after_a_pruning_and_so_does_the_chain(log: Log) -> None:
    add_task(log)
    for _ in range(3):
        log.pulse(ADA, {})
    log.prune(4 * SOME_TIME, ZOE)
    log.pulse(ADA, {})
    log.prune(4 * SOME_TIME, ZOE)

    assert [(found.position, found.version) for found in log.pulses(0)] == [(4, 4)]
    assert log.state("log") == Journal(runs=2, pruned=3)
    assert broken_links(all_events(log)) == []
    assert all(event.check(found.line) == found for found in all_events(log))


def test_a_refused_pruning_deletes_nothing(log: Log) -> None:
    pulses = [log.pulse(ADA, {}) for _ in range(3)]

    with pytest.raises(Refusal):
        log.prune(4 * SOME_TIME, "No Name")
    assert [found.event for found in log.pulses(0)] == pulses


def test_many_pulses_are_pruned_in_chunks(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.log.CHUNK", 4)
    pulses = [log.pulse(ADA, {}) for _ in range(11)]
    [written] = log.prune(4 * SOME_TIME, ZOE)

    assert written.events[0].payload["count"] == 10
    assert [found.event for found in log.pulses(0)] == pulses[-1:]


def test_the_summary_of_one_pulse_has_no_gap() -> None:
    assert journal.summary(ADA, [SOME_TIME])["longest_gap"] == 0


def test_the_summary_survives_a_clock_that_went_back() -> None:
    assert journal.summary(ADA, [SOME_TIME, SOME_TIME - SECOND, SOME_TIME])["longest_gap"] == 1_000


def test_the_journal_survives_being_stored() -> None:
    assert journal.load(journal.dump(Journal(3, 4))) == Journal(3, 4)
