"""What size costs: stores of 100, 10,000 and 100,000 tasks (1,000,000 events), filled by an import.

`BENCH_TASKS=100,1000` measures other sizes; the first is the yardstick of the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial

from bench.append import add_task
from bench.append import open_log as plain_log
from bench.cold import SCRIPT, call
from bench.figures import Figure, in_turn, ratios, spent
from bench.stores import Filled, alone, filled, inside
from cli.replica import read_replica
from domain.log import Log
from domain.stores.apart import Apart
from export.live import LiveFile
from export.verify import verify_log
from projections.search import Wanted, open_index, search
from projections.views import Rebuilt, Views, open_views

TASKS = tuple(int(number) for number in os.environ.get("BENCH_TASKS", "100,10000,100000").split(","))
ROUNDS = 8
HOT = {
    "list": ("list",),
    "ready": ("ready",),
    "status": ("status",),
    "show": ("show", "bench-task"),
    "whoami": ("whoami", "--as", "zoe"),
    "inbox": ("inbox", "--as", "zoe"),
    "log": ("log",),
    "spawn": ("spawn", "one more", "--as", "zoe"),
    "note": ("note", "bench-task", "a word", "--as", "zoe"),
    "heartbeat": ("heartbeat", "--as", "zoe"),
    "start": ("start", "--as", "ada"),
}
# Expressions for `bench.stores.history`, with what part of the events holds them.
SEARCHES = {
    "rare words": '"task 0"',
    "a word in one of 100 events": '"area.7"',
    "a word in one of 10": "tests pass",
    "a word in nearly all": "look OR step OR tests",
}
MAY_BE_RANKED = 10_000


def figures() -> Iterator[Figure]:
    """The rows that depend on the size of the log."""
    with ExitStack() as stack:
        stores = [stack.enter_context(filled(tasks)) for tasks in TASKS]
        for store in stores:
            yield from importing(store)
        for store in stores:
            yield from folding(store)
            yield from verifying(store)
            yield from searching(store)
        yield from exporting(stores)
        for store in stores:
            call((SCRIPT, "spawn", "the one", "--slug", "bench-task", "--as", "zoe"), store.folder)
            inside(store.folder, ["join", "ada"])
        yield from hot_commands(stores)
        yield from memory(stores[-1])


def open_log(store: Filled) -> Log:
    """The store's log, under its own replica id."""
    known = read_replica(store.store)
    assert known
    return plain_log(store.store, keep_open=True, replica=known.id)


def importing(store: Filled) -> Iterator[Figure]:
    """What the import took that filled the store; views and live.jsonl with it."""
    peak, seconds, _ = store.imported
    yield Figure(f"import of {store.events:,} events", [store.events / seconds], "events/s")
    yield Figure(f"import of {store.events:,} events, peak", [peak], "MiB", most=128)


def folding(store: Filled) -> Iterator[Figure]:
    """The views anew, then the search index anew."""
    log = open_log(store)
    with closing(log), closing(open_views(store.store, log)) as views:
        views.catch_up()
        times = [rebuilt(views).seconds for _ in range(3)]
        indexed: list[float] = []
        for _ in times:
            remove_index(store.store)
            with closing(open_index(store.store, log)) as index:
                indexed.append(spent(index.catch_up))
    rates = [store.events / seconds for seconds in times]
    yield Figure(f"rebuild of the views, {store.events:,} events", rates, "events/s", least=100_000)
    both = [store.events / (one + other) for one, other in zip(times, indexed, strict=True)]
    yield Figure(f"the same with the search index, {store.events:,} events", both, "events/s", least=60_000)


def rebuilt(views: Views) -> Rebuilt:
    """The views rebuilt as the command does it."""
    with Apart() as apart:
        return views.rebuild(None, apart)


def remove_index(folder: str) -> None:
    """No index, and none of its files."""
    for name in os.listdir(folder):
        if name.startswith("search.db"):
            os.unlink(os.path.join(folder, name))


