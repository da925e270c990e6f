"""README.md: what it tells people to type works as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from cli.grammar import MODULES
from tests.cli.repositories import ALONE, git, repository

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()


def quick_start() -> list[str]:
    """The lines of the console block under "Three minutes", but for the installation."""
    [block] = re.findall(r"## Three minutes\n.*?```console\n(.*?)```", README, re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines() if not line.startswith("$ pip install")]


def test_the_quick_start_runs_as_printed(tmp_path: Path) -> None:
    lines = quick_start()
    assert len(lines) >= 6
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", "\n".join(lines)],
        cwd=repository(tmp_path / "greeter"),
        env={**ALONE, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "COMPLETED  Greet by name" in done.stdout
    assert "    hello zoe\n" in done.stdout  # what the check printed, in the review
    for event in ("spawned", "started", "progressed", "submitted", "approved", "merging", "merged"):
        assert f"task.{event}" in done.stdout
    greeter = tmp_path / "greeter"
    assert (greeter / "hello.py").read_text() == 'print("hello", input())\n'
    assert git(greeter, "log", "-1", "--format=%s").startswith("Merge t-")
    assert git(greeter, "branch", "--format=%(refname:short)").split() == ["main"]
    assert git(greeter, "status", "--porcelain") == ""


def test_the_first_screen_has_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:24])

    assert "$ make demo" in first_screen
    assert "$ make test" in first_screen


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"crewlog ([a-z]+)", README)) - {"is", "and"}

    assert named <= set(MODULES)
