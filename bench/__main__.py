"""`make bench`: every benchmark, each beside its yardstick, as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import append, audit, cold, history, imports, search, server, views, warm

BENCHMARKS: dict[str, Callable[[], None]] = {
    "append": append.main,
    "cold": cold.main,
    "warm": warm.main,
    "server": server.main,
    "imports": imports.main,
    "views": views.main,
    "history": history.main,
    "audit": audit.main,
    "search": search.main,
}


def main(names: list[str]) -> None:
    """Run the benchmarks of these names, or all of them."""
    for name in names or BENCHMARKS:
        print(f"\n{name}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
