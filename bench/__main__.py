"""`make bench`: every benchmark, each beside its yardstick, as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import append, cold, imports, search, views

BENCHMARKS: dict[str, Callable[[], None]] = {
    "append": append.main,
    "cold": cold.main,
    "imports": imports.main,
    "views": views.main,
    "search": search.main,
}


def main(names: list[str]) -> None:
    """Run the benchmarks of these names, or all of them."""
    for name in names or BENCHMARKS:
        print(f"\n{name}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
