"""The power fails: of what was not synced any part is gone. Whatever a writer was told of is there all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from domain.commands import Note
from domain.refusals import Refusal
from domain.stores import sqlite, sqlite_recorder
from export.verify import verify_log
from tests.support.powercuts import Disk, Image, Step, acknowledged, cut, sqlite3_on
from tests.support.stores import SqliteStore, add_task, do, new_stream
from tests.support.wholeness import assert_whole

pytestmark = pytest.mark.faults

SOAK = bool(os.environ.get("CREWLOG_SOAK"))
ROUNDS = 40 if SOAK else 2
CUTS = 250 if SOAK else 30
EVENTS = 60
FULL = "PRAGMA synchronous=FULL"


class Run(NamedTuple):
    """One run of a writer: the files before it, and all that was done to them."""

    before: Image
    steps: list[Step]


@cache
def disk() -> Disk:
    """SQLite knows file systems by name, for as long as the process lives."""
    return Disk()


def content(folder: Path) -> Image:
    """What lies on the disk: the database and its -wal. The -shm is no more than memory."""
    names = ("crewlog.db", "crewlog.db-wal")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def write(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch, instead: dict[str, str]) -> Run:
    """Append to the store as commands do, a process after the other, and as a resident process does."""
    disk().steps.clear()
    chance, before = Random(seed), content(folder)
    store = SqliteStore(str(folder))
    with monkeypatch.context() as patch:
        for module in (
            sqlite,
            sqlite_recorder,
        ):  # two libraries on one file would take each other's locks away
            patch.setattr(module, "sqlite3", sqlite3_on(disk(), instead))
        log = store.open(keep_open=seed % 2 == 0)
        stream = new_stream(log)
        for number in range(EVENTS):
            if number % 7:
                written = do(log, stream, Note("ada", f"{number} " + "x" * chance.randrange(9_000)))
            else:
                written = add_task(log, body="b" * chance.randrange(40_000))
            disk().acknowledged(written.events[0].id)
            if number % 5 == 0 and not log.keep_open:
                log.close()
                log = store.open()
        log.close()
    return Run(before, list(disk().steps))


def cuts(run: Run, seed: int) -> Iterator[tuple[set[str], Image]]:
    """What was acknowledged and what is on the disk, for cuts anywhere, and for some right after an acknowledgement."""
    chance = Random(seed)
    told = [place for place, step in enumerate(run.steps, 1) if step.what == "acknowledged"]
    for number in range(CUTS):
        place = chance.choice(told) if number % 3 == 0 else chance.randrange(len(run.steps) + 1)
        keep = chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
        steps = run.steps[:place]
        yield acknowledged(steps), cut(run.before, steps, keep, chance)


def restart(folder: Path, image: Image) -> SqliteStore:
    """The machine is up again, and this is what its disk holds."""
    folder.mkdir()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    return SqliteStore(str(folder))


def assert_nothing_is_lost(store: SqliteStore, told: set[str]) -> None:
    """The database is intact, the log is whole, and it can be written again."""
    with closing(store.open()) as log:
        assert_whole(log, told)
        assert verify_log(log).findings == []
        assert log.state(new_stream(log)).state == "ASSIGNED"
    assert store.rows("PRAGMA integrity_check") == [("ok",)]


def test_no_power_cut_takes_what_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(str(tmp_path))
    store.create()
    told: set[str] = set()
    for number in range(ROUNDS):
        run = write(Path(store.folder), number, monkeypatch, {})
        written = {step.name for step in run.steps if step.what == "write"}
        assert written >= {"crewlog.db", "crewlog.db-wal"}, "no checkpoint was ever cut"
        for place, (more, image) in enumerate(cuts(run, number)):
            after = restart(tmp_path / f"{number}-{place}", image)
            assert_nothing_is_lost(after, told | more)
        told |= acknowledged(run.steps)
        # The next round begins after a cut at the very end, with what recovery makes of it.
        survivor = cut(run.before, run.steps, 0.5, Random(number))
        store = restart(tmp_path / f"{number}-next", survivor)


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_writer_that_syncs_less_loses_what_it_acknowledged(
    synchronous: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: were nothing lost here, the disk above would lose nothing either, and the test would show nothing."""
    SqliteStore(str(tmp_path)).create()
    run = write(tmp_path, 0, monkeypatch, {FULL: f"PRAGMA synchronous={synchronous}"})

    lost = [
        place
        for place, (told, image) in enumerate(cuts(run, 0))
        if not told <= ids(restart(tmp_path / f"{place}", image))
    ]

    assert lost


def ids(store: SqliteStore) -> set[str]:
    """The events that are left; none of a database that was damaged."""
    try:
        with closing(store.open()) as log:
            return {found.event.id for found in log.read(0)}
    except (Refusal, ValueError):  # damaged pages, or damaged lines
        return set()
