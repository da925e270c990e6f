from __future__ import annotations

import pytest

from domain import task
from domain.commands import Approve, Edit, Note, Start, Submit
from domain.event import Event
from domain.log import Log
from domain.refusals import Refusal
from domain.task import Task
from tests.support.stores import Store, add_task, all_events, claim, do, new_stream
from tests.support.streams import ADA, ZOE

LARGE = "größer\n" * 5_000


def worked_on(log: Log) -> list[str]:
    """Two tasks with some history."""
    one, other = new_stream(log, body=LARGE), new_stream(log)
    held = claim(do(log, one, Start(ADA)))
    do(log, other, Edit(ZOE, title="Another"))
    do(log, one, Submit(ADA, held, "look"))
    do(log, one, Approve(ZOE, "other"))
    return [one, other]


def refold(events: list[Event]) -> Task | None:
    state: Task | None = None
    for found in events:
        state = task.evolve(state, found)
    return state


def test_the_state_that_is_kept_is_the_fold_of_the_stored_events(log: Log) -> None:
    for stream in worked_on(log):
        assert log.state(stream) == refold(log.stream(stream))


def test_the_state_of_a_stream_without_events_is_none(log: Log) -> None:
    assert log.state("task/t-aaaaaaaa") is None
    assert log.state("agent/ada") is None
    assert log.stream("task/t-aaaaaaaa") == []


def test_a_stream_is_read_in_order_and_behind_a_version(log: Log) -> None:
    one, _ = worked_on(log)
    events = log.stream(one)

    assert [found.type for found in events] == [
        "task.spawned",
        "task.started",
        "task.submitted",
        "task.approved",
        "task.merged",
    ]
    assert log.stream(one, after=3) == events[3:]


def test_the_log_is_read_in_chunks_behind_a_position(log: Log) -> None:
    worked_on(log)
    whole = log.read(0)

    assert [stored.position for stored in whole] == list(range(1, 8))
    assert log.read(2, limit=3) == whole[2:5]
    assert log.read(7) == []
    assert [row.id for row in log.lines(5)] == [6, 7]


def test_an_event_is_found_by_its_id_and_by_any_beginning_of_it(log: Log) -> None:
    worked_on(log)

    for stored in log.read(0):
        found = stored.event
        assert log.event(found.id) == found
        assert log.position_of(found.id) == stored.position
        for length in (8, 20, 64):
            assert log.find(found.id[:length]) == [found.id]


def test_an_id_that_is_not_here_is_not_found(log: Log) -> None:
    worked_on(log)

    assert (log.event("f" * 64), log.position_of("f" * 64), log.find("f" * 63)) == (None, 0, [])
    assert log.find("task") == log.find("'; --") == log.find("%") == []


def test_a_short_beginning_finds_all_that_begin_so_in_order_up_to_a_limit(log: Log) -> None:
    stream = new_stream(log)
    for number in range(40):
        do(log, stream, Note(ZOE, str(number)))
    ids = sorted(found.id for found in all_events(log))

    assert log.find("", limit=100) == ids
    for digit in "0123456789abcdef":
        assert log.find(digit, limit=100) == [found for found in ids if found.startswith(digit)]
    assert log.find("", limit=5) == ids[:5]


def test_a_text_over_the_limit_becomes_a_blob_and_comes_back_whole(log: Log) -> None:
    written = add_task(log, body=LARGE)
    reference = written.events[0].payload["body"]

    assert len(written.events[0].line) < 4_096
    assert LARGE.startswith(reference["preview"])
    assert log.blob(reference["blob"]["sha256"]) == LARGE.encode()
    assert written.state.card.body == log.state(written.events[0].stream).card.body == reference


def test_the_same_text_twice_is_one_blob(log: Log) -> None:
    hashes = {add_task(log, body=LARGE).events[0].payload["body"]["blob"]["sha256"] for _ in range(3)}

    assert len(hashes) == 1
    assert log.blob(hashes.pop()) == LARGE.encode()


def test_a_blob_that_is_not_here_is_not_found(log: Log) -> None:
    with pytest.raises(Refusal) as caught:
        log.blob("f" * 64)
    assert caught.value.code == "not-found"


# --- another version of the fold


def shouting(state: Task | None, found: Event) -> Task:
    """A fold that makes something else of the same events."""
    after = task_evolve(state, found)
    return task.with_card(after, after.card._replace(title=after.card.title.upper()))


task_evolve = task.evolve


def test_a_state_that_another_fold_version_kept_is_folded_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = store.open()
    stream = new_stream(log, title="quiet")
    do(log, stream, Note(ZOE, "hm"))
    monkeypatch.setattr(task, "evolve", shouting)
    assert log.state(stream).card.title == "quiet"

    monkeypatch.setattr(task, "FOLD", task.FOLD + 1)
    assert log.state(stream).card.title == "QUIET"
    assert do(log, stream, Note(ZOE, "ha")).state.card.notes == 2
    # now that it was written, the new fold is what is kept
    monkeypatch.setattr(task, "evolve", task_evolve)
    assert log.state(stream).card.title == "QUIET"
    log.close()


def test_the_old_fold_is_renewed_even_where_there_is_nothing_to_write(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = store.open()
    stream = new_stream(log, title="quiet")
    monkeypatch.setattr(task, "evolve", shouting)
    monkeypatch.setattr(task, "FOLD", task.FOLD + 1)

    assert log.write(stream, ZOE, lambda _: []).state.card.title == "QUIET"
    monkeypatch.setattr(task, "evolve", task_evolve)
    assert log.state(stream).card.title == "QUIET"
    log.close()


def test_a_snapshot_is_of_one_moment_whatever_others_write(store: Store, log: Log) -> None:
    _, other = worked_on(log)
    reader = store.open()

    def seen() -> tuple[int, ...]:
        found = (reader.stream(other), list(reader.all_states()), reader.rows(0), reader.read(2))
        return (reader.position(), reader.key_count(), *(len(part) for part in found))

    with reader.snapshot():
        before = seen()
        do(log, other, Note(ZOE, "later"))
        assert seen() == before

    assert reader.position() == before[0] + 1
    reader.close()
