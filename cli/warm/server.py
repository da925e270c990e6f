"""The resident process of a store: keeps workers that wait for requests.

It holds nothing of the store: no connection, no lock but its own, no cache. So it may be killed at any moment, and
what it could tell wrong is only which program it is; that is looked up before each answer.

Workers answer one request after another. A process for each request would be simpler, but after a fork each page that
a command touches is copied first, which costs more than the command.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

from cli.warm import wire
from cli.warm.board import Board
from cli.warm.identity import Identity
from cli.warm.worker import Worker
from domain.refusals import Refusal
from domain.stores import queue

LOCK = "serve.lock"
BACKLOG = 128
SPARE = 2
_WAKE = 64


class Server:
    """Serves one store until it is idle for `idle` seconds, is told to stop, or is no longer what it was."""

    def __init__(self, folder: str, idle: float, identity: Identity) -> None:
        self._folder = folder
        self._idle = idle
        self._identity = identity
        self._board = Board(idle)
        self._stopping = False

    @contextmanager
    def listening(self) -> Generator[socket.socket]:
        """The socket, while this process is the only server of the store. Raises Refusal `held`."""
        lock = queue.try_turn(os.path.join(self._folder, LOCK))
        if lock is None:
            raise Refusal("held", "this store has a server already", "`crewlog serve status` says which.")
        path = os.path.join(self._folder, wire.SOCKET)
        try:
            with suppress(FileNotFoundError):
                os.unlink(path)  # of a server that was killed: the lock is ours
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                _bind(listener, self._folder)
                made = os.lstat(path).st_ino
                try:
                    yield listener
                finally:
                    with suppress(FileNotFoundError):
                        if os.lstat(path).st_ino == made:
                            os.unlink(path)
        finally:
            os.close(lock)

    def serve(self, listener: socket.socket) -> None:
        """Keep workers until there is a reason to end. Those at work finish what they do."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        life, alive = os.pipe2(os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, self._look)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # or the first collection of every worker would copy every page
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        last = time.monotonic()
        while not self._stopping and (left := last + self._idle - time.monotonic()) > 0:
            while self._board.needs(SPARE):
                slot = self._board.free()
                if self._fork(slot, listener, life, alive, woken) == 0:
                    return
            if poll.poll(left * 1000):
                with suppress(BlockingIOError):
                    os.read(wake, _WAKE)
                self._bury()
            if self._board.busy() or self._board.changed():
                last = time.monotonic()
        os.close(alive)

    def _fork(self, slot: int, listener: socket.socket, life: int, alive: int, woken: int) -> int:
        pid = os.fork()
        if pid:
            self._board.took(slot, pid)
            return pid
        try:
            os.close(alive)
            signal.set_wakeup_fd(-1)
            Worker(self._identity, self._board, slot, woken).work(listener, life)
        finally:
            os._exit(0)

    def _bury(self) -> None:
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                self._board.gone(pid)

    def _look(self, _signum: int, _frame: object) -> None:
        """Nothing to do but to wake up: `_bury` follows."""

    def _stop(self, _signum: int, _frame: object) -> None:
        self._stopping = True


def _bind(listener: socket.socket, folder: str) -> None:
    before = os.umask(0o177)
    try:
        with wire.address(folder) as path:
            listener.bind(path)
    except OSError as error:
        raise queue.unwritable(error, os.path.join(folder, wire.SOCKET)) from error
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    listener.setblocking(False)
