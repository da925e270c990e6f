"""Clones killed with -9 while they seal and while they import: nothing sealed is lost, nothing is half there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.support.commands import crewlog, export_until_killed, import_until_killed
from tests.support.processes import Child

KILLS = 300 if os.environ.get("CREWLOG_SOAK") else 12

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def store(folder: Path) -> str:
    """A new store."""
    folder.mkdir()
    assert crewlog(str(folder), "init", "--as", "zoe")[0] == 0
    return str(folder)


def test_what_was_sealed_before_a_kill_reaches_another_clone_whole(tmp_path: Path) -> None:
    one, two = store(tmp_path / "one"), store(tmp_path / "two")
    random = Random(20261124)
    sealed: set[str] = set()
    for number in range(KILLS):
        child = Child(export_until_killed, one, number)
        sealed.add(child.receive())
        time.sleep(random.random() * 0.2)
        child.kill()
        sealed |= set(child.rest())

    code, found = crewlog(two, "import", f"{one}/.crewlog")

    assert (code, found["findings"]) == (0, [])
    here = set(crewlog_ids(two))
    assert sealed <= here
    assert crewlog(one, "verify")[1]["ok"]
    assert crewlog(one, "export")[0] == 0
    assert crewlog(one, "verify")[1]["findings"] == []


def test_an_import_that_is_killed_again_and_again_ends_whole(tmp_path: Path) -> None:
    one, two = store(tmp_path / "one"), store(tmp_path / "two")
    for number in range(20):
        assert crewlog(one, "spawn", f"task {number}", "--as", "ada")[0] == 0
    random = Random(7)
    for number in range(KILLS):
        crewlog(one, "spawn", f"more {number}", "--as", "ada")
        crewlog(one, "export")
        child = Child(import_until_killed, two, f"{one}/.crewlog")
        child.receive()
        time.sleep(random.random() * 0.2)
        child.kill()
        child.rest()

    code, found = crewlog(two, "import", f"{one}/.crewlog")

    assert (code, found["findings"]) == (0, [])
    assert crewlog(two, "verify")[1]["findings"] == []
    assert len(crewlog(two, "list", "--limit", "1000")[1]["tasks"]) == 20 + KILLS


def crewlog_ids(folder: str) -> list[str]:
    """The ids of all events of a store."""
    import io

    from cli.app import run
    from cli.shell import Shell

    out = io.StringIO()
    run(["log", "-q", "-n", "100000"], Shell(io.StringIO(), out, io.StringIO(), {}, folder))
    return out.getvalue().split()
