"""Git repositories to work in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ALONE = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "ada",
    "GIT_AUTHOR_EMAIL": "ada@crew.invalid",
    "GIT_COMMITTER_NAME": "ada",
    "GIT_COMMITTER_EMAIL": "ada@crew.invalid",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git, untouched by the user's settings."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ALONE, capture_output=True, text=True, check=True
    )
    return done.stdout


def repository(folder: Path) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def commit(folder: Path, name: str = "work.txt", text: str = "work\n", message: str = "work") -> str:
    """Commit one file, and return the commit."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    git(folder, "add", "--", name)
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()


def linked(main: Path, name: str) -> Path:
    """A linked worktree beside the repository."""
    git(main, "worktree", "add", "-q", f"../{name}")
    return main.parent / name
