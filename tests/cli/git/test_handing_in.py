"""`done` in a git repository: what is handed in is a commit, with what speaks for it."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import Crew, why
from tests.cli.git.conftest import Team
from tests.cli.repositories import commit


def test_done_records_commit_branch_base_and_size(team: Team) -> None:
    work = team.begin()
    before = team.tip()
    commit(work.folder, "a.txt", "1\n2\n3\n")
    team.edit(work.folder, "def hello():\n    return 'hi'\n")

    answer = team.finish(work, "--evidence 'tried it'")

    assert answer["commit"] == team.tip(work.branch)
    shown = team.do(f"show {work.task}")["task"]
    assert shown["submission"]["code"] == {
        "branch": work.branch,
        "base": "main",
        "base_commit": before,
        "commits": 2,
        "files": 2,
        "added": 4,
        "removed": 1,
    }
    text = team.run("show", work.task).out
    assert f"{work.branch} → main, {answer['commit'][:12]}, 2 commits, 2 files, +4 -1" in text


def test_the_size_is_that_of_the_work_not_of_what_the_base_has_got_meanwhile(team: Team) -> None:
    work = team.begin()
    fork = team.tip()
    commit(work.folder)
    commit(team.folder, "other.txt")

    team.finish(work)

    code = team.do(f"show {work.task}")["task"]["submission"]["code"]
    assert (code["base_commit"], code["commits"], code["files"]) == (fork, 1, 1)


def test_a_branch_without_a_commit_is_refused(team: Team) -> None:
    work = team.begin()

    refused = team.refused("done", cwd=work.folder)

    assert why(refused) == ("empty-branch", 4)
    assert "--no-commit" in refused["hint"]
    assert team.state(work.task) == "WORKING"


def test_work_without_code_is_handed_in_without_a_commit(team: Team) -> None:
    work = team.begin()

    assert team.finish(work, "--no-commit -e 'I looked, nothing is to be done'")["state"] == "IN_REVIEW"
    assert team.do(f"show {work.task}")["task"]["commit"] is None
    assert team.do(f"approve {work.task} --as zoe")["state"] == "COMPLETED"


@pytest.mark.parametrize("file", ["hello.py", "new.txt", " leading and\ttab", "größe.txt", "-x"])
def test_uncommitted_changes_are_refused_and_named(team: Team, file: str) -> None:
    work = team.begin()
    commit(work.folder)
    (work.folder / file).write_text("changed\n")

    refused = team.refused("done", cwd=work.folder)

    assert why(refused) == ("dirty", 4)
    assert refused["details"]["files"] == [file]
    assert "--allow-dirty" in refused["hint"]
    assert team.state(work.task) == "WORKING"


def test_what_is_ignored_does_not_make_a_worktree_dirty(team: Team) -> None:
    commit(team.folder, ".gitignore", "*.pyc\n")
    work = team.begin()
    commit(work.folder)
    (work.folder / "x.pyc").write_text("x")

    assert team.finish(work)["state"] == "IN_REVIEW"


def test_changes_that_are_left_out_on_purpose_are_noted(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    (work.folder / "draft.txt").write_text("later\n")

    team.finish(work, "--allow-dirty")

    assert team.do(f"show {work.task}")["task"]["submission"]["code"]["uncommitted"] == 1
    assert (work.folder / "draft.txt").exists()


def test_a_check_is_run_in_the_worktree_and_its_exit_code_and_output_are_kept(team: Team) -> None:
    work = team.begin()
    commit(work.folder)

    result = team.run(
        *Crew.words('done --json --check "pwd; cat work.txt; echo oops >&2; exit 3"'), cwd=work.folder
    )

    assert result.code == 0
    assert "the check exited with 3" in result.err
    check = team.do(f"show {work.task}")["task"]["submission"]["check"]
    assert check["exit"] == 3
    assert check["output"] == f"{work.folder}\nwork\noops"
    assert "exited with 3" in team.run("show", work.task).out
    assert "    oops" in team.run("review", work.task).out


def test_a_long_output_is_kept_as_a_blob(team: Team) -> None:
    work = team.begin()
    commit(work.folder)

    team.finish(work, '--check "seq 3000"')

    check = team.do(f"show {work.task}")["task"]["submission"]["check"]
    assert check["output"]["blob"]["size"] > 10_000
    whole = team.do(f"show {work.task} --full")["task"]["submission"]["check"]
    assert whole["output"].split("\n") == [str(number) for number in range(1, 3001)]


def test_an_output_that_looks_like_it_holds_a_secret_is_withheld(team: Team) -> None:
    work = team.begin()
    commit(work.folder)

    team.finish(work, '--check "echo AKIA; printf AKIA; printf IOSFODNN7; echo QWERTYU"')

    assert "withheld" in team.do(f"show {work.task}")["task"]["submission"]["check"]["output"]


def test_a_check_that_changes_the_branch_is_no_check_of_what_is_handed_in(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    git = "git -c user.name=x -c user.email=x@x.invalid"

    refused = team.refused(f'done --check "{git} commit -q --allow-empty -m more"', cwd=work.folder)

    assert why(refused) == ("branch-moved", 5)
    assert team.state(work.task) == "WORKING"


def test_what_is_only_stated_is_kept_apart_from_what_was_run(team: Team) -> None:
    work = team.begin()
    commit(work.folder)

    team.finish(work, "--ran 'make test: 31 passed'")

    submission = team.do(f"show {work.task}")["task"]["submission"]
    assert (submission["ran"], submission["check"]) == ("make test: 31 passed", None)
    text = team.run("review", work.task).out
    assert "no check was run" in text
    assert "states to have run:\n    make test: 31 passed" in text


def test_checks_and_statements_work_outside_git_too(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    crew.do(f"done {task} --check 'echo fine' --ran twice --as ada --claim {claim}")

    submission = crew.do(f"show {task}")["task"]["submission"]
    assert (submission["check"]["output"], submission["ran"]) == ("fine", "twice")


def test_who_may_not_hand_it_in_is_told_so_before_git_is_asked(team: Team) -> None:
    work = team.begin()
    team.do(f"release {work.task} --force --reason gone --as zoe")

    assert why(team.refused("done", cwd=work.folder)) == ("stale-claim", 5)


def test_handing_in_works_from_anywhere_with_the_claim(team: Team) -> None:
    work = team.begin()
    there = commit(work.folder)

    assert team.do(f"done {work.task} --as ada --claim {work.claim}")["commit"] == there


def test_who_made_a_branch_of_their_own_in_the_worktree_is_told_so(team: Team) -> None:
    work = team.begin()
    team.git("switch", "-q", "-c", "fix", folder=work.folder)
    commit(work.folder)

    refused = team.refused("done", cwd=work.folder)

    assert why(refused) == ("dirty", 4)
    assert f"is not on {work.branch} now" in refused["message"]


def test_from_the_middle_of_a_rebase_nothing_is_handed_in(team: Team) -> None:
    work = team.begin()
    team.edit(work.folder, "ours\n")
    team.edit(team.folder, "theirs\n")
    with pytest.raises(subprocess.CalledProcessError):
        team.git("rebase", "main", folder=work.folder)

    assert why(team.refused("done", cwd=work.folder)) == ("dirty", 4)
    assert team.state(work.task) == "WORKING"


def test_a_branch_that_is_gone_cannot_be_handed_in(team: Team) -> None:
    work = team.begin()
    team.git("worktree", "remove", str(work.folder))
    team.git("branch", "-q", "-D", work.branch)

    assert why(team.refused(f"done {work.task} --as ada --claim {work.claim}")) == ("absent-commit", 3)


def test_a_retry_with_the_same_key_answers_though_the_branch_went_on(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    first = team.finish(work, "--key once")
    (work.folder / "dirty.txt").write_text("x")

    again = team.finish(work, "--key once")

    assert (again["event"], again["replayed"]) == (first["event"], True)


def test_what_was_handed_in_stays_reachable_when_it_is_amended_away(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    first = team.finish(work)["commit"]
    team.git("commit", "-q", "--amend", "-m", "better", folder=work.folder)
    second = team.finish(work)["commit"]
    team.git("reflog", "expire", "--expire=now", "--all")
    team.git("gc", "-q", "--prune=now")

    assert first != second
    assert team.git("cat-file", "-t", first).strip() == "commit"
