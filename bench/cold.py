"""What a whole command costs from a cold start, in starts of the bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

from bench.figures import Figure, in_turn, ratios

ROUNDS = 8
BARE = (sys.executable, "-c", "pass")
SCRIPT = os.path.join(os.path.dirname(sys.executable), "crewlog")
COMMANDS = {
    "--version": ("--version",),
    "list": ("list",),
    "show": ("show", "first"),
    "log": ("log",),
    "whoami": ("whoami", "--as", "zoe"),
    "spawn": ("spawn", "one more", "--as", "zoe"),
    "note": ("note", "first", "a word", "--as", "zoe"),
    "heartbeat": ("heartbeat", "--as", "zoe"),
}


def call(line: Sequence[str], folder: str) -> None:
    """Run a whole command; without .pyc files a start would cost 4.5 times as much."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(line, cwd=folder, env=environ, check=True, capture_output=True)


def figures() -> Iterator[Figure]:
    """Starts of the bare interpreter that each command costs."""
    with tempfile.TemporaryDirectory() as folder:
        for line in ("init --as zoe", "spawn first --slug first --as zoe"):
            call((SCRIPT, *line.split()), folder)
        lines = {"bare": BARE, **{name: (SCRIPT, *words) for name, words in COMMANDS.items()}}
        found = in_turn({name: partial(call, line, folder) for name, line in lines.items()}, ROUNDS)
    beside = f"`python -c pass`: {1000 * median(found['bare']):.1f} ms"
    for name in COMMANDS:
        most = {"--version": None, "spawn": 9, "note": 9, "heartbeat": 9}.get(name, 6.5)
        yield Figure(f"cold `{name}`", ratios(found[name], found["bare"]), most=most, beside=beside)
