"""kill -9 in an import: what was committed stays, and the next import goes on there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from domain.event import check
from tests.support.commands import crewlog, import_beads
from tests.support.foreign import bead, write
from tests.support.processes import Child
from tests.support.stores import SqliteStore, all_events, broken_links

pytestmark = pytest.mark.faults

ISSUES = 20_000 if os.environ.get("CREWLOG_SOAK") else 900
COMMENTS = 2


def test_an_import_that_was_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    folder = str(tmp_path)
    comments = [{"author": "bob", "text": f"word {number}"} for number in range(COMMENTS)]
    write(tmp_path / "issues.jsonl", (bead(number, comments=comments) for number in range(ISSUES)))
    assert crewlog(folder, "init", "--as", "zoe")[0] == 0
    store = SqliteStore(str(tmp_path / ".crewlog"))
    log = store.open()
    reached, kills = 0, 0
    for _ in range(2):
        child = Child(import_beads, folder)
        assert child.receive() == "begin"
        while log.position() <= reached and child.process.is_alive():
            time.sleep(0.005)
        child.kill()
        assert "begin" not in child.rest()
        reached, kills = log.position(), kills + 1
        whole = {event.stream for event in all_events(log)}
        assert all(len(log.stream(stream)) == 1 + COMMENTS for stream in whole if stream.startswith("task/"))

    code, answer = crewlog(folder, "import", "--from", "beads", ".", "--as", "zoe")

    assert (code, answer["issues"]) == (0, ISSUES)
    assert 0 < answer["unchanged"] < ISSUES
    assert answer["imported"] + answer["unchanged"] == ISSUES
    events = [check(event.line) for event in all_events(log)]
    imported = [event.payload["id"] for event in events if event.type == "task.imported"]
    assert sorted(imported) == sorted(f"bd-{number}" for number in range(ISSUES))
    assert sum(event.type == "task.noted" for event in events) == ISSUES * COMMENTS
    assert broken_links(events) == []
    log.close()
    assert crewlog(folder, "rebuild")[1]["same"]
