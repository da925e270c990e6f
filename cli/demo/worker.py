"""A worker of the demonstration: takes what is ready, hands it in, redoes what was rejected, until all is done."""

from __future__ import annotations

import time

from cli.demo.code import GREETING, bring_up_to_date, commit
from cli.demo.crew import Member
from domain.refusals import Exit

PAUSE = 0.2
PATIENCE = 600.0


def work(me: Member, role: str) -> None:
    """Work until a task is no longer to be had. `role`: `steady`, `clumsy` (fails once), `doomed` (never returns)."""
    deadline = time.monotonic() + PATIENCE
    clumsy = role == "clumsy"
    greets = role == "steady"  # the first task of these changes the same line
    while time.monotonic() < deadline and not _all_done(me):
        _redo_rejected(me)
        _mend_conflicts(me)
        taken = me.run("start")
        if taken.code != Exit.DONE:
            time.sleep(PAUSE)
            continue
        task, claim = taken.data["task"], taken.data["claim"]
        if role == "doomed":
            print(task, taken.data["event"], flush=True)
            time.sleep(PATIENCE)
        if clumsy:
            me.run("fail", task, "--claim", claim, "--reason", "my tools broke; somebody please try again")
            clumsy = False
            continue
        me.run("progress", task, "--claim", claim, "--percent", "50", "--text", "half way")
        if taken.data.get("branch"):
            _write_code(me, task, taken.data["dir"], greets=greets)
            greets = False
        me.run(
            *("done", task, "--claim", claim, "--evidence", f"{me.name} tried it twice and it works"),
            *("--check", "ls"),
        )


def _write_code(me: Member, task: str, folder: str, *, greets: bool = False) -> None:
    commit(folder, me.environ, f"{task}.txt", f"by {me.name}\n", f"{me.name} does {task}")
    if greets:
        commit(folder, me.environ, GREETING, f"hello from {me.name}\n", "a better greeting")


def _mend_conflicts(me: Member) -> None:
    """Whose approved work does not merge brings its branch up to date and hands it in again."""
    for held in me.run("whoami").data.get("holds", ()):
        if held["state"] == "APPROVED" and held.get("dir"):
            setback = me.run("show", held["id"]).data["task"]["setback"]
            if setback and setback["kind"] == "conflict":
                bring_up_to_date(held["dir"], me.environ, f"hello from everybody and {me.name}\n")
                words = ("--claim", held["claim"], "--evidence", "merged main and mended the greeting")
                me.run("done", held["id"], *words)


def _redo_rejected(me: Member) -> None:
    for held in me.run("whoami").data.get("holds", ()):
        if held["state"] == "WORKING":
            if held.get("dir"):
                commit(held["dir"], me.environ, f"{held['id']}-again.txt", "mended\n", "as the review asked")
            me.run("done", held["id"], "--claim", held["claim"], "--evidence", "mended as the review asked")


def _all_done(me: Member) -> bool:
    waiting = me.run("list", "--state", "open", "--limit", "1")
    return waiting.code == Exit.DONE and not waiting.data["tasks"]
