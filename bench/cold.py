"""What a whole command costs from a cold start, in starts of the bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

ROUNDS = 15
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


def spent(line: list[str], folder: str) -> float:
    """Seconds of the quickest of some runs: what is not noise of the machine."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times: list[float] = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run(line, cwd=folder, env=environ, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        for line in ("init --as zoe", "spawn first --slug first --as zoe"):
            subprocess.run([SCRIPT, *line.split()], cwd=folder, check=True, capture_output=True)
        bare = spent([sys.executable, "-c", "pass"], folder)
        print(f"  python -c pass  {bare * 1000:6.1f} ms")
        for name, words in COMMANDS.items():
            whole = spent([SCRIPT, *words], folder)
            print(f"  {name:<14}  {whole * 1000:6.1f} ms   {whole / bare:.1f} x")


if __name__ == "__main__":
    main()
