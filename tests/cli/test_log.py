"""`log`, `tail`: what happened, and what comes."""

from __future__ import annotations

import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson
import pytest

from tests.cli.conftest import Crew, why
from tests.packaging.shell import inherited

CREWLOG = Path(sys.executable).with_name("crewlog")


def stored(crew: Crew) -> list[str]:
    return (crew.folder / ".crewlog/live.jsonl").read_text().splitlines()


def test_log_prints_the_whole_log_oldest_first_as_stored(crew: Crew) -> None:
    crew.submitted()

    lines = crew.run("log", "--json").out.splitlines()

    assert lines == stored(crew)
    assert [orjson.loads(line)["type"] for line in lines] == [
        "agent.joined",
        "task.spawned",
        "task.started",
        "task.submitted",
    ]


def test_log_of_a_task_prints_its_events_only(crew: Crew) -> None:
    task, claim = crew.submitted()
    crew.spawn("other")

    text = crew.run("log", task).out.splitlines()

    assert len(text) == 3
    assert text[1].split()[2:] == [claim[:12], "ada", "task.started", task]
    assert text[2].split()[3:] == ["ada→zoe", "task.submitted", task]
    assert len({line.index("task.") for line in text}) == 1
    assert crew.run("log", task, "-q").out.split()[1] == claim


def test_log_is_bounded_and_says_so(crew: Crew) -> None:
    task = crew.spawn()
    for number in range(4):
        crew.do(f"note {task} 'note {number}' --as zoe")

    result = crew.run("log", "-n", "2")
    assert [line[-6:] for line in result.out.splitlines()] == ["note 2", "note 3"]
    assert "the last 2 of 6 events" in result.err
    assert "the last 2 of 5 events" in crew.run("log", task, "-n", "2").err


def test_after_goes_on_behind_a_position(crew: Crew) -> None:
    crew.submitted()

    lines = crew.run("log", "--after", "1", "-n", "2", "--json").out.splitlines()

    assert lines == stored(crew)[1:3]
    assert crew.run("log", "--after", "99").out == ""


def test_log_of_an_unknown_task_is_refused(crew: Crew) -> None:
    assert why(crew.refused("log t-zzzzzzzz")) == ("not-found", 3)
    assert why(crew.refused("log ''")) == ("bad-value", 2)


def test_tail_prints_the_newest(crew: Crew) -> None:
    crew.submitted()

    assert crew.run("tail", "-n", "2", "--json").out.splitlines() == stored(crew)[-2:]
    assert crew.run("tail", "-n", "0").out == ""
    assert crew.run("tail", "-n", "99", "--json").out.splitlines() == stored(crew)


def test_pulses_are_a_stream_of_their_own(crew: Crew) -> None:
    crew.do("heartbeat --note 'reading the code' --as ada")

    [pulse] = [orjson.loads(line) for line in crew.run("tail", "--pulses", "--json").out.splitlines()]

    assert (pulse["type"], pulse["stream"], pulse["payload"]) == (
        "agent.pulse",
        "pulse/ada",
        {"note": "reading the code"},
    )
    assert "agent.pulse" not in crew.run("log").out


@contextmanager
def following(crew: Crew, *options: str) -> Generator[subprocess.Popen[str]]:
    """`tail -f` in a process of its own, ready for what comes."""
    process = subprocess.Popen(
        [CREWLOG, "tail", "-f", "-n", "1", *options],
        cwd=crew.folder,
        env=inherited(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(
        60, process.kill
    )  # a line that never comes fails the test, and does not hang it
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def read_lines(stream: IO[str] | None, count: int) -> list[str]:
    assert stream is not None
    return [stream.readline().removesuffix("\n") for _ in range(count)]


WRITERS = ("ada", "bob", "cy", "dan", "eve", "fay", "gus", "hal")


def test_following_shows_the_events_of_others_each_once_and_in_order(crew: Crew) -> None:
    with following(crew, "--json") as process:
        assert read_lines(process.stdout, 1) == stored(crew)[-1:]
        writers = [
            subprocess.Popen(
                [CREWLOG, "spawn", "--from", "-", "-q", "--as", name],
                cwd=crew.folder,
                env=inherited(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            for name in WRITERS
        ]
        for writer in writers:  # all of them are there before any of them ends
            assert writer.stdin is not None
            writer.stdin.write(b'{"title":"x"}\n' * 30)
            writer.stdin.flush()
        for writer in writers:  # each begins to write when its input ends
            assert writer.stdin is not None
            writer.stdin.close()
        assert [writer.wait() for writer in writers] == [0] * len(writers)
        crew.spawn("the last one")

        seen = read_lines(process.stdout, 30 * len(WRITERS) + 1)

        assert seen == stored(crew)[1:]
        assert orjson.loads(seen[-1])["payload"]["title"] == "the last one"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the disk slow")
def test_following_misses_nothing_where_the_disk_is_slow_to_sync(crew: Crew) -> None:
    """Each sync of the writer takes longer than file times need to settle."""
    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]
    slow += ["-e", "inject=fdatasync,fsync:delay_enter=400000"]
    with following(crew, "--json") as process:
        read_lines(process.stdout, 1)
        time.sleep(0.3)  # until nothing is new

        subprocess.run(
            [*slow, CREWLOG, "spawn", "x", "-q", "--as", "zoe"],
            cwd=crew.folder,
            env=inherited(),
            stdout=subprocess.DEVNULL,
            check=True,
        )

        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 10)[0], "nothing came"
        assert read_lines(process.stdout, 1) == stored(crew)[-1:]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_following_ends_quietly_on_a_signal(crew: Crew, number: signal.Signals, code: int) -> None:
    with following(crew) as process:
        read_lines(process.stdout, 1)

        process.send_signal(number)

        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == code


def test_following_ends_when_its_reader_goes(crew: Crew) -> None:
    with following(crew) as process:
        read_lines(process.stdout, 1)
        assert process.stdout is not None
        process.stdout.close()

        crew.spawn()

        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.returncode == 141
        process.stdout = None
