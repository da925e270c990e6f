"""A crew on one store: commands run in this process, with streams, environment and directory of their own."""

from __future__ import annotations

import io
import shlex
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.app import run
from cli.shell import Shell
from cli.warm.client import LOCAL
from tests.support import warm


@dataclass(frozen=True, slots=True)
class Result:
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer of a command with `--json`."""
        return orjson.loads(self.out)

    @property
    def error(self) -> Any:
        """The refusal of a command with `--json`."""
        return self.json["error"]


class Terminal(io.StringIO):
    """Standard input that a person types into."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@dataclass
class Crew:
    """Everybody who works on the store in `folder`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])
    clock: Callable[[], int] | None = None
    warm: bool = False

    def run(
        self,
        *words: str,
        stdin: str = "",
        cwd: Path | None = None,
        terminal: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Result:
        """Run one command line; for a warm crew in a resident process, where the launcher would have it run there."""
        if self.warm and not terminal and self.clock is None and LOCAL.isdisjoint(words):
            about = {**self.environ, **(environ or {})}
            return Result(*warm.run(words, stdin, about, cwd or self.folder))
        return self.run_with(*words, stdin=stdin, cwd=cwd, terminal=terminal, environ=environ)

    def run_with(
        self,
        *words: str,
        stdin: str = "",
        cwd: Path | None = None,
        terminal: bool = False,
        environ: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> Result:
        """Run one command line in surroundings that have `extra` (fields of Shell)."""
        out, err = io.StringIO(), io.StringIO()
        source = Terminal(stdin) if terminal else io.StringIO(stdin)
        about = {**self.environ, **(environ or {})}
        clock: dict[str, Any] = {"clock": self.clock} if self.clock else {}
        shell = Shell(source, out, err, about, str(cwd or self.folder), **clock, **extra)
        return Result(run(list(words), shell), out.getvalue(), err.getvalue())

    def do(self, line: str, **more: Any) -> Any:
        """Run a line that must succeed, with `--json`, and return its answer."""
        result = self.run("--json", *shlex.split(line), **more)
        assert result.code == 0, (line, result)
        return result.json

    def refused(self, line: str, **more: Any) -> Any:
        """Run a line that must be refused, with `--json`, and return the error with its exit code."""
        result = self.run("--json", *shlex.split(line), **more)
        assert result.code != 0, (line, result)
        return {**result.error, "exit": result.code}

    @staticmethod
    def words(line: str) -> list[str]:
        """The line as a shell would split it."""
        return shlex.split(line)

    def spawn(self, title: str = "Greet by name", more: str = "") -> str:
        """Spawn a task as zoe and return its id."""
        return str(self.do(f"spawn {shlex.quote(title)} --as zoe {more}")["task"])

    def start(self, task: str, name: str = "ada") -> str:
        """Start a task and return the claim."""
        return str(self.do(f"start {task} --as {name}")["claim"])

    def state(self, task: str) -> str:
        """The state of a task."""
        return str(self.do(f"show {task}")["task"]["state"])

    def events(self, task: str) -> list[str]:
        """The types of a task's events, oldest first."""
        return [event["type"] for event in self.do(f"show {task}")["events"]]

    def submitted(self, title: str = "Greet by name") -> tuple[str, str]:
        """Bring a task to IN_REVIEW, handed in by ada; its id and her claim."""
        task = self.spawn(title)
        claim = self.start(task)
        self.do(f"done {task} --as ada --claim {claim}")
        return task, claim


def why(refused: Any) -> tuple[str, int]:
    """The code of a refusal and the exit code that goes with it."""
    return refused["code"], refused["exit"]


@pytest.fixture
def crew(tmp_path: Path, request: pytest.FixtureRequest) -> Crew:
    """A crew with a fresh store, outside of any repository; with CREWLOG_WARM=1 a warm one.

    A test that puts something into this process wants its commands to run in it.
    """
    made = Crew(tmp_path, warm=warm.WANTED and "monkeypatch" not in request.fixturenames)
    made.do("init --as zoe")
    return made


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A clock on the wall that is nine hours ahead."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
