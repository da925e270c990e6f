"""The change signal: what follows a change is looked for, and without one nothing is."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from timeit import timeit

import pytest

from cli import follow
from cli.follow import LONGEST, LOOK, Looked
from cli.shell import Shell
from cli.store import Store
from tests.cli.conftest import Crew

LONG_AGO = 3_600


class Time:
    """Time that passes only while somebody sleeps, in the place of the module."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time that the signal lives in."""
    passing = Time()
    monkeypatch.setattr(follow, "time", passing)
    return passing


class Files:
    """A store's files, changed at times of the test's own."""

    def __init__(self, crew: Crew, passing: Time) -> None:
        shell = Shell(io.StringIO(), io.StringIO(), io.StringIO(), {}, str(crew.folder))
        self.store = Store(str(crew.folder / ".crewlog"), shell, "")
        self.wal = Path(self.store.path("crewlog.db-wal"))
        self._passing = passing
        self._size = 0
        for path in ("crewlog.db", "live.jsonl"):
            set_time(Path(self.store.path(path)), passing.now - LONG_AGO)

    def change(self, ago: float = 0.0) -> None:
        """Let the write-ahead log grow."""
        self._size += 1
        self.wal.write_bytes(b"x" * self._size)
        self.touch(ago)

    def touch(self, ago: float = 0.0) -> None:
        """Set its time."""
        set_time(self.wal, self._passing.now - ago)


def set_time(path: Path, moment: float) -> None:
    os.utime(path, (moment, moment))


@pytest.fixture
def files(crew: Crew, passing: Time) -> Files:
    """The files of a store in which nothing happened for long."""
    files = Files(crew, passing)
    files.change(LONG_AGO)
    return files


def looks(signal: Looked, passing: Time, seconds: float) -> list[float]:
    """When the signal says that there may be something new, for so many seconds."""
    begin, found = passing.now, list[float]()
    while (left := begin + seconds - passing.now) > 0:
        if signal.wait(left):
            found.append(passing.now - begin)
    return found


def test_where_nothing_happened_for_long_there_is_the_first_look_and_no_other(
    files: Files, passing: Time
) -> None:
    assert looks(Looked(files.store), passing, 1_000) == [0.0]


def test_a_change_is_seen_at_the_next_look(files: Files, passing: Time) -> None:
    signal = Looked(files.store)
    assert signal.wait(0)
    assert not signal.wait(10)

    files.change()

    assert looks(signal, passing, LOOK)[0] == 0.0


def test_what_shows_late_after_a_change_is_not_missed(files: Files, passing: Time) -> None:
    """A disk that syncs for seconds: the file has grown, and nothing else changes when the commit can be seen."""
    signal = Looked(files.store)
    signal.wait(0)
    files.change()

    found = looks(signal, passing, 2 * LONGEST)

    for shows in (0.03, 0.2, 1.0, 7.0, 29.0):
        seen = next(moment for moment in found if moment >= shows)
        assert seen <= 2 * shows + 3 * LOOK
    assert len(found) < 15
    assert found[-1] <= LONGEST * 2


def test_a_change_from_before_the_first_look_may_still_show(files: Files, passing: Time) -> None:
    files.change(ago=2.0)

    found = looks(Looked(files.store), passing, 1_000)

    assert found[0] == 0.0
    assert 2.0 <= found[1] <= 2.0 + 2 * LOOK


def test_a_file_from_the_future_does_not_keep_it_looking(files: Files, passing: Time) -> None:
    """As after the clock was set back."""
    files.change(ago=-LONG_AGO)

    assert len(looks(Looked(files.store), passing, 1_000)) < 15


def test_a_second_change_within_one_tick_of_the_file_times_is_seen(files: Files, passing: Time) -> None:
    """Frames that are overwritten in place, in the same tick: neither size nor time tells."""
    signal = Looked(files.store)
    signal.wait(0)
    files.change()
    assert signal.wait(0)

    files.touch()

    assert looks(signal, passing, 2 * LOOK + 0.001)


def test_a_look_costs_little_more_than_its_look_at_the_files(files: Files) -> None:
    """The best of several, each beside its yardstick: 20 looks a second are then under a hundredth of a core."""
    signal = Looked(files.store)
    while signal.wait(0):
        pass
    paths = [files.store.path(name) for name in ("crewlog.db-wal", "crewlog.db", "live.jsonl")]

    def look() -> None:
        for _ in range(100):
            signal.wait(0)

    def bare_look() -> None:
        for _ in range(100):
            for path in paths:
                os.path.exists(path)

    assert min(timeit(look, number=1) / timeit(bare_look, number=1) for _ in range(20)) < 10
