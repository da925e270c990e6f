"""What a command gets from outside: streams, environment, directory, clock. Nothing in cli/ reads them elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from domain.named import NamedTuple


def _slept() -> float:
    """How far the wall clock is ahead of the one that stands still in a suspend, and that nobody sets."""
    return time.time() - time.monotonic()


class Shell(NamedTuple):
    """The surroundings of one command.

    `clock` gives microseconds since 1970. `slept` grows by the seconds that the machine was suspended, or that its clock
    was set forward, as after a virtual machine stood still. `command` is the process that the caller started, where that
    is not this one; `retry_key` is shown by writes that have no key of their own.
    """

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    cwd: str
    clock: Callable[[], int] = lambda: time.time_ns() // 1000
    entropy: Callable[[int], bytes] = os.urandom
    slept: Callable[[], float] = _slept
    command: int | None = None
    retry_key: str = ""

    @property
    def interactive(self) -> bool:
        """True when a person types: then, and only then, `me` in local.toml says who."""
        return self.stdin.isatty()

    def remark(self, text: str) -> None:
        """Say something beside the answer, on stderr."""
        print(text, file=self.stderr)
