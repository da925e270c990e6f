"""`start`, `run`, `resume` in a git repository: a branch and a worktree for each claim."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Crew, why
from tests.cli.git.conftest import HELLO, Team
from tests.cli.repositories import commit, git, linked, repository


def test_start_makes_a_branch_from_the_base_and_a_worktree_and_answers_with_both(team: Team) -> None:
    task = team.spawn()

    begun = team.do(f"start {task} --as ada")

    assert begun["branch"] == f"crew/{task}-{begun['claim'][:8]}"
    assert begun["base"] == "main"
    assert begun["dir"] == str(team.folder / ".crewlog/work" / task)
    assert begun["next"][0] == f"cd {begun['dir']}"
    folder = Path(begun["dir"])
    assert (folder / "hello.py").read_text() == HELLO
    assert team.git("symbolic-ref", "HEAD", folder=folder).strip() == f"refs/heads/{begun['branch']}"
    assert team.tip(begun["branch"]) == team.tip()
    assert team.git("status", "--porcelain") == ""
    shown = team.do(f"show {task}")["task"]
    assert (shown["branch"], shown["base"], shown["commit"]) == (begun["branch"], "main", None)


def test_print_dir_is_what_cd_takes(team: Team) -> None:
    task = team.spawn()

    out = team.run("start", "--as", "ada", "--print", "dir").out

    assert out == f"{team.folder}/.crewlog/work/{task}\n"


def test_inside_the_worktree_nothing_needs_to_be_named(team: Team) -> None:
    work = team.begin()
    (work.folder / "deep").mkdir()

    found = team.do("whoami", cwd=work.folder / "deep")

    assert (found["name"], found["task"], found["claim"]) == ("ada", work.task, work.claim)
    assert found["dir"] == str(work.folder)
    assert team.do("progress --percent 5", cwd=work.folder)["task"] == work.task
    assert team.do("whoami")["name"] is None  # the main worktree is bound to nobody


def test_the_binding_is_no_file_of_the_worktree(team: Team) -> None:
    work = team.begin()

    assert team.git("status", "--porcelain", "--ignored", folder=work.folder) == ""
    private = Path(team.git("rev-parse", "--absolute-git-dir", folder=work.folder).strip())
    assert (private / "crewlog.json").exists()


def test_two_tasks_have_two_branches_and_two_worktrees(team: Team) -> None:
    ada, bob = team.begin("one"), team.begin("two", "bob")

    assert ada.folder != bob.folder
    assert ada.branch != bob.branch
    commit(ada.folder)
    assert not (bob.folder / "work.txt").exists()


def test_a_linked_worktree_of_ones_own_is_used_as_it_is(team: Team) -> None:
    there = linked(team.folder, "mine")
    commit(there)

    work = team.begin(cwd=there)

    assert (work.folder, work.branch) == (there, "mine")
    assert team.do(f"show {work.task}")["task"]["ahead"]["commits"] == 1
    assert team.finish(work)["state"] == "IN_REVIEW"


def test_a_linked_worktree_that_has_a_task_already_is_left_alone(team: Team) -> None:
    there = linked(team.folder, "mine")
    first = team.begin("one", cwd=there)

    second = team.begin("two", cwd=there)

    assert second.folder == team.folder / ".crewlog/work" / second.task
    assert team.do("whoami", cwd=there)["task"] == first.task


def test_the_worktree_of_another_task_is_never_taken_for_a_new_one(team: Team) -> None:
    first = team.begin("one")
    team.do("release", cwd=first.folder)

    task = team.spawn("two")
    second = team.do(f"start {task} --as ada", cwd=first.folder)

    assert second["dir"] == str(team.folder / ".crewlog/work" / task)


def test_a_detached_worktree_of_ones_own_gets_the_claims_branch_and_keeps_its_files(team: Team) -> None:
    there = team.folder.parent / "detached"
    team.git("worktree", "add", "-q", "--detach", str(there))
    (there / "draft.txt").write_text("not yet\n")
    git(there, "add", "draft.txt")
    index = Path(git(there, "rev-parse", "--absolute-git-dir").strip(), "index").read_bytes()

    work = team.begin(cwd=there)

    assert (work.folder, work.branch) == (there, f"crew/{work.task}-{work.claim[:8]}")
    assert git(there, "symbolic-ref", "--short", "HEAD").strip() == work.branch
    assert git(there, "status", "--porcelain") == "A  draft.txt\n"
    assert Path(git(there, "rev-parse", "--absolute-git-dir").strip(), "index").read_bytes() == index


def test_here_in_the_main_worktree_takes_its_branch_unless_that_is_the_base(team: Team) -> None:
    task = team.spawn()
    refused = team.refused(f"start {task} --here --as ada")
    assert why(refused) == ("not-a-branch", 4)
    assert team.state(task) == "ASSIGNED"

    team.git("switch", "-q", "-c", "feature")
    begun = team.do(f"start {task} --here --base main --as ada")

    assert (begun["branch"], begun["base"], begun["dir"]) == ("feature", "main", str(team.folder))


def test_without_a_branch_one_works_wherever_one_is(team: Team) -> None:
    work = team.begin(more="--no-branch")

    assert work.folder == team.folder
    assert work.branch == ""
    assert team.git("branch", "--format=%(refname:short)").split() == ["main"]
    assert team.do("done")["state"] == "IN_REVIEW"
    assert team.do(f"approve {work.task} --as zoe")["state"] == "COMPLETED"


def test_the_base_can_be_named(team: Team) -> None:
    team.git("branch", "release")
    commit(team.folder)

    work = team.begin(more="--base release")

    assert team.tip(work.branch) == team.tip("release") != team.tip()
    assert team.do(f"show {work.task}")["task"]["base"] == "release"


def test_the_base_can_be_a_setting(team: Team) -> None:
    team.git("branch", "release")
    team.settings('[git]\nbase = "release"\n')

    assert team.do(f"start {team.spawn()} --as ada")["base"] == "release"


@pytest.mark.parametrize(
    "base", ["nope", "-x", "--all", "..", "main~0", "main^{/x}", "HEAD", "a b", "\x01", "ma\u0131n"]
)
def test_a_base_that_is_no_branch_takes_no_task(team: Team, base: str) -> None:
    task = team.spawn()

    result = team.run("--json", "start", task, f"--base={base}", "--as", "ada")

    assert (result.code, result.error["code"]) == (4, "not-a-branch")
    assert team.state(task) == "ASSIGNED"


def test_options_that_contradict_each_other_take_no_task(team: Team) -> None:
    task = team.spawn()

    for options in ("--no-branch --here", "--no-branch --base main"):
        assert why(team.refused(f"start {task} {options} --as ada")) == ("usage", 2)
    assert team.state(task) == "ASSIGNED"


def test_outside_git_there_is_no_branch_to_ask_for(crew: Crew) -> None:
    task = crew.spawn()

    for option in ("--here", "--base main"):
        assert why(crew.refused(f"start {task} {option} --as ada")) == ("usage", 2)
    begun = crew.do(f"start {task} --as ada")
    assert begun["dir"] == str(crew.folder)
    assert "branch" not in begun


def test_a_repository_without_a_commit_has_nothing_to_branch_from(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    team = Team(folder)
    team.do("init --as zoe")

    result = team.run("start", team.spawn(), "--as", "ada", "--json")

    assert (result.code, result.json["dir"]) == (0, str(folder))
    assert "no commit yet" in result.err
    assert team.do("done --as ada")["state"] == "IN_REVIEW"


def test_with_a_detached_main_worktree_the_base_must_be_named(team: Team) -> None:
    team.git("switch", "-q", "--detach")
    task = team.spawn()

    refused = team.refused(f"start {task} --as ada")
    assert why(refused) == ("not-a-branch", 4)
    assert "--base main" in refused["hint"]
    assert team.do(f"start {task} --base main --as ada")["base"] == "main"


def test_in_a_bare_repository_the_worktrees_lie_in_the_git_directory(main: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(main, "clone", "-q", "--bare", str(main), str(bare))
    team = Team(bare)
    team.do("init --as zoe")

    work = team.begin()
    commit(work.folder)
    team.finish(work)
    team.do(f"approve {work.task} --merge --as zoe")

    assert work.folder == bare / ".crewlog/work" / work.task
    assert team.merges() == [f"Merge {work.task}: Greet by name"]


def test_a_repository_inside_a_worktree_is_not_the_one_that_tasks_are_about(team: Team) -> None:
    work = team.begin()
    inner = repository(work.folder / "vendor/inner")

    begun = team.do(f"start {team.spawn('two')} --as bob", cwd=inner)

    assert begun["dir"] == str(team.folder / ".crewlog/work" / begun["task"])
    assert git(inner, "branch", "--format=%(refname:short)").split() == ["main"]


def test_submodules_are_mentioned_since_nobody_fills_them(team: Team, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")
    team.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "lib")
    team.git("commit", "-q", "-m", "a submodule")

    result = team.run("start", team.spawn(), "--as", "ada")

    assert result.code == 0
    assert "git submodule update --init" in result.err


def test_the_next_holder_is_told_the_branch_of_the_last_one_and_gets_one_of_its_own(team: Team) -> None:
    work = team.begin()
    commit(work.folder)
    team.do("release", cwd=work.folder)

    next_one = team.do(f"start {work.task} --as bob")

    assert next_one["previous"]["branch"] == work.branch
    assert next_one["branch"] != work.branch
    assert next_one["dir"] == f"{work.folder}-{next_one['claim'][:8]}"
    assert (work.folder / "work.txt").exists()
    text = team.run("release", work.task, "--as", "bob", cwd=Path(next_one["dir"]))
    assert text.code == 0
    assert f"the work is on {next_one['branch']}" in team.run("start", work.task, "--as", "kim").out


def test_resume_goes_on_in_the_same_branch_and_worktree(team: Team) -> None:
    work = team.begin()
    commit(work.folder)

    resumed = team.do(f"resume {work.task} --as ada")

    assert (resumed["dir"], resumed["branch"]) == (str(work.folder), work.branch)
    assert team.do("whoami", cwd=work.folder)["claim"] == resumed["claim"]
    assert team.do("done", cwd=work.folder)["state"] == "IN_REVIEW"


def test_resume_makes_a_worktree_that_is_gone_anew(team: Team) -> None:
    work = team.begin()
    there = commit(work.folder)
    team.git("worktree", "remove", str(work.folder))

    resumed = team.do(f"resume {work.task} --as ada")

    assert resumed["dir"] == str(work.folder)
    assert team.git("rev-parse", "HEAD", folder=work.folder).strip() == there


def test_resume_makes_a_worktree_anew_whose_folder_somebody_removed(team: Team) -> None:
    work = team.begin()
    there = commit(work.folder)
    shutil.rmtree(work.folder)

    team.do(f"resume {work.task} --as ada")

    assert team.git("rev-parse", "HEAD", folder=work.folder).strip() == there
    assert (work.folder / "work.txt").exists()


def test_resume_makes_what_a_kill_between_claim_and_branch_left_out(team: Team) -> None:
    work = team.begin()
    team.git("worktree", "remove", str(work.folder))
    team.git("branch", "-q", "-D", work.branch)

    resumed = team.do(f"resume {work.task} --as ada")

    assert resumed["dir"] == str(work.folder)
    assert team.tip(work.branch) == team.tip()


def test_a_worktree_that_git_was_killed_in_is_completed(team: Team) -> None:
    work = team.begin()
    team.git("worktree", "remove", str(work.folder))
    line = ("worktree", "add", "-q", "--no-checkout", "--lock", "--reason", "initializing")
    team.git(*line, str(work.folder), work.branch)

    team.do(f"resume {work.task} --as ada")

    assert team.git("status", "--porcelain", folder=work.folder) == ""
    assert (work.folder / "hello.py").read_text() == HELLO
    assert "locked" not in team.git("worktree", "list")


def test_a_retry_with_the_same_key_answers_with_the_same_worktree(team: Team) -> None:
    task = team.spawn()
    first = team.do(f"start {task} --as ada --key once")

    again = team.do(f"start {task} --as ada --key once")

    assert again["replayed"]
    assert [again[name] for name in ("dir", "branch", "claim")] == [
        first[name] for name in ("dir", "branch", "claim")
    ]


def test_a_task_whose_worktree_cannot_be_made_is_given_back(team: Team) -> None:
    task = team.spawn()
    (team.folder / ".crewlog/work").write_text("in the way\n")

    result = team.run("start", task, "--as", "ada", "--json")

    assert result.code != 0
    assert team.state(task) == "ASSIGNED"


def test_run_works_in_the_worktree_and_hands_its_commit_in(team: Team) -> None:
    task = team.spawn()
    script = "echo hi > hi.txt; git add hi.txt; git commit -qm hi; pwd > ../../../pwd.txt"
    environ = {name: os.environ[name] for name in ("PATH",)} | {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@x",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@x",
    }

    result = team.run("run", task, "--as", "ada", "--json", "--", "sh", "-c", script, environ=environ)

    assert result.code == 0, result
    assert result.json["runs"][0]["outcome"] == "done"
    shown = team.do(f"show {task}")["task"]
    assert shown["state"] == "IN_REVIEW"
    assert team.git("log", "-1", "--format=%s", shown["commit"]).strip() == "hi"
    assert (team.folder / "pwd.txt").read_text().strip() == str(team.folder / ".crewlog/work" / task)


@pytest.mark.parametrize(
    ("script", "said"), [("true", "has no commit"), ("touch new.txt", "in no commit: new.txt")]
)
def test_run_fails_a_task_whose_work_is_not_committed_and_keeps_the_work(
    team: Team, script: str, said: str
) -> None:
    task = team.spawn()

    result = team.run("run", task, "--as", "ada", "--json", "--", "sh", "-c", script)

    assert (result.code, result.json["runs"][0]["outcome"]) == (4, "failed")
    shown = team.do(f"show {task}")["task"]
    assert shown["state"] == "FAILED"
    assert said in shown["end"]["reason"]
    assert (team.folder / ".crewlog/work" / task).is_dir()


def test_run_finds_the_program_where_it_was_typed(team: Team) -> None:
    script = team.folder / "worker.sh"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)

    result = team.run(
        "run", team.spawn(), "--as", "ada", "--on-success", "leave", "--json", "--", "./worker.sh"
    )

    assert result.json["runs"][0]["outcome"] == "left", result


def test_who_binds_the_main_worktree_is_told_so_and_so_is_who_judges_there(team: Team) -> None:
    mine = team.spawn("mine")
    work = team.submitted_work()

    begun = team.run("start", mine, "--as", "cy", "--no-branch")
    again = team.run("start", team.spawn("more"), "--as", "cy", "--no-branch")
    approved = team.run("approve", work.task)
    merged = team.run("merge", work.task, "--as", "zoe")

    told = f"a command in {team.folder} is cy's, unless it says --as NAME"
    assert told in begun.err
    assert told not in again.err
    assert "done as cy, by this worktree's binding" in approved.err
    assert (merged.code, "done as" in merged.err) == (0, False)


def test_an_agent_in_a_worktree_of_its_own_is_told_nothing_of_names(team: Team) -> None:
    work, other = team.submitted_work(), team.begin(name="bob")

    assert "--as NAME" not in team.run("approve", work.task, cwd=other.folder).err


def test_in_a_submodule_the_binding_of_the_worktree_around_holds(team: Team) -> None:
    inner = repository(team.folder.parent / "inner")
    commit(inner, "inner.txt")
    allowed = ("-c", "protocol.file.allow=always")
    team.git(*allowed, "submodule", "add", "-q", str(inner), "sub")
    team.git("commit", "-q", "-m", "a submodule")
    work = team.begin()
    team.git(*allowed, "submodule", "update", "-q", "--init", folder=work.folder)

    assert team.do("whoami", cwd=team.folder / "sub")["name"] is None  # nothing is bound there
    found = team.do("whoami", cwd=work.folder / "sub")

    assert (found["name"], found["task"]) == ("ada", work.task)
    team.do("progress --text 'half of it'", cwd=work.folder / "sub")
