from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest

from domain.commands import Note, Spawn, Start, Submit
from domain.decide import decide, spawn
from domain.draft import Draft
from domain.log import IdempotencyKey as Key
from domain.log import Log, Seen, Transaction, Written
from domain.refusals import Refusal
from tests.support.stores import Store, all_events, broken_links, do, new_stream
from tests.support.streams import ADA, ZOE

LARGE = "x" * 6_000
DIGEST = sha256(LARGE.encode()).hexdigest()


def add(transaction: Transaction, title: str, key: str = "", body: str = "") -> Written:
    """Spawn a task in the transaction."""
    command = Spawn(ZOE, title, 2, body=body)
    retry = Key(key, frozenset({"task.spawned"}), {"title": title}) if key else None
    return transaction.append(None, ZOE, lambda _: spawn(command), retry=retry)


def note(transaction: Transaction, stream: str, text: str, key: str = "") -> Written:
    """Note something in the transaction."""
    retry = Key(key, frozenset({"task.noted"}), {}) if key else None
    return transaction.append(stream, ADA, lambda seen: decide(Note(ADA, text), seen.state), retry=retry)


def refuse(seen: Seen) -> Sequence[Draft]:
    raise Refusal("wrong-state", "not now")


def abandon(log: Log, error: BaseException, *steps: Callable[[Transaction], object]) -> None:
    """Take some steps in a transaction that ends in an error."""
    with log.transaction() as transaction:
        for step in steps:
            step(transaction)
        raise error


def test_several_tasks_are_spawned_together(log: Log) -> None:
    with log.transaction() as transaction:
        titles = ["one", "two", "three"]
        written = [add(transaction, title) for title in titles]

    assert [found.payload["title"] for found in all_events(log)] == titles
    assert len({found.events[0].stream for found in written}) == 3
    assert broken_links(all_events(log)) == []


def test_nobody_sees_half_a_transaction(store: Store, log: Log) -> None:
    other = store.open()
    with log.transaction() as transaction:
        add(transaction, "one")
        assert other.position() == 0
        add(transaction, "two")
        assert other.position() == 0

    assert other.position() == 2
    other.close()


@pytest.mark.parametrize(
    "error", [Refusal("wrong-state", "no"), ValueError("a bug"), KeyboardInterrupt()], ids=repr
)
def test_what_ends_in_an_error_leaves_nothing(log: Log, error: BaseException) -> None:
    stream = new_stream(log)

    with pytest.raises(type(error)):
        abandon(
            log,
            error,
            lambda transaction: add(transaction, "one", key="k-1", body=LARGE),
            lambda transaction: note(transaction, stream, LARGE, key="k-2"),
        )

    assert log.position() == 1
    assert log.state(stream).card.notes == 0
    # neither chain, keys nor blobs remember it
    with log.transaction() as transaction:
        [spawned] = add(transaction, "another", key="k-1").events
        [noted] = note(transaction, stream, "another", key="k-2").events
    assert (spawned.seq, noted.seq) == (2, 3)
    assert broken_links(all_events(log)) == []


def test_a_refused_decision_leaves_nothing_of_the_whole_transaction(log: Log) -> None:
    stream = new_stream(log)

    with pytest.raises(Refusal):
        abandon(
            log,
            AssertionError("the refusal comes first"),
            lambda transaction: note(transaction, stream, "hm"),
            lambda transaction: transaction.append(stream, ADA, refuse),
        )
    assert log.position() == 1


def test_who_catches_the_refusal_keeps_the_rest(log: Log) -> None:
    stream = new_stream(log)

    with log.transaction() as transaction:
        note(transaction, stream, "first")
        with pytest.raises(Refusal):
            transaction.append(stream, ADA, refuse, retry=Key("k-1", frozenset(), {}))
        note(transaction, stream, "second", key="k-1")

    assert [found.payload.get("text") for found in all_events(log)[1:]] == ["first", "second"]
    assert broken_links(all_events(log)) == []


def test_a_text_that_is_refused_leaves_no_blob_behind_when_the_rest_is_kept(log: Log) -> None:
    stream = new_stream(log)
    labels = tuple("\U0001f600" * 60 + str(number) for number in range(30))
    command = Spawn(ZOE, "too much for a line", 2, body=LARGE, labels=labels)

    with log.transaction() as transaction:
        with pytest.raises(Refusal) as caught:
            transaction.append(None, ZOE, lambda _: spawn(command))
        assert caught.value.code == "too-large"
        note(transaction, stream, "the rest")

    assert log.position() == 2
    with pytest.raises(Refusal) as missing:
        log.blob(DIGEST)
    assert missing.value.code == "not-found"


