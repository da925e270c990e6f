"""Workers and mergers of a git repository, in processes of their own."""

from __future__ import annotations

import io
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cli.call import Call, Options
from cli.git.merging import Merger
from cli.shell import Shell
from tests.cli.repositories import commit, git
from tests.support.commands import crewlog


def merge_and_die(connection: Connection, folder: str, task: str, step: str) -> None:
    """Merge, and be killed with -9 at a step; "not killed" where the merge never comes to it."""

    def die(where: str) -> None:
        connection.send(where)
        if where == step:
            os.kill(os.getpid(), signal.SIGKILL)

    shell = Shell(io.StringIO(), io.StringIO(), io.StringIO(), {}, folder)
    Merger(Call(shell, Options(as_="zoe")), die).merge(task)
    connection.send("not killed")


def merge_all(connection: Connection, folder: str) -> None:
    """Say so, then merge all that is approved."""
    connection.send("at work")
    crewlog(folder, "merge", "--all", "--as", "zoe")


def work_off(folder: str, name: str, file: str, text: str) -> dict[str, Any]:
    """Start the best ready task, change a file in its worktree, commit it, hand it in."""
    code, begun = crewlog(folder, "start", "--as", name)
    assert code == 0, begun
    commit(Path(begun["dir"]), file, text, f"{name} edits {file}")
    code, answer = crewlog(begun["dir"], "done", "--evidence", f"{name} did {file}")
    assert code == 0, answer
    return {"task": begun["task"], "branch": begun["branch"], "commit": answer["commit"], "name": name}


def merge_subjects(folder: str, branch: str = "main") -> list[str]:
    """The subjects of the merge commits of a branch, the oldest first."""
    line = ("log", "--first-parent", "--merges", "--reverse", "--format=%s", branch)
    return git(Path(folder), *line).splitlines()
