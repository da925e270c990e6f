"""Events of other clones: absent ones come in, causes before effects, and every clone comes to the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import event, task
from domain.commands import Approve, Note, Resolve, Start, Submit
from domain.event import Event, seal
from domain.intake import Inserted
from domain.log import Log
from domain.refusals import Refusal
from domain.task import claim_of
from tests.support.clones import some_command
from tests.support.stores import SqliteStore, add_task, all_events, claim, do, new_stream

Crew = tuple[Log, Log]


@pytest.fixture
def logs(tmp_path: Path) -> Callable[[int], list[Log]]:
    """Makes logs of stores that know nothing of each other."""
    return lambda number: [new_log(tmp_path, f"r-{name}") for name in range(number)]


def new_log(folder: Path, replica: str) -> Log:
    """A log in a store of its own."""
    place = folder / replica
    place.mkdir()
    return SqliteStore(str(place)).create().open(replica, keep_open=True)


def take(log: Log, events: list[Event]) -> Inserted:
    """Insert events in one transaction."""
    with log.transaction() as transaction:
        return transaction.insert(events)


def tell(source: Log, target: Log) -> Inserted:
    """Give a clone all that another one has."""
    return take(target, all_events(source))


def offline(logs: Callable[[int], list[Log]]) -> tuple[Log, Log, str]:
    """Two clones that know of one task, and the task's stream."""
    one, two = logs(2)
    stream = new_stream(one)
    tell(one, two)
    return one, two, stream


def test_what_is_absent_comes_in_with_its_bytes_and_what_is_here_stays_once(
    logs: Callable[[int], list[Log]],
) -> None:
    one, two = logs(2)
    stream = new_stream(one)
    do(one, stream, Start("ada"))

    first, again = tell(one, two), tell(one, two)

    assert [item.line for item in first.new] == [item.line for item in all_events(one)]
    assert (again.new, again.changes) == ((), ())
    assert all_events(two) == all_events(one)
    assert two.state(stream) == one.state(stream)


def test_work_goes_on_behind_what_came_from_elsewhere(logs: Callable[[int], list[Log]]) -> None:
    one, two, stream = offline(logs)
    started = do(two, stream, Start("bob"))

    tell(two, one)
    noted = do(one, stream, Note("zoe", "well"))

    assert noted.events[0].parents == (claim(started),)
    assert (noted.events[0].replica, noted.events[0].seq) == ("r-0", 2)


def test_two_starts_at_once_have_one_winner_everywhere_and_the_other_is_told_of(
    logs: Callable[[int], list[Log]],
) -> None:
    one, two, stream = offline(logs)
    first = do(one, stream, Start("ada"))
    second = do(two, stream, Start("bob"))

    into_one, into_two = tell(two, one), tell(one, two)

    assert one.state(stream) == two.state(stream)
    assert claim_of(one.state(stream)) == claim_of(first.state)
    (change,) = into_two.changes
    assert [item.id for item in change.conflicts] == [claim(second)]
    assert [item.id for item in into_one.changes[0].conflicts] == [claim(second)]
    with pytest.raises(Refusal) as caught:
        do(two, stream, Submit("bob", claim(second)))
    assert caught.value.code == "stale-claim"


def test_the_next_event_has_seen_both_sides_and_closes_the_fork(logs: Callable[[int], list[Log]]) -> None:
    one, two, stream = offline(logs)
    heads = sorted(
        written.events[0].id for written in (do(one, stream, Start("ada")), do(two, stream, Start("bob")))
    )
    tell(two, one)

    noted = do(one, stream, Note("zoe", "both of you?"))
    tell(one, two)

    assert list(noted.events[0].parents) == heads
    assert two.state(stream) == one.state(stream) == noted.state
    assert one.history(stream).state == noted.state


def test_a_stream_with_more_heads_than_an_event_names_is_still_folded_whole(
    logs: Callable[[int], list[Log]],
) -> None:
    one, *others = logs(36)
    stream = new_stream(one)
    for other in others:
        tell(one, other)
        do(other, stream, Note("bob", other.replica))
    for other in others:
        take(one, [item for item in all_events(other) if item.replica == other.replica])

    noted = do(one, stream, Note("zoe", "so many"))

    assert len(noted.events[0].parents) == event.PARENT_LIMIT
    assert noted.state == one.history(stream).state == one.state(stream)
    assert noted.state.card.notes == 36


