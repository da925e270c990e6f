"""The built wheel, installed as a user would, with the source tree out of sight."""

from __future__ import annotations

import csv
import json
import shutil
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

import pytest

from cli.version import __version__
from tests.packaging.conftest import Installed
from tests.packaging.shell import run, succeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


def test_site_packages_gains_one_name(installed: Installed) -> None:
    record = installed.packages / f"crewlog-{__version__}.dist-info/RECORD"
    files = [row[0] for row in csv.reader(record.read_text().splitlines())]
    gained = {path.split("/")[0] for path in files if not path.startswith("../")}
    scripts = [path for path in files if path.startswith("../")]
    assert gained == {"crewlog", record.parent.name}
    assert scripts == ["../../../bin/crewlog"]


def test_the_four_folders_are_inside_it(installed: Installed) -> None:
    """Each with its `__init__.py`: without one, any other folder of that name on the path would win."""
    folders = {path.parent.name for path in (installed.packages / "crewlog").glob("*/__init__.py")}
    assert folders == {"cli", "domain", "export", "projections"}


def test_it_is_installed_compiled(installed: Installed) -> None:
    """Without bytecode every start costs several times as much."""
    sources = list((installed.packages / "crewlog").rglob("*.py"))
    compiled = list((installed.packages / "crewlog").rglob("*.pyc"))
    assert len(compiled) == len(sources) > 0


def test_help_is_printed(installed: Installed, tmp_path: Path) -> None:
    assert "Usage:" in succeed(installed.crewlog, "--help", cwd=tmp_path)


def test_the_package_tells_its_version(installed: Installed, tmp_path: Path) -> None:
    asked = "import crewlog; print(crewlog.__version__, callable(crewlog.main))"
    assert succeed(installed.python, "-c", asked, cwd=tmp_path) == f"{__version__} True\n"


def test_importing_the_package_loads_nothing_else(installed: Installed, tmp_path: Path) -> None:
    asked = "import sys; before = {*sys.modules}; import crewlog; print(*{*sys.modules} - before)"
    assert succeed(installed.python, "-c", asked, cwd=tmp_path) == "crewlog\n"


def test_the_package_runs_as_a_script(installed: Installed, tmp_path: Path) -> None:
    script = installed.packages / "crewlog/__init__.py"
    assert "Usage:" in succeed(installed.python, script, "--help", cwd=tmp_path)


@pytest.fixture
def rival(installed: Installed) -> Iterator[None]:
    """Another program in the same environment whose folders have the names of ours, and of our landmarks."""
    folders = [installed.packages / name for name in ("cli", "domain", "projections", "export")]
    for folder in folders:
        folder.mkdir()
        for name in ("__init__", "app", "launcher", "event"):
            (folder / f"{name}.py").write_text("raise RuntimeError('this is the other program')\n")
    yield
    for folder in folders:
        shutil.rmtree(folder)


@pytest.mark.usefixtures("rival")
@pytest.mark.parametrize("start", ["installed script", "package as a script", "import"])
def test_a_rival_with_the_same_folders_is_not_run(installed: Installed, tmp_path: Path, start: str) -> None:
    commands: dict[str, tuple[str | Path, ...]] = {
        "installed script": (installed.crewlog, "--help"),
        "package as a script": (installed.python, installed.packages / "crewlog/__init__.py", "--help"),
        "import": (installed.python, "-c", "import crewlog; crewlog.main()", "--help"),
    }
    assert "Usage:" in succeed(*commands[start], cwd=tmp_path, path=installed.packages)


def test_an_editable_install_works(tmp_path: Path) -> None:
    """The environment that runs the tests has one."""
    [script] = [path.locate() for path in distribution("crewlog").files or [] if path.match("bin/crewlog")]
    assert "Usage:" in succeed(str(script), "--help", cwd=tmp_path)


def test_an_unknown_command_is_a_usage_error(installed: Installed, tmp_path: Path) -> None:
    assert run(installed.crewlog, "no-such-command", cwd=tmp_path).returncode == 2


def test_the_wheel_runs_the_main_commands(installed: Installed, tmp_path: Path) -> None:
    def crewlog(*words: str) -> str:
        return succeed(installed.crewlog, *words, cwd=tmp_path)

    def answer(*words: str) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(crewlog(*words, "--json"))
        return parsed

    crewlog("init", "--as", "zoe")
    task = answer("spawn", "Greet", "-p", "1", "--as", "zoe")["task"]
    started = answer("start", "--as", "ada")
    assert started["task"] == task
    crewlog("done", task, "--claim", started["claim"], "--as", "ada")
    crewlog("approve", task, "--as", "zoe")

    [listed] = [entry for entry in answer("list")["tasks"] if entry["id"] == task]
    assert listed["state"] == "COMPLETED"
    assert "task.approved" in crewlog("log", task)


def test_a_log_on_a_server_without_the_extra_says_what_is_missing(
    installed: Installed, tmp_path: Path
) -> None:
    done = run(
        installed.crewlog, "init", "--store", "postgresql://db.example.org/crews", "--json", cwd=tmp_path
    )

    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"], error["retryable"]) == (6, "missing-extra", False)
    assert error["hint"] == "pip install 'crewlog[postgres]'"
