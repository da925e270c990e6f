"""The launcher alone, in a toy tree: a `cli/app.py` of two lines stands for the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.shell import inherited, run, succeed

FULL = Path("/dev/full")


def program(toy: Path, body: str) -> Path:
    """Write the toy's program and return the launcher to start it with."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (toy / "cli/app.py").write_text(f"import os, sys\ndef run_process(retry_key=''):\n{lines}")
    return toy / "cli/launcher.py"


def test_the_exit_code_is_what_the_program_returns(toy: Path) -> None:
    launcher = program(toy, "print('answer')\nreturn 4")
    done = run(sys.executable, launcher, cwd=toy.parent)
    assert (done.returncode, done.stdout, done.stderr) == (4, "answer\n", "")


def test_arguments_reach_the_program(toy: Path) -> None:
    launcher = program(toy, "print(sys.argv[1:])\nreturn 0")
    assert succeed(sys.executable, launcher, "list", "--json", cwd=toy.parent) == "['list', '--json']\n"


def test_the_root_is_first_on_the_path(toy: Path) -> None:
    launcher = program(toy, "print(sys.path[0])\nreturn 0")
    assert succeed(sys.executable, launcher, cwd=toy.parent, path=toy.parent) == f"{toy}\n"


def test_modules_of_cli_do_not_hide_standard_ones(toy: Path) -> None:
    (toy / "cli/json.py").write_text("raise RuntimeError('not the standard json')\n")
    launcher = program(toy, "import json\nprint(json.dumps(1))\nreturn 0")
    assert succeed(sys.executable, launcher, cwd=toy / "cli") == "1\n"


def test_an_editable_copy_finds_the_tree_through_the_path(toy: Path, tmp_path: Path) -> None:
    launcher = program(toy, "print(sys.path[0])\nreturn 0")
    package = tmp_path / "site-packages/crewlog"
    package.mkdir(parents=True)
    copy = launcher.rename(package / "__init__.py")
    launcher.write_text(copy.read_text())
    found = succeed(sys.executable, copy, cwd=tmp_path, path=toy)
    assert found == f"{toy}\n"


def test_a_tree_in_the_working_directory_is_not_taken_for_the_program(toy: Path, tmp_path: Path) -> None:
    """An agent may well stand in another checkout of crewlog."""
    program(toy, "print('the wrong one')\nreturn 0")
    package = tmp_path / "site-packages/crewlog"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text((toy / "cli/launcher.py").read_text())
    begin = f"import sys; sys.path.append({str(package.parent)!r}); import crewlog; crewlog.main()"
    done = run(sys.executable, "-S", "-c", begin, cwd=toy)  # -S: without the .pth of this environment
    assert done.returncode == 1
    assert done.stderr == "crewlog: some of its own files are missing; install it again\n"


def test_the_version_is_read_when_asked_for(toy: Path) -> None:
    asked = "import cli.launcher as launcher; print(launcher.__version__)"
    assert succeed(sys.executable, "-c", asked, cwd=toy) == "1.2.3\n"


@pytest.mark.parametrize(
    ("written", "code", "expected"),
    [
        ("print('short')", 0, 141),  # found out at the flush
        ("print('long' * 100_000)", 0, 141),  # found out while writing
        ("print('short')", 4, 4),  # the command's own failure says more
    ],
)
def test_a_reader_that_went_away_is_no_reason_to_complain(
    toy: Path, written: str, code: int, expected: int
) -> None:
    launcher = program(toy, f"sys.stdin.read()\n{written}\nreturn {code}")
    process = subprocess.Popen(
        [sys.executable, launcher],
        env=inherited(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(b"")
    assert (process.returncode, stderr) == (expected, b"")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
@pytest.mark.parametrize(
    ("written", "code", "expected", "sentence"),
    [
        ("print('short')", 0, 6, "the command was done, but its answer could not be written"),
        ("print('long' * 100_000)", 0, 6, "cannot write the answer"),
        ("print('short')", 4, 4, "its answer could not be written"),
    ],
)
def test_a_full_disk_under_the_answer_is_told(
    toy: Path, written: str, code: int, expected: int, sentence: str
) -> None:
    launcher = program(toy, f"{written}\nreturn {code}")
    with FULL.open("w") as full:
        done = run(sys.executable, launcher, cwd=toy, stdout=full)
    assert done.returncode == expected
    assert done.stderr == f"crewlog: {sentence}: No space left on device\n"


def test_nothing_can_be_written_anywhere(toy: Path) -> None:
    launcher = program(toy, "print('lost')\nreturn 0")
    command = f'"{sys.executable}" "{launcher}" >&- 2>&-'
    assert run("sh", "-c", command, cwd=toy).returncode == 0


def test_an_interrupt_is_quiet(toy: Path) -> None:
    launcher = program(toy, "raise KeyboardInterrupt")
    done = run(sys.executable, launcher, cwd=toy)
    assert (done.returncode, done.stderr) == (130, "")


def test_other_errors_of_the_system_are_not_swallowed(toy: Path) -> None:
    launcher = program(toy, "open('no-such-file')")
    done = run(sys.executable, launcher, cwd=toy)
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


def test_the_launcher_needs_no_module_that_the_interpreter_has_not_loaded(toy: Path) -> None:
    asked = (
        "import sys; before = {*sys.modules}; import cli.launcher; print(*sorted({*sys.modules} - before))"
    )
    assert succeed(sys.executable, "-c", asked, cwd=toy) == "cli cli.launcher\n"
