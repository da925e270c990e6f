"""A crew on the store of a git repository."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Crew
from tests.cli.repositories import commit, git, repository

HELLO = "def hello():\n    return 'hello'\n"


@dataclass(frozen=True, slots=True)
class Work:
    """A task that somebody holds: its id, the claim, who, and the worktree."""

    task: str
    claim: str
    name: str
    folder: Path
    branch: str


class Team(Crew):
    """Everybody who works on the code in `folder`."""

    def git(self, *words: str, folder: Path | None = None) -> str:
        """Run git there, as a person would."""
        return git(folder or self.folder, *words)

    def begin(self, title: str = "Greet by name", name: str = "ada", more: str = "", **where: Any) -> Work:
        """Spawn a task and start it."""
        task = self.spawn(title)
        begun = self.do(f"start {task} --as {name} {more}", **where)
        return Work(task, begun["claim"], name, Path(begun["dir"]), begun.get("branch", ""))

    def finish(self, work: Work, more: str = "") -> Any:
        """Hand it in."""
        return self.do(f"done {more}", cwd=work.folder)

    def submitted_work(
        self, title: str = "Greet by name", text: str = "new\n", file: str = "new.txt"
    ) -> Work:
        """A task that ada handed in, with one new file."""
        work = self.begin(title)
        commit(work.folder, file, text, title)
        self.finish(work)
        return work

    def approved_work(self, title: str = "Greet by name", text: str = "new\n", file: str = "new.txt") -> Work:
        """The same, approved by zoe."""
        work = self.submitted_work(title, text, file)
        self.do(f"approve {work.task} --as zoe")
        return work

    def conflicting_work(self) -> Work:
        """Approved work that changes the same line of hello.py as the base has since."""
        work = self.begin()
        self.edit(work.folder, "ours\n")
        self.finish(work)
        self.do(f"approve {work.task} --as zoe")
        self.edit(self.folder, "theirs\n")
        return work

    def settings(self, text: str) -> None:
        """Write config.toml."""
        (self.folder / ".crewlog/config.toml").write_text(text)

    def tip(self, name: str = "main") -> str:
        """Where a branch is."""
        return self.git("rev-parse", name).strip()

    def merges(self, name: str = "main") -> list[str]:
        """The subjects of the merge commits of a branch, the newest first."""
        return self.git("log", "--first-parent", "--merges", "--format=%s", name).splitlines()

    def edit(self, folder: Path, text: str, file: str = "hello.py") -> str:
        """Commit a change of a file."""
        return commit(folder, file, text, shlex.join(["edit", file]))


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A repository with one file."""
    folder = repository(tmp_path / "main")
    commit(folder, "hello.py", HELLO, "say hello")
    return folder


@pytest.fixture
def team(main: Path) -> Team:
    """A crew whose store is that of a git repository."""
    made = Team(main)
    made.do("init --as zoe")
    return made
