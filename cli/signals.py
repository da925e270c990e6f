"""Signals as something to look at between two steps, instead of an exception in the middle of one."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType, TracebackType
from typing import Self

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OFFSET = 128  # how shells say that a signal ended a command


class Stops:
    """While it is entered, SIGINT, SIGTERM and SIGHUP are kept in `signals`, and waiting ends early.

    `descriptor` becomes readable when one comes, when a child ends, or when any thread calls `wake`. For the main
    thread, as Python's signal handlers are.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.descriptor, self._write = os.pipe()
        for end in (self.descriptor, self._write):
            os.set_blocking(end, False)
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in STOPPING:
            self._before[number] = signal.signal(number, self._keep)
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._child)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        os.close(self.descriptor)
        os.close(self._write)

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)
        self.wake()

    def _child(self, _number: int, _frame: FrameType | None) -> None:
        self.wake()

    def wake(self) -> None:
        """End a wait now."""
        try:
            os.write(self._write, b"!")
        except BlockingIOError:
            return  # it is full of calls that were not heard yet

    def clear(self) -> None:
        """Forget the calls so far; `signals` stays."""
        try:
            while os.read(self.descriptor, 512):
                pass
        except BlockingIOError:
            return

    def wait(self, seconds: float) -> bool:
        """Wait that long; True if a signal to stop has come, now or before."""
        deadline = time.monotonic() + seconds
        while not self.signals and (left := deadline - time.monotonic()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                self.clear()
        return bool(self.signals)