def test_nobody_approves_before_a_conflict_is_settled(logs: Callable[[int], list[Log]]) -> None:
    one, two, stream = offline(logs)
    do(two, stream, Start("bob"))
    started = do(one, stream, Start("ada"))
    do(one, stream, Submit("ada", claim(started)))
    tell(two, one)

    with pytest.raises(Refusal) as caught:
        do(one, stream, Approve("zoe", "other"))
    assert caught.value.code == "conflicts"
    do(one, stream, Resolve("zoe"))
    assert do(one, stream, Approve("zoe", "other")).state.state == task.COMPLETED


def test_an_effect_waits_for_its_cause_and_comes_in_behind_it(logs: Callable[[int], list[Log]]) -> None:
    one, two = logs(2)
    stream = new_stream(one)
    do(one, stream, Start("ada"))
    do(one, stream, Note("ada", "on"))
    spawned, started, noted = all_events(one)

    waiting = take(two, [noted]), take(two, [started, noted])
    assert [item.pending for item in waiting] == [(noted,), (started,)]
    assert (all_events(two), two.state(stream)) == ([], None)

    arrived = take(two, [spawned])

    assert [item.id for item in arrived.new] == [spawned.id, started.id, noted.id]
    assert two.state(stream) == one.state(stream)


def test_a_missing_predecessor_is_a_gap_and_the_rest_is_folded(logs: Callable[[int], list[Log]]) -> None:
    one, two = logs(2)
    new_stream(one)
    lost = new_stream(one)
    new_stream(one)
    events = [item for item in all_events(one) if item.stream != lost]

    found = take(two, events)

    assert [item.seq for item in found.gaps] == [3]
    assert len(found.new) == 2
    assert [item.seq for item in take(two, all_events(one)).late] == [2]


def test_a_key_that_was_used_in_both_clones_keeps_its_first_event(logs: Callable[[int], list[Log]]) -> None:
    one, two = logs(2)
    mine, other = add_task(one, key="once"), add_task(two, key="once")
    tell(two, one)

    assert add_task(one, key="once").events[0].id == mine.events[0].id
    assert other.events[0].id in {item.id for item in all_events(one)}


def test_a_stream_with_events_of_a_newer_crewlog_is_kept_and_not_written_to(
    logs: Callable[[int], list[Log]],
) -> None:
    (log,) = logs(1)
    stream = new_stream(log)
    before = log.state(stream)
    (first,) = all_events(log)
    about = {"v": 1, "ts": event.after(0, first.ts), "from": "ada", "to": "*", "type": "task.dreamt"}
    dreamt = seal(
        {**about, "stream": stream, "payload": {}, "parents": [first.id], "replica": "r-9", "seq": 1}
    )
    strange = seal(
        {**about, "stream": "plan/p-1", "payload": {}, "replica": "r-9", "seq": 2, "prev": dreamt.id}
    )

    take(log, [dreamt, strange])

    assert len(all_events(log)) == 3
    assert log.state(stream) == before
    with pytest.raises(Refusal) as caught:
        do(log, stream, Note("zoe", "hm"))
    assert caught.value.code == "unknown-type"


@given(seed=st.integers(0, 2**32))
def test_clones_that_get_the_same_events_in_any_order_and_any_pieces_agree(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("clones")
    crew = [new_log(folder, f"r-{number}") for number in range(3)]
    stream = new_stream(crew[0])
    for log in crew[1:]:
        tell(crew[0], log)
    for _ in range(15):
        log = chance.choice(crew)
        command = some_command(chance, log.state(stream))
        with suppress(Refusal):
            do(log, stream, command)
    everything = list({item.id: item for log in crew for item in all_events(log)}.values())
    for log in crew:
        chance.shuffle(everything)
        rest = list(everything)
        while rest:
            size = chance.randint(1, 5)
            take(log, rest[:size])
            del rest[:size]

    states = [log.state(stream) for log in crew]
    assert states[0] == states[1] == states[2] == crew[0].history(stream).state
    assert len({len(all_events(log)) for log in crew}) == 1
    for log in crew:
        log.close()