def test_the_blobs_of_a_transaction_come_and_go_with_it(log: Log) -> None:
    with pytest.raises(ValueError):
        abandon(log, ValueError(), lambda transaction: add(transaction, "one", body=LARGE))
    with pytest.raises(Refusal) as caught:
        log.blob(DIGEST)
    assert caught.value.code == "not-found"

    with log.transaction() as transaction:
        add(transaction, "one", body=LARGE)
    assert log.blob(DIGEST) == LARGE.encode()


def test_a_later_append_sees_what_an_earlier_one_did(log: Log) -> None:
    stream = new_stream(log)

    with log.transaction() as transaction:
        started = transaction.append(stream, ADA, lambda seen: decide(Start(ADA), seen.state))
        submit = Submit(ADA, started.events[0].id, "look")
        submitted = transaction.append(stream, ADA, lambda seen: decide(submit, seen.state))

    assert submitted.events[0].parents == (started.events[0].id,)
    assert log.state(stream) == submitted.state


def test_the_history_that_a_decision_sees_holds_the_transaction_so_far(log: Log) -> None:
    seen: list[list[str]] = []

    def look(now: Seen) -> Sequence[Draft]:
        seen.append([found.type for found in now.history()])
        return []

    with log.transaction() as transaction:
        [spawned] = add(transaction, "one").events
        note(transaction, spawned.stream, "hm")
        transaction.append(spawned.stream, ADA, look)
    assert seen == [["task.spawned", "task.noted"]]


def test_a_key_that_was_used_in_the_same_transaction_returns_its_event(log: Log) -> None:
    with log.transaction() as transaction:
        first = add(transaction, "one", key="k-1")
        again = add(transaction, "one", key="k-1")
        with pytest.raises(Refusal) as caught:
            add(transaction, "two", key="k-1")

    assert caught.value.code == "key-reuse"
    assert again.replayed
    assert (again.events, again.state) == (first.events, first.state)
    assert log.position() == 1


def test_an_empty_decision_writes_nothing(log: Log) -> None:
    stream = new_stream(log)

    written = log.write(stream, ADA, lambda _: [])
    assert (written.events, written.replayed, written.state) == ((), False, log.state(stream))
    assert log.position() == 1


def test_a_turn_may_be_held_over_several_transactions(store: Store, log: Log) -> None:
    with log.turn():
        stream = new_stream(log)
        other = store.open(wait=0.1)
        with pytest.raises(Refusal) as caught:
            new_stream(other)
        assert caught.value.code == "locked"
        do(log, stream, Note(ADA, "hm"))

    new_stream(other)
    assert log.position() == 3
    other.close()


def test_the_next_transaction_works_after_one_that_failed(store: Store) -> None:
    for keep_open in (True, False):
        log = store.open(keep_open=keep_open)
        with pytest.raises(ValueError):
            abandon(log, ValueError(), lambda transaction: add(transaction, "one"))
        new_stream(log)
        log.close()


def test_many_transactions_in_a_row_go_over_one_connection_and_let_others_in_between(store: Store) -> None:
    log, other = store.open(), store.open("r-2")
    with log.at_length():
        for title in ("one", "three"):
            with log.transaction() as transaction:
                add(transaction, title)
            with other.transaction() as transaction:
                add(transaction, f"{title} and one")
            assert "writer" in log._known

    assert "writer" not in log._known
    assert [found.payload["title"] for found in all_events(log)] == [
        "one",
        "one and one",
        "three",
        "three and one",
    ]


def test_many_transactions_in_a_row_may_end_in_an_error(store: Store) -> None:
    log = store.open()
    with pytest.raises(RuntimeError), log.at_length():  # noqa: PT012 - what came before the error is kept
        with log.transaction() as transaction:
            add(transaction, "one")
        abandon(log, RuntimeError("stop"), lambda transaction: add(transaction, "two"))

    assert "writer" not in log._known
    assert [found.payload["title"] for found in all_events(store.open())] == ["one"]
