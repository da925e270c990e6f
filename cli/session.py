"""One task under `run`: the command, its heart, and how the task is settled when the command has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TextIO

from cli.beating import is_stopped
from cli.call import Call, Who
from cli.child import Child, Sink
from cli.heart import Claimed, Heart
from cli.settling import Ended, Ran, give_back, settle
from cli.signals import OFFSET, Stops
from domain.named import NamedTuple
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.store import Store
    from domain.log import Written
    from domain.process import Process
    from domain.task import Task


class Plan(NamedTuple):
    """What is run for each task, and how: `every` in seconds, `submit` False leaves settling to the command."""

    line: tuple[str, ...]
    every: float
    prompt: bool
    submit: bool


def run_task(call: Call, stops: Stops, written: Written, plan: Plan, folder: str) -> Ran:
    """Run the command in a folder for a task that was just claimed, and settle the task.

    Raises OSError, when all is settled, where what the command said could not be written.
    """
    claimed = Claimed(call.actor, written.state.card.id, written.events[0].id)
    began = time.monotonic()
    child = None if stops.signals else _started(call, claimed, plan, written.state, folder)
    code = _attend(call, stops, child, claimed, plan) if child else OFFSET
    by = stops.signals[0] if stops.signals else 0
    ended = Ended(plan.line, code, child.last_words() if child else "", time.monotonic() - began, by)
    ran = settle(call, claimed, ended, submit=plan.submit)
    if child:
        child.complain()
    return ran


def _started(call: Call, claimed: Claimed, plan: Plan, task: Task, folder: str) -> Child:
    try:
        return _start(call, claimed, plan, task, folder)
    except OSError as error:
        message = f"cannot run {plan.line[0]}: {error.strerror}"
        give_back(call, claimed, message)
        hint = "The task was given back. Name a program on the PATH, or by its path."
        raise Refusal("bad-value", message, hint, task=claimed.task) from error


def _start(call: Call, claimed: Claimed, plan: Plan, task: Task, folder: str) -> Child:
    shell = call.shell
    about = {
        "CREWLOG_AGENT": claimed.agent,
        "CREWLOG_TASK": claimed.task,
        "CREWLOG_CLAIM": claimed.claim,
        "CREWLOG_STORE": call.located.path,
    }
    if call.store.session:
        about["CREWLOG_SESSION"] = call.store.session
    out = shell.stderr if call.options.json else shell.stdout  # stdout is for the one JSON object then
    with _source(call, task if plan.prompt else None) as source:
        return Child(
            _from(shell.cwd, folder, plan.line),
            folder,
            {**shell.environ, **about},
            source,
            (Sink(out), Sink(shell.stderr)),
        )


def _from(cwd: str, folder: str, line: tuple[str, ...]) -> tuple[str, ...]:
    """The line with its program named from where it was typed, if it is there: `./worker.sh`."""
    program = os.path.join(cwd, line[0])
    return (program, *line[1:]) if cwd != folder and "/" in line[0] and os.path.exists(program) else line


@contextmanager
def _source(call: Call, task: Task | None) -> Generator[IO[bytes] | int]:
    """What the command reads: the task's text, else our own input, unless that is a terminal.

    In a process group of its own the command would be stopped for reading from the terminal.
    """
    if task is not None:
        from tempfile import TemporaryFile

        with TemporaryFile() as file:
            file.write(task_text(call, task).encode())
            file.seek(0)
            yield file
        return
    yield _descriptor(call.shell.stdin)


def _descriptor(stream: TextIO) -> int:
    try:
        return subprocess.DEVNULL if stream.isatty() else stream.fileno()
    except (OSError, ValueError):
        return subprocess.DEVNULL


def task_text(call: Call, task: Task) -> str:
    """What an agent must know to begin, then what the task says, whole. The commands in it are for this very task."""
    from cli.commands.prime import primed
    from domain.blobs import digest_of

    card = task.card
    digest = digest_of(card.body)
    body = call.store.log.blob(digest).decode("utf-8", "replace") if digest else card.body
    about = primed(call, Who(call.actor, "CREWLOG_AGENT"), card.id)
    return f"{about['text']}\n\n{card.id}: {card.title}\n" + (f"\n{body}\n" if body else "")


def _attend(call: Call, stops: Stops, child: Child, claimed: Claimed, plan: Plan) -> int:
    """Stay with the command until it has ended; its exit code."""
    heart = Heart(
        _another_store(call), claimed, plan.every, child.output, lambda: _is_stopped(child), stops.wake
    )
    told = False

    def look() -> None:
        nonlocal told
        if heart.how == "lost" and not told:
            told = True
            call.shell.remark(f"crewlog: {claimed.task} is no longer yours: SIGTERM to the command")
            child.send(signal.SIGTERM)

    heart.start()
    try:
        return child.attend(stops, look)
    finally:
        heart.stop()
        if heart.trouble:
            call.shell.remark(f"crewlog: not every beat came through: {heart.trouble}")


def _is_stopped(child: Child) -> bool:
    process = _process(child.pid)
    return process is not None and is_stopped(process)


def _process(pid: int) -> Process | None:
    from cli.process import session_process

    try:
        return session_process(pid)
    except Refusal:  # it has just ended
        return None


def _another_store(call: Call) -> Callable[[], Store]:
    from cli.store import Store

    store = call.store
    return lambda: Store(store.folder, store.shell, store.session, store.address)
