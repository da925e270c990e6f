"""`init`, `where`: a store, where it is found, and whom it is for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from domain.config import template
from tests.cli.conftest import Crew, why
from tests.cli.repositories import git, linked, repository
from tests.packaging.shell import inherited

CREWLOG = Path(sys.executable).with_name("crewlog")


def store_of(folder: Path, name: str = ".crewlog") -> str:
    return str(folder / name)


def test_init_makes_a_private_store(tmp_path: Path) -> None:
    crew = Crew(tmp_path)

    answer = crew.do("init --as zoe")

    assert (answer["store"], answer["created"], answer["me"]) == (store_of(tmp_path), True, "zoe")
    crew.spawn()
    folder = tmp_path / ".crewlog"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"crewlog.db", "views.db", "live.jsonl", "config.toml", "local.toml", "replica"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert (folder / "config.toml").read_text() == template()


def test_who_runs_init_joined_as_a_person(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    crew.do("init", environ={"CREWLOG_AGENT": "zoe"})

    [zoe] = crew.do("agents")["agents"]
    assert (zoe["name"], zoe["person"]) == ("zoe", True)


def test_init_without_a_name_asks_for_one(tmp_path: Path) -> None:
    crew = Crew(tmp_path)

    assert crew.do("init")["me"] is None
    assert "nobody joined: `crewlog join NAME`" in crew.run("init").out


def test_on_a_terminal_the_login_name_becomes_me(tmp_path: Path) -> None:
    crew = Crew(tmp_path, environ={"USER": "Zoe X"})

    assert crew.do("init", terminal=True)["me"] == "zoe.x"
    assert crew.do("spawn x", terminal=True)["state"] == "ASSIGNED"


def test_a_second_init_is_harmless(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    first = crew.do("init --as zoe")
    crew.spawn()
    (crew.folder / ".crewlog/config.toml").write_text("# mine\n")

    again = crew.do("init")

    assert again == {**first, "created": False}
    assert len(crew.do("list")["tasks"]) == 1
    assert (crew.folder / ".crewlog/config.toml").read_text() == "# mine\n"
    exclude = (crew.folder / ".git/info/exclude").read_text().splitlines()
    assert exclude.count("/.crewlog/") == 1


def test_who_runs_init_later_joins_but_does_not_become_me(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    crew.do("init --as zoe")

    said = crew.run("init", "--as", "bob").out

    assert "who types on a terminal here is zoe" in said
    assert "bob joined as a person" in said
    assert [agent["person"] for agent in crew.do("agents")["agents"]] == [True, True]


def test_only_who_is_on_a_terminal_is_told_to_be_somebody_there(tmp_path: Path) -> None:
    crew = Crew(tmp_path)

    assert "on this terminal" not in crew.run("init", "--as", "zoe").out
    assert "you are zoe on this terminal" in crew.run("init", terminal=True).out


@pytest.mark.parametrize("line", ["init --as Zoe", "init --as ''"])
def test_a_name_that_is_none_makes_no_store(tmp_path: Path, line: str) -> None:
    assert why(Crew(tmp_path).refused(line)) == ("bad-name", 2)
    assert list(tmp_path.iterdir()) == []


def test_a_name_can_be_given_later(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    crew.do("init")

    assert crew.do("init --as zoe")["me"] == "zoe"
    assert crew.do("whoami", terminal=True)["name"] == "zoe"


def test_git_does_not_see_the_store(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    crew.do("init --as zoe")
    crew.spawn()

    assert git(crew.folder, "status", "--porcelain") == ""


@pytest.mark.parametrize("line", ["init nowhere", "init --store nowhere"])
def test_init_needs_a_folder_that_is_there(tmp_path: Path, line: str) -> None:
    refused = Crew(tmp_path).refused(line)

    assert why(refused) == ("not-found", 3)
    assert "there is no directory" in refused["message"]
    assert list(tmp_path.iterdir()) == []


def test_init_makes_the_store_where_it_is_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    crew = Crew(tmp_path)

    assert crew.do("init a")["store"] == store_of(tmp_path / "a")
    assert crew.do("init --store b")["store"] == store_of(tmp_path / "b")
    assert crew.do("init a", environ={"CREWLOG_STORE": "c"})["created"] is False
    assert crew.do("init", environ={"CREWLOG_STORE": "c"})["store"] == store_of(tmp_path / "c")
    assert why(crew.refused("init a --store b")) == ("usage", 2)
    assert not (tmp_path / ".crewlog").exists()


def test_nothing_but_init_makes_a_store(tmp_path: Path) -> None:
    crew = Crew(tmp_path)

    for line in (
        "where",
        "list",
        "spawn x --as zoe",
        "whoami",
        "tail",
        "rebuild",
        "join ada",
        "heartbeat --as a",
    ):
        refused = crew.refused(line)
        assert why(refused) == ("no-store", 6), line
        assert refused["hint"] == "crewlog init"
        assert refused["details"]["looked"] == [store_of(tmp_path)]

    assert list(tmp_path.iterdir()) == []


def test_a_subdirectory_finds_the_store_above_it(crew: Crew) -> None:
    deep = crew.folder / "a/b"
    deep.mkdir(parents=True)

    found = crew.do("where", cwd=deep)

    assert (found["store"], found["worktree"]) == (store_of(crew.folder), None)
    assert found["why"] == f"found upward of {deep}"


def test_every_worktree_finds_the_main_worktrees_store(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    there = linked(crew.folder, "ada")
    (there / "deep").mkdir()

    assert crew.do("init --as zoe", cwd=there / "deep")["store"] == store_of(crew.folder)

    found = crew.do("where", cwd=there / "deep")
    assert (found["store"], found["worktree"]) == (store_of(crew.folder), str(there))
    assert found["why"] == "the repository's main worktree"
    assert not (there / ".crewlog").exists()


def test_a_bare_repository_keeps_the_store_in_its_git_directory(tmp_path: Path) -> None:
    repository(tmp_path / "main")
    git(tmp_path, "clone", "-q", "--bare", "main", "bare.git")
    crew = Crew(tmp_path / "bare.git")
    there = linked(crew.folder, "work")

    crew.do("init --as zoe", cwd=there)

    for folder in (crew.folder, there):
        found = crew.do("where", cwd=folder)
        assert (found["store"], found["why"]) == (store_of(crew.folder), "the repository's git directory")


def test_the_option_goes_before_the_environment_before_the_repository(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    crew.do("init --as zoe")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        crew.do(f"init ../{name} --as zoe")
    about = {"CREWLOG_STORE": str(tmp_path / "b")}

    assert crew.do("where", environ=about)["why"] == "CREWLOG_STORE"
    found = crew.do("where --store ../a/.crewlog", environ=about)
    assert (found["store"], found["why"]) == (store_of(tmp_path / "a"), "--store")


def test_a_store_that_is_not_there_is_named_with_the_way_to_make_it(crew: Crew) -> None:
    refused = crew.refused("list --store 'other place'")

    assert why(refused) == ("no-store", 6)
    assert refused["hint"] == f"crewlog init --store '{crew.folder}/other place'"
    assert why(crew.refused("list --store ''")) == ("bad-value", 2)


def test_a_servers_address_is_refused_without_repeating_its_password(crew: Crew) -> None:
    refused = crew.refused("list --store postgresql://zoe:hunter2@db/crew")

    assert why(refused) == ("bad-value", 2)
    assert "hunter2" not in str(refused)


def test_a_store_behind_a_symlink_is_refused(crew: Crew, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / ".crewlog").symlink_to(crew.folder / ".crewlog")

    for line in ("list", "spawn x --as zoe", "where", "init"):
        refused = Crew(other).refused(line)
        assert why(refused) == ("unsafe-store", 6), line
        assert refused["details"]["path"] == store_of(other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to someone else")
def test_a_store_of_someone_else_is_refused(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(crew.folder / ".crewlog", 4711, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4712)

    refused = crew.refused("list")

    assert why(refused) == ("unsafe-store", 6)
    assert "belongs to another user (uid 4711)" in refused["message"]


def test_eight_that_run_init_at_once_make_one_store(tmp_path: Path) -> None:
    main = repository(tmp_path / "main")
    environ = {**inherited(), "CREWLOG_DEBUG": "1"}
    racing = [
        subprocess.Popen(
            [CREWLOG, "init", "--json", "--as", f"p{number}"],
            cwd=main,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(8)
    ]
    ended = [(process.communicate(timeout=60), process.returncode) for process in racing]

    assert [code for _, code in ended] == [0] * 8, ended
    answers = [orjson.loads(out) for (out, _), _ in ended]
    assert len({answer["replica"] for answer in answers}) == 1
    crew = Crew(main)
    assert len(crew.do("agents")["agents"]) == 8
    assert (main / ".git/info/exclude").read_text().splitlines().count("/.crewlog/") == 1
    log = crew.run("log", "--json").out
    assert (main / ".crewlog/live.jsonl").read_text() == log
    assert [orjson.loads(line)["seq"] for line in log.splitlines()] == list(range(1, 9))
