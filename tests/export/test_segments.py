"""Segments: what is new in a file of its own, which nobody edits again, and which another clone takes in line by line."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from domain.commands import Note, Start
from domain.event import Event, seal
from domain.intake import Inserted
from domain.log import Log, Transaction
from domain.refusals import Refusal
from export import importing, segments
from export.importing import Imported, import_from
from export.segments import Sealed, Segments, Span, blob_path, blobs_of, sealed_spans, span
from export.sources import open_source
from tests.support.stores import SqliteStore, add_task, all_events, do, new_stream

MakeLog = Callable[..., Log]


@pytest.fixture
def make(tmp_path: Path) -> MakeLog:
    """Makes logs of stores that know nothing of each other; `folder` is where each one's files are."""

    def made(replica: str, **options: Any) -> Log:
        folder = tmp_path / replica
        folder.mkdir()
        return SqliteStore(str(folder)).create().open(replica, keep_open=True, **options)

    return made


def folder(tmp_path: Path, log: Log) -> Path:
    return tmp_path / log.replica


def sealing(tmp_path: Path, log: Log, *earlier: str) -> Sealed:
    """Seal what is new."""
    return Segments(str(folder(tmp_path, log)), log, (log.replica, *earlier)).seal()


def taking(log: Log, *places: Path) -> Imported:
    """Import from these folders and files."""
    return import_from(log, open_source([str(place) for place in places]))


def files(place: Path) -> list[Path]:
    """The segments in a store's folder."""
    return sorted(place.glob("log/*/*.jsonl"))


# --- sealing -----------------------------------------------------------------------------------------------------


def test_what_is_new_is_sealed_into_a_file_named_by_its_numbers_and_nothing_new_into_none(
    make: MakeLog, tmp_path: Path
) -> None:
    log = make("r-1")
    stream = new_stream(log)
    do(log, stream, Start("ada"))

    first = sealing(tmp_path, log)
    again = sealing(tmp_path, log)
    do(log, stream, Note("ada", "on"))
    second = sealing(tmp_path, log)

    assert first == Sealed(("log/r-1/0000000001-0000000002.jsonl",), 2, 0)
    assert again == Sealed((), 0, 0)
    assert second.segments == ("log/r-1/0000000003-0000000003.jsonl",)
    lines = b"".join(path.read_bytes() for path in files(folder(tmp_path, log))).split(b"\n")
    assert lines == [*(item.line for item in all_events(log)), b""]


def test_only_own_events_are_sealed_and_those_of_an_earlier_id(make: MakeLog, tmp_path: Path) -> None:
    one, two = make("r-1"), make("r-2")
    new_stream(two)
    new_stream(one)
    sealing(tmp_path, one)
    taking(two, folder(tmp_path, one))
    two.replica = "r-3"
    new_stream(two)

    sealed = Segments(str(tmp_path / "r-2"), two, ("r-3", "r-2")).seal()

    assert sorted(sealed.segments) == [Span("r-2", 1, 1).path, Span("r-3", 1, 1).path]


def test_what_another_store_wrote_under_ones_own_id_is_not_sealed_behind_ones_own(
    make: MakeLog, tmp_path: Path
) -> None:
    one, two = make("r-1"), make("r-2")
    two.replica = "r-1"
    mine = new_stream(one)
    for _ in range(3):
        new_stream(two)
    Segments(str(tmp_path / "r-2"), two, ("r-1",)).seal()
    taking(one, tmp_path / "r-2")

    sealed = sealing(tmp_path, one)

    assert sealed.segments == (Span("r-1", 1, 1).path,)
    assert mine.encode() in files(folder(tmp_path, one))[0].read_bytes()


