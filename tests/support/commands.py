"""Whole commands in other processes: the same code path as the installed script, from words to exit code."""

from __future__ import annotations

import io
import os
import resource
import shlex
import signal
import time
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import orjson

from cli.app import run
from cli.call import Call, Options
from cli.shell import Shell
from domain.commands import Note

ROOM = 200 << 20  # bytes for the modules of a command and for what it reads


def crewlog(folder: str, *words: str, stdin: str = "") -> tuple[int, Any]:
    """Run one command line with `--json` in the folder; its exit code and its answer."""
    out = io.StringIO()
    shell = Shell(io.StringIO(stdin), out, io.StringIO(), {"CREWLOG_DEBUG": "1"}, folder)
    code = run([*words, "--json"], shell)
    text = out.getvalue()
    return code, orjson.loads(text) if text else None


def mixed_commands(folder: str, name: str, count: int, seed: int) -> list[tuple[int, list[str]]]:
    """`count` commands such as an agent gives; for each the exit code and the ids of its events."""
    random = Random(seed)
    done: list[tuple[int, list[str]]] = []
    held: tuple[str, str] | None = None
    for number in range(count):
        words = _next_words(random, name, number, held)
        code, answer = crewlog(folder, *words, "--as", name)
        done.append((code, [answer["event"]] if code == 0 and answer.get("event") else []))
        if words[0] == "start" and code == 0:
            held = answer["task"], answer["claim"]
        elif words[0] in {"done", "fail", "release"}:
            held = None
    return done


def _next_words(random: Random, name: str, number: int, held: tuple[str, str] | None) -> list[str]:
    if held is None:
        return random.choice([["start"], ["spawn", f"{name}'s task {number}"]])
    task, claim = held
    return random.choice(
        [
            ["progress", task, "--claim", claim, "--percent", str(number % 101)],
            ["note", task, f"note {number}"],
            ["edit", task, "-p", str(number % 10), "--label", f"n{number % 3}"],
            ["done", task, "--claim", claim, "--evidence", "x" * random.choice([3, 300, 6_000])],
            ["fail", task, "--claim", claim, "--reason", "tools broke"],
            ["release", task, "--claim", claim],
        ]
    )


def race_to_start(connection: Connection, folder: str, name: str) -> None:
    """Start each task that is sent, as soon as it comes; answer with the exit code and the error code."""
    while task := connection.recv():
        code, answer = crewlog(folder, "start", task, "--as", name)
        connection.send((code, answer.get("error", {}).get("code")))


def write_until_killed(connection: Connection, folder: str, name: str, seed: int) -> None:
    """Give commands without end and send the id of each event that was acknowledged."""
    random = Random(seed)
    held: tuple[str, str] | None = None
    for number in range(1_000_000):
        words = _next_words(random, name, number, held)
        code, answer = crewlog(folder, *words, "--as", name)
        if code == 0 and answer.get("event"):
            connection.send(answer["event"])
        if words[0] == "start" and code == 0:
            held = answer["task"], answer["claim"]
        elif words[0] in {"done", "fail", "release"}:
            held = None
        elif words[0] == "start":
            time.sleep(0.001)


def start_until_nothing_is_ready(folder: str, name: str) -> list[tuple[int, str]]:
    """`start` without a task, again and again; for each the exit code and the task, or the error code."""
    found: list[tuple[int, str]] = []
    while True:
        code, answer = crewlog(folder, "start", "--as", name)
        found.append((code, answer["task"] if code == 0 else answer["error"]["code"]))
        if code != 0:
            return found


def reap_once(folder: str, name: str) -> list[str]:
    """`reap`; the tasks that this one took back."""
    code, answer = crewlog(folder, "reap", "--as", name)
    assert code == 0, answer
    return [row["task"] for row in answer["expired"]]


def take_messages_until_killed(connection: Connection, folder: str, name: str, position: int) -> None:
    """Wait for messages behind a position, tell each and the position to go on from, ack it."""
    while True:
        code, answer = crewlog(
            folder, "wait", "--message", "--since", str(position), "--timeout", "30", "--as", name
        )
        if code == 0:
            position = answer["position"]
            connection.send((answer["got"]["id"], position))
            crewlog(folder, "ack", answer["got"]["id"], "--as", name)


def export_until_killed(connection: Connection, folder: str, number: int) -> None:
    """Write and seal without end, and tell each event that was sealed."""
    for text in range(1_000_000):
        _, answer = crewlog(folder, "spawn", f"{number}-{text}", "--as", "ada")
        crewlog(folder, "export")
        connection.send(answer["event"])


def import_until_killed(connection: Connection, folder: str, source: str) -> None:
    """Import without end; tell that it is at work."""
    connection.send("at work")
    while True:
        crewlog(folder, "import", source)


def import_beads(connection: Connection, folder: str) -> None:
    """Import the issues that lie in the folder; tell when that begins and what it came to."""
    connection.send("begin")
    connection.send(crewlog(folder, "import", "--from", "beads", ".", "--as", "zoe"))


def note_and_die(connection: Connection, folder: str, task: str, text: str) -> None:
    """Write a note, and be killed with -9 between its commit and all that follows a commit."""
    call = Call(Shell(io.StringIO(), io.StringIO(), io.StringIO(), {}, folder), Options(as_="ada"))
    call.write(task, Note("ada", text))
    connection.send("committed")
    os.kill(os.getpid(), signal.SIGKILL)


def in_little_memory(folder: str, line: str, stdin: str) -> tuple[int, Any]:
    """Run a command line in a process that cannot have more than ROOM beyond what it begins with."""
    with open("/proc/self/statm", encoding="ascii") as file:
        begin = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (begin + ROOM, begin + ROOM))
    out = io.StringIO()
    with open(stdin or os.devnull, encoding="utf-8") as source:
        shell = Shell(source, out, io.StringIO(), {"CREWLOG_DEBUG": "1"}, folder)
        code = run([*shlex.split(line), "--json"], shell)
    return code, orjson.loads(out.getvalue() or "null")


def on_a_full_disk(folder: str, fresh: str, line: str, steps: int, least: int = 0) -> list[tuple[int, Any]]:
    """Run a line again and again, each time with another limit of how large a file may grow; what each run came to.

    `fresh` is run before each without a limit, so that there is something to do. The limits lie where files end, just beyond, and a
    page further and further: so that one write after the other is the one that fails.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    outcomes: list[tuple[int, Any]] = []
    for step in range(steps):
        assert crewlog(folder, *shlex.split(fresh.replace("{}", str(step))))[0] == 0
        sizes = sorted({least, least + 1, *(size for size in _sizes(folder) if size > least)})
        limits = [*sizes, *(size + 4_096 * more for size in sizes for more in (1, 3))]
        limit = limits[step % len(limits)] + step // len(limits) * 4_096
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            outcomes.append(crewlog(folder, *shlex.split(line.replace("{}", str(step)))))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return outcomes


def _sizes(folder: str) -> list[int]:
    """How large the files of a store are."""
    with os.scandir(os.path.join(folder, ".crewlog")) as entries:
        return [entry.stat().st_size for entry in entries if entry.is_file()]
