"""Work in other processes. They are forked from a small server that has the domain loaded: 8 start in a moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["__main__", "tests.support.writers", "tests.support.commands", "tests.support.postgres"]
)
PATIENCE = 60.0


class Child:
    """A process that runs `work(connection, *arguments)`."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        self.connection, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=work, args=(theirs, *arguments), daemon=True)
        self.process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process.pid is not None
        return self.process.pid

    def receive(self) -> Any:
        """The next thing that it sends."""
        assert self.connection.poll(PATIENCE), "the other process says nothing"
        return self.connection.recv()

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.join(PATIENCE)

    def rest(self) -> list[Any]:
        """All that it sent before its end."""
        found: list[Any] = []
        try:
            while self.connection.poll(PATIENCE):
                found.append(self.connection.recv())
        except (EOFError, ConnectionResetError):
            pass
        self.close()
        return found

    def close(self) -> None:
        """Wait for its end and forget it."""
        self.connection.close()
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "the other process does not end"
        self.process.close()


def together(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run `work(*call)` for each call, each in a process of its own, all at once; their results in order."""
    children = [Child(_report, work, call) for call in calls]
    answers = [child.receive() for child in children]
    for child in children:
        child.close()
    failures = [trace for trace, _ in answers if trace]
    assert not failures, "\n".join(failures)
    return [result for _, result in answers]


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run `work(*arguments)` in a process of its own and return its result."""
    return together(work, [arguments])[0]


def _report(connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        answer = ("", work(*arguments))
    except BaseException:  # noqa: BLE001 - the parent shows it
        answer = (traceback.format_exc(), None)
    connection.send(answer)
