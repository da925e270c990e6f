"""What a command costs where a resident process answers, in starts of the bare interpreter."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

from bench.cold import BARE, SCRIPT, call
from bench.figures import Figure, in_turn, ratios

ROUNDS = 15
CALLERS = 8
CALLS = 200
COMMANDS = {
    "list": (SCRIPT, "list"),
    "show": (SCRIPT, "show", "first"),
    "whoami": (SCRIPT, "whoami", "--as", "zoe"),
    "spawn": (SCRIPT, "spawn", "one more", "--as", "zoe"),
    "heartbeat": (SCRIPT, "heartbeat", "--as", "zoe"),
}


AT_ONCE = ("list", "heartbeat")


def throughput(folder: str, line: Sequence[str]) -> float:
    """Calls a second with CALLERS at once."""
    with ThreadPoolExecutor(CALLERS) as pool:
        begin = time.perf_counter()
        list(pool.map(partial(call, line), [folder] * CALLS))
        return CALLS / (time.perf_counter() - begin)


def figures() -> Iterator[Figure]:
    """Starts of the bare interpreter that each command costs; and what callers at once reach."""
    with tempfile.TemporaryDirectory() as folder:
        for line in ("init --as zoe", "spawn first --slug first --as zoe", "serve --background"):
            call((SCRIPT, *line.split()), folder)
        lines = {"bare": BARE, **COMMANDS}
        try:
            found = in_turn({name: partial(call, line, folder) for name, line in lines.items()}, ROUNDS)
            rates = [{name: throughput(folder, lines[name]) for name in ("bare", *AT_ONCE)} for _ in range(3)]
        finally:
            call((SCRIPT, "serve", "stop"), folder)
    beside = f"`python -c pass`: {1000 * median(found['bare']):.1f} ms"
    for name in COMMANDS:
        yield Figure(f"warm `{name}`", ratios(found[name], found["bare"]), most=1.5, beside=beside)
    bare = [rate["bare"] for rate in rates]
    beside = f"{CALLERS} callers of `python -c pass`: {median(bare):.0f}/s"
    for name in AT_ONCE:
        reached = ratios([rate[name] for rate in rates], bare)
        yield Figure(f"warm `{name}`, {CALLERS} callers at once", reached, least=0.5, beside=beside)
