"""Commands as a user's shell would run them: none of the test run's own settings reach them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

NOT_INHERITED = ("COV", "CREWLOG", "GIT_", "PYTEST", "PYTHON", "VIRTUAL_ENV")


def run(
    *command: str | Path,
    cwd: Path,
    stdout: IO[str] | int = subprocess.PIPE,
    path: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `path` goes to PYTHONPATH."""
    environment = {} if path is None else {"PYTHONPATH": str(path)}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=inherited() | environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def succeed(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a command that must succeed, and return what it wrote to stdout."""
    done = run(*command, cwd=cwd, path=path)
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def inherited() -> dict[str, str]:
    """The environment without the settings of Python, pytest, coverage, git and crewlog."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
