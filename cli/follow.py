"""The change signal of a store: a look at a few files, no query; or what the server tells of itself."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from cli.store import DATABASE, Store
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.shell import Shell
    from domain.log import Listener

LOOK = 0.05
# A commit can be seen some time after the files have changed: a disk syncs slowly, two changes fall into one tick of the
# file times, a writer is killed before it fed live.jsonl. So one looks again, at distances that double up to this one.
# It is also how long one sleeps on a server's word, which may be lost with a connection that nobody misses.
LONGEST = 60.0
AGAIN = 0.5

Facts = tuple[int, ...]
Answer = TypeVar("Answer")


def remaining(seconds: float) -> Callable[[], float]:
    """A function that says how many seconds are left from now on."""
    deadline = time.monotonic() + seconds
    return lambda: max(0.0, deadline - time.monotonic())


class Signal(Protocol):
    """Tells when the store may hold something new. What comes after a look is told by the next one."""

    def wait(self, timeout: float | None = None) -> bool:
        """Return True when there may be something new, False after `timeout` seconds."""
        ...


def signal_of(store: Store, *, pulses: bool = False) -> Signal:
    """The signal of new events, or of new pulses."""
    listener = store.log.listen(pulses=pulses)
    return Told(listener) if listener else Looked(store)


def patiently(shell: Shell, left: Callable[[], float], step: Callable[[], Answer]) -> Answer:
    """What a step comes to; as long as the server is away, try again until no time is `left`.

    Safe for steps that write: `unreachable` says that nothing was written.
    """
    told = False
    while True:
        try:
            return step()
        except Refusal as refusal:
            if refusal.code != "unreachable" or left() <= 0:
                raise
            if not told:
                shell.remark(f"{refusal.message}; trying again")
            told = True
        time.sleep(min(AGAIN, left()))


class Told:
    """The server tells. Who is not sure looks: when the connection is lost, and once a minute."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def wait(self, timeout: float | None = None) -> bool:
        """Return True when there may be something new, False after `timeout` seconds."""
        seconds = math.inf if timeout is None else timeout
        try:
            return self._listener.wait(min(seconds, LONGEST)) or seconds > LONGEST
        except Refusal as refusal:
            if refusal.code != "unreachable":
                raise
            time.sleep(min(seconds, AGAIN))
            return True


class Looked:
    """A look at the files costs microseconds; 20 a second are under 1% of a core."""

    def __init__(self, store: Store) -> None:
        self._paths = (store.path(DATABASE + "-wal"), store.path(DATABASE), store.path("live.jsonl"))
        self._seen: tuple[Facts | None, ...] = ()
        self._again = math.inf
        self._pause = LOOK

    def wait(self, timeout: float | None = None) -> bool:
        """Return True when there may be something new, False after `timeout` seconds."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self._is_due(time.monotonic()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK)
        return True

    def _is_due(self, now: float) -> bool:
        """True after a change, and then again, ever more seldom, as long as that change may show."""
        facts = tuple(map(_facts, self._paths))
        if facts != self._seen:
            changed = max((about[-1] for about in facts if about), default=0)
            self._seen, self._pause = facts, max(LOOK, time.time() - changed / 1e9)
        elif now < self._again:
            return False
        else:
            self._pause *= 2
        self._again = now + self._pause if self._pause <= LONGEST else math.inf
        return True


def _facts(path: str) -> Facts | None:
    try:
        about = os.stat(path)
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns
