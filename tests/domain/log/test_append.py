from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from domain import event
from domain.commands import Note, Progress, Start, Submit
from domain.draft import Draft
from domain.log import Log, Seen
from domain.refusals import Refusal
from tests.support.stores import Store, add_task, all_events, broken_links, claim, do, new_stream
from tests.support.streams import ADA, SOME_TIME, ZOE


def test_what_was_acknowledged_is_there_for_everybody_else(store: Store) -> None:
    mine, other = store.open(), store.open()
    written = add_task(mine)

    assert [seen.id for seen in all_events(other)] == [written.events[0].id]
    assert other.state(written.events[0].stream) == written.state
    mine.close()
    other.close()


def test_what_was_acknowledged_is_there_after_the_store_was_closed(store: Store) -> None:
    log = store.open()
    written = add_task(log)
    log.close()

    again = store.open()
    assert again.event(written.events[0].id) == written.events[0]
    again.close()


def test_a_reader_that_was_open_all_the_time_sees_what_is_new(store: Store, log: Log) -> None:
    reader = store.open(keep_open=True)
    assert reader.position() == 0

    for expected in range(1, 4):
        add_task(log)
        assert reader.position() == expected
    reader.close()


def test_positions_are_counted_from_one_without_holes(log: Log) -> None:
    stream = new_stream(log)
    for _ in range(3):
        do(log, stream, Note(ZOE, "hm"))
        with pytest.raises(Refusal):
            do(log, stream, Submit(ADA, ""))
        new_stream(log)

    assert [stored.position for stored in log.read(0)] == [1, 2, 3, 4, 5, 6, 7]
    assert log.position() == 7


def test_an_empty_log_has_position_zero_and_nothing_to_read(log: Log) -> None:
    assert (log.position(), log.read(0), log.lines(0), log.find("")) == (0, [], [], [])


def test_versions_count_each_stream(log: Log) -> None:
    one, other = new_stream(log), new_stream(log)
    for stream in (one, other, one):
        do(log, stream, Note(ZOE, "hm"))

    versions = [(stored.event.stream, stored.version) for stored in log.read(0)]
    assert [version for stream, version in versions if stream == one] == [1, 2, 3]
    assert [version for stream, version in versions if stream == other] == [1, 2]


def test_each_replica_has_a_chain_of_its_own_without_holes(store: Store) -> None:
    logs = [store.open(replica) for replica in ("r-1", "r-2")]
    for log in (*logs, *logs, logs[0]):
        add_task(log)

    events = all_events(logs[0])
    assert broken_links(events) == []
    assert [(found.replica, found.seq) for found in events] == [
        ("r-1", 1),
        ("r-2", 1),
        ("r-1", 2),
        ("r-2", 2),
        ("r-1", 3),
    ]
    for log in logs:
        log.close()


def test_the_row_holds_the_exact_bytes_of_the_event(log: Log) -> None:
    written = add_task(log, title="größer", body="\x1b[31m\u2028")
    [row] = log.lines(0)

    assert bytes(row.state) == written.events[0].line
    assert (row.stream, row.type) == (written.events[0].stream, "task.spawned")


def test_every_line_of_the_log_passes_the_check_for_lines_from_anywhere(log: Log) -> None:
    stream = new_stream(log, title="größer", body="b" * 5_000, labels=("ä",), slug="s", assignee=ADA)
    held = claim(do(log, stream, Start(ADA, {"pid": 17, "host": "hüben"})))
    do(log, stream, Progress(ADA, held, "\x1b[31m half", 50))
    do(log, stream, Submit(ADA, held, "e" * 5_000, "c" * 40))
    log.pulse(ADA, {"task": stream, "claim": held, "note": "größer"})

    lines = [bytes(row.state) for row in log.lines(0)] + [stored.event.line for stored in log.pulses(0)]
    assert len(lines) == 5
    assert all(event.check(line).line == line for line in lines)


def test_the_parents_of_an_event_are_the_head_of_its_stream(log: Log) -> None:
    one, other = new_stream(log), new_stream(log)
    for stream in (one, other, one, one):
        do(log, stream, Note(ZOE, "hm"))

    for stream in (one, other):
        events = log.stream(stream)
        assert [found.parents for found in events] == [(), *((found.id,) for found in events[:-1])]


def ones(size: int) -> bytes:
    return b"\x01" * size


def test_an_event_says_who_where_when_and_in_which_session(store: Store) -> None:
    log = store.open("r-7d", clock=lambda: SOME_TIME, session="s-1", entropy=ones)
    [spawned] = add_task(log).events
    log.close()

    assert (spawned.sender, spawned.replica, spawned.session, spawned.v) == (ZOE, "r-7d", "s-1", 1)
    assert spawned.ts == event.format_time(SOME_TIME)
    assert spawned.key == "01" * 8
    assert spawned.prev == ""


