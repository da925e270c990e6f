from __future__ import annotations

import pytest

from tests.support.processes import CONTEXT, together
from tests.support.stores import Store, all_events, broken_links, new_stream
from tests.support.writers import append_notes, start_each

WRITERS, EACH, ROUNDS = 8, 25, 100


@pytest.fixture
def streams(store: Store) -> list[str]:
    """Four tasks."""
    log = store.open()
    found = [new_stream(log, title=f"task {number}") for number in range(4)]
    log.close()
    return found


@pytest.mark.parametrize("hot", [True, False], ids=["one hot stream", "several streams"])
@pytest.mark.parametrize("queue", [True, False], ids=["with the queue", "without it"])
def test_writers_at_once_lose_nothing_and_leave_no_gap(
    store: Store, streams: list[str], hot: bool, queue: bool
) -> None:
    writers = WRITERS if queue else WRITERS // 2
    targets = streams[:1] if hot else streams
    acknowledged = together(
        append_notes, [(store, targets, f"w{number}", EACH, {"queue": queue}) for number in range(writers)]
    )

    log = store.open()
    stored = log.read(0)
    notes = [found.event for found in stored[len(streams) :]]
    assert sorted(found.id for found in notes) == sorted(id_ for ids in acknowledged for id_ in ids)
    assert [found.position for found in stored] == list(range(1, len(streams) + writers * EACH + 1))
    assert broken_links(all_events(log)) == []
    for stream in streams:
        events = log.stream(stream)
        assert [found.parents for found in events] == [(), *((found.id,) for found in events[:-1])]
        assert log.state(stream).card.notes == len(events) - 1
    # each writer's own order is kept
    for number in range(writers):
        mine = [found.payload["text"] for found in notes if found.sender == f"w{number}"]
        assert mine == [f"w{number} {count}" for count in range(EACH)]
    log.close()


def test_two_who_start_one_task_at_once_have_one_winner_always(store: Store) -> None:
    log = store.open(keep_open=True)
    tasks = [new_stream(log, title=f"task {number}") for number in range(ROUNDS)]
    log.close()
    barrier = CONTEXT.Barrier(2)

    ada, bob = together(start_each, [(store, barrier, tasks, name) for name in ("ada", "bob")])
    assert sorted(ada + bob) == sorted(tasks)

    log = store.open()
    for stream in tasks:
        types = [found.type for found in log.stream(stream)]
        assert types == ["task.spawned", "task.started"]
        assert (log.state(stream).claim.holder == "ada") == (stream in ada)
    log.close()


def test_two_who_share_a_name_are_two(store: Store) -> None:
    log = store.open(keep_open=True)
    tasks = [new_stream(log, title=f"task {number}") for number in range(ROUNDS // 5)]
    log.close()
    barrier = CONTEXT.Barrier(2)

    first, second = together(start_each, [(store, barrier, tasks, "ada"), (store, barrier, tasks, "ada")])
    assert sorted(first + second) == sorted(tasks)
