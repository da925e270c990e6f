"""A worker of the demonstration: takes what is ready, hands it in, redoes what was rejected, until all is done."""

from __future__ import annotations

import time

from cli.demo.crew import Member
from domain.refusals import Exit

PAUSE = 0.2
PATIENCE = 600.0


def work(me: Member, role: str) -> None:
    """Work until a task is no longer to be had. `role`: `steady`, `clumsy` (fails once), `doomed` (never returns)."""
    deadline = time.monotonic() + PATIENCE
    clumsy = role == "clumsy"
    while time.monotonic() < deadline and not _all_done(me):
        _redo_rejected(me)
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
        me.run("done", task, "--claim", claim, "--evidence", f"{me.name} tried it twice and it works")


def _redo_rejected(me: Member) -> None:
    for held in me.run("whoami").data.get("holds", ()):
        if held["state"] == "WORKING":
            me.run("done", held["id"], "--claim", held["claim"], "--evidence", "mended as the review asked")


def _all_done(me: Member) -> bool:
    waiting = me.run("list", "--state", "ASSIGNED,WORKING,IN_REVIEW,APPROVED,FAILED", "--limit", "1")
    return waiting.code == Exit.DONE and not waiting.data["tasks"]
