"""What the server and its workers know of each other: a row of numbers in memory that they share."""

from __future__ import annotations

import mmap
import os
import time

LARGEST = 256
_NOBODY, _WAITING, _BUSY = 0, 1, 2


class Board:
    """For each place of a worker: whether it waits or works, and how many commands were run there."""

    def __init__(self, idle: float) -> None:
        self.idle = idle
        self.began = time.monotonic()
        self.server = os.getpid()
        self._memory = mmap.mmap(-1, LARGEST * 16)
        self._states = memoryview(self._memory).cast("Q")
        self._pids: dict[int, int] = {}
        self._known = 0

    # --- the server's -------------------------------------------------------------------------------------------

    def needs(self, spare: int) -> bool:
        """True while fewer than `spare` workers wait, and there is a place for another."""
        return self._count(_WAITING) < spare and len(self._pids) < LARGEST

    def free(self) -> int:
        """A place that no worker has."""
        taken = set(self._pids.values())
        return next(slot for slot in range(LARGEST) if slot not in taken)

    def took(self, slot: int, pid: int) -> None:
        """A worker has the place; it waits as soon as it runs."""
        self._pids[pid] = slot
        if self._states[slot] == _NOBODY:
            self._states[slot] = _WAITING

    def gone(self, pid: int) -> None:
        """The worker ended."""
        slot = self._pids.pop(pid, None)
        if slot is not None:
            self._states[slot] = _NOBODY

    def busy(self) -> int:
        """How many workers are at work."""
        return self._count(_BUSY)

    def changed(self) -> bool:
        """True if commands came in since this was asked last."""
        before, self._known = self._known, self.served()
        return self._known != before

    # --- the workers' ---------------------------------------------------------------------------------------------

    def begins(self, slot: int) -> None:
        """The worker got a request."""
        self._states[slot] = _BUSY

    def counts(self, slot: int) -> None:
        """The request is a command."""
        self._states[LARGEST + slot] += 1

    def ends(self, slot: int, spare: int) -> bool:
        """The worker is done; True if it is wanted further."""
        self._states[slot] = _WAITING
        return self._count(_WAITING) <= spare

    def served(self) -> int:
        """How many commands were run."""
        return sum(self._states[LARGEST:])

    def _count(self, state: int) -> int:
        return self._states[:LARGEST].tolist().count(state)
