"""The program with a clock that is wrong: `python -m tests.soak.shifted SECONDS WORDS…`.

The same code as the installed script from words to exit code; only what it takes for the time is shifted.
"""

from __future__ import annotations

import os
import sys
import time

from cli.app import run
from cli.launcher import flush, guarded
from cli.shell import Shell


def main() -> None:
    """Run the command line and leave with its exit code."""
    shift = int(sys.argv[1]) * 1_000_000

    def clock() -> int:
        return time.time_ns() // 1000 + shift

    shell = Shell(sys.stdin, sys.stdout, sys.stderr, os.environ, os.getcwd(), clock=clock)
    os._exit(flush(guarded(lambda: run(sys.argv[2:], shell))))


if __name__ == "__main__":
    main()
