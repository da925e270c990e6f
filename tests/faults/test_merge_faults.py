"""Merges that are killed with -9 at each of their steps and at random moments."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from cli.git.merging import STEPS
from tests.cli.git.conftest import Team, main, team
from tests.cli.git.test_merging import fingerprint
from tests.cli.repositories import commit, git
from tests.support.commands import crewlog
from tests.support.merging import merge_all, merge_and_die, merge_subjects, work_off
from tests.support.processes import Child, together

KILLS = 100 if os.environ.get("CREWLOG_SOAK") else 8
GATE = '[merge]\ngate = "test -e new.txt"\n'

pytestmark = pytest.mark.faults
__all__ = ["main", "team"]  # fixtures


def assert_merged_once(team: Team, task: str, base: str = "main") -> None:
    events = team.events(task)
    assert team.state(task) == "COMPLETED"
    assert events.count("task.merged") == 1
    assert events.count("task.merging") == 1 + events.count("task.merge-failed")
    assert len([line for line in team.merges(base) if task in line]) == 1
    assert team.do("verify --git")["findings"] == []


@pytest.mark.parametrize("checked_out", [True, False], ids=["checked out", "not checked out"])
@pytest.mark.parametrize("step", STEPS)
def test_a_merge_that_is_killed_at_a_step_is_finished_by_the_next_one(
    team: Team, step: str, checked_out: bool
) -> None:
    team.settings(GATE)
    work = team.approved_work()
    if not checked_out:
        team.git("switch", "-q", "-c", "mine")

    child = Child(merge_and_die, str(team.folder), work.task, step)
    told = child.rest()

    if step == "spread" and not checked_out:
        assert told[-1] == "not killed"  # no files to bring along
    else:
        assert told[-1] == step
    answer = team.do(f"merge {work.task} --as bob")
    assert answer["state"] == "COMPLETED"
    assert_merged_once(team, work.task)
    assert team.git("status", "--porcelain") == ""
    assert (team.folder / "new.txt").exists() == checked_out
    assert team.do(f"merge {work.task} --as zoe")["event"] is None


@pytest.mark.parametrize(
    "steps", [("built", "recorded"), ("recorded", "spread", "moved"), ("gated", "spread")]
)
def test_a_merge_that_is_killed_again_and_again_is_finished_all_the_same(
    team: Team, steps: tuple[str, ...]
) -> None:
    team.settings(GATE)
    work = team.approved_work()

    for step in steps:
        child = Child(merge_and_die, str(team.folder), work.task, step)
        assert child.rest()[-1] == step

    team.do(f"merge {work.task} --as zoe")
    assert_merged_once(team, work.task)


def test_a_killed_gate_leaves_a_checkout_that_the_next_merge_or_cleanup_removes(team: Team) -> None:
    team.settings('[merge]\ngate = "kill -9 $PPID; sleep 0.2"\n')
    work = team.approved_work()
    child = Child(merge_and_die, str(team.folder), work.task, "nowhere")
    assert child.rest()[-1] == "built"
    assert "gate-" in team.git("worktree", "list")

    team.do("cleanup --as zoe")
    assert "gate-" not in team.git("worktree", "list")
    team.settings(GATE)
    team.do(f"merge {work.task} --as zoe")
    assert_merged_once(team, work.task)


@pytest.mark.slow
def test_merges_that_are_killed_at_random_moments_lose_nothing_and_double_nothing(team: Team) -> None:
    works = [team.approved_work(f"task {number}", file=f"{number}.txt") for number in range(3)]
    random = Random(20261124)

    for _ in range(KILLS):
        child = Child(merge_all, str(team.folder))
        child.receive()
        time.sleep(random.random() * 0.25)
        with suppress(ProcessLookupError):  # it may have been faster
            child.kill()
        child.close()
    deadline = time.monotonic() + 60
    while crewlog(str(team.folder), "merge", "--all", "--as", "zoe")[0] != 8:  # 8: nothing is left
        assert time.monotonic() < deadline
        time.sleep(0.1)

    for work in works:
        assert_merged_once(team, work.task)
    assert team.git("status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize("forwarded", [False, True], ids=["checkout elsewhere", "checkout on the base"])
def test_8_workers_at_once_make_6_clean_merges_and_2_conflicts(team: Team, forwarded: bool) -> None:
    for number in range(6):
        commit(team.folder, f"file{number}.txt", "as it was\n")
    files = [f"file{number}.txt" for number in (0, 1, 2, 3, 4, 5, 0, 1)]
    for number in range(8):
        team.spawn(f"task {number}")
    if not forwarded:
        a_user_in_the_middle_of_something(team)
    before = fingerprint(team.folder)

    done = together(
        work_off,
        [(str(team.folder), f"w{number}", file, f"by {number}\n") for number, file in enumerate(files)],
    )
    assert len({work["branch"] for work in done}) == len({work["task"] for work in done}) == 8
    for work in done:
        team.do(f"approve {work['task']} --as zoe")
    results = together(
        crewlog, [(str(team.folder), "merge", "--all", "--as", name) for name in ("zoe", "kim")]
    )

    states = [team.state(work["task"]) for work in done]
    assert states == ["COMPLETED"] * 6 + ["APPROVED"] * 2
    assert {code for code, _ in results} <= {0, 4, 8}
    merged = [f"Merge {work['task']}" for work in done[:6]]
    assert sorted(line.partition(":")[0] for line in merge_subjects(str(team.folder))) == sorted(merged)
    for number, work in enumerate(done[6:]):
        setback = team.do(f"show {work['task']}")["task"]["setback"]
        assert (setback["kind"], setback["files"]) == ("conflict", [f"file{number}.txt"])
        assert git(team.folder, "cat-file", "-t", work["commit"]).strip() == "commit"
    if forwarded:
        assert team.git("status", "--porcelain") == ""
        assert (team.folder / "file5.txt").read_text() == "by 5\n"
    else:
        assert fingerprint(team.folder) == before
    assert team.do("verify --git")["findings"] == []


def a_user_in_the_middle_of_something(team: Team) -> None:
    """On a branch of their own, with something staged, changed, untracked and stashed."""
    team.settings('[git]\nbase = "main"\n')
    team.git("switch", "-q", "-c", "mine")
    (team.folder / "file1.txt").write_text("stashed\n")
    team.git("stash", "push", "-q")
    (team.folder / "file0.txt").write_text("staged\n")
    team.git("add", "file0.txt")
    (team.folder / "file0.txt").write_text("changed\n")
    (team.folder / "untracked.txt").write_text("mine\n")


def test_the_folder_of_a_worker_is_nobody_elses(team: Team) -> None:
    for number in range(4):
        team.spawn(f"task {number}")

    done = together(
        work_off, [(str(team.folder), f"w{number}", "same.txt", f"by {number}\n") for number in range(4)]
    )

    for number, work in enumerate(done):
        folder = Path(team.folder, ".crewlog/work", work["task"])
        assert (folder / "same.txt").read_text() == f"by {number}\n"
        assert git(folder, "log", "-1", "--format=%s").strip() == f"w{number} edits same.txt"
