"""live.jsonl is the log, line by line, in one file that only grows."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable

import pytest

from domain import event
from domain.commands import Note
from domain.event import LINE_LIMIT
from domain.log import Log
from domain.refusals import Refusal
from domain.stores import queue
from export.live import FINDING_LIMIT, LiveFile
from tests.export.workers import content, fill
from tests.support.stores import SqliteStore, do, new_stream


def text(live: LiveFile) -> bytes:
    """What is in the file."""
    with open(live.path, "rb") as file:
        return file.read()


def put(live: LiveFile, data: bytes) -> None:
    """Write into the file past crewlog, keeping its inode."""
    with open(live.path, "wb") as file:
        file.write(data)


# --- feeding -----------------------------------------------------------------------------------------------------


def test_the_file_is_the_log_line_by_line(log: Log, live: LiveFile) -> None:
    stream = fill(log, 25)
    assert live.feed() == (25, None)
    assert text(live) == content(log)
    assert live.feed() == (0, None)
    do(log, stream, Note("zoe", "\u2028 one line only \x85"))
    assert live.feed() == (1, None)
    assert text(live) == content(log)
    assert live.compare() == []


def test_an_empty_log_makes_an_empty_file_that_its_owner_alone_can_read(live: LiveFile) -> None:
    assert live.feed() == (0, None)
    assert text(live) == b""
    assert stat.S_IMODE(os.stat(live.path).st_mode) == 0o600


@pytest.mark.parametrize("chunk", [1, 2, 7, 25, 1_000])
def test_a_file_written_in_chunks_is_the_same(chunk: int, store: SqliteStore, log: Log) -> None:
    fill(log, 25)
    live = LiveFile(store.folder, log, chunk=chunk)
    assert live.feed() == (25, None)
    assert text(live) == content(log)


def test_the_longest_lines_are_found_again(log: Log, live: LiveFile) -> None:
    stream = fill(log, 2)
    live.feed()
    for _ in range(3):
        for text_of_it in ("\u2028." * 500, "x" * 4_000):
            do(log, stream, Note("zoe", text_of_it))
        assert live.feed() == (2, None)
    assert text(live) == content(log)


def test_a_feed_reads_the_end_of_the_file_only(
    log: Log, live: LiveFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = fill(log, 400)
    live.feed()
    do(log, stream, Note("zoe", "one more"))
    reads: list[int] = []
    pread = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        reads.append(length)
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", counted)
    assert live.feed() == (1, None)
    assert sum(reads) <= 3 * (LINE_LIMIT + 1)


def test_the_file_stays_one_inode_whatever_happens(log: Log, live: LiveFile) -> None:
    stream = fill(log, 5)
    live.feed()
    inode = os.stat(live.path).st_ino
    do(log, stream, Note("zoe", "more"))
    live.feed()
    put(live, b"something else\n")
    live.feed()
    live.rebuild()
    assert text(live) == content(log)
    assert os.stat(live.path).st_ino == inode


def test_a_file_that_was_deleted_is_written_from_the_beginning(log: Log, live: LiveFile) -> None:
    fill(log, 5)
    live.feed()
    os.remove(live.path)
    assert live.feed() == (5, None)
    assert text(live) == content(log)


def test_a_log_that_skipped_positions_is_written_all_the_same(store: SqliteStore, log: Log) -> None:
    """PostgreSQL does not use the position of a failed transaction again."""
    fill(log, 4)
    for chunk in (1, 2, 1_000):
        live = LiveFile(store.folder, log, chunk=chunk)
        for gap in (3, 1, 7):
            _append_behind_a_gap(store, gap)
            assert live.feed().remark is None
            assert live.feed() == (0, None)
        assert text(live) == content(log)
        assert live.compare() == []
        put(live, b"".join(text(live).splitlines(keepends=True)[:-2]))
        assert [finding.code for finding in live.compare()] == ["live-behind"]
        assert live.feed() == (2, None)


def _append_behind_a_gap(store: SqliteStore, gap: int) -> None:
    position = store.rows("SELECT max(rowid) FROM stored_events")[0][0] + 1 + gap
    fields = {"v": 1, "ts": event.format_time(10**15), "from": "zoe", "to": "*", "type": "task.noted"}
    item = event.seal({**fields, "stream": "task/t-22222222", "payload": {"text": f"at {position}"}})
    row = (position, item.stream, position, item.type, item.line)
    store.run("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", *row)
    store.run("INSERT INTO event_id VALUES (?, ?, ?)", item.id, position, 10**15)


# --- torn --------------------------------------------------------------------------------------------------------


def test_a_line_torn_at_any_byte_is_completed_and_never_cut(log: Log, live: LiveFile) -> None:
    fill(log, 4)
    live.feed()
    whole = content(log)
    last = whole[: whole.rindex(b"\n", 0, -1) + 1]
    for end in range(len(last), len(whole) + 1):
        put(live, whole[:end])
        with open(live.path, "rb") as reader:
            before = reader.read()
            assert live.feed() == (int(end < len(whole)), None)
            assert before + reader.read() == whole, end


def test_a_first_line_torn_at_any_byte_is_completed(log: Log, live: LiveFile) -> None:
    fill(log, 2)
    live.feed()
    whole = content(log)
    for end in range(whole.index(b"\n") + 2):
        put(live, whole[:end])
        assert live.feed().remark is None
        assert text(live) == whole


def test_a_tail_that_is_not_the_next_line_is_an_edit(log: Log, live: LiveFile) -> None:
    fill(log, 3)
    live.feed()
    for tail in (b"x", b"{", b'{"id":"', content(log)[:50], b"\0" * 10_000):
        put(live, content(log) + tail)
        fed = live.feed()
        assert fed.written == 0
        assert fed.remark is not None
        assert (fed.remark.code, fed.remark.offset) == ("live-edited", len(content(log)))
        assert text(live) == content(log) + tail


# --- edited ------------------------------------------------------------------------------------------------------


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True) if b"\r" not in data else [data]


def _last_changed(data: bytes) -> bytes:
    return data[:-20] + b"#" + data[-19:]


def _foreign_line(data: bytes) -> bytes:
    return data + b'{"note":"I was here"}\n'


def _empty_line(data: bytes) -> bytes:
    return data + b"\n"


def _windows_lines(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _old_line_again(data: bytes) -> bytes:
    return data + _lines(data)[1]


def _last_line_again(data: bytes) -> bytes:
    return data + _lines(data)[-1]


def _two_swapped(data: bytes) -> bytes:
    lines = _lines(data)
    return b"".join([*lines[:-2], lines[-1], lines[-2]])


def _one_before_the_last_gone(data: bytes) -> bytes:
    lines = _lines(data)
    return b"".join([*lines[:-2], lines[-1]])


def _other_id(data: bytes) -> bytes:
    lines = _lines(data)
    return b"".join([*lines[:-1], lines[-1].replace(lines[-1][7:71], b"0" * 64)])


def _unreadable(data: bytes) -> bytes:
    return data + b"\xff" * LINE_LIMIT * 5 + b"\n"


EDITS = [
    *(_last_changed, _foreign_line, _empty_line, _windows_lines, _old_line_again, _last_line_again),
    *(_two_swapped, _one_before_the_last_gone, _other_id, _unreadable),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_an_edit_at_the_end_is_reported_nothing_is_written_and_a_rebuild_mends_it(
    edit: Callable[[bytes], bytes], log: Log, live: LiveFile
) -> None:
    stream = fill(log, 6)
    live.feed()
    edited = edit(text(live))
    put(live, edited)
    do(log, stream, Note("zoe", "afterwards"))
    fed = live.feed()
    assert fed.written == 0
    assert fed.remark is not None
    assert fed.remark.code == "live-edited"
    assert 0 <= fed.remark.offset <= len(edited)
    assert "crewlog export --rebuild" in fed.remark.hint
    assert live.path in fed.remark.message
    assert text(live) == edited
    assert live.rebuild().remark is None
    assert text(live) == content(log)


def test_a_rebuild_does_not_touch_what_was_right(log: Log, live: LiveFile) -> None:
    fill(log, 6)
    live.feed()
    put(live, text(live) + b"mine\n")
    with open(live.path, "rb") as tail:
        before = tail.read()
        assert live.rebuild() == (0, None)
        assert tail.read() == b""
        assert before.startswith(text(live))


def test_a_rebuild_of_a_sound_file_writes_nothing(log: Log, live: LiveFile) -> None:
    fill(log, 6)
    assert live.rebuild() == (6, None)
    assert live.rebuild() == (0, None)
    put(live, content(log)[:-10])
    assert live.rebuild() == (1, None)
    assert text(live) == content(log)


# --- compared ----------------------------------------------------------------------------------------------------


def compared(live: LiveFile) -> list[tuple[str, int]]:
    """Code and line number of each finding."""
    return [(finding.code, finding.line) for finding in live.compare()]


def test_every_flipped_byte_is_found_on_its_line(log: Log, live: LiveFile) -> None:
    fill(log, 3)
    live.feed()
    whole = text(live)
    start = whole.index(b"\n") + 1
    end = whole.index(b"\n", start)
    for offset in range(start, end + 1):
        put(live, whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        first = live.compare()[0]
        assert first.line == 2, offset
        assert first.offset == start
        assert first.code in ("live-changed", "live-unknown")


def test_what_was_done_to_the_lines_is_said_of_each(log: Log, live: LiveFile) -> None:
    fill(log, 8)
    live.feed()
    a, b, c, d, e, f, g, h = text(live).splitlines(keepends=True)
    foreign = b'{"id":"' + b"0" * 64 + b'","v":1}\n'
    cases: list[tuple[list[bytes], list[tuple[str, int]]]] = [
        ([a, b, c, d, e, f, g, h], []),
        ([a, b, c, d, f, g, h], [("live-missing", 5)]),
        ([b, c, d, e, f, g, h], [("live-missing", 1)]),
        ([a, b, b, c, d, e, f, g, h], [("live-repeated", 3)]),
        ([a, c, b, d, e, f, g, h], [("live-missing", 2), ("live-repeated", 3)]),
        ([a, b, foreign, c, d, e, f, g, h], [("live-unknown", 3)]),
        ([a, b, b"\n", c, d, e, f, g, h], [("live-unknown", 3)]),
        ([a, b, c.replace(b"zoe", b"eve"), d, e, f, g, h], [("live-changed", 3)]),
        ([a, b, c, d, e, f], [("live-behind", 6)]),
        ([a, b, c, d, e, f, g[:9]], [("live-torn", 7), ("live-behind", 7)]),
        ([a, b, c, d, e, f, g, h, a[:9]], [("live-changed", 9)]),
        ([], [("live-behind", 0)]),
    ]
    for lines, findings in cases:
        put(live, b"".join(lines))
        assert compared(live) == findings
        live.rebuild()
        assert compared(live) == []
    os.remove(live.path)
    assert [finding.code for finding in live.compare()] == ["live-absent"]


@pytest.mark.parametrize("chunk", [1, 3, 1_000])
def test_findings_do_not_depend_on_how_the_log_is_read(chunk: int, store: SqliteStore, log: Log) -> None:
    fill(log, 20)
    live = LiveFile(store.folder, log, chunk=chunk)
    live.feed()
    lines = text(live).splitlines(keepends=True)
    put(live, b"".join([*lines[:4], *lines[9:12], *lines[5:7], *lines[13:]]))
    found = [("live-missing", 5), ("live-repeated", 8), ("live-repeated", 9), ("live-missing", 10)]
    assert compared(live) == found


def test_a_file_full_of_garbage_ends_in_a_bounded_list(log: Log, live: LiveFile) -> None:
    fill(log, 2)
    put(live, b"garbage\n" * 5_000)
    assert len(live.compare()) == FINDING_LIMIT
    put(live, b"\0" * 5_000_000)
    assert {code for code, _ in compared(live)} <= {"live-unknown", "live-changed", "live-behind"}


def test_comparing_tells_how_far_it_is(store: SqliteStore, log: Log) -> None:
    fill(log, 9)
    live, calls = LiveFile(store.folder, log, chunk=3), list[tuple[int, int]]()
    live.feed()
    live.compare(lambda done, total: calls.append((done, total)))
    assert len(calls) == 3
    assert all(done < total == os.path.getsize(live.path) for done, total in calls)


# --- what stands in the way --------------------------------------------------------------------------------------


def test_a_symbolic_link_is_not_followed(
    log: Log, live: LiveFile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fill(log, 2)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "victim"
    elsewhere.write_text("mine")
    os.symlink(elsewhere, live.path)
    for fed in (live.feed(), live.rebuild()):
        assert fed.remark is not None
        assert fed.remark.code == "live-unsafe"
    assert [finding.code for finding in live.compare()] == ["live-unreadable"]
    assert elsewhere.read_text() == "mine"


def test_what_is_no_file_is_left_alone_at_once(log: Log, live: LiveFile) -> None:
    fill(log, 2)
    os.mkfifo(live.path)
    fed = live.feed()
    assert fed.remark is not None
    assert fed.remark.code == "live-unsafe"


def test_a_lock_that_is_held_for_too_long_is_a_remark(store: SqliteStore, log: Log) -> None:
    fill(log, 2)
    with queue.turn(os.path.join(store.folder, "live.lock")):
        started = time.monotonic()
        fed = LiveFile(store.folder, log, wait=0.2).feed()
        assert time.monotonic() - started < 5
    assert fed.remark is not None
    assert (fed.written, fed.remark.code) == (0, "live-locked")
    assert str(os.getpid()) in fed.remark.message


def test_what_is_wrong_with_the_log_is_not_hidden(store: SqliteStore, live: LiveFile) -> None:
    store.overwrite_with_garbage()
    with pytest.raises(Refusal) as caught:
        LiveFile(store.folder, store.open()).feed()
    assert caught.value.code == "corrupt"


def test_a_remark_is_ready_for_an_answer_in_json(log: Log, live: LiveFile) -> None:
    new_stream(log)
    put(live, b"mine\n")
    remark = live.feed().remark
    assert remark is not None
    assert remark.as_dict() == {
        "code": "live-edited",
        "path": live.path,
        "message": remark.message,
        "hint": remark.hint,
        "offset": 0,
    }
