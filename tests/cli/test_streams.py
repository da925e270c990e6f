"""A command and its streams, as processes have them: pipes that break, closed and full ones, other encodings, Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.cli.conftest import Crew
from tests.packaging.shell import inherited

CREWLOG = Path(sys.executable).with_name("crewlog")
BASH = f'PATH="{CREWLOG.parent}:$PATH"; '


def bash(crew: Crew, line: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell."""
    return subprocess.run(
        ["bash", "-c", BASH + line],
        cwd=crew.folder,
        env={**inherited(), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("line", ["log", "list", "--help", "help states", "schema", "spawn x --as zoe"])
def test_a_reader_that_goes_away_ends_the_command_quietly(crew: Crew, line: str) -> None:
    crew.spawn()

    done = bash(crew, f"(sleep 0.3; exec crewlog {line}) | true; echo ${{PIPESTATUS[0]}}")

    assert (done.stdout, done.stderr) == (b"141\n", b"")


def test_what_was_asked_for_is_done_even_if_nobody_reads_the_answer(crew: Crew) -> None:
    bash(crew, "(sleep 0.3; exec crewlog spawn 'kept' --as zoe) | true")

    assert [row["title"] for row in crew.do("list")["tasks"]] == ["kept"]


def test_head_gets_its_line(crew: Crew) -> None:
    crew.spawn()

    done = bash(crew, "crewlog log --json | head -1")

    assert orjson.loads(done.stdout)["type"] == "agent.joined"
    assert done.stderr == b""


def test_closed_streams_are_no_crash(crew: Crew) -> None:
    for redirection in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = bash(crew, f"crewlog spawn x --as zoe --body - {redirection}")
        assert (done.returncode, done.stderr) == (0, b""), redirection


def test_an_answer_that_cannot_be_written_is_an_error_and_says_that_the_command_was_done(crew: Crew) -> None:
    done = bash(crew, "crewlog spawn kept --as zoe > /dev/full")

    assert done.returncode == 6
    assert b"No space left on device" in done.stderr
    assert [row["title"] for row in crew.do("list")["tasks"]] == ["kept"]


def test_standard_input_that_is_no_utf8_is_refused(crew: Crew) -> None:
    for locale in ({}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        done = bash(crew, r"printf 'a\xff' | crewlog spawn x --body - --as zoe --json", **locale)
        assert done.returncode == 2
        assert orjson.loads(done.stdout)["error"]["message"] == "body is not valid Unicode"
        lines = bash(crew, r"""printf '{"title":"a\xff"}' | crewlog spawn --from - --as zoe""", **locale)
        assert (lines.returncode, b"line 1: not JSON" in lines.stderr) == (2, True)
    assert crew.do("list")["tasks"] == []


def test_an_argument_that_is_no_utf8_is_refused_and_named(crew: Crew) -> None:
    for line in (r"spawn $'a\xff'", r"show $'\xff'", r"$'\xff'", r"list --holder $'\xff'"):
        done = bash(crew, f"crewlog --json {line} --as zoe")
        assert done.returncode == 2
        error = orjson.loads(done.stdout)["error"]
        assert error["code"] == "bad-value"
        assert "is not valid UTF-8" in error["message"]


def test_whatever_the_locale_the_answer_is_utf8(crew: Crew) -> None:
    crew.spawn("Grüße → 👩‍💻")

    for environ in (
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ):
        done = bash(crew, "crewlog list", **environ)
        assert (done.returncode, done.stderr) == (0, b"")
        assert "Grüße → 👩‍💻" in done.stdout.decode()


def test_a_folder_whose_name_is_no_utf8_is_refused_by_name(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()

    done = bash(Crew(folder), "crewlog init --as zoe --json")

    assert done.returncode == 2
    assert b"is not valid UTF-8" in done.stdout
    assert list(folder.iterdir()) == []


def test_ctrl_c_ends_a_command_that_waits_with_a_typed_error(crew: Crew) -> None:
    process = subprocess.Popen(
        [CREWLOG, "spawn", "x", "--body", "-", "--as", "zoe", "--json"],
        cwd=crew.folder,
        env=inherited(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"y" * 200_000)  # more than the pipe holds: when this is through, it reads
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (130, b"")
    error = orjson.loads(out)["error"]
    assert (error["code"], error["retryable"]) == ("interrupted", True)
    assert crew.do("list")["tasks"] == []


def test_on_a_terminal_me_writes_and_long_work_shows_its_progress(crew: Crew) -> None:
    def typed(line: str) -> str:
        main, other = pty.openpty()
        process = subprocess.Popen(
            [CREWLOG, *line.split()],
            cwd=crew.folder,
            env=inherited(),
            stdin=other,
            stdout=other,
            stderr=other,
        )
        os.close(other)
        shown = b""
        try:
            while part := os.read(main, 4096):
                shown += part
        except OSError:  # how a terminal says that the last one left
            pass
        os.close(main)
        assert process.wait(20) == 0, shown
        return shown.decode()

    assert "ASSIGNED   Greet" in typed("spawn Greet")
    assert "zoe (me in local.toml, on a terminal)" in typed("whoami")
    shown = typed("rebuild")
    assert "rebuilding" in shown
    assert "100%" in shown


def test_progress_is_for_terminals_only(crew: Crew) -> None:
    assert bash(crew, "crewlog rebuild").stderr == b""


def test_a_command_in_the_background_stopped_and_continued_finishes(crew: Crew) -> None:
    process = subprocess.Popen(
        [CREWLOG, "tail", "-f", "-n", "1"],
        cwd=crew.folder,
        env=inherited(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    crew.spawn("meanwhile")
    time.sleep(0.1)
    process.send_signal(signal.SIGCONT)

    assert process.stdout.readline().endswith("meanwhile\n")
    process.terminate()
    process.communicate()
