"""`merge`: the base moves to a merge commit, and nothing else does."""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import threading
from pathlib import Path

import pytest

from cli.call import Call, Options
from cli.git.merging import Merger
from cli.shell import Shell
from domain.commands import BeginMerge
from tests.cli.conftest import why
from tests.cli.git.conftest import HELLO, Team
from tests.cli.repositories import commit, git, linked, repository


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file of a worktree but the store, its index, its stash and its HEAD, by content."""
    private = Path(git(folder, "rev-parse", "--absolute-git-dir").strip())
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not {".git", ".crewlog"} & set(path.relative_to(folder).parts)
    }
    for name in ("index", "HEAD", "logs/refs/stash", "refs/stash"):
        file = private / name
        found[f"git:{name}"] = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "-"
    return found


def test_the_merge_commit_names_task_and_event_and_has_both_parents(team: Team) -> None:
    before = team.tip()
    work = team.approved_work("Greet by name")

    answer = team.do(f"merge {work.task} --as zoe")

    assert (answer["state"], answer["merge"], answer["commit"]) == (
        "COMPLETED",
        team.tip(),
        team.tip(work.branch),
    )
    assert team.git("log", "-1", "--format=%P").split() == [before, team.tip(work.branch)]
    message = team.git("log", "-1", "--format=%B").strip().splitlines()
    approval = team.do(f"show {work.task}")["task"]["approval"]["id"]
    assert message == [
        f"Merge {work.task}: Greet by name",
        "",
        f"Crewlog-Task: {work.task}",
        f"Crewlog-Event: {approval}",
    ]
    assert team.git("log", "-1", "--format=%an <%ae> %cn").strip() == "zoe <zoe@crew.invalid> zoe"
    assert team.events(work.task)[-3:] == ["task.approved", "task.merging", "task.merged"]


def test_a_completed_task_says_by_which_merge_commit_it_came_in(team: Team) -> None:
    before = team.tip()
    work = team.approved_work()
    team.do(f"merge {work.task} --as zoe")

    shown = team.do(f"show {work.task}")["task"]

    merge = shown["merge"]
    assert (merge["merge"], merge["base"], merge["base_commit"], merge["by"]) == (
        team.tip(),
        "main",
        before,
        "zoe",
    )
    assert f"  merged    {team.tip()[:12]} into main by zoe" in team.run("show", work.task).out


def test_the_merge_commit_is_by_whom_git_says(team: Team) -> None:
    team.git("config", "user.name", "Zoë X")
    team.git("config", "user.email", "zoe@example.org")
    work = team.approved_work()

    team.do(f"merge {work.task} --as zoe")

    assert team.git("log", "-1", "--format=%an <%ae>").strip() == "Zoë X <zoe@example.org>"


def test_a_clean_worktree_that_has_the_base_checked_out_goes_along(team: Team) -> None:
    (team.folder / "notes.txt").write_text("mine, untracked\n")
    work = team.approved_work()

    team.do(f"merge {work.task} --as zoe")

    assert (team.folder / "new.txt").read_text() == "new\n"
    assert (team.folder / "notes.txt").read_text() == "mine, untracked\n"
    assert team.git("status", "--porcelain") == "?? notes.txt\n"
    assert team.git("reflog", "-1", "--format=%gs").strip() == f"crewlog merge {work.task}"


def test_a_checkout_of_another_branch_is_untouched_to_the_byte(team: Team) -> None:
    work = team.approved_work()
    team.git("switch", "-q", "-c", "mine")
    (team.folder / "hello.py").write_text("staged\n")
    team.git("add", "hello.py")
    (team.folder / "hello.py").write_text("changed again\n")
    (team.folder / "stashed.txt").write_text("x\n")
    team.git("stash", "push", "-q", "--include-untracked", "--", "stashed.txt")
    before = fingerprint(team.folder)

    team.do(f"merge {work.task} --as zoe")

    assert fingerprint(team.folder) == before
    assert team.merges("main") == [f"Merge {work.task}: Greet by name"]


@pytest.mark.parametrize("change", ["edited", "staged", "deleted"])
def test_a_dirty_base_is_refused_with_the_reason_and_untouched_to_the_byte(team: Team, change: str) -> None:
    work = team.approved_work()
    if change == "deleted":
        (team.folder / "hello.py").unlink()
    else:
        (team.folder / "hello.py").write_text("mine\n")
    if change == "staged":
        team.git("add", "hello.py")
    before, tip = fingerprint(team.folder), team.tip()

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("dirty", 4)
    assert refused["details"]["files"] == ["hello.py"]
    assert str(team.folder) in refused["message"]
    assert (fingerprint(team.folder), team.tip()) == (before, tip)
    assert team.state(work.task) == "APPROVED"


@pytest.mark.parametrize("ignored", [False, True])
def test_an_untracked_file_in_the_way_is_not_lost(team: Team, ignored: bool) -> None:
    if ignored:
        commit(team.folder, ".gitignore", "new.txt\n")
    work = team.begin()
    (work.folder / "new.txt").write_text("theirs\n")
    team.git("add", "-f", "new.txt", folder=work.folder)
    team.git("commit", "-q", "-m", "work", folder=work.folder)
    team.finish(work)
    team.do(f"approve {work.task} --as zoe")
    (team.folder / "new.txt").write_text("mine\n")

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("dirty", 4)
    assert (team.folder / "new.txt").read_text() == "mine\n"
    assert team.events(work.task)[-1] == "task.approved"


def test_a_file_that_was_only_touched_is_no_change(team: Team) -> None:
    work = team.begin()
    team.edit(work.folder, "new hello\n")
    team.finish(work)
    os.utime(team.folder / "hello.py", (1, 1))

    team.do(f"approve {work.task} --merge --as zoe")

    assert (team.folder / "hello.py").read_text() == "new hello\n"
    assert team.git("status", "--porcelain") == ""


def test_files_that_the_work_removes_and_renames_go_along(team: Team) -> None:
    commit(team.folder, "dir/old.txt", "text\n")
    work = team.begin()
    team.git("mv", "dir/old.txt", "moved.txt", folder=work.folder)
    team.git("rm", "-q", "hello.py", folder=work.folder)
    (work.folder / "link").symlink_to("moved.txt")
    team.git("add", "link", folder=work.folder)
    team.git("commit", "-q", "-m", "tidy", folder=work.folder)
    team.finish(work)

    team.do(f"approve {work.task} --merge --as zoe")

    assert sorted(path.name for path in team.folder.iterdir()) == [".crewlog", ".git", "link", "moved.txt"]
    assert team.git("status", "--porcelain") == ""


@pytest.mark.parametrize("kind", ["conflict", "gate"])
def test_work_that_could_not_be_merged_is_to_be_sent_back_and_not_merged_again(team: Team, kind: str) -> None:
    if kind == "gate":
        team.settings('[merge]\ngate = "false"\n')
    work = team.conflicting_work() if kind == "conflict" else team.approved_work()
    team.refused(f"merge {work.task} --as zoe")

    rejects = f'crewlog reject {work.task} --reason "…" --as zoe'
    [row] = team.do("status --as zoe")["attention"]
    assert (row["kind"], row["who"]) == ("setback", "zoe")
    assert shlex.split(row["command"]) == shlex.split(rejects)
    for command in ("review", "show"):
        said = team.run(command, work.task, "--as", "zoe").out
        assert f"next: {rejects}" in said, command
        assert "crewlog merge" not in said, command
    assert team.do(f"review {work.task} --as ada")["next"][0].startswith(f"crewlog done {work.task} ")
    assert team.do("status --as ada")["attention"][0]["command"].split()[1] == "review"

    team.run(*shlex.split(row["command"].replace("…", "merge main first"))[1:])
    assert team.do("status --as zoe")["attention"] == []
    assert team.do(f"show {work.task}")["task"]["state"] == "WORKING"


def test_a_conflict_that_the_base_has_lost_since_can_be_merged_again(team: Team) -> None:
    work = team.conflicting_work()
    team.refused(f"merge {work.task} --as zoe")
    team.git("revert", "--no-edit", "HEAD")

    assert team.do(f"review {work.task} --as zoe")["next"] == [f"crewlog merge {work.task} --as zoe"]


def test_a_conflict_is_written_down_told_to_the_holder_and_mended_by_them(team: Team) -> None:
    work = team.conflicting_work()
    tip = team.tip()

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("merge-conflict", 5)
    assert refused["details"]["files"] == ["hello.py"]
    shown = team.do(f"show {work.task}")["task"]
    assert shown["state"] == "APPROVED"
    assert (shown["setback"]["kind"], shown["setback"]["files"]) == ("conflict", ["hello.py"])
    assert team.tip() == tip
    told = team.do("whoami", cwd=work.folder)["notices"]
    assert any("could not be merged: conflicts with main in hello.py" in line for line in told)

    git(work.folder, "merge", "-q", "-X", "ours", "main")
    team.finish(work)
    assert team.do(f"approve {work.task} --merge --as zoe")["state"] == "COMPLETED"


def test_the_same_conflict_is_written_down_once(team: Team) -> None:
    work = team.conflicting_work()

    for _ in range(3):
        assert why(team.refused(f"merge {work.task} --as zoe")) == ("merge-conflict", 5)

    assert team.events(work.task).count("task.merge-failed") == 1


def test_the_gate_runs_on_the_merged_tree_and_its_output_is_kept(team: Team) -> None:
    team.settings('[merge]\ngate = "git log -1 --format=%s; ls; seq 2000; test -z \\"$GIT_DIR\\""\n')
    work = team.approved_work()
    commit(team.folder, "other.txt")

    team.do(f"merge {work.task} --as zoe", environ={"GIT_DIR": "/nowhere"})

    events = team.do(f"show {work.task} --full")["events"]
    merging = next(event["payload"] for event in events if event["type"] == "task.merging")
    assert merging["gate_exit"] == 0
    output = merging["gate_output"].split("\n")
    assert output[0] == f"Merge {work.task}: Greet by name"
    assert output[1:4] == ["hello.py", "new.txt", "other.txt"]
    assert output[-1] == "2000"
    assert "gate-" not in team.git("worktree", "list")


def test_a_gate_that_fails_keeps_the_base_where_it_was(team: Team) -> None:
    team.settings('[merge]\ngate = "echo broken; exit 7"\n')
    work, tip = team.approved_work(), team.tip()

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("gate-failed", 4)
    assert refused["details"]["exit"] == 7
    failed = team.do(f"show {work.task}")["events"][-1]["payload"]
    assert (failed["kind"], failed["gate_exit"], failed["gate_output"]) == ("gate", 7, "broken")
    assert team.tip() == tip
    assert team.state(work.task) == "APPROVED"
    team.settings('[merge]\ngate = "true"\n')
    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"


def test_a_gate_that_hangs_is_ended(team: Team) -> None:
    team.settings('[merge]\ngate = "sleep 1000 & sleep 1000"\ntimeout = "1s"\n')
    work = team.approved_work()

    refused = team.refused(f"merge {work.task} --as zoe")

    assert refused["details"]["exit"] == 124
    assert "took longer than 1 s" in refused["message"]
    assert "took longer than 1 s" in team.run("show", work.task).out


def test_what_the_gate_said_is_shown_where_the_hint_sends_one(team: Team) -> None:
    team.settings('[merge]\ngate = "seq 1 3000; echo WHY; exit 3"\n')  # more than an event holds
    work = team.approved_work()

    refused = team.refused(f"merge {work.task} --as zoe")

    assert f"`crewlog show {work.task} --full`" in refused["hint"]
    for command in ("show", "review"):
        short, full = (team.run(command, work.task, *more).out.splitlines() for more in ((), ("--full",)))
        assert "    WHY" in short
        assert "    … 2981 lines before it; --full shows them" in short
        assert {"    1", "    3000", "    WHY"} < set(full)


def test_a_base_that_moves_while_the_gate_runs_is_merged_into_as_it_is_then(team: Team) -> None:
    team.git("branch", "side")
    team.git("switch", "-q", "side")
    move = "test -e ../../moved || { touch ../../moved; git -C ../../.. update-ref refs/heads/main $NEW; }"
    commit(team.folder, "other.txt")
    team.settings(f'[merge]\ngate = "{move}"\n')
    base = team.begin("two", more="--base main")
    commit(base.folder)
    team.finish(base)
    team.do(f"approve {base.task} --as zoe")

    answer = team.do(f"merge {base.task} --as zoe", environ={"NEW": team.tip("side")})

    assert answer["state"] == "COMPLETED"
    assert team.git("log", "-1", "--format=%P", "main").split() == [team.tip("side"), team.tip(base.branch)]
    assert team.events(base.task)[-4:] == ["task.merging", "task.merge-failed", "task.merging", "task.merged"]
    assert len(team.merges("main")) == 1


def test_all_merges_in_the_order_of_approval_and_goes_on_after_a_conflict(team: Team) -> None:
    works = [team.begin(f"task {number}") for number in range(4)]
    for number, work in enumerate(works):
        team.edit(work.folder, f"{number}\n", "same.txt" if number in (1, 2) else f"{number}.txt")
        team.finish(work)
    for number in (2, 0, 3, 1):
        team.do(f"approve {works[number].task} --as zoe")

    result = team.run("merge", "--all", "--as", "zoe", "--json")

    assert result.code == 4
    rows = result.json["results"]
    assert [row["task"] for row in rows] == [works[number].task for number in (2, 0, 3, 1)]
    assert [row.get("state") or row["error"]["code"] for row in rows] == ["COMPLETED"] * 3 + [
        "merge-conflict"
    ]
    assert team.merges() == [f"Merge {works[number].task}: task {number}" for number in (3, 0, 2)]


def test_a_merge_that_fails_behind_an_approval_says_that_the_approval_stands(team: Team) -> None:
    work = team.begin()
    team.edit(work.folder, "ours\n")
    team.finish(work)
    team.edit(team.folder, "theirs\n")

    refused = team.refused(f"approve {work.task} --merge --as zoe")

    assert why(refused) == ("merge-conflict", 5)
    assert refused["message"].endswith(f"; {work.task} is APPROVED")
    listed = team.run("merge", "--all", "--as", "zoe").err
    assert listed.splitlines()[0].startswith(f"{work.task} conflicts with main")  # named once


def test_all_of_nothing_is_nothing_yet(team: Team) -> None:
    assert why(team.refused("merge --all --as zoe")) == ("nothing-yet", 8)
    assert why(team.refused("merge x --all --as zoe")) == ("usage", 2)


def test_a_dry_run_changes_nothing(team: Team) -> None:
    team.settings('[merge]\ngate = "touch ../../ran"\n')
    work = team.approved_work()
    tip, events = team.tip(), team.do("where")["events"]

    answer = team.do(f"merge {work.task} --dry-run --as zoe")

    assert (answer["base"], answer["conflicts"], answer["commit"]) == ("main", [], team.tip(work.branch))
    assert (team.tip(), team.do("where")["events"]) == (tip, events)
    assert not (team.folder / ".crewlog/ran").exists()


def test_a_dry_run_of_what_is_not_approved_is_refused_as_the_merge_is(team: Team) -> None:
    work = team.submitted_work()

    refused = team.refused(f"merge {work.task} --dry-run --as zoe")

    assert refused == team.refused(f"merge {work.task} --as zoe")
    assert why(refused)[1] == 4


def test_a_dry_run_of_all_foretells_each_task_behind_those_before_it(team: Team) -> None:
    works = [team.begin(f"task {number}") for number in range(3)]
    for number, work in enumerate(works):
        team.edit(work.folder, f"{number}\n", "other.txt" if number == 1 else "hello.py")
        team.finish(work)
    for work in works:
        team.do(f"approve {work.task} --as zoe")
    tip = team.tip()

    answer = team.do("merge --all --dry-run --as zoe")
    text = team.run("merge", "--all", "--dry-run", "--as", "zoe").out

    assert [row["conflicts"] for row in answer["results"]] == [[], [], ["hello.py"]]
    assert (
        f"{works[2].task}  conflicts in hello.py (main with {works[0].task}, {works[1].task} in it)" in text
    )
    assert team.tip() == tip
    team.run("merge", "--all", "--as", "zoe")
    assert [team.state(work.task) for work in works] == ["COMPLETED", "COMPLETED", "APPROVED"]
    done = team.run("merge", works[0].task, "--dry-run", "--as", "zoe")
    assert (done.code, "is in already" in done.out) == (0, True)


def test_a_dry_run_and_a_review_foretell_that_a_dirty_base_is_refused(team: Team) -> None:
    work = team.approved_work()
    (team.folder / "hello.py").write_text("mine\n")

    refused = team.refused(f"merge {work.task} --dry-run --as zoe")

    assert why(refused) == ("dirty", 4)
    outlook = team.do(f"review {work.task}")["outlook"]
    assert (outlook["merges"], outlook["refused"]) == (True, refused["message"])
    assert f"a merge would be refused now: {refused['message']}" in team.run("review", work.task).out


def test_a_base_that_was_deleted_can_be_made_anew_as_the_hint_says(team: Team) -> None:
    team.git("branch", "rel")
    work = team.begin(more="--base rel")
    commit(work.folder)
    team.finish(work)
    team.git("branch", "-q", "-D", "rel")

    assert "which is not here" in team.do(f"review {work.task}")["outlook"]["refused"]
    refused = team.refused(f"approve {work.task} --merge --as zoe")
    assert why(refused)[0] == "not-a-branch"
    words = refused["hint"].split("`")[1].split()
    assert words[:3] == ["git", "branch", "rel"]
    team.git(*words[1:])

    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"
    assert len(team.merges("rel")) == 1


def test_an_upstream_that_is_ahead_is_to_be_pulled_first(team: Team) -> None:
    upstream = team.folder.parent / "upstream.git"
    git(team.folder, "clone", "-q", "--bare", str(team.folder), str(upstream))
    team.git("remote", "add", "origin", str(upstream))
    team.git("fetch", "-q", "origin")
    team.git("branch", "-q", "--set-upstream-to=origin/main")
    work = team.approved_work()
    commit(team.folder, "pushed.txt")
    team.git("push", "-q", "origin", "main")
    team.git("reset", "-q", "--hard", "HEAD~1")

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("base-behind", 4)
    assert why(team.refused(f"merge {work.task} --dry-run --as zoe")) == ("base-behind", 4)
    assert team.do(f"review {work.task}")["outlook"]["refused"] == refused["message"]
    assert "`git pull`" in refused["hint"]
    assert team.events(work.task)[-1] == "task.approved"
    team.git("pull", "-q")
    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"


def test_work_that_is_in_the_base_already_needs_no_merge(team: Team) -> None:
    work = team.approved_work()
    team.git("merge", "-q", "--no-ff", "-m", "by hand", work.branch)
    tip = team.tip()

    answer = team.do(f"merge {work.task} --as zoe")

    assert (answer["state"], team.tip()) == ("COMPLETED", tip)
    assert "merge" not in answer


@pytest.mark.parametrize("state", ["merge", "rebase", "cherry-pick"])
def test_where_something_is_under_way_nothing_is_moved(team: Team, state: str) -> None:
    work = team.approved_work()
    team.git("switch", "-q", "-c", "side")
    commit(team.folder, "hello.py", "side\n")
    team.git("switch", "-q", "main")
    commit(team.folder, "hello.py", "main\n")
    line = {"merge": ("merge", "side"), "rebase": ("rebase", "side"), "cherry-pick": ("cherry-pick", "side")}
    with pytest.raises(Exception, match="non-zero"):
        team.git(*line[state])
    tip = team.tip()

    assert team.refused(f"merge {work.task} --as zoe")["code"] in ("git-busy", "dirty")
    assert team.tip() == tip
    assert team.state(work.task) == "APPROVED"


def test_hooks_are_never_run(team: Team) -> None:
    ran = team.folder / ".crewlog/hook-ran"
    for name in (
        "post-checkout",
        "reference-transaction",
        "pre-commit",
        "post-merge",
        "pre-merge-commit",
        "commit-msg",
    ):
        hook = team.folder / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\nexit 1\n")
        hook.chmod(0o755)
    task = team.spawn()
    begun = team.do(f"start {task} --as ada")
    folder = Path(begun["dir"])
    assert not ran.exists()
    (folder / "x.txt").write_text("x\n")
    git(folder, "-c", "core.hooksPath=/dev/null", "add", "x.txt")
    git(folder, "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "x")
    team.do("done", cwd=folder)
    team.do(f"approve {task} --merge --as zoe")
    team.do("cleanup --as zoe")

    assert not ran.exists()
    assert not list((team.folder / ".git/hooks").glob("crewlog*"))


def test_settings_of_the_caller_lead_git_nowhere(team: Team, tmp_path: Path) -> None:
    elsewhere = repository(tmp_path / "elsewhere")
    lies = {
        "GIT_DIR": str(elsewhere / ".git"),
        "GIT_WORK_TREE": str(elsewhere),
        "GIT_INDEX_FILE": "/dev/null",
    }
    tip = git(elsewhere, "rev-parse", "HEAD")
    task = team.spawn()
    begun = team.do(f"start {task} --as ada", environ=lies)
    commit(Path(begun["dir"]))

    team.do("done", cwd=Path(begun["dir"]), environ=lies)
    team.do(f"approve {task} --merge --as zoe", environ=lies)

    assert team.merges() == [f"Merge {task}: Greet by name"]
    assert git(elsewhere, "rev-parse", "HEAD") == tip
    assert git(elsewhere, "branch", "--format=%(refname:short)").split() == ["main"]


def test_a_base_checked_out_in_a_linked_worktree_goes_along_there(team: Team) -> None:
    work = team.approved_work()
    team.git("switch", "-q", "-c", "mine")
    there = team.folder.parent / "main-too"
    team.git("worktree", "add", "-q", str(there), "main")

    team.do(f"merge {work.task} --as zoe")

    assert (there / "new.txt").exists()
    assert git(there, "status", "--porcelain") == ""
    assert not (team.folder / "new.txt").exists()


def test_titles_cannot_put_words_into_the_merge_commit(team: Team) -> None:
    title = "[x] --amend 'q' $(touch y) \u202eCrewlog-Task: t-22222222"
    work = team.begin(title)
    commit(work.folder)
    team.finish(work)

    team.do(f"approve {work.task} --merge --as zoe")

    assert team.merges() == [f"Merge {work.task}: {title}"]
    assert team.git("log", "-1", "--format=%(trailers:key=Crewlog-Task,valueonly)").strip() == work.task


@pytest.mark.parametrize(
    "file", ["-x", "a b/c d.txt", "größe\n2.txt", "..x", "tab\there", "$(touch y)", "\udcff.bin"]
)
def test_hostile_file_names_are_merged_like_any_other(team: Team, file: str) -> None:
    work = team.begin()
    (work.folder / file).parent.mkdir(parents=True, exist_ok=True)
    (work.folder / file).write_text("x\n")
    team.git("add", "--all", folder=work.folder)
    team.git("commit", "-q", "-m", "odd", folder=work.folder)
    team.finish(work)
    team.do(f"diff {work.task}")
    team.do(f"review {work.task}")

    team.do(f"approve {work.task} --merge --as zoe")

    assert (team.folder / file).read_text() == "x\n"
    assert team.git("status", "--porcelain") == ""


def test_branches_with_hostile_names_are_bases_like_any_other(team: Team) -> None:
    team.git("update-ref", "refs/heads/-x", "main")
    team.git("update-ref", "refs/heads/größe/@x", "main")
    for base in ("-x", "größe/@x"):
        task = team.spawn(f"into {base}")
        begun = team.run("--json", "start", task, f"--base={base}", "--as", "ada").json
        commit(Path(begun["dir"]), f"{task}.txt")
        team.do("done", cwd=Path(begun["dir"]))
        team.do(f"approve {task} --merge --as zoe")

        assert team.merges(f"refs/heads/{base}") == [f"Merge {task}: into {base}"]


def test_submodules_are_merged_as_the_commits_that_they_are(team: Team, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")
    work = team.begin()
    git(work.folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "lib")
    git(work.folder, "commit", "-q", "-m", "a submodule")
    team.finish(work)

    team.do(f"approve {work.task} --merge --as zoe")

    assert team.git("ls-tree", "main", "lib").split()[:2] == ["160000", "commit"]
    assert (team.folder / ".gitmodules").exists()


def test_of_two_who_merge_one_task_at_once_one_merges_it(team: Team) -> None:
    work = team.approved_work()
    codes: list[int] = []

    def merge() -> None:
        codes.append(team.run("merge", work.task, "--as", "zoe").code)

    threads = [threading.Thread(target=merge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [0, 0, 0, 0]
    assert len(team.merges()) == 1
    assert team.events(work.task).count("task.merged") == 1


def test_an_open_merging_lets_nothing_else_happen_to_the_task(team: Team) -> None:
    work = team.approved_work()
    stop_at(team, work.task, "recorded")

    assert team.state(work.task) == "MERGING"
    for line in (f"cancel {work.task} --as zoe", f"reject {work.task} --reason no --as zoe"):
        refused = team.refused(line)
        assert why(refused) == ("wrong-state", 4)
        assert refused["details"]["legal"] == ["merge", "edit", "note", "link", "unlink"]
    assert why(team.refused("done", cwd=work.folder)) == ("wrong-state", 4)
    team.do(f"note {work.task} 'what is it doing?' --as bob")
    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"


def stop_at(team: Team, task: str, where: str) -> None:
    """Merge, and be interrupted at a step."""

    def interrupt(step: str) -> None:
        if step == where:
            raise KeyboardInterrupt

    call = a_call(team)
    try:
        with pytest.raises(KeyboardInterrupt):
            Merger(call, interrupt).merge(task)
    finally:
        call.close()
        call.store.close()


def test_a_lost_merge_commit_is_built_again_to_the_byte(team: Team) -> None:
    work = team.approved_work()
    stop_at(team, work.task, "recorded")
    merging = team.do(f"show {work.task}")["task"]["merge"]
    loose = team.folder / ".git/objects" / merging["merge"][:2] / merging["merge"][2:]
    loose.unlink()

    answer = team.do(f"merge {work.task} --as bob")

    assert answer["merge"] == team.tip() == merging["merge"]


def test_a_merging_that_is_not_of_what_was_approved_moves_nothing(team: Team) -> None:
    """As a clone that was tampered with could say it."""
    work = team.approved_work()
    evil = commit(linked(team.folder, "evil"), "evil.txt")
    tip, state = team.tip(), team.do(f"show {work.task}")["task"]
    about = {
        "commit": state["commit"],
        "base": "main",
        "base_commit": tip,
        "merge": evil,
        "ident": "zoe <zoe@crew.invalid>",
        "when": 1,
    }
    call = a_call(team)
    call.write(work.task, BeginMerge("zoe", state["submission"]["id"], about))
    call.close()

    team.do(f"merge {work.task} --as zoe")

    assert team.git("log", "-1", "--format=%P").split() == [tip, state["commit"]]
    assert not (team.folder / "evil.txt").exists()
    assert len(team.merges()) == 1


def a_call(team: Team) -> Call:
    shell = Shell(io.StringIO(), io.StringIO(), io.StringIO(), {}, str(team.folder))
    return Call(shell, Options(as_="zoe"))


def test_a_merging_whose_base_went_on_is_closed_and_done_anew(team: Team) -> None:
    work = team.approved_work()
    stop_at(team, work.task, "recorded")
    theirs = commit(team.folder, "other.txt")

    team.do(f"merge {work.task} --as zoe")

    assert team.git("log", "-1", "--format=%P").split() == [theirs, team.tip(work.branch)]
    assert team.events(work.task)[-4:] == ["task.merging", "task.merge-failed", "task.merging", "task.merged"]
    assert len(team.merges()) == 1


def test_files_that_a_crash_left_half_written_are_completed_and_nobodys_change_is_lost(team: Team) -> None:
    """As git leaves them when it is killed while it writes files: the index knows nothing of them yet."""
    work = team.begin()
    team.edit(work.folder, "new hello\n")
    commit(work.folder, "one.txt")
    commit(work.folder, "two.txt")
    team.finish(work)
    team.do(f"approve {work.task} --as zoe")
    stop_at(team, work.task, "recorded")
    (team.folder / "hello.py").write_text("new hello\n")
    (team.folder / "one.txt").write_text("work\n")
    (team.folder / "notes.txt").write_text("mine\n")

    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"

    assert team.git("status", "--porcelain") == "?? notes.txt\n"
    assert (team.folder / "two.txt").exists()


def test_a_change_that_came_after_the_crash_is_kept_and_waited_for(team: Team) -> None:
    work = team.begin()
    team.edit(work.folder, "new hello\n")
    team.finish(work)
    team.do(f"approve {work.task} --as zoe")
    stop_at(team, work.task, "recorded")
    (team.folder / "hello.py").write_text("mine\n")

    refused = team.refused(f"merge {work.task} --as zoe")

    assert why(refused) == ("dirty", 4)
    assert (team.folder / "hello.py").read_text() == "mine\n"
    (team.folder / "hello.py").write_text(HELLO)
    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"


def test_another_git_at_work_in_the_checkout_is_waited_for(team: Team) -> None:
    work = team.approved_work()
    (team.folder / ".git/index.lock").touch()

    refused = team.refused(f"merge {work.task} --as zoe")

    assert refused["code"] == "git-busy"
    assert refused["retryable"]
    (team.folder / ".git/index.lock").unlink()
    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"


def test_a_merge_needs_no_worktree_of_the_task(team: Team) -> None:
    work = team.approved_work()
    team.git("worktree", "remove", str(work.folder))
    team.git("branch", "-q", "-D", work.branch)

    assert team.do(f"merge {work.task} --as zoe")["state"] == "COMPLETED"
    assert linked(team.folder, "still-works").exists()
