"""Clones of one code repository, each with a crew and a store of its own, that meet at a bare remote."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.cli.conftest import Crew
from tests.cli.repositories import ALONE, git


def bare(folder: Path) -> Path:
    """A bare repository with one commit on main."""
    remote = folder / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(remote)], env=ALONE, check=True)
    first = folder / "first"
    git(folder, "clone", "-q", str(remote), str(first))
    git(first, "commit", "-q", "--allow-empty", "-m", "first")
    git(first, "push", "-q", "origin", "HEAD:main")
    return remote


def clone(remote: Path, name: str, **more: Any) -> Crew:
    """A clone of the code with a store; `name` is who works there."""
    place = remote.parent / name
    git(remote.parent, "clone", "-q", "-b", "main", str(remote), str(place))
    crew = Crew(place, dict(ALONE), **more)
    crew.do(f"init --as {name}")
    return crew


def segments(crew: Crew) -> list[Path]:
    """The segments in a crew's store."""
    return sorted((crew.folder / ".crewlog/log").glob("*/*.jsonl"))
