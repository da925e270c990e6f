"""What a start costs: hot commands import nothing that they can do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Crew
from tests.cli.repositories import repository
from tests.packaging.shell import inherited

PROJECT = Path(__file__).resolve().parents[2]
TOO_DEAR = {"sqlite_utils", "textual", "rich", "pydantic", "tomllib"}
# Of what Typer would load: most of itself, and these, which no command line needs.
UNUSED = {
    "typer.main",
    "typer.completion",
    "subprocess",
    "pathlib",
    "traceback",
    "textwrap",
    "shutil",
    "shellingham",
}
# Only who writes pays for it.
RECORDERS = {"eventsourcing"}
# Typer and the interpreter's own modules take a name of these, which has a substitute.
SUBSTITUTED = {
    "inspect",
    "dis",
    "difflib",
    "gettext",
    "platform",
    "typer.params",
    "typer.models",
    "eventsourcing.domain",
    "typing_extensions",
}

# The launcher leaves by os._exit, so what is loaded is told at that moment.
PROBE = """
import os, sys
leave = os._exit
def tell(code):
    from cli import lean
    sys.stderr.write("\\n" + " ".join(sorted({*sys.modules} - lean.waiting())))
    sys.stderr.flush()
    leave(code)
os._exit = tell
sys.argv[0] = "crewlog"
from crewlog import main
main()
"""


def loaded_by(crew: Crew, *words: str) -> set[str]:
    """The modules that one command loads, and the packages that they are in."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=crew.folder,
        env=inherited(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    names = done.stderr.rsplit("\n", 1)[1].split()
    return {*names, *(name.partition(".")[0] for name in names)}


def printed(code: str) -> list[str]:
    """What Python code prints in an interpreter of its own, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=inherited(), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "spawn Greet --as zoe",
        "start --as ada",
        "done {held} --as ada --claim {claim}",
        "list",
        "show {task}",
        "log",
        "heartbeat --as ada",
        "whoami --as ada",
        "ready",
        "progress {held} --percent 5 --as ada --claim {claim}",
        "tail --lines 1",
        "--version",
    ],
)
def test_a_hot_command_imports_nothing_dear(crew: Crew, line: str) -> None:
    task, held = crew.spawn("one"), crew.spawn("two")
    claim = crew.start(held)
    crew.do("list")

    loaded = loaded_by(crew, *line.format(task=task, held=held, claim=claim).split())

    assert "cli" in loaded
    assert loaded & {*TOO_DEAR, *UNUSED, *SUBSTITUTED} == set()


@pytest.mark.parametrize(
    "line", ["list", "show {task}", "log", "ready", "whoami --as ada", "tail --lines 1", "status"]
)
def test_who_only_reads_loads_nothing_that_writes(crew: Crew, line: str) -> None:
    task = crew.spawn("one")
    crew.do("list")

    loaded = loaded_by(crew, *line.format(task=task).split())

    assert "sqlite3" in loaded
    assert loaded & {*RECORDERS, *UNUSED, *SUBSTITUTED} == set()


@pytest.mark.parametrize(
    "line",
    [
        "spawn Greet --as zoe",
        "start --as ada",
        "done {held} --as ada --claim {claim}",
        "approve {handed_in} --as zoe",
        "merge {handed_in} --as zoe",
        "show {held}",
        "whoami --as ada",
        "resume {held} --as ada",
        "list",
    ],
)
def test_outside_git_nothing_is_run_and_nothing_loaded_to_run_it(crew: Crew, line: str) -> None:
    crew.spawn("one")
    held = crew.spawn("two")
    claim = crew.start(held)
    handed_in, _ = crew.submitted("three")
    if line.startswith("merge"):
        crew.do(f"approve {handed_in} --no-merge --as zoe")

    loaded = loaded_by(crew, *line.format(held=held, claim=claim, handed_in=handed_in).split())

    assert "cli" in loaded
    assert loaded & {"export.git", "cli.git.repository", "multiprocessing", *TOO_DEAR} == set()


def test_in_git_who_only_looks_or_takes_work_without_code_runs_nothing_either(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "main"))
    crew.do("init --as zoe")
    task = crew.spawn()

    for line in ("list", "show {task}", "start {task} --no-branch --as ada", "whoami", "show {task}"):
        assert "export.git" not in loaded_by(crew, *line.format(task=task).split()), line


def test_what_waits_to_be_loaded_is_whole_when_it_is_asked_for() -> None:
    code = (
        "from cli import lean; lean.prepare(); import inspect, difflib, gettext, platform, typer, typer.utils;"
        "from difflib import get_close_matches as near; from gettext import gettext as said;"
        "print(near('ab', ['abc', 'x']), said('as it is'), platform.system());"
        "print(typer.utils.parse_boolean_env_var('no', True), typer.utils.parse_boolean_env_var(None, True));"
        "print(difflib.get_close_matches is not near, gettext.gettext is not said, 'difflib' in lean.waiting());"
        "print(inspect.cleandoc('  a'), platform.machine() != '', typer.Typer.__module__, *lean.waiting() & {'inspect'})"
    )

    assert printed(code) == [
        "['abc'] as it is Linux",
        "False True",
        "True True False",
        "a True typer.main",
    ]


def test_finding_out_the_version_opens_no_database(crew: Crew) -> None:
    assert not loaded_by(crew, "--version") & {"sqlite3", "eventsourcing", "orjson_", "projections", "export"}


def test_a_writer_loads_no_domain_model_but_its_own_and_has_the_whole_of_eventsourcing_when_it_asks() -> None:
    code = (
        "from cli import lean; lean.prepare(); lean.prepare_to_write();"
        "from domain.stores import sqlite_recorder; import platform, sys;"
        "model, kernel = sys.modules['eventsourcing.domain'], platform;"
        "print('Aggregate' in vars(model), 'uname' in vars(kernel), platform.system() == sys.platform.title());"
        "from eventsourcing.domain import Aggregate; platform.machine();"
        "print('Aggregate' in vars(model), 'uname' in vars(kernel), Aggregate.__name__)"
    )

    assert printed(code) == ["False False True", "True True Aggregate"]


def test_commands_are_loaded_one_by_one() -> None:
    code = (
        "import sys; sys.argv = ['crewlog']; from cli.grammar import load; load('list');"
        "print(*sorted(name for name in sys.modules if name.startswith('cli.commands.')))"
    )

    assert printed(code) == ["cli.commands.list"]
