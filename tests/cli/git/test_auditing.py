"""`verify --git`: the log and the repository, held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import Crew, why
from tests.cli.git.conftest import Team
from tests.cli.repositories import commit, git


def findings(team: Team) -> list[Any]:
    """What it finds that is damage; its exit code says whether there is anything."""
    result = team.run("verify", "--git", "--json")
    rows = result.json["findings"]
    assert result.code == (7 if rows else 0)
    return list(rows)


def remarks(team: Team) -> list[Any]:
    """What it finds that is none: the exit code is 0."""
    return list(team.do("verify --git")["findings"])


def test_a_history_as_it_should_be_has_no_findings(team: Team) -> None:
    assert findings(team) == []
    merged, rejected = team.approved_work("one"), team.submitted_work("two", file="two.txt")
    team.do(f"merge {merged.task} --as zoe")
    team.do(f"reject {rejected.task} --reason no --as zoe")
    commit(rejected.folder, "more.txt")
    team.finish(rejected)
    team.approved_work("three", file="three.txt")

    assert findings(team) == []
    assert team.run("verify", "--git").out.endswith("all is as the log says\n")


def test_a_commit_that_is_gone_is_found(team: Team) -> None:
    work = team.submitted_work()
    lost = team.tip(work.branch)
    (team.folder / ".git/objects" / lost[:2] / lost[2:]).unlink()

    [found] = findings(team)

    assert (found["code"], found["path"]) == ("commit-missing", str(team.folder / ".git"))
    assert work.task in found["message"]
    assert lost[:12] in found["message"]
    submitted = team.do(f"show {work.task}")["task"]["submission"]["id"]
    assert found["id"] == submitted


def test_a_merge_that_was_taken_out_of_the_base_again_is_found(team: Team) -> None:
    work = team.approved_work()
    team.do(f"merge {work.task} --as zoe")
    team.git("reset", "-q", "--hard", "HEAD~1")

    assert [row["code"] for row in findings(team)] == ["merge-lost"]


def test_work_that_nothing_holds_any_more_is_found(team: Team) -> None:
    work = team.submitted_work()
    there = team.tip(work.branch)
    team.git("worktree", "remove", str(work.folder))
    team.git("branch", "-q", "-D", work.branch)
    assert findings(team) == []  # refs/crewlog keeps it

    team.git("update-ref", "-d", f"refs/crewlog/{work.task}/{there}")

    assert [row["code"] for row in findings(team)] == ["commit-astray"]


def test_one_commit_for_two_tasks_is_found(team: Team) -> None:
    work = team.submitted_work("one")
    second = team.spawn("two")
    begun = team.do(f"start {second} --as bob")
    team.git("reset", "-q", "--hard", work.branch, folder=Path(begun["dir"]))
    team.do("done", cwd=Path(begun["dir"]))

    [found] = findings(team)

    assert found["code"] == "commit-shared"
    assert work.task in found["message"]
    assert second in found["message"]


def test_a_merge_that_no_event_names_is_listed_and_no_damage(team: Team) -> None:
    first = team.approved_work("one")
    team.do(f"merge {first.task} --as zoe")
    team.git("switch", "-q", "-c", "side", "HEAD~1")
    commit(team.folder, "side.txt")
    team.git("switch", "-q", "main")
    team.git("merge", "-q", "--no-ff", "-m", "behind everybody's back", "side")

    [found] = remarks(team)

    assert found["code"] == "merge-unnamed"
    assert team.tip()[:12] in found["message"]
    assert team.run("verify", "--git").out.endswith("\nno corruption; 1 remark\n")


def test_pulling_as_the_hint_says_is_no_damage(team: Team) -> None:
    upstream = team.folder.parent / "upstream.git"
    git(team.folder, "clone", "-q", "--bare", str(team.folder), str(upstream))
    team.git("remote", "add", "origin", str(upstream))
    team.git("fetch", "-q", "origin")
    team.git("branch", "-q", "--set-upstream-to=origin/main")
    team.do(f"merge {team.approved_work('one').task} --as zoe")  # here
    other = team.folder.parent / "other"
    git(team.folder, "clone", "-q", str(upstream), str(other))
    commit(other, "there.txt")
    git(other, "push", "-q", "origin", "main")
    team.git("fetch", "-q", "origin")
    work = team.approved_work("two", file="two.txt")
    assert "`git pull`" in team.refused(f"merge {work.task} --as zoe")["hint"]
    team.git("pull", "-q", "--no-rebase", "--no-edit")
    team.do(f"merge {work.task} --as zoe")

    assert [row["code"] for row in remarks(team)] == ["merge-unnamed"]


def test_unapproved_work_in_the_base_is_found_until_it_is_approved(team: Team) -> None:
    work = team.submitted_work()
    team.git("merge", "-q", "--ff-only", work.branch)
    later = team.submitted_work("two", file="two.txt")  # stands on it
    team.do(f"approve {later.task} --merge --as zoe")

    [found] = findings(team)

    assert found["code"] == "unapproved-in-base"
    assert work.task in found["message"]
    audited = team.run("--json", "audit")
    assert (audited.code, [row["code"] for row in audited.json["findings"]]) == (7, ["unapproved-in-base"])
    team.do(f"approve {work.task} --as zoe")
    assert findings(team) == []


def test_work_that_came_in_as_a_part_of_approved_work_is_no_finding(team: Team) -> None:
    first = team.submitted_work("one")
    second = team.begin("two", name="bob")
    team.git("merge", "-q", "--ff-only", first.branch, folder=second.folder)
    commit(second.folder, "two.txt")
    team.finish(second)

    team.do(f"approve {second.task} --merge --as zoe")

    assert findings(team) == []


def test_merges_from_before_the_first_one_of_crewlog_are_nobodys_business(team: Team) -> None:
    team.git("switch", "-q", "-c", "side")
    commit(team.folder, "side.txt")
    team.git("switch", "-q", "main")
    team.git("merge", "-q", "--no-ff", "-m", "long ago", "side")
    work = team.approved_work()
    team.do(f"merge {work.task} --as zoe")

    assert findings(team) == []


def test_outside_git_there_is_nothing_to_verify_in_it(crew: Crew) -> None:
    assert why(crew.refused("verify --git")) == ("git", 6)
