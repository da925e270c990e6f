"""`review`, `diff`, `approve`, `reject`: judging a commit."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.cli.conftest import Crew, why
from tests.cli.git.conftest import Team
from tests.cli.repositories import commit, git, repository


def test_review_shows_all_that_one_must_know_and_the_lines_to_judge_by(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    team.finish(work, "--evidence 'all 31 tests pass' --check 'echo fine'")
    team.do(f"note {work.task} 'mind the gap' --as bob")

    answer = team.do(f"review {work.task}")

    assert answer["task"]["submission"]["evidence"] == "all 31 tests pass"
    assert [(row["added"], row["removed"]) for row in answer["files"]] == [(1, 0)]
    assert [note["text"] for note in answer["notes"]] == ["mind the gap"]
    assert answer["outlook"] == {
        "here": True,
        "moved": False,
        "base": "main",
        "merges": True,
        "conflicts": [],
        "found": False,
        "refused": None,
    }
    assert answer["next"] == [
        f"crewlog approve {work.task} --as NAME",
        f'crewlog reject {work.task} --reason "…" --as NAME',
    ]
    text = team.run("review", work.task).out
    for said in (
        "all 31 tests pass",
        "exited with 0",
        "    fine",
        "1 commit, 1 files, +1 -0",
        f"    +1 -0  {answer['files'][0]['path']}",
        "mind the gap",
        "merges with main",
    ):
        assert said in text


def test_the_lines_to_judge_it_by_work_where_they_are_printed(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    handed_in = team.finish(work)["next"][0]
    line = team.do(f"review {work.task} --as zoe")["next"][0]

    pasted = team.refused(handed_in.removeprefix("crewlog "), cwd=work.folder)
    assert (handed_in, why(pasted)) == (f"crewlog approve {work.task} --as NAME", ("bad-name", 2))
    approved = team.do(line.removeprefix("crewlog "), cwd=work.folder)
    assert team.do(approved["next"][0].removeprefix("crewlog "), cwd=work.folder)["state"] == "COMPLETED"


def test_review_without_a_task_shows_the_one_that_waits_longest(team: Team) -> None:
    assert why(team.refused("review")) == ("nothing-yet", 8)
    first, second = team.submitted_work("one"), team.submitted_work("two", file="two.txt")

    assert team.do("review")["task"]["id"] == first.task
    team.do(f"approve {first.task} --as zoe")
    assert team.do("review")["task"]["id"] == second.task


def test_review_predicts_a_conflict(team: Team) -> None:
    work = team.begin()
    team.edit(work.folder, "ours\n")
    team.finish(work)
    team.edit(team.folder, "theirs\n")

    assert team.do(f"review {work.task}")["outlook"]["conflicts"] == ["hello.py"]
    assert "conflicts with main in hello.py" in team.run("review", work.task).out
    [line] = team.do(f"review {work.task} --as zoe")["next"]
    assert line == f'crewlog reject {work.task} --reason "…" --as zoe'


def test_what_was_left_uncommitted_is_told_to_who_reviews(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    (work.folder / "left.txt").write_text("not committed\n")
    team.finish(work, "--allow-dirty")

    for command in ("review", "show"):
        assert "1 uncommitted change left out" in team.run(command, work.task).out


def test_review_says_that_the_work_is_in_the_base_already(team: Team) -> None:
    work = team.submitted_work()
    team.git("merge", "-q", "--ff-only", work.branch)

    assert team.do(f"review {work.task}")["outlook"]["found"]
    assert "is in main already" in team.run("review", work.task).out


def test_review_works_outside_git(crew: Crew) -> None:
    task, _ = crew.submitted()

    answer = crew.do("review")

    assert (answer["task"]["id"], answer["outlook"]) == (task, None)


def test_diff_shows_the_work_and_nothing_of_what_others_did(team: Team) -> None:
    work = team.begin()
    team.edit(work.folder, "def hello():\n    return 'hi'\n")
    commit(team.folder, "other.txt")

    answer = team.do(f"diff {work.task}")

    assert [(row["path"], row["added"], row["removed"]) for row in answer["files"]] == [("hello.py", 1, 1)]
    assert "+    return 'hi'\n" in answer["diff"]
    assert "other.txt" not in answer["diff"]
    assert "-    return 'hello'" in team.run("diff", work.task).out
    assert team.run("diff", work.task, "-q").out == "hello.py\n"


def test_diff_of_what_was_handed_in_stays_as_it_was_handed_in(team: Team) -> None:
    work = team.submitted_work()
    commit(work.folder, "later.txt")

    assert [row["path"] for row in team.do(f"diff {work.task}")["files"]] == ["new.txt"]
    assert "branch has moved since" in team.run("show", work.task).out


def test_a_diff_moves_no_cursor(team: Team) -> None:
    work = team.begin()
    commit(work.folder, "x.txt", "\x1b[31mred\x1b[0m \u202eright to left\n")

    out = team.run("diff", work.task).out

    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_diff_of_a_task_without_a_branch_is_refused(team: Team) -> None:
    task = team.spawn()

    assert why(team.refused(f"diff {task}")) == ("absent-commit", 3)


def test_an_approval_names_the_commit(team: Team) -> None:
    work = team.approved_work()

    shown = team.do(f"show {work.task}")["task"]
    assert shown["state"] == "APPROVED"
    assert shown["approval"]["commit"] == shown["commit"] == team.tip(work.branch)


def test_a_branch_that_moved_since_it_was_handed_in_is_not_approved(team: Team) -> None:
    work = team.submitted_work()
    commit(work.folder, "later.txt")

    refused = team.refused(f"approve {work.task} --as zoe")

    assert why(refused) == ("branch-moved", 5)
    assert "crewlog done" in refused["hint"]
    assert team.state(work.task) == "IN_REVIEW"
    team.finish(work)
    assert team.do(f"approve {work.task} --as zoe")["state"] == "APPROVED"


def test_a_branch_that_moved_after_the_approval_is_not_merged(team: Team) -> None:
    work = team.approved_work()
    commit(work.folder, "later.txt")

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("branch-moved", 5)
    assert team.merges() == []
    team.finish(work)
    assert team.state(work.task) == "IN_REVIEW"  # the approval was of another commit


def test_what_is_not_here_cannot_be_approved(team: Team) -> None:
    work = team.submitted_work()
    elsewhere = repository(team.folder.parent / "clone")
    (elsewhere / ".crewlog").mkdir()
    with (
        closing(sqlite3.connect(team.folder / ".crewlog/crewlog.db")) as log,
        closing(sqlite3.connect(elsewhere / ".crewlog/crewlog.db")) as copy,
    ):
        log.backup(copy)

    there = Team(elsewhere)
    refused = there.refused(f"approve {work.task} --as zoe")

    assert why(refused) == ("absent-commit", 3)
    assert "`crewlog sync`" in refused["hint"]
    assert "`crewlog sync`" in there.run("diff", work.task).err
    assert "`crewlog sync`" in there.run("review", work.task).out
    assert there.do(f"review {work.task}")["outlook"]["here"] is False


def test_nobody_approves_their_own_work_whatever_git_says(team: Team) -> None:
    work = team.submitted_work()
    commit(work.folder, "later.txt")

    assert why(team.refused(f"approve {work.task} --as ada")) == ("own-approval", 4)


def test_approve_can_merge_at_once(team: Team) -> None:
    work = team.submitted_work()

    answer = team.do(f"approve {work.task} --merge --as zoe --key k1")

    assert answer["state"] == "COMPLETED"
    assert answer["merge"] == team.tip()
    assert team.do(f"approve {work.task} --merge --as zoe --key k1")["replayed"]


def test_rejected_work_goes_on_in_the_same_worktree(team: Team) -> None:
    work = team.submitted_work()
    team.do(f"reject {work.task} --reason 'a test is missing' --as zoe")

    commit(work.folder, "test.txt")
    answer = team.finish(work)

    assert answer["state"] == "IN_REVIEW"
    assert answer["commit"] == team.tip(work.branch)


def test_work_that_is_rejected_to_another_begins_on_a_branch_of_its_own(team: Team) -> None:
    work = team.submitted_work()
    team.do(f"reject {work.task} --reason no --to bob --as zoe")

    begun = team.do("start --as bob")

    assert begun["branch"] != work.branch
    assert begun["previous"]["branch"] == work.branch
    assert git(team.folder, "rev-parse", work.branch)
