from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.log import Log
from domain.refusals import Exit, Refusal
from tests.support.stores import Store, add_task, all_events, new_stream

USES: dict[str, Callable[[Log], object]] = {
    "read": lambda log: log.read(0),
    "position": lambda log: log.position(),
    "state": lambda log: log.state("task/t-aaaaaaaa"),
    "find": lambda log: log.find("abcd"),
    "blob": lambda log: log.blob("f" * 64),
    "write": new_stream,
    "pulse": lambda log: log.pulse("ada", {}),
    "pulses": lambda log: log.pulses(0),
}


def refused(log: Log, use: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        USES[use](log)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("use", USES)
def test_a_store_of_a_newer_crewlog_is_refused_every_time(store: Store, use: str) -> None:
    store.from_a_newer_crewlog()
    log = store.open(keep_open=True)

    for _ in range(3):
        assert refused(log, use).code == "newer-store"
    log.close()


@pytest.mark.parametrize("use", USES)
def test_a_store_that_became_garbage_is_refused_as_corrupt(store: Store, use: str) -> None:
    store.overwrite_with_garbage()
    log = store.open()

    for _ in range(2):
        assert refused(log, use).code == "corrupt"
    log.close()


@pytest.mark.parametrize("use", USES)
def test_a_store_that_is_missing_is_refused_and_not_made(store: Store, use: str) -> None:
    store.remove()
    log = store.open()

    for _ in range(2):
        assert refused(log, use).exit == Exit.STORE
    log.close()


def test_a_store_that_comes_back_is_used_again(store: Store) -> None:
    log = store.open()
    store.from_a_newer_crewlog()
    assert refused(log, "write").code == "newer-store"
    log.close()


def test_creating_a_store_that_exists_changes_nothing(store: Store) -> None:
    log = store.open()
    written = add_task(log)
    log.create()

    assert all_events(log) == list(written.events)
    log.close()


def test_creating_over_a_newer_store_is_refused(store: Store) -> None:
    store.from_a_newer_crewlog()
    log = store.open()

    with pytest.raises(Refusal) as caught:
        log.create()
    assert caught.value.code == "newer-store"
    log.close()


def test_who_waited_in_vain_does_not_wait_again_to_close(store: Store) -> None:
    holder, waiting = store.open(), store.open(wait=0.1)
    with holder.turn():
        with pytest.raises(Refusal) as caught:
            new_stream(waiting)
        assert caught.value.code == "locked"
        waiting.close()
    holder.close()


def test_a_log_can_be_used_after_it_was_closed(store: Store) -> None:
    log = store.open(keep_open=True)
    new_stream(log)
    log.close()
    log.close()

    new_stream(log)
    assert log.position() == 2
    log.close()