def verifying(store: Filled) -> Iterator[Figure]:
    """Verify in parts and as a whole."""
    with closing(open_log(store)) as log:
        times = [spent(partial(looked_through, log)) for _ in range(3)]
    rates = [store.events / seconds for seconds in times]
    yield Figure(
        f"verify: bytes, ids, chain, parents, {store.events:,} events", rates, "events/s", least=150_000
    )
    runs = [alone(store.folder, ["verify"]) for _ in range(2)]
    rates = [store.events / run.seconds for run in runs]
    yield Figure(f"verify: all of it, {store.events:,} events", rates, "events/s", least=60_000)
    peaks = [run.peak for run in runs]
    yield Figure(f"verify: all of it, {store.events:,} events, peak", peaks, "MiB", most=128)
    helpers = [run.helper for run in runs]
    yield Figure(
        f"verify: the largest process that helps, {store.events:,} events, peak", helpers, "MiB", most=128
    )


def looked_through(log: Log) -> None:
    """The log alone, by all cores, as `verify` does it."""
    with Apart() as apart:
        assert not verify_log(log, apart=apart).findings


def searching(store: Filled) -> Iterator[Figure]:
    """Searches as a command does them: open, catch up, search, close."""
    with closing(open_log(store)) as log:

        def once(text: str) -> int:
            with closing(open_index(store.store, log)) as index:
                return index.ask(lambda connection: search(connection, log, Wanted(text), 20)).total

        found = in_turn({name: partial(once, text) for name, text in SEARCHES.items()}, ROUNDS)
        for name, text in SEARCHES.items():
            hits = once(text)
            most = 30 if hits <= MAY_BE_RANKED else None
            beside = f"{hits:,} hits"
            what = f"search for {name}, {store.events:,} events"
            yield Figure(what, [1000 * seconds for seconds in found[name]], "ms", most=most, beside=beside)


def exporting(stores: list[Filled]) -> Iterator[Figure]:
    """live.jsonl after one change: bytes, and whether time grows with the log."""
    found: list[list[float]] = []
    for store in stores:
        log = open_log(store)
        live = LiveFile(store.store, log)
        live.feed()
        times: list[float] = []
        parts: list[float] = []
        for number in range(3 * ROUNDS):
            add_task(
                log, f"change {number} of {store.tasks} tasks"
            )  # past the commands: nothing has fed live.jsonl
            before, size = _written(), os.path.getsize(live.path)
            times.append(spent(live.feed))
            parts.append((_written() - before) / (os.path.getsize(live.path) - size))
        log.close()
        found.append([min(times[block::3]) for block in range(3)])
        yield Figure(
            f"export after one change, bytes, {store.events:,} events", parts, most=2, beside="the line"
        )
    for store, times in list(zip(stores, found, strict=True))[1:]:
        what = f"export after one change, time, {store.events:,} events"
        beside = f"{1000 * min(found[0]):.2f} ms at {stores[0].events:,} events"
        yield Figure(what, ratios(times, found[0]), most=1.3, beside=beside)


def _written() -> int:
    """Bytes that this process has written so far."""
    with open("/proc/self/io", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("wchar:"))


def hot_commands(stores: list[Filled]) -> Iterator[Figure]:
    """Whole processes and calls in one process, in each store in turn."""
    for where, most, doing in (("whole process", 1.2, _whole), ("in-process", 1.3, inside)):
        for name, words in HOT.items():
            works: dict[str, Callable[[], object]] = {
                store.folder: partial(doing, store.folder, words) for store in stores
            }
            found = in_turn(works, ROUNDS)
            for store in stores[1:]:
                first = found[stores[0].folder]
                what = f"`{name}`, {where}, {store.tasks:,} tasks"
                beside = f"{1000 * min(first):.1f} ms at {stores[0].tasks:,} tasks"
                yield Figure(what, ratios(found[store.folder], first), most=most, beside=beside)


def _whole(folder: str, words: tuple[str, ...]) -> None:
    call((SCRIPT, *words), folder)


def memory(store: Filled) -> Iterator[Figure]:
    """The peak of each hot command in a process of its own."""
    for name, words in HOT.items():
        peak = alone(store.folder, words).peak
        yield Figure(f"`{name}`, peak, {store.events:,} events", [peak], "MiB", most=40)
