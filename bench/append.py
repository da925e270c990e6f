"""What an append costs, beside a raw INSERT into SQLite at the same durability."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from statistics import median

from bench.figures import Figure, ratios
from domain.commands import Note, Spawn
from domain.decide import decide, spawn
from domain.draft import Draft
from domain.log import Log, Seen
from domain.stores import sqlite
from export.live import LiveFile
from projections.views import open_views

EVENTS = 1_000
BATCH = 100
WRITERS = 32
EACH = 40
REPETITIONS = 3


def open_log(folder: str, *, keep_open: bool = False, replica: str = "r-bench") -> Log:
    """The log of a store in this folder."""
    paths = os.path.join(folder, "crewlog.db"), os.path.join(folder, "queue.lock")
    writer = sqlite.environment(*paths, read_only=False)
    return Log(writer, sqlite.environment(*paths, read_only=True), replica, keep_open=keep_open)


def make_store(folder: str) -> None:
    """An empty store."""
    os.close(os.open(os.path.join(folder, "crewlog.db"), os.O_CREAT | os.O_WRONLY, 0o600))
    log = open_log(folder)
    log.create()
    log.close()


def add_task(log: Log, title: str) -> str:
    """Spawn a task and return its stream."""
    with log.transaction() as transaction:
        written = transaction.append(None, "zoe", lambda _: spawn(Spawn("zoe", title, 2)))
    return written.events[0].stream


def note(log: Log, stream: str, text: str) -> None:
    """Append one event."""

    def decided(seen: Seen) -> Sequence[Draft]:
        return decide(Note("zoe", text), seen.state)

    log.write(stream, "zoe", decided)


class Raw:
    """A table of SQLite, WAL, synchronous=FULL: what the disk and the library allow."""

    def __init__(self, folder: str) -> None:
        self.connection = sqlite3.connect(os.path.join(folder, "raw.db"), isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, line BLOB)")

    def batch(self) -> None:
        """BATCH transactions of one INSERT."""
        for _ in range(BATCH):
            self.connection.execute("INSERT INTO t (line) VALUES (?)", (b"x" * 500,))


class OneWriter:
    """One long-lived process; views and live.jsonl caught up after every batch."""

    def __init__(self, folder: str) -> None:
        self.log = open_log(folder, keep_open=True)
        self.views, self.live = open_views(folder, self.log), LiveFile(folder, self.log)
        self.stream = add_task(self.log, "one writer")

    def batch(self) -> None:
        """BATCH events, each in a transaction of its own."""
        for number in range(BATCH):
            note(self.log, self.stream, f"note {number}")
        self.live.feed()
        self.views.catch_up()


class Pulses:
    """One long-lived process that gives signs of life."""

    def __init__(self, folder: str) -> None:
        self.log = open_log(folder, keep_open=True)

    def batch(self) -> None:
        """BATCH pulses."""
        for _ in range(BATCH):
            self.log.pulse("ada", {})


def rates(folder: str) -> list[float]:
    """Transactions a second of each, batch by batch in turn, so that all see the same noise of the disk."""
    one, pulses = OneWriter(folder), Pulses(folder)
    writers: tuple[Raw | OneWriter | Pulses, ...] = (Raw(folder), one, pulses)
    spent = [0.0] * len(writers)
    for _ in range(EVENTS // BATCH):
        for index, writer in enumerate(writers):
            begin = time.perf_counter()
            writer.batch()
            spent[index] += time.perf_counter() - begin
    one.views.close()
    one.log.close()
    pulses.log.close()
    return [EVENTS / seconds for seconds in spent]


def _write(folder: str, name: int) -> float:
    """Append as one of many; the longest wait in seconds."""
    return worst_wait(open_log(folder), name, EACH)


def _warm_up(folder: str) -> None:
    add_task(open_log(folder), "to load what writing needs")


def worst_wait(log: Log, name: int, count: int) -> float:
    """Append `count` events to a task of its own and close the log; the longest of them in seconds."""
    stream = add_task(log, f"writer {name}")
    worst = 0.0
    for number in range(count):
        begin = time.perf_counter()
        note(log, stream, f"note {number}")
        worst = max(worst, time.perf_counter() - begin)
    log.close()
    return worst


def many_writers(folder: str) -> tuple[float, float]:
    """Events a second of WRITERS processes at once, each opening and closing the store for every event; worst wait."""
    with get_context("spawn").Pool(WRITERS) as pool:
        pool.map(
            _warm_up, [folder] * WRITERS * 4, chunksize=1
        )  # all of them are there, with everything loaded
        begin = time.perf_counter()
        worst = max(pool.map(partial(_write, folder), range(WRITERS), chunksize=1))
        spent = time.perf_counter() - begin
    return WRITERS * EACH / spent, worst


def figures() -> Iterator[Figure]:
    """Transactions a second and their ratios."""
    alone: list[list[float]] = []
    crowd: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        make_store(folder)
        for _ in range(REPETITIONS):
            alone.append(rates(folder))
            crowd.append(many_writers(folder))
    raw, one, pulses = ([row[index] for row in alone] for index in range(3))
    many, worst = ([row[index] for row in crowd] for index in range(2))
    beside = f"raw INSERT at FULL: {median(raw):.0f}/s, {1000 / median(raw):.2f} ms each"
    yield Figure(
        "append, one long-lived process, views and export every 100",
        ratios(one, raw),
        least=0.5,
        beside=beside,
    )
    yield Figure("append", one, "events/s")
    yield Figure("pulse, one long-lived process", ratios(pulses, raw), beside=beside)
    beside = f"one writer: {median(one):.0f}/s"
    yield Figure(
        f"{WRITERS} writers at once, one-shot each event", ratios(many, one), least=0.6, beside=beside
    )
    yield Figure("the worst wait of the unluckiest of them", worst, "s", most=1)
