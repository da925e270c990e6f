"""The writers' queue: one process at a time, in the order in which they came.

`flock` in its blocking form, because the kernel hands the lock out in turn; a library that polls lets the unluckiest
of 32 writers wait for seconds. The holder writes its pid into the file, so that who waits in vain can be told whom for.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from domain.refusals import Refusal

WAIT = 60.0
_AGAIN = 0.005


class _Timeout(Exception):  # noqa: N818 - control flow between the signal handler and `_wait`
    pass


@contextmanager
def turn(path: str, wait: float = WAIT) -> Generator[None]:
    """Hold the lock file for the length of the block. Raises Refusal `locked` after `wait` seconds."""
    descriptor = open_lock(path)
    try:
        _wait(descriptor, path, wait)
        _name_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def try_turn(path: str) -> int | None:
    """The descriptor of the lock file, held until it is closed, or None where someone else has it."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    _name_holder(descriptor)
    return descriptor


def _name_holder(descriptor: int) -> None:
    with suppress(OSError):  # a full disk is for the store itself to report
        os.pwrite(descriptor, f"{os.getpid():<10}\n".encode(), 0)


def open_lock(path: str) -> int:
    """A descriptor of the lock file, made where it is missing. Raises Refusal `unwritable` or `disk-full`."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(error, path) from error


def unwritable(error: OSError, path: str) -> Refusal:
    """The refusal for a file of the store that cannot be opened or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(
            "disk-full", f"no space left to write {path}", "Free some space and run it again.", path=path
        )
    if error.errno == errno.ELOOP:
        message = f"{path} is a symbolic link"
        return Refusal(
            "unsafe-store", message, "A store holds real files only; look who made the link.", path=path
        )
    if error.errno == errno.ENXIO:  # what open says of a socket
        return Refusal("unsafe-store", f"{path} is not a regular file", "Look who put it there.", path=path)
    hint = "Give yourself write access to that folder; in a sandbox, allow writing to it."
    return Refusal("unwritable", f"cannot write {path}: {error.strerror}", hint, path=path)


def _wait(descriptor: int, path: str, wait: float) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        return
    in_time = _wait_by_alarm if threading.current_thread() is threading.main_thread() else _wait_by_thread
    if not in_time(descriptor, wait):
        holder = os.pread(descriptor, 16, 0).decode("ascii", "replace").strip()
        message = f"process {holder or 'unknown'} has held {path} for {wait:.0f} s"
        hint = (
            f"Look what it does (`ps -p {holder}`), then run it again."
            if holder.isdigit()
            else "Run it again."
        )
        raise Refusal("locked", message, hint, path=path, pid=int(holder) if holder.isdigit() else None)


def _wait_by_alarm(descriptor: int, wait: float) -> bool:
    waiting = True

    def ring(_signum: int, _frame: FrameType | None) -> None:
        nonlocal waiting
        if waiting:
            waiting = False
            raise _Timeout

    before = signal.signal(signal.SIGALRM, ring)
    try:
        # It rings again: the first alarm may come before flock begins. 0 would switch it off.
        signal.setitimer(signal.ITIMER_REAL, max(wait, _AGAIN), _AGAIN)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except _Timeout:
        return False
    finally:
        waiting = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return True


def _wait_by_thread(descriptor: int, wait: float) -> bool:
    """Signals reach the main thread only: for the others a thread waits, on a second descriptor of the same lock.

    A lock that it gets after `wait` goes with that descriptor, since the first one is closed by then.
    """
    second = os.dup(descriptor)
    got = threading.Event()

    def wait_for_it() -> None:
        fcntl.flock(second, fcntl.LOCK_EX)
        os.close(second)
        got.set()

    threading.Thread(target=wait_for_it, daemon=True).start()
    return got.wait(wait)
