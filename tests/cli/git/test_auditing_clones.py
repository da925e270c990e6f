"""`verify --git` and `audit` in a clone that has the whole log, and not yet all the code: late is not lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.clones import bare, clone
from tests.cli.conftest import Crew
from tests.cli.repositories import commit, git


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Crew, Crew, str]:
    """Two clones, and a task that was merged in the first of them and not pushed; the log went to both."""
    ada = clone(bare(tmp_path), "ada")
    task = ada.spawn("One")
    folder = Path(ada.do(f"start {task} --as ada")["dir"])
    commit(folder, "one.txt")
    ada.do("done", cwd=folder)
    ada.do(f"approve {task} --merge --as zoe")
    ada.do("sync")
    bob = clone(tmp_path / "origin.git", "bob")
    bob.do("sync")
    return ada, bob, task


def codes(crew: Crew, command: str = "verify --git") -> tuple[int, list[str]]:
    """The exit code, and what was found."""
    found: Any = crew.run("--json", *command.split())
    return found.code, sorted({row["code"] for row in found.json["findings"]})


def test_a_merge_whose_base_was_not_pushed_is_not_here_and_no_damage(pair: tuple[Crew, Crew, str]) -> None:
    ada, bob, _ = pair
    assert codes(ada) == (0, [])

    for command in ("verify --git", "audit", "audit --from origin/crewlog"):
        assert codes(bob, command) == (0, ["commit-not-here"]), command
    [said] = [line for line in bob.run("verify", "--git").out.splitlines() if "merge commit" in line]
    assert "main was not pushed from there, or not fetched here" in said

    git(ada.folder, "push", "-q", "origin", "main")
    git(bob.folder, "fetch", "-q", "origin")
    assert codes(bob) == (0, [])  # fetched, and not pulled
    git(bob.folder, "merge", "-q", "--ff-only", "origin/main")
    assert codes(bob) == (0, [])


def test_a_base_that_went_on_without_a_merge_has_lost_it(pair: tuple[Crew, Crew, str]) -> None:
    _, bob, _ = pair
    commit(bob.folder, "else.txt")

    code, found = codes(bob)

    assert (code, "commit-missing" in found) == (7, True)


def test_a_commit_that_was_made_here_and_is_gone_is_damage(pair: tuple[Crew, Crew, str]) -> None:
    ada, _, _ = pair
    lost = git(ada.folder, "rev-parse", "HEAD").strip()
    git(ada.folder, "reset", "-q", "--hard", "HEAD~1")
    (ada.folder / ".git/objects" / lost[:2] / lost[2:]).unlink()

    code, found = codes(ada)

    assert (code, "commit-missing" in found) == (7, True)


def test_a_base_that_is_not_checked_out_is_looked_at_as_it_was_fetched(
    pair: tuple[Crew, Crew, str], tmp_path: Path
) -> None:
    ada, _, _ = pair
    git(ada.folder, "switch", "-q", "-c", "side", "HEAD~1")
    commit(ada.folder, "side.txt")
    git(ada.folder, "push", "-q", "origin", "side")
    git(ada.folder, "switch", "-q", "main")
    git(ada.folder, "merge", "-q", "--no-ff", "-m", "behind everybody's back", "side")
    git(ada.folder, "push", "-q", "origin", "main")
    auditor = Crew(tmp_path / "auditor", ada.environ)
    git(tmp_path, "clone", "-q", "-b", "side", str(tmp_path / "origin.git"), "auditor")

    assert codes(auditor, "audit --from origin/crewlog") == (0, ["merge-unnamed"])


def test_work_that_never_left_the_clone_of_its_holder_is_not_here(tmp_path: Path) -> None:
    ada = clone(bare(tmp_path), "ada")
    task = ada.spawn("One")
    folder = Path(ada.do(f"start {task} --as ada")["dir"])
    commit(folder, "one.txt")
    ada.do("done", cwd=folder)
    ada.do(f"cancel {task} --as zoe")  # nobody reviews it: its branch stays at home
    ada.do("sync")
    bob = clone(tmp_path / "origin.git", "bob")

    assert codes(bob) == (0, ["commit-not-here"])
