"""What a command costs where a resident process answers, in starts of the bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bench.cold import SCRIPT

ROUNDS = 40
CALLERS = 8
CALLS = 200
BARE = (sys.executable, "-c", "pass")
COMMANDS = {
    "list": (SCRIPT, "list"),
    "show": (SCRIPT, "show", "first"),
    "whoami": (SCRIPT, "whoami", "--as", "zoe"),
    "spawn": (SCRIPT, "spawn", "one more", "--as", "zoe"),
    "heartbeat": (SCRIPT, "heartbeat", "--as", "zoe"),
}


def spent(folder: str, line: Sequence[str]) -> float:
    """Seconds of one run."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run(line, cwd=folder, env=environ, check=True, capture_output=True)
    return time.perf_counter() - begin


def quickest(folder: str) -> dict[str, float]:
    """The quickest run of each line, taken in turn, so that all see the same noise."""
    lines = {"bare": BARE, **COMMANDS}
    times: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(ROUNDS):
        for name, line in lines.items():
            times[name].append(spent(folder, line))
    return {name: min(found) for name, found in times.items()}


def throughput(folder: str, line: Sequence[str]) -> float:
    """Calls a second with CALLERS at once."""
    with ThreadPoolExecutor(CALLERS) as pool:
        begin = time.perf_counter()
        list(pool.map(partial(spent, folder), [line] * CALLS))
        return CALLS / (time.perf_counter() - begin)


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        for line in ("init --as zoe", "spawn first --slug first --as zoe", "serve --background"):
            subprocess.run([SCRIPT, *line.split()], cwd=folder, check=True, capture_output=True)
        try:
            found = quickest(folder)
            for name, seconds in found.items():
                ratio = seconds / found["bare"]
                print(f"  {name:<14}  {seconds * 1000:6.1f} ms   {ratio:.2f} x (must: 1.5)")
            bare = throughput(folder, BARE)
            for name in ("list", "heartbeat"):
                rate = throughput(folder, COMMANDS[name])
                print(
                    f"  {CALLERS} x {name:<10}  {rate:6.0f}/s    {rate / bare:.2f} of python -c pass (must: 0.5)"
                )
        finally:
            subprocess.run([SCRIPT, "serve", "stop"], cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
