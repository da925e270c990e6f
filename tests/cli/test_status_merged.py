"""`status` on a store that two clones made together: what only a merge can bring, each with a command that works."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.clones import bare, clone
from tests.cli.conftest import Crew
from tests.cli.repositories import git

SLUGS = ("one", "two", "epic", "part", "taken", "judged")


@pytest.fixture
def merged(tmp_path: Path) -> tuple[Crew, Crew, dict[str, str]]:
    """Two clones that met again: two circles of links, a task that both started, work of ada's to judge."""
    remote = bare(tmp_path)
    ada = clone(remote, "ada")
    ids = {slug: str(ada.do(f"spawn {slug} --slug {slug} --as ada")["task"]) for slug in SLUGS}
    ada.do("sync")
    bob = clone(remote, "bob")
    bob.do("sync")
    ada.do("link one --after two --as ada")
    bob.do("link two --after one --as bob")
    ada.do("link epic --parent part --as ada")
    bob.do("link part --parent epic --as bob")
    ada.do("start taken --as ada --no-branch")
    bob.do("start taken --as bob --no-branch")
    place = Path(ada.do("start judged --as worker")["dir"])
    (place / "new.txt").write_text("new\n")
    git(place, "add", "new.txt")
    git(place, "commit", "-q", "-m", "new")
    ada.do("done", cwd=place)
    for crew in (ada, bob, ada):
        crew.do("sync")
    return ada, bob, ids


def pasted(crew: Crew, command: str) -> None:
    """Give a command as it is printed, by somebody of whom nothing is known."""
    program, *words = shlex.split(command.replace("…", "my own words"))
    result = crew.run(*words)
    assert (program, result.code) == ("crewlog", 0), (command, result)


def attention(crew: Crew, more: str = "") -> dict[str, list[dict[str, Any]]]:
    """What waits, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in crew.do(f"status {more}")["attention"]:
        found.setdefault(row["kind"], []).append(row)
    return found


def test_each_clone_sees_conflict_circles_and_the_work_of_the_other(
    merged: tuple[Crew, Crew, dict[str, str]],
) -> None:
    for crew in merged[:2]:
        found = attention(crew)
        assert {kind: len(rows) for kind, rows in found.items()} == {"conflict": 1, "circle": 2, "review": 1}
        assert found["conflict"][0]["id"] == merged[2]["taken"]
        for row in found["circle"]:
            first, *_, last = row["text"].split(" → ")
            assert first == last == row["id"]
    assert "hangs on itself" in merged[0].run("status").out


def test_every_command_of_a_merged_store_pasted_succeeds_whoever_looks(
    merged: tuple[Crew, Crew, dict[str, str]],
) -> None:
    for place in range(3):
        for crew in merged[:2]:
            for viewer in ("", "--as ada", "--as bob", "--as worker"):
                rows = [row for rows in attention(crew, viewer).values() for row in rows]
                for row in rows:
                    for command in row["commands"][place : place + 1]:
                        pasted(crew, command)


def test_a_circle_is_opened_by_its_command_in_every_clone(
    merged: tuple[Crew, Crew, dict[str, str]],
) -> None:
    ada, bob, ids = merged
    for row in attention(bob)["circle"]:
        pasted(bob, row["command"])

    assert "circle" not in attention(bob)
    assert bob.do("graph")["circles"] == []
    assert {row["id"] for row in bob.do("ready")["tasks"]} & {ids["one"], ids["two"]}
    bob.do("sync")
    ada.do("sync")
    assert "circle" not in attention(ada)
    assert ada.do("rebuild")["same"]


def test_a_conflict_is_looked_at_and_settled_by_the_lines_that_are_printed(
    merged: tuple[Crew, Crew, dict[str, str]],
) -> None:
    _, bob, _ = merged
    [row] = attention(bob)["conflict"]
    out = bob.run(*shlex.split(row["command"])[1:]).out
    for line in [line.partition("next: ")[2] for line in out.splitlines() if "next: " in line]:
        pasted(bob, line)

    assert "conflict" not in attention(bob)


def test_a_circle_through_work_that_is_done_holds_nobody_up(
    merged: tuple[Crew, Crew, dict[str, str]],
) -> None:
    ada, bob, _ = merged
    for slug in ("one", "epic"):
        claim = ada.do(f"start {slug} --as worker --no-branch")["claim"]
        ada.do(f"done {slug} --as worker --claim {claim} --no-commit")
        ada.do(f"approve {slug} --as ada")

    assert "circle" not in attention(ada)
    assert len(ada.do("graph")["circles"]) == 2
    assert len(attention(bob)["circle"]) == 2  # that does not know yet
