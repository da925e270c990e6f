"""The store as a git repository of its own inside the code's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.git.storing import BRANCH
from tests.cli.conftest import Crew
from tests.cli.git.conftest import Team
from tests.cli.repositories import commit, git, linked, repository


def test_the_store_is_a_repository_on_branch_crewlog_that_tracks_what_is_shared(team: Team) -> None:
    store = team.folder / ".crewlog"
    team.begin()

    assert git(store, "symbolic-ref", "--short", "HEAD").strip() == BRANCH
    assert git(store, "ls-files").split() == ["config.toml"]
    assert git(store, "status", "--porcelain") == ""
    for name in ("log/r-1/1-2.jsonl", "blobs/ab/abcd"):
        (store / name).parent.mkdir(parents=True)
        (store / name).write_text("x")
    assert git(store, "status", "--porcelain", "-uall").split() == [
        "??",
        "blobs/ab/abcd",
        "??",
        "log/r-1/1-2.jsonl",
    ]


def test_the_code_repository_sees_nothing_of_it(team: Team) -> None:
    team.begin()

    assert team.git("status", "--porcelain", "--ignored") == "!! .crewlog/\n"
    team.git("add", "--all")
    assert team.git("status", "--porcelain") == ""


def test_a_second_init_changes_nothing(team: Team) -> None:
    store = team.folder / ".crewlog"
    before = git(store, "rev-parse", BRANCH)

    team.do("init")

    assert git(store, "rev-parse", BRANCH) == before


def test_the_histories_of_two_stores_have_a_past_in_common(team: Team, tmp_path: Path) -> None:
    other = Crew(repository(tmp_path / "other"))
    other.do("init --as kim")

    first = [
        git(folder / ".crewlog", "rev-list", "--max-parents=0", BRANCH)
        for folder in (team.folder, other.folder)
    ]

    assert first[0] == first[1]


def test_a_store_from_before_becomes_a_repository_by_init(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    crew.do("init --as zoe")
    task = crew.spawn()
    assert not (tmp_path / ".crewlog/.git").exists()
    git(tmp_path, "init", "-q", "-b", "main")

    crew.do("init")

    assert git(tmp_path / ".crewlog", "ls-files").split() == ["config.toml"]
    assert git(tmp_path, "status", "--porcelain", "--ignored") == "!! .crewlog/\n"
    assert crew.state(task) == "ASSIGNED"


@pytest.mark.parametrize(
    "line",
    [
        ("clean", "-fdx"),
        ("clean", "-fdX"),
        ("stash", "push", "-q", "-a"),
        ("stash", "push", "-q", "-u"),
        ("switch", "-q", "-f", "other"),
        ("checkout", "-q", "--orphan", "new"),
        ("reset", "-q", "--hard"),
        ("rm", "-rq", "."),
    ],
    ids=" ".join,
)
def test_what_people_do_to_their_checkout_leaves_the_store_and_the_worktrees_whole(
    team: Team, line: tuple[str, ...]
) -> None:
    team.git("branch", "other")
    work = team.begin()
    (work.folder / "draft.txt").write_text("mine\n")
    (team.folder / "junk.txt").write_text("junk\n")

    team.git(*line)

    assert (work.folder / "draft.txt").read_text() == "mine\n"
    assert team.state(work.task) == "WORKING"
    commit(work.folder)
    assert team.do("done --allow-dirty", cwd=work.folder)["state"] == "IN_REVIEW"
    assert git(team.folder / ".crewlog", "status", "--porcelain") == ""


def test_it_is_found_from_everywhere_in_the_repository(team: Team) -> None:
    work = team.begin()
    (team.folder / "a/b").mkdir(parents=True)
    (work.folder / "c").mkdir()
    places = [
        team.folder / "a/b",
        linked(team.folder, "linked"),
        work.folder / "c",
        team.folder / ".crewlog/work",
    ]

    for place in places:
        assert team.do("where", cwd=place)["store"] == str(team.folder / ".crewlog"), place


def test_in_a_bare_repository_it_stands_in_the_git_directory(main: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(main, "clone", "-q", "--bare", str(main), str(bare))
    team = Team(bare)
    team.do("init --as zoe")
    there = bare / ".crewlog"

    assert git(there, "symbolic-ref", "--short", "HEAD").strip() == BRANCH
    git(bare, "worktree", "add", "-q", str(tmp_path / "linked"), "main")
    assert team.do("where", cwd=tmp_path / "linked")["store"] == str(there)
    git(bare, "gc", "-q")
    assert team.do("where")["store"] == str(there)


def test_where_git_is_too_old_the_store_works_without_being_one(main: Path, tmp_path: Path) -> None:
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho git version 2.37.9\n")
    fake.chmod(0o755)
    crew = Crew(main, environ={"PATH": f"{fake.parent}:/usr/bin:/bin"})

    result = crew.run("init", "--as", "zoe")

    assert result.code == 0
    assert "no git repository of its own yet: git version 2.37.9 is too old: 2.38 is needed" in result.err
    assert crew.do("spawn x --as zoe")["state"] == "ASSIGNED"
    crew.environ.clear()
    crew.do("init")
    assert (main / ".crewlog/.git").is_dir()


def test_nobodys_settings_sign_or_hook_the_stores_commits(main: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[commit]\ngpgSign = true\n[core]\nhooksPath = /nonexistent\n[init]\ntemplateDir = /nonexistent\n"
        "defaultBranch = trunk\n[user]\nuseConfigOnly = true\n"
    )
    crew = Crew(main, environ={"HOME": str(home), "PATH": "/usr/bin:/bin"})

    result = crew.run("init", "--as", "zoe")

    assert result.err == ""
    author = subprocess.run(
        ["git", "log", "-1", "--format=%an %D", BRANCH],
        cwd=main / ".crewlog",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert author == f"crewlog HEAD -> {BRANCH}\n"