def test_a_transaction_may_speak_for_another_session(log: Log) -> None:
    stream = new_stream(log)
    note = log.write(stream, ADA, lambda _: [Draft("task.noted", {"text": "hm"}, {})], session="s-2")

    assert note.events[0].session == "s-2"


def test_time_goes_on_within_a_stream_when_the_clock_goes_back(store: Store) -> None:
    clock = iter(range(SOME_TIME, 0, -3_600_000_000))
    log = store.open(clock=lambda: next(clock))
    stream = new_stream(log)
    for _ in range(5):
        do(log, stream, Note(ZOE, "hm"))

    stored = log.read(0)
    times = [event.parse_time(found.event.ts) for found in stored]
    assert times == [times[0] + number for number in range(6)]
    assert [found.arrived for found in stored] == sorted(found.arrived for found in stored)
    log.close()


def test_arrivals_are_kept_beside_the_events(store: Store) -> None:
    log = store.open(clock=lambda: SOME_TIME)
    add_task(log)

    assert log.read(0)[0].arrived == SOME_TIME
    log.close()


def test_a_task_id_is_drawn_again_where_it_exists(store: Store) -> None:
    logs = [
        store.open("r-1", clock=lambda: SOME_TIME),
        store.open("r-1", clock=lambda: SOME_TIME),
    ]
    streams = {new_stream(log, title="the same") for log in logs for _ in range(3)}

    assert len(streams) == 6
    for log in logs:
        log.close()


def test_decide_sees_the_true_state_and_the_whole_history(log: Log) -> None:
    stream = new_stream(log)
    do(log, stream, Start(ADA))
    seen: list[Seen] = []

    def look(now: Seen) -> Sequence[Draft]:
        seen.append(now)
        assert [found.type for found in now.history()] == ["task.spawned", "task.started"]
        return []

    assert log.write(stream, ADA, look).events == ()
    assert (seen[0].stream, seen[0].version) == (stream, 2)
    assert seen[0].state == log.state(stream)


def test_decide_sees_nothing_where_there_is_nothing(log: Log) -> None:
    def look(now: Seen) -> Sequence[Draft]:
        assert (now.state, now.version, now.history()) == (None, 0, [])
        raise Refusal("not-found", "no such task")

    with pytest.raises(Refusal):
        log.write("task/t-aaaaaaaa", ADA, look)


def test_an_event_that_the_table_forbids_is_never_stored(log: Log) -> None:
    stream = new_stream(log)

    with pytest.raises(event.IllegalEventError):
        log.write(stream, ADA, lambda _: [Draft("task.merged", {}, {"submission": "f" * 64})])
    assert log.position() == 1


BAD_DRAFTS: dict[str, tuple[str, Callable[[str], Draft]]] = {
    "an unknown field": ("bad-value", lambda _: Draft("task.noted", {"text": "x", "colour": "red"}, {})),
    "an empty text": ("bad-value", lambda _: Draft("task.noted", {"text": " "}, {})),
    "a lone surrogate": ("bad-value", lambda _: Draft("task.noted", {"text": "\ud800"}, {})),
    "a float": ("bad-value", lambda _: Draft("task.progressed", {"percent": 1.5}, {"claim": "f" * 64})),
    "no on": ("bad-value", lambda _: Draft("task.progressed", {}, {})),
    "too much": ("too-large", lambda _: Draft("task.noted", {"text": "x" * 10_001}, {})),
}


@pytest.mark.parametrize("name", BAD_DRAFTS)
def test_what_the_registry_does_not_allow_is_refused_and_nothing_is_stored(name: str, store: Store) -> None:
    code, draft = BAD_DRAFTS[name]
    log = store.open(blob_limit=10_000)
    stream = new_stream(log)

    with pytest.raises(Refusal) as caught:
        log.write(stream, ADA, lambda _: [draft(stream)])
    assert caught.value.code == code
    assert log.position() == 1
    log.close()


@pytest.mark.parametrize("actor", ["", "Ada", "a b", "*", "#ops", "../x", "a\n"])
def test_only_a_name_may_write(actor: str, log: Log) -> None:
    stream = new_stream(log)

    for write in (
        lambda: add_task(log, actor=actor),
        lambda: do(log, stream, Note(actor, "hm")),
        lambda: log.pulse(actor, {}),
    ):
        with pytest.raises(Refusal) as caught:
            write()
        assert caught.value.code == "bad-name"
    assert (log.position(), log.pulses(0)) == (1, [])
