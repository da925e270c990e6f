"""Work on a log in processes of their own, so that more than one core takes part.

A process that cannot be started, that is killed, or whose work fails, has no result: whoever asked does the work itself,
and gets to see what is wrong. Nothing here writes to the log, so that a process may be killed at any moment.

Processes are started anew and not forked: SQLite's connections and locks must not be carried over.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from random import SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from domain.log import Log

# Below so many events a start costs more than it saves.
WORTHWHILE = 50_000

Result = TypeVar("Result")
Progress = Callable[[int, int], None]

_MAIN = "import sys; sys.path.insert(0, sys.argv[1]); from domain.stores.apart import main; main()"
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_STEPS = 100  # few enough to lie in a pipe until somebody reads them


def cores() -> int:
    """How many processes can really run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Job(Generic[Result]):
    """A function at work in another process."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def result(self, progress: Progress | None = None) -> Result | None:
        """What the function returned, once it has; None where it came to nothing."""
        if self._process is None or self._process.stdout is None:
            return None
        try:
            while True:
                said = pickle.load(self._process.stdout)  # noqa: S301 - from a child of one's own
                if said[0] == "done":
                    return cast("Result", said[1])
                if progress:
                    progress(*said[1])
        except (EOFError, pickle.UnpicklingError, OSError):
            return None
        finally:
            self.end()

    def end(self) -> None:
        """Kill it, if it is at work still, and wait for its end."""
        if self._process:
            with self._process as process:
                process.kill()
        self._process = None


class Apart:
    """Processes that begin in this context, and do not outlive it. All have one seed for `hash`, and no other has it."""

    def __init__(self, number: int | None = None) -> None:
        """`number`: how many may work at once, by default as many as there are cores."""
        self.number = cores() if number is None else number
        self._seed = str(SystemRandom().randrange(1, 1 << 32))
        self._jobs: list[Job[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for job in self._jobs:
            job.end()

    def begin(self, function: Callable[..., Result], log: Log, *args: object) -> Job[Result]:
        """Call `function(log, *args, progress)` in a process of its own, which opens the log by itself."""
        asked = (function, (log.environments["writer"], log.environments["reader"], log.replica), args)
        job: Job[Result] = Job(self._start(pickle.dumps(asked)))
        self._jobs.append(job)
        return job

    def _start(self, asked: bytes) -> subprocess.Popen[bytes] | None:
        environ = {**os.environ, "PYTHONHASHSEED": self._seed}
        try:
            process = subprocess.Popen(
                [sys.executable or "", "-P", "-c", _MAIN, _ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environ,
            )
        except (OSError, ValueError):
            return None
        if process.stdin:
            with suppress(OSError):  # it died at once, which `result` sees
                process.stdin.write(asked)
                process.stdin.close()
        return process


def main() -> None:
    """In the process: read what to call from stdin, call it, write what it returns to stdout."""
    from domain.log import Log

    function, (writer, reader, replica), args = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent
    out, last = sys.stdout.buffer, -1

    def progress(done: int, total: int) -> None:
        nonlocal last
        if _STEPS * done // max(total, 1) > last:
            last = _STEPS * done // max(total, 1)
            out.write(pickle.dumps(("at", (done, total))))
            out.flush()

    log = Log(writer, reader, replica)
    result = function(log, *args, progress)
    log.close()
    out.write(pickle.dumps(("done", result)))
    out.flush()
