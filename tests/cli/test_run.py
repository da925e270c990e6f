"""`run`: a command that works on a task, with a heart beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.demo.crew import command_line
from tests.cli.conftest import Crew, Result, why

PATIENCE = 30.0
QUICK = '[liveness]\ninterval = "0.2s"\n'


@pytest.fixture(autouse=True)
def _quick(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text(QUICK)


def shell(crew: Crew, script: str, *options: str, **more: Any) -> Result:
    """Run a shell script for a task, as ada."""
    return crew.run("run", *options, "--as", "ada", "--", "sh", "-c", script, **more)


def ran(crew: Crew, script: str, *options: str, **more: Any) -> Any:
    """The one run of the answer."""
    [one] = shell(crew, script, "--json", *options, **more).json["runs"]
    return one


def last(crew: Crew, task: str) -> Any:
    """The newest event of a task."""
    return crew.do(f"show {task} --full")["events"][-1]


@contextmanager
def running(crew: Crew, *words: str) -> Generator[subprocess.Popen[str]]:
    """`crewlog run` as a process of its own; it, its group and what it ran are gone at the end."""
    process = subprocess.Popen(
        command_line("run", *words),
        cwd=crew.folder,
        env={**os.environ, "CREWLOG_AGENT": "ada"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that the command prints."""
    assert process.stdout
    return process.stdout.readline().strip()


# --- how it ends -------------------------------------------------------------------------------------------------


def test_a_command_that_succeeds_hands_its_task_in_with_what_it_said(crew: Crew) -> None:
    task = crew.spawn()

    result = shell(crew, "echo all 31 tests pass; exit 0")

    assert (result.code, result.out) == (0, "all 31 tests pass\n")
    assert crew.state(task) == "IN_REVIEW"
    handed_in = last(crew, task)
    assert (handed_in["type"], handed_in["from"]) == ("task.submitted", "ada")
    assert "exited with 0" in handed_in["payload"]["evidence"]
    assert handed_in["payload"]["evidence"].endswith("all 31 tests pass")


def test_a_command_that_fails_fails_its_task_with_the_end_of_its_output(crew: Crew) -> None:
    task = crew.spawn()

    result = shell(crew, "seq 1 5000; echo no such file >&2; exit 7")

    assert (result.code, result.out.split()[-1], result.err.count("no such file")) == (7, "5000", 1)
    failed = last(crew, task)
    reason = failed["payload"]["reason"]
    assert (crew.state(task), failed["type"]) == ("FAILED", "task.failed")
    assert "exited with 7" in reason
    assert "\n4999\n" in reason
    assert "\n1\n" not in reason
    assert len(reason) < 4_096


def test_a_command_that_a_signal_ended_fails_with_128_more(crew: Crew) -> None:
    task = crew.spawn()

    assert shell(crew, "kill -9 $$").code == 137
    assert crew.state(task) == "FAILED"


def test_the_answer_says_how_each_task_ended_and_nothing_else_is_on_stdout(crew: Crew) -> None:
    task = crew.spawn()

    result = shell(crew, "echo hello", "--json")

    [one] = result.json["runs"]
    assert (one["task"], one["outcome"], one["state"], one["exit"]) == (task, "done", "IN_REVIEW", 0)
    assert one["event"] == last(crew, task)["id"]
    assert "hello" in result.err


@pytest.mark.parametrize(
    ("script", "state", "outcome", "code"),
    [
        ("{crewlog} done --evidence mine", "IN_REVIEW", "settled", 0),
        ("{crewlog} done --evidence mine; exit 3", "IN_REVIEW", "settled", 3),
        ("{crewlog} fail --reason mine", "FAILED", "settled", 0),
        ("{crewlog} release --reason mine", "ASSIGNED", "settled", 0),
    ],
)
def test_what_the_command_settled_itself_stays_so(
    crew: Crew, script: str, state: str, outcome: str, code: int
) -> None:
    task = crew.spawn()

    one = ran(crew, script.format(crewlog=" ".join(command_line())) + "; sleep 0.5" * (code == 0))

    assert (one["outcome"], one["exit"], crew.state(task)) == (outcome, code, state)
    assert "mine" in orjson.dumps(last(crew, task)["payload"]).decode()


def test_a_success_can_be_left_to_the_command(crew: Crew) -> None:
    task = crew.spawn()

    assert ran(crew, "true", "--on-success", "leave")["outcome"] == "left"
    assert crew.state(task) == "WORKING"


