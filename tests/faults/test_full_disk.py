"""No file may grow any more, in the middle of any command: refused whole and cleanly, or done; and then it works again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from domain.refusals import Exit
from tests.support.commands import crewlog, on_a_full_disk
from tests.support.foreign import bead
from tests.support.processes import alone

pytestmark = pytest.mark.faults

STEPS = 300 if os.environ.get("CREWLOG_SOAK") else 24

MEMORY = 32_768  # SQLite's -shm, which is memory that readers and writers share: without room for it nothing can be read
FULL = {"disk-full", "unwritable"}
NOTE = "note greet fresh-{} --as zoe"
COMMANDS = {
    "spawn": (NOTE, "spawn 'task {}' --as ada --body " + "b" * 6_000),
    "start": ("spawn 'task {}' --slug s{} --as zoe", "start s{} --as ada"),
    "heartbeat": (NOTE, "heartbeat --as ada"),
    "export": (NOTE, "export"),
    "import": (NOTE, "import sealed"),
    "import of issues": (NOTE, "import --from beads issues.jsonl --as zoe"),
    "backup": (NOTE, "backup copy-{}.db"),
    "checkpoint": (NOTE, "checkpoint -o checkpoint-{}"),
    "rebuild": (NOTE, "rebuild"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with a task, what another clone sealed, and a file of issues."""
    other = tmp_path / "other"
    other.mkdir()
    for place, line in (
        (tmp_path, ["init", "--as", "zoe"]),
        (tmp_path, ["spawn", "Greet", "--slug", "greet", "--as", "zoe"]),
        (other, ["init", "--as", "bob"]),
        *((other, ["spawn", f"task {number}", "--as", "bob"]) for number in range(20)),
        (other, ["export"]),
    ):
        assert crewlog(str(place), *line)[0] == 0, line
    (other / ".crewlog").rename(tmp_path / "sealed")
    issues = "\n".join(json.dumps(bead(number)) for number in range(20))
    (tmp_path / "issues.jsonl").write_text(issues)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_full_disk_is_refused_whole_or_done(name: str, folder: Path) -> None:
    fresh, line = COMMANDS[name]
    outcomes = alone(on_a_full_disk, str(folder), fresh, line, STEPS)

    refused = [answer["error"] for code, answer in outcomes if code != Exit.DONE]
    assert {error["code"] for error in refused} <= FULL, refused
    assert {code for code, _ in outcomes} <= {Exit.DONE, Exit.STORE}
    assert refused, "no write ever failed"
    assert crewlog(str(folder), *["note", "greet", "there is room again", "--as", "zoe"])[0] == Exit.DONE
    code, verified = crewlog(str(folder), "verify")
    assert (code, verified["findings"]) == (Exit.DONE, [])


def test_reading_goes_on_when_nothing_can_be_written(folder: Path) -> None:
    outcomes = alone(on_a_full_disk, str(folder), NOTE, "show greet", STEPS, MEMORY)

    assert [code for code, _ in outcomes] == [Exit.DONE] * STEPS
    notes = [answer["task"]["notes"] for _, answer in outcomes]
    assert notes == list(range(1, STEPS + 1)), "a reader did not see what was acknowledged"
