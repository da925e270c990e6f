"""Git as a program: what it is given, and what its failures become."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from domain.refusals import Refusal
from export.git import Git
from tests.cli.conftest import Crew, why
from tests.cli.repositories import repository


def script(folder: Path, text: str) -> dict[str, str]:
    """An environment in which this script is git."""
    folder.mkdir()
    fake = folder / "git"
    fake.write_text(f"#!/bin/sh\n{text}\n")
    fake.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    "said",
    [
        "git version 2.38.0",
        "git version 2.39.5 (Apple Git-154)",
        "git version 2.45.1.windows.1",
        "git version 3.0.0-rc1",
    ],
)
def test_a_git_that_is_new_enough_is_taken(tmp_path: Path, said: str) -> None:
    Git(str(tmp_path), script(tmp_path / "bin", f"echo '{said}'")).check_version()


@pytest.mark.parametrize(
    "said", ["git version 2.37.9", "git version 1.8.3.1", "git version 2.4.11", "hello", ""]
)
def test_a_git_that_is_too_old_or_is_none_is_refused_and_says_what_is_needed(
    tmp_path: Path, said: str
) -> None:
    with pytest.raises(Refusal) as caught:
        Git(str(tmp_path), script(tmp_path / "bin", f"echo '{said}'")).check_version()

    assert caught.value.code == "git"
    assert "2.38" in caught.value.message


def test_with_a_git_that_is_too_old_start_takes_no_task_and_names_the_way_without(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    crew.do("init --as zoe")
    task = crew.spawn()
    old = script(tmp_path / "bin", "echo git version 2.30.2")

    refused = crew.refused(f"start {task} --as ada", environ=old)

    assert why(refused) == ("git", 6)
    assert "git version 2.30.2 is too old" in refused["message"]
    assert "--no-branch" in refused["hint"]
    assert crew.state(task) == "ASSIGNED"
    assert crew.do(f"start {task} --no-branch --as ada", environ=old)["state"] == "WORKING"


def test_without_git_start_takes_no_task(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    crew.do("init --as zoe")
    task = crew.spawn()

    refused = crew.refused(f"start {task} --as ada", environ={"PATH": str(tmp_path)})

    assert why(refused) == ("git", 6)
    assert "not on the PATH" in refused["message"]
    assert crew.state(task) == "ASSIGNED"


def test_what_git_says_is_in_the_refusal(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        Git(str(repository(tmp_path / "main")), {}).run("rev-parse", "--verify", "nope")

    assert caught.value.code == "git"
    assert "Needed a single revision" in caught.value.message
    assert caught.value.details["exit"] == 128


def test_the_callers_git_variables_are_not_passed_on(tmp_path: Path) -> None:
    environ = script(tmp_path / "bin", "env | grep ^GIT_ | sort; echo LC_ALL=$LC_ALL")

    said = Git(str(tmp_path), {**environ, "GIT_DIR": "/x", "GIT_EDITOR": "vi", "LC_ALL": "de_DE"}).line(
        "anything"
    )

    assert said.split() == ["GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="there is no folder"):
        Git(str(tmp_path / "gone"), dict(os.environ)).line("status")


def test_hooks_fsmonitor_and_pagers_stay_out_of_it(tmp_path: Path) -> None:
    folder = repository(tmp_path / "main")
    ran = tmp_path / "ran"
    config = folder / ".git/config"
    config.write_text(config.read_text() + f'[core]\nfsmonitor = "touch {ran}; :"\npager = touch {ran}\n')

    Git(str(folder), {}).run("status", "--porcelain")
    Git(str(folder), {}).run("log")

    assert not ran.exists()
