"""Many processes, whole commands, one store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cli.demo.crew import command_line
from domain.event import check
from tests.support.commands import crewlog, mixed_commands, race_to_start
from tests.support.processes import Child, together
from tests.support.stores import broken_links

SOAK = bool(os.environ.get("CREWLOG_SOAK"))
WRITERS, COMMANDS = 16, 50
RACES = 500

pytestmark = pytest.mark.faults


def log_lines(folder: Path) -> list[bytes]:
    """Every event of the store, as `crewlog log --json` prints it."""
    line = command_line("log", "--json", "--limit", "100000")
    done = subprocess.run(line, cwd=folder, capture_output=True, check=True)
    return done.stdout.split(b"\n")[:-1]


def assert_whole(folder: Path, acknowledged: set[str]) -> None:
    """Every acknowledged event is there; bytes, chain, live.jsonl and views agree with the log."""
    lines = log_lines(folder)
    events = [check(line) for line in lines]
    assert acknowledged <= {event.id for event in events}
    assert not broken_links(events)
    assert crewlog(str(folder), "export")[0] == 0
    assert (folder / ".crewlog/live.jsonl").read_bytes().split(b"\n")[:-1] == lines
    code, rebuilt = crewlog(str(folder), "rebuild")
    assert (code, rebuilt["same"], rebuilt["events"]) == (0, True, len(events))


def test_sixteen_processes_with_fifty_commands_each_lose_nothing(tmp_path: Path) -> None:
    assert crewlog(str(tmp_path), "init", "--as", "zoe")[0] == 0

    calls = [(str(tmp_path), f"agent-{number}", COMMANDS, number) for number in range(WRITERS)]
    answers = [answer for answers in together(mixed_commands, calls) for answer in answers]

    codes = Counter(code for code, _ in answers)
    assert len(answers) == WRITERS * COMMANDS
    assert set(codes) <= {0, 8}, "only `start` may find nothing"
    acknowledged = [event for _, ids in answers for event in ids]
    assert len(acknowledged) == len(set(acknowledged))
    assert_whole(tmp_path, set(acknowledged))
    live = (tmp_path / ".crewlog/live.jsonl").read_bytes()
    assert live.endswith(b"\n")


def test_sixteen_installed_commands_at_once_all_succeed(tmp_path: Path) -> None:
    assert crewlog(str(tmp_path), "init", "--as", "zoe")[0] == 0
    rounds = 10 if SOAK else 2
    acknowledged: set[str] = set()

    for _ in range(rounds):
        running = [
            subprocess.Popen(
                command_line("spawn", f"task {number}", "--as", f"agent-{number}", "--json"),
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(WRITERS)
        ]
        outputs = [process.communicate()[0] for process in running]
        assert [process.returncode for process in running] == [0] * WRITERS
        acknowledged |= {output.split('"event":"')[1][:64] for output in outputs}

    assert len(acknowledged) == rounds * WRITERS
    assert_whole(tmp_path, acknowledged)


def test_of_two_processes_that_start_one_task_exactly_one_wins_each_time(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert crewlog(folder, "init", "--as", "zoe")[0] == 0
    lines = "\n".join(f'{{"title": "task {number}"}}' for number in range(RACES))
    code, spawned = crewlog(folder, "spawn", "--from", "-", "--as", "zoe", stdin=lines)
    assert code == 0
    racers = [Child(race_to_start, folder, name) for name in ("ada", "bob")]

    outcomes: Counter[tuple[tuple[int, str | None], ...]] = Counter()
    for row in spawned["results"]:
        for racer in racers:
            racer.connection.send(row["task"])
        outcomes[tuple(sorted((racer.receive() for racer in racers), key=str))] += 1
    for racer in racers:
        racer.connection.send("")
        racer.close()

    assert outcomes == {((0, None), (5, "held")): RACES}


def test_the_interpreter_is_the_one_of_the_environment() -> None:
    """What the tests above start is this tree, by this interpreter."""
    assert command_line("x")[0] == sys.executable