def test_a_segment_makes_way_for_another_stores_of_the_same_name_and_stays_beside_it(
    make: MakeLog, tmp_path: Path
) -> None:
    log = make("r-1")
    new_stream(log)
    (path,) = sealing(tmp_path, log).segments
    place = folder(tmp_path, log)
    mine = (place / path).read_bytes()
    own = Segments(str(place), log, ("r-1",))

    aside = [own.set_aside(path, mine, b"theirs\n") for _ in range(2)]  # stopped and run again

    assert aside[0] == aside[1] == path.replace(".jsonl", f".{mine[7:15].decode()}.jsonl")
    assert (place / aside[0]).read_bytes() == mine
    assert (place / path).read_bytes() == b"theirs\n"
    assert len(files(place)) == 2
    assert span(aside[0]) == Span("r-1", 1, 1, mine[7:15].decode())


def test_a_large_log_is_sealed_into_several_files(
    make: MakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make("r-1")
    for _ in range(7):
        new_stream(log)
    monkeypatch.setattr(segments, "SEGMENT_EVENTS", 3)

    assert [span(path) for path in sealing(tmp_path, log).segments] == [
        Span("r-1", 1, 3),
        Span("r-1", 4, 6),
        Span("r-1", 7, 7),
    ]


def test_a_seal_that_was_killed_leaves_nothing_that_is_taken_for_a_segment(
    make: MakeLog, tmp_path: Path
) -> None:
    log = make("r-1")
    new_stream(log)
    (folder(tmp_path, log) / ".sealing-0123").write_bytes(b'{"id":"')

    sealing(tmp_path, log)

    assert not list(folder(tmp_path, log).glob(".sealing-*"))
    assert len(files(folder(tmp_path, log))) == 1


def test_segments_that_end_with_an_unknown_event_are_not_continued(make: MakeLog, tmp_path: Path) -> None:
    log = make("r-1")
    new_stream(log)
    sealing(tmp_path, log)
    (path,) = files(folder(tmp_path, log))
    path.write_bytes(path.read_bytes().replace(b'{"id":"', b'{"id":"0'))

    with pytest.raises(Refusal) as caught:
        sealing(tmp_path, log)
    assert (caught.value.code, caught.value.details["path"]) == ("corrupt", str(path))


def test_a_link_in_the_place_of_a_folder_is_refused(make: MakeLog, tmp_path: Path) -> None:
    log = make("r-1")
    new_stream(log)
    (tmp_path / "elsewhere").mkdir()
    (folder(tmp_path, log) / "log").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Refusal) as caught:
        sealing(tmp_path, log)
    assert caught.value.code == "unsafe-store"


@pytest.mark.parametrize(
    "path",
    [
        "log/r-1/1-2.jsonl",
        "log/r-1/0000000002-0000000001.jsonl",
        "log/r-1/0000000000-0000000001.jsonl",
        "log/R/0000000001-0000000001.jsonl",
        "blobs/r-1/0000000001-0000000001.jsonl",
        "0000000001-0000000001.jsonl",
    ],
)
def test_what_is_not_named_like_a_segment_is_none(path: str) -> None:
    assert span(path) is None


# --- importing ---------------------------------------------------------------------------------------------------


def sealed_pair(make: MakeLog, tmp_path: Path, number: int = 4) -> tuple[Log, Log, Path]:
    """A clone with some sealed events, an empty one, and the segment."""
    one, two = make("r-1"), make("r-2")
    stream = new_stream(one)
    for text in range(number - 1):
        do(one, stream, Note("ada", f"note {text}"))
    sealing(tmp_path, one)
    return one, two, files(folder(tmp_path, one))[0]


def test_what_was_sealed_comes_in_once_with_the_same_bytes(make: MakeLog, tmp_path: Path) -> None:
    one, two, _ = sealed_pair(make, tmp_path)

    first, again = taking(two, folder(tmp_path, one)), taking(two, folder(tmp_path, one))

    assert (first.events, first.known, first.findings) == (4, 0, ())
    assert (again.events, again.known, again.findings) == (0, 4, ())
    assert all_events(two) == all_events(one)


