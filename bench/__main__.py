"""`make bench`: every benchmark, each figure beside its yardstick; a table here, the same as JSON in a file.

`python -m bench [--json FILE] [NAME…]`. Nothing is judged: the exit code is 0 whatever the
figures are.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import orjson

from bench import append, cold, history, imports, server, sizes, warm
from bench.figures import HEAD, Benchmark, Figure, headline, machine

BENCHMARKS: dict[str, Benchmark] = {
    "append": append.figures,
    "cold": cold.figures,
    "warm": warm.figures,
    "history": history.figures,
    "server": server.figures,
    "sizes": sizes.figures,
    "imports": imports.figures,
}


def main(words: list[str]) -> None:
    """Run the benchmarks of these names, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure crewlog.")
    parser.add_argument("names", nargs="*", metavar="NAME", type=_known, help=", ".join(BENCHMARKS))
    parser.add_argument("--json", default="build/bench.json", help="where the figures go (%(default)s)")
    given = parser.parse_args(words)
    about = machine()
    print(headline(about))
    found: dict[str, list[Figure]] = {}
    for name in given.names or BENCHMARKS:
        print(f"\n## {name}\n\n{HEAD}", flush=True)
        found[name] = []
        for figure in BENCHMARKS[name]():
            found[name].append(figure)
            print(figure.row, flush=True)
            write(given.json, about, found)
    print(
        f"\n{given.json} has the same as JSON; `python -m bench.page {given.json}` writes it into docs/performance.md."
    )


def _known(name: str) -> str:
    """The name of a benchmark. `choices` of argparse would have it that no name at all is a wrong one."""
    if name not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"there is no {name!r}; choose from {', '.join(BENCHMARKS)}")
    return name


def write(path: str, about: dict[str, Any], found: dict[str, list[Figure]]) -> None:
    """What is there so far: a run that is stopped leaves the rows it had."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    data = {"machine": about, **{name: [figure.as_dict() for figure in rows] for name, rows in found.items()}}
    with open(path, "wb") as file:
        file.write(orjson.dumps(data, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main(sys.argv[1:])
