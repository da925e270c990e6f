"""Who am I, and which task: names, bindings of worktrees, the environment, and what `whoami` finds again."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.conftest import Crew, why
from tests.cli.repositories import commit, git, linked, repository


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return repository(tmp_path / "main")


@pytest.fixture
def team(main: Path) -> Crew:
    """A crew whose store is that of a git repository; zoe is `me`."""
    made = Crew(main)
    made.do("init --as zoe")
    return made


def test_as_goes_before_the_environment_before_the_binding_before_me(team: Crew) -> None:
    def whoami(**about: str) -> tuple[str, str]:
        words = ["--as", about.pop("option")] if "option" in about else []
        found = team.run("whoami", *words, "--json", environ=about, terminal=True).json
        return found["name"], found["why"]

    assert whoami() == ("zoe", "me in local.toml, on a terminal")
    team.do("join bob")
    assert whoami() == ("bob", "this worktree's binding")
    assert whoami(CREWLOG_AGENT="kim") == ("kim", "CREWLOG_AGENT")
    assert whoami(CREWLOG_AGENT="kim", option="ada") == ("ada", "--as")


def test_me_counts_on_a_terminal_only(team: Crew) -> None:
    assert team.do("spawn x", terminal=True)["state"] == "ASSIGNED"

    refused = team.refused("spawn x")

    assert why(refused) == ("no-name", 2)
    assert "--as NAME" in refused["hint"]
    assert "CREWLOG_AGENT" in refused["hint"]
    assert "`crewlog join NAME`" in refused["hint"]
    assert team.do("whoami")["name"] is None


@pytest.mark.parametrize("line", ["whoami --as ''", "spawn x --as ''", "--as '' spawn x", "spawn x --as Zoe"])
def test_a_name_that_is_none_is_refused_and_never_passed_over(team: Crew, line: str) -> None:
    assert why(team.refused(line, environ={"CREWLOG_AGENT": "ada"})) == ("bad-name", 2)


def test_a_bad_name_in_the_environment_is_named_as_such(team: Crew) -> None:
    refused = team.refused("spawn x", environ={"CREWLOG_AGENT": "Ada"})

    assert why(refused) == ("bad-name", 2)
    assert refused["message"].startswith("CREWLOG_AGENT 'Ada'")


def test_inside_a_bound_worktree_commands_need_neither_name_nor_task_nor_claim(team: Crew) -> None:
    there = linked(team.folder, "ada")
    team.spawn()

    task = team.do("start --as ada", cwd=there)["task"]

    assert team.do("progress --percent 50", cwd=there)["task"] == task
    assert team.do("note 'half way'", cwd=there)["task"] == task
    commit(there)
    assert team.do("done -e fine", cwd=there)["state"] == "IN_REVIEW"
    assert team.do("done --withdraw", cwd=there)["state"] == "WORKING"
    assert team.do("show", cwd=there)["task"]["id"] == task
    assert team.do("release", cwd=there)["state"] == "ASSIGNED"
    assert why(team.refused("done", cwd=there)) == ("usage", 2)
    assert team.do("whoami", cwd=there)["name"] == "ada"


def test_the_main_worktree_can_be_bound_as_well(team: Crew) -> None:
    task = team.spawn()
    (team.folder / "deep/er").mkdir(parents=True)

    team.do(f"start {task} --no-branch --as ada")

    assert team.do("done", cwd=team.folder / "deep/er")["state"] == "IN_REVIEW"
    assert git(team.folder, "status", "--porcelain", "--ignored") == "!! .crewlog/\n"


def test_worktrees_are_bound_one_by_one(team: Crew) -> None:
    here, there = linked(team.folder, "ada"), linked(team.folder, "bob")
    first, second = team.spawn("first"), team.spawn("second")

    team.do(f"start {first} --as ada", cwd=here)
    team.do(f"start {second} --as bob", cwd=there)

    for folder, name, task in ((here, "ada", first), (there, "bob", second)):
        found = team.do("whoami", cwd=folder)
        assert (found["name"], found["task"], found["dir"]) == (name, task, str(folder))
        commit(folder)
        assert team.do("done", cwd=folder)["task"] == task
    assert team.do("whoami")["name"] is None


def test_the_binding_lies_in_the_git_directory_and_not_in_the_worktree(team: Crew) -> None:
    there = linked(team.folder, "ada")
    claim = team.do(f"start {team.spawn()} --as ada", cwd=there)["claim"]

    private = Path(git(there, "rev-parse", "--absolute-git-dir").strip())

    bound = orjson.loads((private / "crewlog.json").read_bytes())
    assert (bound["agent"], bound["claim"]) == ("ada", claim)
    assert git(there, "status", "--porcelain", "--ignored") == ""


def test_another_name_in_a_bound_worktree_has_no_task_there(team: Crew) -> None:
    team.do(f"start {team.spawn()} --no-branch --as ada")

    refused = team.refused("done --as bob")

    assert why(refused) == ("usage", 2)
    assert "`crewlog whoami --as bob`" in refused["hint"]


def test_work_without_a_branch_is_resumed_wherever_one_is(team: Crew) -> None:
    here, there = linked(team.folder, "one"), linked(team.folder, "two")
    task = team.do(f"start {team.spawn()} --no-branch --as ada", cwd=here)["task"]

    team.do(f"resume {task} --as ada", cwd=there)

    assert why(team.refused("done", cwd=here)) == ("stale-claim", 5)
    assert team.do("done", cwd=there)["state"] == "IN_REVIEW"


def test_work_with_a_branch_is_resumed_where_the_branch_is(team: Crew) -> None:
    here, there = linked(team.folder, "one"), linked(team.folder, "two")
    task = team.do(f"start {team.spawn()} --as ada", cwd=here)["task"]

    resumed = team.do(f"resume {task} --as ada", cwd=there)

    assert (resumed["dir"], resumed["branch"]) == (str(here), "one")
    assert resumed["next"][0] == f"cd {here}"
    commit(here)
    assert team.do("done", cwd=here)["state"] == "IN_REVIEW"
    assert team.do("whoami", cwd=there)["name"] is None


def test_joining_again_under_the_same_name_keeps_the_task(team: Crew) -> None:
    task = team.do(f"start {team.spawn()} --no-branch --as ada")["task"]

    team.do("join ada")
    assert team.do("done")["task"] == task

    team.do("join bob")
    assert team.do("whoami")["task"] is None


def test_a_binding_to_another_store_counts_for_nothing(team: Crew, tmp_path: Path) -> None:
    team.do(f"start {team.spawn()} --no-branch --as ada")
    (tmp_path / "other").mkdir()
    team.do(f"init --store {tmp_path}/other --as kim")

    assert team.do(f"whoami --store {tmp_path}/other")["name"] is None
    assert team.do("whoami")["name"] == "ada"


def test_the_environment_says_task_and_claim(team: Crew) -> None:
    task = team.spawn("x", "--slug greet")
    claim = team.do(f"start {task} --as ada", cwd=linked(team.folder, "ada"))["claim"]
    about = {"CREWLOG_AGENT": "ada", "CREWLOG_TASK": task, "CREWLOG_CLAIM": claim}

    assert team.do("progress --percent 5", environ=about)["task"] == task
    assert team.do("progress --percent 6", environ={**about, "CREWLOG_TASK": "greet"})["task"] == task
    assert team.do(f"progress {task} --percent 7", environ={**about, "CREWLOG_TASK": ""})["task"] == task


def test_the_claim_in_the_environment_is_for_the_task_in_the_environment(team: Crew) -> None:
    task, other = team.spawn(), team.spawn()
    here, there = linked(team.folder, "one"), linked(team.folder, "two")
    claim = team.do(f"start {task} --as ada", cwd=here)["claim"]
    team.do(f"start {other} --as ada", cwd=there)
    about = {"CREWLOG_AGENT": "ada", "CREWLOG_TASK": task, "CREWLOG_CLAIM": claim}

    assert why(team.refused(f"done {other}", environ=about)) == ("no-claim", 4)
    commit(there)
    assert team.do(f"done {other}", environ=about, cwd=there)["state"] == "IN_REVIEW"


def test_outside_git_the_claim_must_be_shown(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    assert why(crew.refused("done --as ada")) == ("usage", 2)
    assert why(crew.refused(f"done {task} --as ada")) == ("no-claim", 4)
    assert crew.do(f"done {task} --as ada --claim {claim[:12]}")["state"] == "IN_REVIEW"


def test_whoami_finds_everything_again(crew: Crew) -> None:
    first, second = crew.spawn("first"), crew.spawn("second")
    claim = crew.start(first)

    found = crew.do("whoami --as ada")
    assert (found["name"], found["why"]) == ("ada", "--as")
    assert (found["task"], found["claim"], found["dir"]) == (first, claim, str(crew.folder))
    assert found["store"] == str(crew.folder / ".crewlog")

    other = crew.start(second)
    found = crew.do("whoami --as ada")
    assert (found["task"], found["claim"]) == (None, None)
    assert {row["id"]: row["claim"] for row in found["holds"]} == {first: claim, second: other}
    text = crew.run("whoami", "--as", "ada").out
    assert f"claim {claim}" in text
    assert f"claim {other}" in text


def test_whoami_never_shows_a_claim_that_is_stale(team: Crew) -> None:
    there = linked(team.folder, "ada")
    task = team.do(f"start {team.spawn()} --as ada", cwd=there)["task"]
    team.do(f"release {task} --force --reason gone --as zoe")

    found = team.run("whoami", "--json", cwd=there).json

    assert (found["task"], found["claim"], found["holds"]) == (task, None, [])
    assert f"{task} is no longer yours" in team.run("whoami", cwd=there).out


def test_whoami_of_nobody_says_how_to_get_a_name(crew: Crew) -> None:
    result = crew.run("whoami")

    assert result.code == 0
    assert "nobody" in result.out
    assert "crewlog join NAME" in result.out
    assert crew.run("whoami", "--quiet").out == ""


def test_join_records_who_is_here(team: Crew) -> None:
    answer = team.do("join ada --pid 1", cwd=linked(team.folder, "ada"))

    assert answer["agent"] == "ada"
    assert answer["bound"] == str(team.folder.parent / "ada")
    assert answer["process"]["pid"] == 1
    assert why(team.refused("join 'Ada L'")) == ("bad-name", 2)
    assert why(team.refused("join ada --pid 4194399")) == ("bad-value", 2)


def test_join_without_a_name_takes_the_one_that_is_known(crew: Crew) -> None:
    answer = crew.do("join", environ={"CREWLOG_AGENT": "kim"})

    assert (answer["agent"], answer["bound"]) == ("kim", None)
    assert why(crew.refused("join")) == ("no-name", 2)