@pytest.mark.parametrize(("number", "size", "expected"), [(4, 1 << 20, [4, 3]), (4_000, 1, [1] * 7)])
def test_a_transaction_takes_so_many_events_and_no_more_bytes_than_fit_into_memory(
    number: int,
    size: int,
    expected: list[int],
    make: MakeLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = make("r-1"), make("r-2")
    for title in range(7):
        new_stream(one, title=f"task {title}")
    sealing(tmp_path, one)
    monkeypatch.setattr(importing, "TRANSACTION", number)
    monkeypatch.setattr(importing, "TRANSACTION_BYTES", size)
    taken: list[int] = []

    def insert(transaction: Transaction, events: Sequence[Event]) -> Inserted:
        taken.append(len(events))
        return real(transaction, events)

    real = Transaction.insert
    monkeypatch.setattr(Transaction, "insert", insert)
    taking(two, folder(tmp_path, one))

    assert taken == expected
    assert all_events(two) == all_events(one)


def test_large_payloads_lie_beside_the_segments_and_come_along(make: MakeLog, tmp_path: Path) -> None:
    one, two = make("r-1"), make("r-2")
    body = "größe " * 2_000
    written = add_task(one, body=body)
    (digest,) = blobs_of(written.events[0].line)

    sealed = sealing(tmp_path, one)
    found = taking(two, folder(tmp_path, one))

    assert (sealed.blobs, found.blobs) == (1, 1)
    assert (folder(tmp_path, one) / blob_path(digest)).read_text() == body
    assert two.blob(digest).decode() == body


def test_a_blob_that_was_changed_is_told_and_left_out_and_may_come_later(
    make: MakeLog, tmp_path: Path
) -> None:
    one, two = make("r-1"), make("r-2")
    (digest,) = blobs_of(add_task(one, body="x" * 5_000).events[0].line)
    sealing(tmp_path, one)
    path = folder(tmp_path, one) / blob_path(digest)
    path.write_bytes(b"y" * 5_000)

    assert [item.code for item in taking(two, folder(tmp_path, one)).findings] == ["bad-blob"]
    assert two.find_blob(digest) is None
    path.write_bytes(b"x" * 5_000)
    assert taking(two, folder(tmp_path, one)).blobs == 1


def test_a_blob_that_no_event_refers_to_is_left_out(make: MakeLog, tmp_path: Path) -> None:
    one, two, _ = sealed_pair(make, tmp_path)
    digest = "ab" * 32
    path = folder(tmp_path, one) / blob_path(digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"spam")

    assert taking(two, folder(tmp_path, one)).blobs == 0


def test_each_flipped_byte_is_found_with_its_line_and_offset_and_nothing_of_the_line_comes_in(
    make: MakeLog, tmp_path: Path
) -> None:
    one, two, path = sealed_pair(make, tmp_path, 2)
    whole = path.read_bytes()
    ends = [place for place, byte in enumerate(whole) if byte == 0x0A]
    known = {item.id for item in all_events(one)}
    bad = tmp_path / "log/r-1" / path.name
    bad.parent.mkdir(parents=True)
    bad.touch()
    source = open_source([str(bad)])
    for place in range(len(whole)):
        for flip in (0x01, 0x80):
            data = bytearray(whole)
            data[place] ^= flip
            bad.write_bytes(bytes(data))
            found = import_from(two, source)
            first = found.findings[0]
            line = next(number for number, end in enumerate(ends) if place <= end)
            offset = 0 if line == 0 else ends[line - 1] + 1
            assert (first.code, first.line, first.offset) == ("bad-line", line + 1, offset), place
            assert {item.id for item in all_events(two)} <= known


@pytest.mark.parametrize("flip", [0x20, 0xFF])
def test_a_flipped_byte_is_never_taken_for_another_event(make: MakeLog, tmp_path: Path, flip: int) -> None:
    one, two, path = sealed_pair(make, tmp_path, 2)
    data = bytearray(path.read_bytes())
    place = data.index(b'"ada"') + 1
    data[place] ^= flip
    path.write_bytes(bytes(data))

    found = taking(two, folder(tmp_path, one))

    assert [item.code for item in found.findings] == ["bad-line"]


CUTS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str, int]] = {
    "a line deleted": (lambda lines: [lines[0], *lines[2:]], "bad-line", 1),
    "the first line deleted": (lambda lines: lines[1:], "bad-line", 0),
    "the last line deleted": (lambda lines: lines[:-1], "cut-segment", 3),
    "a line twice": (lambda lines: [*lines[:2], lines[1], *lines[2:]], "bad-line", 2),
    "two lines swapped": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "bad-line", 1),
    "half a line at the end": (lambda lines: [*lines[:3], lines[3][:50]], "bad-line", 3),
    "nothing left": (lambda _: [], "cut-segment", 0),
    "a line too long": (lambda lines: [lines[0], b"x" * 100_000 + b"\n", *lines[1:]], "bad-line", 1),
    "no JSON": (lambda lines: [lines[0], b"\0\xff\n", *lines[1:]], "bad-line", 1),
}


