"""What a benchmark found: figures with their yardsticks, as a table for people and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

Benchmark = Callable[[], Iterable["Figure"]]
LIBRARIES = ("eventsourcing", "orjson", "sqlite-utils", "typer")
HEAD = "| what | measured | spread | must | met | beside |\n| --- | ---: | ---: | ---: | --- | --- |"


class Figure(NamedTuple):
    """One row: what was measured, how often, in which unit, and what it must be.

    `values`: one a repetition; the median counts. `unit`: "x" for a ratio. `least`, `most`: the bound, where there is
    one. `beside`: the yardstick and its own figure, taken in the same run.
    """

    what: str
    values: Sequence[float]
    unit: str = "x"
    least: float | None = None
    most: float | None = None
    beside: str = ""

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the bound holds; None where there is none."""
        if self.least is not None:
            return self.middle >= self.least
        return None if self.most is None else self.middle <= self.most

    @property
    def bound(self) -> str:
        """What it must be, in words; "" where nothing is asked."""
        if self.least is not None:
            return f"at least {_short(self.least)}"
        return "" if self.most is None else f"at most {_short(self.most)}"

    @property
    def row(self) -> str:
        """The line of the table."""
        spread = f"{_short(min(self.values))} to {_short(max(self.values))}" if len(self.values) > 1 else ""
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        cells = (self.what, f"{_short(self.middle)} {self.unit}", spread, self.bound, met, self.beside)
        return f"| {' | '.join(cells)} |"

    def as_dict(self) -> dict[str, Any]:
        """The object in the JSON."""
        return {**self._asdict(), "values": list(self.values), "middle": self.middle, "met": self.met}


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def headline(about: dict[str, Any]) -> str:
    """The machine in a line."""
    return ", ".join(f"{name} {value}" for name, value in about.items())


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    return "\n".join([HEAD, *(figure.row for figure in figures)])


def machine() -> dict[str, Any]:
    """What the figures were taken on: they mean little without."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    if sys.platform != "linux":
        return platform.processor()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = (line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
        return next(names, platform.machine())


def spent(work: Callable[[], object]) -> float:
    """Seconds that one run takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turn(works: dict[str, Callable[[], object]], rounds: int, blocks: int = 3) -> dict[str, list[float]]:
    """Seconds of the quickest of `rounds` runs of each work, `blocks` times.

    One run of each after the other, so that all see the same noise of the machine; the quickest is what is not noise.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(blocks):
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                times[name].append(spent(work))
        for name, measured in times.items():
            found[name].append(min(measured))
    return found


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of each repetition."""
    return [one / other for one, other in zip(above, below, strict=True)]
