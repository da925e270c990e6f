"""The code that the demonstration works on: a small git repository, a branch for each task, merges that conflict or die."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping

from cli.demo.crew import Member, command_line
from domain.refusals import Refusal
from export.git import Git

BASE = "main"
GREETING = "greeting.txt"
SETTINGS = "config.toml"
BEGAN = "gate-began"
GATE = f'[merge]\ngate = "touch ../../{BEGAN} && sleep 2"\n'
PATIENCE = 60.0
_WHO = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "a worker"), ("EMAIL", "worker@crew.invalid"))
}


def make(folder: str, environ: Mapping[str, str]) -> bool:
    """Make a repository with one commit; False where there is no git that can do what is to be shown."""
    git = Git(folder, environ)
    try:
        git.check_version()
    except Refusal:
        return False
    git.run("init", "--quiet", "--template=", f"--initial-branch={BASE}")
    commit(folder, environ, GREETING, "hello\n", "the beginning")
    return True


def commit(folder: str, environ: Mapping[str, str], name: str, text: str, why: str) -> None:
    """Write a file and commit it."""
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
    git = Git(folder, environ)
    git.run("add", "--", name)
    git.run("commit", "--quiet", "--no-gpg-sign", "-m", why, environ=_WHO)


def bring_up_to_date(folder: str, environ: Mapping[str, str], text: str) -> None:
    """Merge the base into a branch that conflicts with it, as its holder would, and say what the file shall be."""
    git = Git(folder, environ)
    line = ("merge", "--quiet", "--no-gpg-sign", "-m", "bring it up to date", "-X", "ours", BASE)
    git.run(*line, environ=_WHO)
    commit(folder, environ, GREETING, text, "mend the greeting")


def merges(folder: str, environ: Mapping[str, str]) -> list[str]:
    """The subjects of the merge commits in the base."""
    line = ("log", "--first-parent", "--merges", "--format=%s", BASE)
    return [subject for subject in Git(folder, environ).line(*line).split("\n") if subject]


def branches(folder: str, environ: Mapping[str, str]) -> list[str]:
    """The branches there are."""
    return Git(folder, environ).line("for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n")


def is_clean(folder: str, environ: Mapping[str, str]) -> bool:
    """True if the checkout is what the base says."""
    return not Git(folder, environ).line("status", "--porcelain", "--untracked-files=no")


def kill_a_merge(boss: Member, task: str) -> None:
    """Merge with a gate that takes its time, and kill the merge with -9 while it runs."""
    store = boss.environ["CREWLOG_STORE"]
    settings = os.path.join(store, SETTINGS)
    with open(settings, encoding="utf-8") as file:
        before = file.read()
    try:
        _write(settings, GATE)
        line = command_line("merge", task, "--as", boss.name)
        with subprocess.Popen(
            line,
            cwd=boss.folder,
            env=dict(boss.environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            deadline = time.monotonic() + PATIENCE
            while not os.path.exists(os.path.join(store, BEGAN)) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
    finally:
        _write(settings, before)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
