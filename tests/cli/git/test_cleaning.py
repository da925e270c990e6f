"""`cleanup`: what goes, what stays, and that nothing is ever lost by it."""

from __future__ import annotations

import pytest

from tests.cli.git.conftest import Team
from tests.cli.repositories import commit, linked


def branches(team: Team) -> list[str]:
    return team.git("branch", "--format=%(refname:short)").split()


def kept_refs(team: Team) -> list[str]:
    return team.git("for-each-ref", "--format=%(objectname)", "refs/crewlog/").split()


def test_branch_and_worktree_of_merged_work_go(team: Team) -> None:
    work = team.approved_work()
    team.do(f"merge {work.task} --as zoe")

    answer = team.do("cleanup --as zoe")

    assert [row["branch"] for row in answer["removed"]] == [work.branch]
    assert answer["kept"] == []
    assert branches(team) == ["main"]
    assert not work.folder.exists()
    assert kept_refs(team) == []  # the base keeps them now
    assert team.do("verify --git")["findings"] == []


@pytest.mark.parametrize("state", ["WORKING", "IN_REVIEW", "APPROVED", "ASSIGNED"])
def test_of_unfinished_work_nothing_goes(team: Team, state: str) -> None:
    work = team.begin()
    commit(work.folder)
    if state in ("IN_REVIEW", "APPROVED"):
        team.finish(work)
    if state == "APPROVED":
        team.do(f"approve {work.task} --as zoe")
    if state == "ASSIGNED":
        team.do("release", cwd=work.folder)

    for options in ("", "--abandoned"):
        answer = team.do(f"cleanup {options} --as zoe")
        assert answer["removed"] == []
        assert answer["kept"][0]["why"] == f"its task is {state}"
    assert work.folder.exists()


def test_an_attempt_that_was_given_up_goes_only_when_asked_for_and_its_commits_stay(team: Team) -> None:
    work = team.begin()
    commit(work.folder, "amended.txt")
    amended = team.tip(work.branch)
    team.git("commit", "-q", "--amend", "-m", "better", folder=work.folder)
    last = commit(work.folder, "last.txt")
    team.do("fail --reason 'too hard'", cwd=work.folder)

    kept = team.do("cleanup --as zoe")["kept"]
    assert "--abandoned" in kept[0]["why"]
    assert work.folder.exists()

    answer = team.do("cleanup --abandoned --as zoe")

    assert [(row["branch"], row["commit"], row["abandoned"]) for row in answer["removed"]] == [
        (work.branch, last, True)
    ]
    assert not work.folder.exists()
    assert branches(team) == ["main"]
    event = team.do(f"show {work.task}")["events"][-1]
    assert event["type"] == "task.cleaned"
    assert event["payload"] == {"branch": work.branch, "commit": last}
    team.git("reflog", "expire", "--expire=now", "--all")
    team.git("gc", "-q", "--prune=now")
    for one in (last, amended):
        assert team.git("cat-file", "-t", one).strip() == "commit"
    assert team.do("verify --git")["findings"] == []


@pytest.mark.parametrize("options", ["", "--abandoned"])
def test_what_is_in_no_commit_stays(team: Team, options: str) -> None:
    merged, failed = team.approved_work(), team.begin("two", "bob")
    team.do(f"merge {merged.task} --as zoe")
    team.do("fail --reason no", cwd=failed.folder)
    for work in (merged, failed):
        (work.folder / "draft.txt").write_text("mine\n")

    answer = team.do(f"cleanup {options} --as zoe")

    assert answer["removed"] == []
    assert all("changes in no commit" in row["why"] for row in answer["kept"])
    assert (merged.folder / "draft.txt").exists()
    assert (failed.folder / "draft.txt").exists()


def test_commits_that_came_after_the_merge_stay(team: Team) -> None:
    work = team.approved_work()
    team.do(f"merge {work.task} --as zoe")
    commit(work.folder, "later.txt")

    answer = team.do("cleanup --as zoe")

    assert answer["removed"] == []
    assert "not in main" in answer["kept"][0]["why"]


def test_a_worktree_and_a_branch_of_ones_own_are_never_touched(team: Team) -> None:
    there = linked(team.folder, "mine")
    work = team.begin(cwd=there)
    commit(there)
    team.finish(work)
    team.do(f"approve {work.task} --merge --as zoe")
    team.git("branch", "crew/t-zzzzzzzz-00000000")
    team.git("branch", "crew/not-ours")

    answer = team.do("cleanup --abandoned --as zoe")

    assert answer["removed"] == []
    assert [row["why"] for row in answer["kept"]] == ["no such task here"]
    assert set(branches(team)) == {"main", "mine", "crew/t-zzzzzzzz-00000000", "crew/not-ours"}


def test_a_detached_worktree_of_ones_own_with_the_claims_branch_stays(team: Team) -> None:
    there = team.folder.parent / "detached"
    team.git("worktree", "add", "-q", "--detach", str(there))
    work = team.begin(cwd=there)
    commit(there)
    team.finish(work)
    team.do(f"approve {work.task} --merge --as zoe")

    answer = team.do("cleanup --as zoe")

    assert answer["kept"][0]["why"] == f"checked out in {there}"
    assert there.exists()


def test_the_branch_of_an_earlier_holder_goes_with_the_others(team: Team) -> None:
    first = team.begin()
    lost = commit(first.folder, "first.txt")
    team.do("release", cwd=first.folder)
    second = team.do(f"start {first.task} --as bob")
    from pathlib import Path

    commit(Path(second["dir"]))
    team.do("done", cwd=Path(second["dir"]))
    team.do(f"approve {first.task} --merge --as zoe")

    assert [row["branch"] for row in team.do("cleanup --as zoe")["removed"]] == [second["branch"]]
    assert [row["commit"] for row in team.do("cleanup --abandoned --as zoe")["removed"]] == [lost]
    assert kept_refs(team).count(lost) == 1


def test_a_dry_run_removes_nothing_and_writes_nothing(team: Team) -> None:
    work = team.approved_work()
    team.do(f"merge {work.task} --as zoe")
    events = team.do("where")["events"]

    answer = team.do("cleanup --dry-run --as zoe")

    assert [row["branch"] for row in answer["removed"]] == [work.branch]
    assert work.folder.exists()
    assert team.do("where")["events"] == events
    assert "would go" in team.run("cleanup", "--dry-run", "--as", "zoe").out


def test_a_worktree_with_submodules_is_left_to_its_owner(team: Team) -> None:
    from tests.cli.repositories import git, repository

    other = repository(team.folder.parent / "other")
    work = team.begin()
    git(work.folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "lib")
    git(work.folder, "commit", "-q", "-m", "a submodule")
    team.finish(work)
    team.do(f"approve {work.task} --merge --as zoe")

    answer = team.do("cleanup --as zoe")

    assert "submodules" in answer["kept"][0]["why"]
    assert (work.folder / "lib").exists()


def test_the_checkout_that_a_killed_merge_left_goes_and_is_listed(team: Team) -> None:
    left = team.folder / ".crewlog/work/gate-0123456789ab"
    team.git("worktree", "add", "-q", "--detach", str(left))

    foretold = team.run("cleanup", "--dry-run", "--as", "zoe").out
    answer = team.do("cleanup --as zoe")

    assert f"would go  {left}  " in foretold
    assert (answer["checkouts"], left.exists()) == ([str(left)], False)
    assert "gate-" not in team.git("worktree", "list")
    assert team.do("cleanup --as zoe")["checkouts"] == []
