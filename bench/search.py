"""What searching costs: building the index, and searches with few and with very many hits, in a small and a large log."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import closing

from bench.append import open_log
from bench.views import fill, quickest
from domain.log import Log
from projections.search import Wanted, open_index, search

SMALL, LARGE = 1_000, 100_000
HUGE = 1_000_000  # with --huge: minutes

# Of the events of `bench.views.history` these hold: one in all, one in a hundred, one in ten, nearly all.
SEARCHES = {
    "one": '"task 1"',
    "one in 100": '"area.7"',
    "one in 10": "tests pass",
    "nearly all": "look OR step OR tests",
}


def built(folder: str, log: Log) -> float:
    """Seconds to index the whole log."""
    begin = time.perf_counter()
    with closing(open_index(folder, log)) as index:
        index.catch_up()
    return time.perf_counter() - begin


def asked(folder: str, log: Log, wanted: Wanted) -> tuple[int, float]:
    """How many hits, and milliseconds of a search as a command does it: open, catch up, search, close."""

    def once() -> int:
        with closing(open_index(folder, log)) as index:
            return index.ask(lambda connection: search(connection, log, wanted, 20)).total

    return once(), quickest(once)


def main() -> None:
    """Print the rate of indexing, and what searches cost."""
    for number in [HUGE] if "--huge" in sys.argv else [SMALL, LARGE]:
        with tempfile.TemporaryDirectory() as folder:
            fill(folder, number)
            log = open_log(folder, keep_open=True)
            seconds = built(folder, log)
            size, events = (
                os.path.getsize(os.path.join(folder, "search.db")),
                os.path.getsize(log_path(folder)),
            )
            print(
                f"  {number:,} events: {number / seconds:,.0f} events/s indexed, {size / events:.2f} of the log's size"
            )
            for name, text in SEARCHES.items():
                total, cost = asked(folder, log, Wanted(text))
                print(f"    {name:<20} {cost:7.2f} ms   {total:,} hits")
            log.close()


def log_path(folder: str) -> str:
    """The event store."""
    return os.path.join(folder, "crewlog.db")


if __name__ == "__main__":
    main()
