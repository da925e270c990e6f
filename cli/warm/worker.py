"""A worker: takes over a client's surroundings, runs its command, tells the exit code, waits for the next.

Forked from the server, so everything is imported already.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import TextIO, cast

from cli.version import __version__
from cli.warm import wire
from cli.warm.board import Board
from cli.warm.identity import Identity
from cli.warm.requests import Errand, errand, receive

REQUESTS = 500  # then a fresh process: nothing that leaks can grow for long
SPARE_LIMIT = 4
INTERRUPTED = 130
_CREDENTIALS = struct.Struct("3i")


class Worker:
    """Answers one request after the other, until nobody needs it."""

    def __init__(self, identity: Identity, board: Board, slot: int, woken: int) -> None:
        self._identity = identity
        self._board = board
        self._slot = slot
        self._woken = woken

    def work(self, listener: socket.socket, life: int) -> None:
        """Wait for requests. Ends with the server, after many requests, and when enough others wait."""
        gc.disable()
        poll = select.epoll()
        poll.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        poll.register(life, select.EPOLLIN)
        for _ in range(REQUESTS):
            connection = None
            while connection is None:
                if any(descriptor == life for descriptor, _ in poll.poll()):
                    return
                with suppress(BlockingIOError, ConnectionError):
                    connection, _ = listener.accept()
            self._board.begins(self._slot)
            os.write(self._woken, b"!")
            with connection:
                goes_on = self._answer(connection)
            if not goes_on or not self._board.ends(self._slot, SPARE_LIMIT):
                return

    def _answer(self, connection: socket.socket) -> bool:
        """Answer a request; False where this process is of no more use."""
        if self._identity.is_outdated():
            connection.sendall(wire.NO)
            os.kill(os.getppid(), signal.SIGTERM)
            return False
        try:
            connection.sendall(wire.HELLO)
            return self._reply(connection)
        except (OSError, ValueError, IndexError):
            with suppress(OSError):
                connection.sendall(wire.NO)
            return True

    def _reply(self, connection: socket.socket) -> bool:
        peer, uid, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if uid != os.geteuid() or peer <= 0:
            return True
        request = receive(connection)
        try:
            if request.fields[0] == wire.RUN:
                wanted = errand(request)
                if self._identity.fits(wanted, peer):
                    self._board.counts(self._slot)
                    return run(connection, wanted, request.descriptors, peer)
                connection.sendall(wire.NO)
            else:
                connection.sendall(json.dumps(self._about()).encode())
                if request.fields[0] == wire.STOP:
                    os.kill(os.getppid(), signal.SIGTERM)
        finally:
            for descriptor in request.descriptors:
                os.close(descriptor)
        return True

    def _about(self) -> dict[str, object]:
        return {
            "pid": self._board.server,
            "version": __version__,
            "python": sys.version.split()[0],
            "program": self._identity.root,
            "served": self._board.served(),
            "up_seconds": round(time.monotonic() - self._board.began),
            "idle_seconds": round(self._board.idle),
        }


class Ear:
    """Hears what the client says while its command runs: Ctrl-C, or that it is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._over = False
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """The command is over: what is heard from now on does not concern it."""
        with self._lock:
            self._over = True

    def _listen(self) -> None:
        while True:
            try:
                received = self._connection.recv(1)
            except OSError:
                received = b""
            with self._lock:
                if self._over:
                    return
                # A client that is gone takes its command with it, as if it were this process.
                os.kill(os.getpid(), signal.SIGINT if received else signal.SIGTERM)
            if not received:
                return


def run(connection: socket.socket, wanted: Errand, descriptors: list[int], peer: int) -> bool:
    """Run the command as if the client had done it; False where this process has to end with it."""
    _take_over(wanted, descriptors)
    connection.sendall(wire.BEGUN)  # raises where the client is gone: nothing begins then
    ear = Ear(connection)
    code = _run(wanted, peer)
    ear.close()
    with suppress(OSError):
        connection.sendall(wire.DONE + bytes((code & 0xFF,)))
        connection.shutdown(socket.SHUT_RDWR)  # wakes the ear, whose waiting would keep the connection open
    _let_go()
    return code != INTERRUPTED and threading.active_count() <= 2


def _take_over(wanted: Errand, descriptors: list[int]) -> None:
    for target, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, target)
    os.fchdir(descriptors[3])
    os.umask(wanted.umask)
    os.environb.clear()
    os.environb.update(wanted.environ)
    time.tzset()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _let_go() -> None:
    """Keep nothing of the client: not its directory, not the pipes that somebody may wait to see closed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in range(3):
        os.dup2(nothing, target)
    os.close(nothing)
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(wanted: Errand, peer: int) -> int:
    from cli import app, launcher
    from cli.shell import Shell

    sys.argv = ["crewlog", *wanted.words]
    sys.stdin, sys.stdout, sys.stderr = (_stream(number, "r" if number == 0 else "w") for number in range(3))
    shell = Shell(
        sys.stdin, sys.stdout, sys.stderr, os.environ, wanted.cwd, command=peer, retry_key=wanted.key
    )
    return launcher.flush(launcher.guarded(lambda: app.run(wanted.words, shell)))


def _stream(number: int, mode: str) -> TextIO:
    buffering = 1 if number == 2 or os.isatty(number) else -1
    # Not closed: it is the command's until the next one comes, and the descriptor is let go in between.
    return cast("TextIO", open(number, mode, buffering, "utf-8", "surrogateescape", closefd=False))