@pytest.mark.parametrize("what", CUTS)
def test_a_segment_that_was_tampered_with_is_taken_in_up_to_the_damage(
    what: str, make: MakeLog, tmp_path: Path
) -> None:
    one, two, path = sealed_pair(make, tmp_path)
    change, code, whole = CUTS[what]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))

    found = taking(two, folder(tmp_path, one))

    assert (found.events, [item.code for item in found.findings]) == (whole, [code])
    assert found.findings[0].path == str(path)
    assert [item.id for item in all_events(two)] == [item.id for item in all_events(one)][:whole]


def test_what_waited_for_an_earlier_import_is_counted_once(make: MakeLog, tmp_path: Path) -> None:
    one, two, three = make("r-1"), make("r-2"), make("r-3")
    stream = new_stream(one)
    sealing(tmp_path, one)
    taking(two, tmp_path / "r-1")
    do(two, stream, Note("bob", "seen"))
    sealing(tmp_path, two)

    first = taking(three, tmp_path / "r-2")
    second = taking(three, tmp_path / "r-1")

    assert (first.events, first.known, first.pending) == (1, 0, 1)
    assert (second.events, second.known, second.pending) == (1, 0, 0)


def test_a_bad_file_does_not_keep_the_others_from_coming_in(make: MakeLog, tmp_path: Path) -> None:
    one, two, path = sealed_pair(make, tmp_path)
    three = make("r-3")
    new_stream(one)
    sealing(tmp_path, one)
    new_stream(three)
    sealing(tmp_path, three)
    path.write_bytes(b"rubbish\n")

    found = taking(two, folder(tmp_path, one), folder(tmp_path, three))

    assert [item.code for item in found.findings] == ["bad-line", "gap"]
    assert found.events == 2


def test_two_stores_that_wrote_under_one_id_are_found_out_and_lose_nothing(
    make: MakeLog, tmp_path: Path
) -> None:
    one, two, three = make("r-1"), make("r-2"), make("r-3")
    new_stream(one)
    two.replica = "r-1"
    new_stream(two)
    new_stream(two)
    Segments(str(tmp_path / "r-2"), two, ("r-1",)).seal()
    sealing(tmp_path, one)

    found = taking(three, tmp_path / "r-1", tmp_path / "r-2")
    also = taking(one, tmp_path / "r-2")

    assert found.events == 3
    assert [item.code for item in found.findings if item.code == "fork"] == ["fork"]
    assert "fork" in {item.code for item in also.findings}


def test_an_event_from_a_clock_far_ahead_is_told_and_taken_in(make: MakeLog, tmp_path: Path) -> None:
    year = 365 * 86_400 * 1_000_000
    one, two = make("r-1", clock=lambda: 10**15 + year), make("r-2", clock=lambda: 10**15)
    new_stream(one)
    sealing(tmp_path, one)

    found = taking(two, folder(tmp_path, one))

    assert (found.events, [item.code for item in found.findings]) == (1, ["future"])


