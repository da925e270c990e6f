from __future__ import annotations

import pytest

from domain.commands import EVENTS, Note, Start, Submit
from domain.log import IdempotencyKey as Key
from domain.log import Log
from domain.refusals import Refusal
from tests.support.stores import Store, add_task, all_events, claim, do, new_stream
from tests.support.streams import ADA, BOB, ZOE


def key_for(command: str, key: str = "k-1", **fields: object) -> Key:
    return Key(key, EVENTS[command], fields)


def test_the_same_key_again_returns_the_first_event_and_writes_nothing(log: Log) -> None:
    stream = new_stream(log)
    first = do(log, stream, Note(ADA, "hm"), key_for("Note"))
    again = do(log, stream, Note(ADA, "hm"), key_for("Note"))

    assert (first.replayed, again.replayed) == (False, True)
    assert again.events == first.events
    assert again.state == first.state
    assert log.position() == 2


def test_a_retry_is_answered_even_when_the_command_would_be_refused_by_now(log: Log) -> None:
    stream = new_stream(log)
    first = do(log, stream, Start(ADA), key_for("Start"))
    submitted = do(log, stream, Submit(ADA, claim(first), "look"))

    again = do(log, stream, Start(ADA), key_for("Start"))
    assert again.events == first.events
    assert again.state == submitted.state


def test_a_spawn_with_the_same_key_creates_one_task(store: Store) -> None:
    logs = [store.open(), store.open()]
    streams = {add_task(log, key="k-1").events[0].stream for log in (*logs, *logs)}

    assert len(streams) == 1
    assert logs[0].position() == 1
    for log in logs:
        log.close()


def test_a_key_is_known_after_the_store_was_closed(store: Store) -> None:
    log = store.open()
    first = add_task(log, key="k-1")
    log.close()

    again = store.open()
    assert add_task(again, key="k-1").events == first.events
    again.close()


def refused(log: Log, stream: str, command: Note | Start, key: Key) -> Refusal:
    with pytest.raises(Refusal) as caught:
        do(log, stream, command, key)
    assert caught.value.code == "key-reuse"
    assert caught.value.hint
    return caught.value


def test_a_key_is_good_for_one_command_on_one_stream(log: Log) -> None:
    one, other = new_stream(log), new_stream(log)
    first = do(log, one, Note(ADA, "hm"), key_for("Note"))

    assert refused(log, other, Note(ADA, "hm"), key_for("Note")).details == {"event": first.events[0].id}
    assert "task.noted" in refused(log, one, Start(ADA), key_for("Start")).message
    assert log.position() == 3


def test_a_key_is_not_good_for_other_fields(log: Log) -> None:
    stream = new_stream(log)
    do(log, stream, Note(ADA, "hm"), key_for("Note", text="hm"))

    do(log, stream, Note(ADA, "hm"), key_for("Note", text="hm"))
    refused(log, stream, Note(ADA, "ha"), key_for("Note", text="ha"))


def test_the_same_key_of_another_name_is_another_key(log: Log) -> None:
    stream = new_stream(log)
    ids = {do(log, stream, Note(actor, "hm"), key_for("Note")).events[0].id for actor in (ADA, BOB, ZOE)}

    assert len(ids) == 3
    assert log.position() == 4


def test_a_command_that_was_refused_has_not_used_its_key(log: Log) -> None:
    stream = new_stream(log)
    with pytest.raises(Refusal):
        do(log, stream, Submit(ADA, "", "look"), key_for("Submit"))

    assert not do(log, stream, Note(ADA, "hm"), key_for("Note")).replayed


def test_without_a_key_one_is_drawn_and_every_command_counts(log: Log) -> None:
    stream = new_stream(log)
    for _ in range(3):
        do(log, stream, Note(ADA, "hm"))

    keys = [event.key for event in all_events(log)]
    assert len(set(keys)) == 4
    assert all(keys)


def test_a_key_belongs_to_the_first_event_of_a_command_that_writes_two(log: Log) -> None:
    from domain.commands import Approve

    stream = new_stream(log)
    do(log, stream, Submit(ADA, claim(do(log, stream, Start(ADA))), "look"))
    first = do(log, stream, Approve(ZOE, "other"), key_for("Approve"))
    again = do(log, stream, Approve(ZOE, "other"), key_for("Approve"))

    assert [event.type for event in first.events] == ["task.approved", "task.merged"]
    assert again.events == first.events[:1]
    assert again.state == first.state