@pytest.mark.skipif(not os.path.isdir("/proc/self/ns"), reason="reads /proc, and there is none here")
def test_what_is_said_of_a_task_that_was_left_is_true(crew: Crew) -> None:
    task = crew.spawn()

    with running(crew, "--on-success", "leave", "--", "true") as process:
        said = process.communicate(timeout=PATIENCE)[1]

    assert "the next reap takes it back" in said
    assert [row["task"] for row in crew.do("reap --dry-run")["expired"]] == [task]
    resume = next(line for line in said.split("`") if line.startswith("crewlog resume"))
    crew.do(resume.removeprefix("crewlog "))
    assert [row["task"] for row in crew.do("reap --as zoe")["kept"]] == [task]


def test_output_that_looks_like_a_secret_is_not_quoted(crew: Crew) -> None:
    task = crew.spawn()
    key = "AKIA" + "Q3EGRIQ7YZ5MX2PB"

    shell(crew, f"echo aws_access_key_id={key}; exit 1")

    reason = last(crew, task)["payload"]["reason"]
    assert crew.state(task) == "FAILED"
    assert key not in reason


def test_output_of_any_bytes_is_passed_through_and_kept_as_text(crew: Crew) -> None:
    task = crew.spawn()

    assert shell(crew, r"printf '\377\000x'; exit 1").code == 1

    assert last(crew, task)["payload"]["reason"].endswith("\ufffd\u0000x")


def test_a_program_that_cannot_be_run_gives_the_task_back(crew: Crew) -> None:
    task = crew.spawn()

    refused = crew.refused("run --as ada -- /no/such/program")

    assert why(refused) == ("bad-value", 2)
    assert crew.state(task) == "ASSIGNED"
    assert crew.do(f"show {task}")["task"]["strikes"] == 0


def test_a_process_left_behind_that_holds_the_output_open_is_not_waited_for(crew: Crew) -> None:
    crew.spawn()
    began = time.monotonic()

    result = shell(crew, "sleep 20 & echo started")

    assert (result.code, result.out) == (0, "started\n")
    assert time.monotonic() - began < 15


def test_a_process_left_behind_that_writes_for_ever_is_not_listened_to(crew: Crew) -> None:
    task = crew.spawn()

    result = shell(crew, "yes & echo $! >&2; sleep 0.2")

    os.kill(int(result.err.split("\n")[1]), signal.SIGKILL)
    assert result.code == 0
    assert crew.state(task) == "IN_REVIEW"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_no_reason_to_leave_the_command_alone(crew: Crew) -> None:
    task = crew.spawn()
    script = "head -c 200000 /dev/zero; sleep 0.2; touch worked; exit 3"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command_line("run", "--as", "ada", "--", "sh", "-c", script),
            cwd=crew.folder,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (crew.folder / "worked").exists()
    assert crew.state(task) == "FAILED"
    assert done.returncode == 6
    assert b"No space left" in done.stderr


# --- which task, what it gets ------------------------------------------------------------------------------------


def test_the_named_task_is_taken(crew: Crew) -> None:
    crew.spawn("first")
    second = crew.spawn("second")

    assert ran(crew, "true", second)["task"] == second


def test_nothing_ready_is_nothing_yet(crew: Crew) -> None:
    result = shell(crew, "echo never", "--json")

    assert (result.code, result.error["code"], result.err) == (8, "nothing-yet", "")


@pytest.mark.parametrize("words", [["true"], ["t-3k9f", "true"], ["a", "b", "--", "true"], ["--"], []])
def test_the_command_stands_behind_two_dashes(crew: Crew, words: list[str]) -> None:
    result = crew.run("run", "--json", "--as", "ada", *words)

    assert (result.code, result.error["code"]) == (2, "usage")


def test_options_behind_the_dashes_are_the_commands_own(crew: Crew) -> None:
    crew.spawn()

    assert crew.run("run", "--as", "ada", "--", "echo", "--json", "--loop", "--").out == "--json --loop --\n"


def test_the_command_knows_who_it_is_and_what_it_works_on(crew: Crew) -> None:
    task = crew.spawn()

    result = shell(crew, 'echo "$CREWLOG_AGENT $CREWLOG_TASK $CREWLOG_CLAIM $CREWLOG_STORE"')

    claim = crew.do(f"show {task}")["task"]["claim"]
    assert result.out.split() == ["ada", task, claim, str(crew.folder / ".crewlog")]


@pytest.mark.parametrize("body", ["Say the name.\nLoudly.", "x" * 9_000])
def test_the_prompt_is_the_tasks_text(crew: Crew, body: str) -> None:
    task = crew.spawn("Greet", f"--body '{body}'")

    prompt = shell(crew, "cat", "--prompt").out
    assert prompt.endswith(f"\n\n{task}: Greet\n\n{body}\n")
    assert prompt.startswith("crewlog: the crew's task log. You are ada")


