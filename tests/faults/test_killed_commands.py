"""Commands killed with -9 at random moments."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.test_commands_at_once import assert_whole
from tests.support.commands import crewlog, note_and_die, write_until_killed
from tests.support.processes import Child

KILLS = 2_000 if os.environ.get("CREWLOG_SOAK") else 200

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_nothing_acknowledged_is_lost_by_kill_and_the_next_command_works(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert crewlog(folder, "init", "--as", "zoe")[0] == 0
    random = Random(20261123)
    acknowledged: set[str] = set()

    for number in range(KILLS):
        child = Child(write_until_killed, folder, "ada", number)
        acknowledged.add(child.receive())  # it is at work now
        time.sleep(random.random() * 0.04)
        child.kill()
        acknowledged |= set(child.rest())
        code, answer = crewlog(folder, "spawn", f"after kill {number}", "--as", "zoe")
        assert code == 0, answer
        acknowledged.add(answer["event"])

    assert len(acknowledged) >= KILLS * 2
    assert_whole(tmp_path, acknowledged)


@pytest.mark.parametrize("words", ["list", "status --brief", "start t-absent0 --as bob"])
def test_a_command_that_writes_nothing_finishes_what_a_killed_one_left(tmp_path: Path, words: str) -> None:
    folder, live = str(tmp_path), tmp_path / ".crewlog" / "live.jsonl"
    assert crewlog(folder, "init", "--as", "zoe")[0] == 0
    task = crewlog(folder, "spawn", "a task", "--as", "zoe")[1]["task"]
    child = Child(note_and_die, folder, task, "the last words")
    assert child.rest() == ["committed"]
    assert b"the last words" not in live.read_bytes()

    crewlog(folder, *words.split())

    assert b"the last words" in live.read_bytes()
    assert crewlog(folder, "verify")[1]["findings"] == []