def test_a_live_file_can_be_imported_as_well_and_its_torn_end_is_told(make: MakeLog, tmp_path: Path) -> None:
    _one, two, path = sealed_pair(make, tmp_path)
    other = tmp_path / "copy.jsonl"
    other.write_bytes(path.read_bytes() + b'{"id":"00')

    found = taking(two, other)

    assert (found.events, [item.code for item in found.findings]) == (4, ["bad-line"])


def test_a_sign_of_life_in_a_file_is_passed_over(make: MakeLog, tmp_path: Path) -> None:
    two = make("r-2")
    about = {"v": 1, "ts": "2026-11-23T17:31:05.123456Z", "from": "ada", "to": "*", "type": "agent.pulse"}
    pulse: Event = seal({**about, "stream": "pulse/ada", "payload": {}})
    path = tmp_path / "some.jsonl"
    path.write_bytes(pulse.line + b"\n")

    assert (taking(two, path).events, all_events(two)) == (0, [])


def test_what_is_not_there_cannot_be_imported(make: MakeLog, tmp_path: Path) -> None:
    for place in ("nowhere", "r-2"):
        (tmp_path / "r-2").mkdir(exist_ok=True)
        with pytest.raises(Refusal) as caught:
            taking(make(f"r-for-{place}"), tmp_path / place)
        assert caught.value.code == "not-found"


def test_a_blob_that_was_redacted_elsewhere_goes_here_too_and_does_not_come_back(
    make: MakeLog, tmp_path: Path
) -> None:
    one, two = make("r-1"), make("r-2")
    (digest,) = blobs_of(add_task(one, body="x" * 5_000).events[0].line)
    sealing(tmp_path, one)
    shutil.copytree(folder(tmp_path, one) / "blobs", tmp_path / "kept")
    taking(two, folder(tmp_path, one))
    with one.transaction() as transaction:
        transaction.redact(digest, "zoe", "a password")

    sealing(tmp_path, one)
    taking(two, folder(tmp_path, one))

    assert not (folder(tmp_path, one) / blob_path(digest)).exists()
    shutil.copytree(tmp_path / "kept", folder(tmp_path, one) / "blobs", dirs_exist_ok=True)
    assert taking(two, folder(tmp_path, one)).blobs == 0
    for log in (one, two):
        with pytest.raises(Refusal) as caught:
            log.blob(digest)
        assert caught.value.code == "redacted"
    assert len(sealed_spans(str(folder(tmp_path, one)), "r-1")) == 2


SPAWNED: dict[str, Any] = {"title": "t", "priority": 2, "assignee": None, "labels": []}


@pytest.mark.parametrize(
    ("kind", "payload", "version", "bad"),
    [
        ("task.spawned", {**SPAWNED, "title": None}, 1, True),
        ("task.spawned", {**SPAWNED, "labels": [{"a": 1}]}, 1, True),
        ("task.spawned", {"priority": 2}, 1, True),
        ("task.spawned", {**SPAWNED, "mood": [1]}, 1, False),
        ("task.spawned", {**SPAWNED, "title": None}, 2, False),
        ("task.dreamt", {"title": None}, 1, False),
    ],
    ids=["no title", "odd label", "field missing", "unknown field", "newer version", "unknown type"],
)
def test_what_no_crewlog_can_have_written_stays_outside_and_what_a_newer_one_may_have_comes_in(
    make: MakeLog, tmp_path: Path, kind: str, payload: dict[str, Any], version: int, bad: bool
) -> None:
    fields: dict[str, Any] = {"v": version, "ts": "2026-11-24T10:00:00.000000Z", "from": "zoe", "to": "*"}
    fields |= {
        "type": kind,
        "stream": "task/t-aaaaaaaa",
        "payload": payload,
        "key": "k",
        "replica": "r-a",
        "seq": 1,
    }
    path = tmp_path / "other.jsonl"
    path.write_bytes(seal(fields).line + b"\n")

    done = taking(make("r-b"), path)

    assert [finding.code for finding in done.findings] == ["bad-line"] * bad
    assert done.events == (not bad)