def test_the_prompts_commands_are_for_the_task_that_is_run(crew: Crew) -> None:
    """Pasting them must not hand in another task that the same name holds."""
    held, task = crew.spawn("the first", "-p 0"), crew.spawn("the second")
    crew.start(held)

    prompt = crew.run("run", task, "--prompt", "--on-success", "leave", "--as", "ada", "--", "cat").out

    claim = crew.do(f"show {task}")["task"]["claim"]
    assert f"  crewlog done {task} --claim {claim[:12]} " in prompt
    assert f"crewlog done {held}" not in prompt
    assert f"You hold {held}" in prompt


def test_a_loop_takes_one_task_after_the_other_until_nothing_is_ready(crew: Crew) -> None:
    tasks = [crew.spawn(f"task {number}") for number in range(4)]

    result = shell(crew, f"[ $CREWLOG_TASK != {tasks[1]} ]", "--loop", "--json")

    runs = result.json["runs"]
    assert result.code == 0
    assert [(one["task"], one["outcome"]) for one in runs] == list(
        zip(tasks, ["done", "failed", "done", "done"], strict=True)
    )
    assert shell(crew, "true", "--loop").code == 8


def test_a_loop_ends_when_its_command_can_do_nothing(crew: Crew) -> None:
    for number in range(5):
        crew.spawn(f"task {number}")

    result = shell(crew, "exit 9", "--loop", "--json")

    assert (result.code, len(result.json["runs"])) == (9, 3)


# --- the heart ---------------------------------------------------------------------------------------------------


def test_it_beats_for_its_claim_and_tells_progress_by_output(crew: Crew) -> None:
    task = crew.spawn()

    one = ran(crew, "for i in 1 2 3 4 5 6 7 8 9; do echo step $i; sleep 0.2; done")

    pulses = [
        orjson.loads(line) for line in crew.run("tail", "--pulses", "--json", "-n", "99").out.splitlines()
    ]
    assert len(pulses) > 2
    assert {pulse["payload"]["claim"] for pulse in pulses} == {one["claim"]}
    texts = [
        event["payload"]["text"]
        for event in crew.do(f"show {task}")["events"]
        if event["type"] == "task.progressed"
    ]
    assert 1 <= len(texts) <= 4, "at most once in three intervals"
    assert all(text.startswith("step ") for text in texts)


def test_a_claim_that_is_lost_stops_the_command_and_is_said(crew: Crew) -> None:
    task = crew.spawn()
    with running(
        crew,
        task,
        "--",
        "sh",
        "-c",
        "trap 'echo asked to stop; exit 0' TERM; echo up; while :; do sleep 0.1; done",
    ) as process:
        assert line_of(process) == "up"
        crew.do(f"release {task} --force --reason 'for bob' --as zoe")
        crew.do(f"start {task} --as bob")

        out, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out) == (5, "asked to stop\n")
    assert "[stale-claim]" in err
    assert "held by bob" in err or "bob holds it" in err
    assert crew.events(task)[-1] == "task.started"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_goes_to_the_command_and_gives_the_task_back(crew: Crew, number: signal.Signals) -> None:
    task = crew.spawn()
    script = f"trap 'echo got it; exit 0' {number.name[3:]}; echo up; while :; do sleep 0.1; done"
    with running(crew, "--loop", "--", "sh", "-c", script) as process:
        assert line_of(process) == "up"
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out) == (128 + number, "got it\n")
    assert crew.events(task)[-1] == "task.released"
    assert number.name in last(crew, task)["payload"]["reason"]
    assert crew.do(f"show {task}")["task"]["strikes"] == 0


def test_its_own_death_leaves_a_lost_holder(crew: Crew) -> None:
    task = crew.spawn()
    with running(crew, "--", "sh", "-c", "echo $$; exec sleep 600") as process:
        left_behind = int(line_of(process))
        try:
            assert [row["task"] for row in crew.do("reap --as zoe")["kept"]] == [task]
            process.kill()
            process.wait(PATIENCE)

            [expired] = crew.do("reap --as zoe")["expired"]
        finally:
            os.kill(left_behind, signal.SIGKILL)

    assert (expired["task"], "process is gone" in expired["why"]) == (task, True)


def test_output_comes_as_it_is_written(crew: Crew, tmp_path: Path) -> None:
    crew.spawn()
    gate = tmp_path / "gate"
    with running(
        crew, "--", "sh", "-c", f"printf half; echo; while [ ! -e {gate} ]; do sleep 0.05; done"
    ) as process:
        assert line_of(process) == "half"
        assert process.poll() is None
        gate.touch()
        assert process.wait(PATIENCE) == 0
