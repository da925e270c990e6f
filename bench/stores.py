"""Stores of any size: the history of another clone, written as segments and imported as a user would."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any, NamedTuple

from bench.cold import SCRIPT, call
from cli.app import run
from cli.shell import Shell
from domain import event
from domain.event import Event
from domain.names import task_id
from export.segments import SEGMENT_EVENTS, Span

EVENTS_A_TASK = 10
START = 10**15
# The peak of a process of its own, from /proc: ru_maxrss begins at the size of the process that started it. Of those that
# it starts itself, to be helped, the largest.
CHILD = """
import io, os, resource, sys, time
from cli.app import run
from cli.shell import Shell
begin = time.perf_counter()
code = run(sys.argv[1:], Shell(io.StringIO(), io.StringIO(), sys.stderr, {}, os.getcwd()))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
helped = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(int(status["VmHWM"].split()[0]) / 1024, time.perf_counter() - begin, helped / 1024)
sys.exit(code)
"""


class Spent(NamedTuple):
    """What a command took in a process of its own: MiB at the most, seconds without the start.

    `helper`: MiB of the largest process that it started, 0 for none.
    """

    peak: float
    seconds: float
    helper: float


class Filled(NamedTuple):
    """A store with so many tasks and events, and what the import took that made it."""

    folder: str
    tasks: int
    events: int
    imported: Spent

    @property
    def store(self) -> str:
        """The folder of the store itself."""
        return os.path.join(self.folder, ".crewlog")


def alone(folder: str, words: Sequence[str]) -> Spent:
    """Run a command in a process of its own; it must succeed."""
    line = [sys.executable, "-c", CHILD, *words]
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(line, cwd=folder, env=environ, check=True, capture_output=True, text=True)
    return Spent(*map(float, done.stdout.split()))


def inside(folder: str, words: Sequence[str]) -> None:
    """Run a command in this process, with everything loaded; it must succeed."""
    out, told = StringIO(), StringIO()
    code = run(words, Shell(StringIO(), out, told, {}, folder))
    assert code == 0, out.getvalue() + told.getvalue()


@contextmanager
def filled(tasks: int) -> Generator[Filled]:
    """A store with about that many tasks, about ten events a task."""
    with tempfile.TemporaryDirectory() as place:
        folder, other = os.path.join(place, "store"), os.path.join(place, "other")
        for made in (folder, other):
            os.mkdir(made)
        events = tasks * EVENTS_A_TASK
        write_segments(other, events)
        call((SCRIPT, "init", "--as", "zoe"), folder)
        imported = alone(folder, ["import", other])
        yield Filled(folder, tasks, events, imported)


def write_segments(folder: str, number: int) -> None:
    """The segments of a clone that wrote about that many events."""
    os.makedirs(os.path.join(folder, "log", "r-bench"))
    part: list[bytes] = []
    first = 1
    for item in history(number):
        part.append(item.line + b"\n")
        if len(part) == SEGMENT_EVENTS:
            first = _write(folder, first, part)
    if part:
        _write(folder, first, part)


def _write(folder: str, first: int, part: list[bytes]) -> int:
    path = os.path.join(folder, Span("r-bench", first, first + len(part) - 1).path)
    with open(path, "wb") as file:
        file.writelines(part)
    after = first + len(part)
    part.clear()
    return after


def history(number: int) -> Iterator[Event]:
    """Some events of tasks that are spawned, worked on, approved; ten or so a task."""
    chance, given, last = random.Random(1), 0, {"": ""}

    def sealed(stream: str, kind: str, actor: str, payload: dict[str, Any], **on: str) -> Event:
        nonlocal given
        given += 1
        links = {"prev": last[""], "parents": [last[stream]] if stream in last else []}
        ts = event.format_time(START + given * 1_000)
        fields = {
            "v": 1,
            "ts": ts,
            "from": actor,
            "to": "*",
            "type": kind,
            "stream": stream,
            "payload": payload,
        }
        fields |= {"on": on, "key": f"{given:016x}", "replica": "r-bench", "seq": given}
        made = event.seal({**fields, **{name: link for name, link in links.items() if link}})
        last[""] = last[stream] = made.id
        return made

    while given < number:
        stream, actor = "task/" + task_id(chance.randbytes(5)), f"agent-{chance.randrange(32)}"
        labels = ["type:bug", f"area.{chance.randrange(10)}"]
        fields = {
            "title": f"task {given}",
            "priority": chance.randrange(5),
            "assignee": None,
            "labels": labels,
        }
        spawned = sealed(stream, "task.spawned", "zoe", {**fields, "body": "Look into it. " * 10})
        started = sealed(stream, "task.started", actor, {}, attempt=spawned.id)
        yield from (spawned, started)
        for step in range(chance.randrange(12)):
            yield sealed(stream, "task.progressed", actor, {"text": f"step {step}"}, claim=started.id)
        submitted = sealed(stream, "task.submitted", actor, {"evidence": "the tests pass"}, claim=started.id)
        yield submitted
        if chance.random() < 0.8:
            yield sealed(stream, "task.approved", "zoe", {"policy": "other"}, submission=submitted.id)
            yield sealed(stream, "task.merged", "zoe", {}, submission=submitted.id)
