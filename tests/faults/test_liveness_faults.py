"""Holders that are stopped, hang or die; many who want the same tasks; a sign of life in the last moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli import reaping
from cli.demo.crew import command_line
from tests.cli.conftest import Crew, why
from tests.faults.test_commands_at_once import assert_whole
from tests.support.commands import crewlog, reap_once, start_until_nothing_is_ready
from tests.support.processes import together

PATIENCE = 60.0
INTERVAL = 0.2
STARTERS, TASKS = 50, 200

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not os.path.isdir("/proc/self/ns"), reason="reads /proc, and there is none here"),
]


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    """A crew whose intervals are short."""
    made = Crew(tmp_path)
    made.do("init --as zoe")
    (tmp_path / ".crewlog/config.toml").write_text(f'[liveness]\ninterval = "{INTERVAL}s"\n')
    return made


@contextmanager
def holder(crew: Crew, task: str, script: str) -> Generator[tuple[subprocess.Popen[str], int]]:
    """Ada's `run` on the task, and the process group of its command; all of it is gone at the end."""
    line = command_line("run", task, "--as", "ada", "--", "sh", "-c", f"echo $$; {script}")
    process = subprocess.Popen(
        line, cwd=crew.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        group = int(process.stdout.readline())
        try:
            yield process, group
        finally:
            process.kill()
            kill_group(group)


def kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def until(seen: Callable[[], Any]) -> Any:
    """What `seen` says once it says something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := seen()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(INTERVAL / 4)
    return found


def agent(crew: Crew, name: str) -> Any:
    return next(row for row in crew.do("agents")["agents"] if row["name"] == name)


def beats(crew: Crew) -> int:
    return len(crew.run("tail", "--pulses", "-q", "-n", "1000").out.split())


def test_a_holder_that_was_stopped_too_long_finds_its_task_taken_and_its_done_refused(crew: Crew) -> None:
    task = crew.spawn()
    with holder(crew, task, "sleep 0.5; exit 0") as (ada, _):
        claim = crew.do(f"show {task}")["task"]["claim"]
        until(lambda: beats(crew))
        ada.send_signal(signal.SIGSTOP)

        [expired] = until(lambda: crew.do("reap --as zoe")["expired"])
        assert (expired["task"], expired["claim"]) == (task, claim)
        bobs = crew.do("start --as bob")
        assert (bobs["task"], bobs["previous"]["holder"]) == (task, "ada")
        crew.do(f"done {task} --as bob --claim {bobs['claim']} --evidence 'mine'")
        ada.send_signal(signal.SIGCONT)
        _, said = ada.communicate(timeout=PATIENCE)

    assert ada.returncode == 5
    assert "[stale-claim]" in said
    late = crew.refused(f"done {task} --as ada --claim {claim}")
    assert (why(late), late["details"]["holder"]) == (("stale-claim", 5), "bob")
    crew.do(f"approve {task} --as zoe")
    assert crew.events(task) == [
        "task.spawned",
        "task.started",
        "task.expired",
        "task.started",
        "task.submitted",
        "task.approved",
        "task.merged",
    ]
    assert_whole(crew.folder, {expired["event"], bobs["event"]})


def test_a_hung_command_beats_on_and_its_progress_gets_old_and_a_killed_one_is_lost(crew: Crew) -> None:
    task = crew.spawn()
    with holder(crew, task, "sleep 600") as (ada, _):
        until(lambda: beats(crew) > 6)
        older = until(lambda: agent(crew, "ada")["progress"])
        oldest = until(lambda: (now := agent(crew, "ada"))["progress"] > older and now)
        assert (oldest["verdict"], oldest["last_pulse"]) == ("alive", 0)
        assert crew.do("reap --as zoe")["expired"] == []

        ada.kill()
        ada.wait(PATIENCE)

        assert agent(crew, "ada")["verdict"] == "lost"
        assert [row["task"] for row in crew.do("reap --as zoe")["expired"]] == [task]


def test_a_holder_that_nobody_can_look_at_is_lost_by_its_missing_beats(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = crew.spawn()
    monkeypatch.setattr(reaping, "state_of", out_of_sight)
    with holder(crew, task, "sleep 600") as (ada, _):
        until(lambda: beats(crew) > 1)
        assert crew.do("reap --as zoe")["kept"][0]["verdict"] == "alive"
        ada.kill()

        [expired] = until(lambda: crew.do("reap --as zoe")["expired"])

    assert "it beat, and then gave no sign" in expired["why"]


def test_a_command_that_is_stopped_is_not_beaten_for(crew: Crew) -> None:
    task = crew.spawn()
    with holder(crew, task, "while :; do sleep 0.1; done") as (_, group):
        until(lambda: beats(crew))
        os.killpg(group, signal.SIGSTOP)

        [expired] = until(lambda: crew.do("reap --as zoe")["expired"])

    assert expired["task"] == task


def test_a_script_that_was_made_for_one_start_takes_nothing_with_it_when_it_ends(crew: Crew) -> None:
    task = crew.spawn()
    script = (
        f"import subprocess, sys; sys.exit(subprocess.call({command_line('start', task, '--as', 'ada')!r}))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=crew.folder, check=True, capture_output=True)

    [kept] = crew.do("reap --as zoe")["kept"]

    assert (kept["task"], kept["verdict"]) == (task, "alive")
    assert [row["verdict"] for row in crew.do("agents")["agents"] if row["name"] == "ada"] == ["alive"]


def out_of_sight(_process: object) -> str:
    return "elsewhere"


def never_seen(_judge: object, _name: str) -> int:
    return 0


def race(monkeypatch: pytest.MonkeyPatch, between: Callable[[], object]) -> None:
    """Let something happen after everybody was judged, and before anything is taken."""
    known = reaping.judge_all

    def judge_all(*arguments: Any) -> Any:
        judged = known(*arguments)
        between()
        return judged

    monkeypatch.setattr(reaping, "judge_all", judge_all)


def lost(crew: Crew) -> tuple[str, str]:
    """A task that ada holds and beat for too long ago; its claim."""
    task = crew.spawn()
    claim = crew.start(task)
    crew.do("heartbeat --as ada", environ={"CREWLOG_TASK": task, "CREWLOG_CLAIM": claim})
    until(lambda: crew.do("reap --dry-run")["expired"])
    return task, claim


def test_a_pulse_that_races_in_wins(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    task, claim = lost(crew)
    about = {"CREWLOG_TASK": task, "CREWLOG_CLAIM": claim}
    race(monkeypatch, lambda: crew.do("heartbeat --as ada", environ=about))

    answer = crew.do("reap --as zoe")

    assert (answer["expired"], [row["verdict"] for row in answer["kept"]]) == ([], ["alive"])
    assert crew.events(task)[-1] == "task.started"


def test_a_command_that_races_in_wins(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = lost(crew)
    race(monkeypatch, lambda: crew.do(f"note {task} 'still here' --as ada"))

    assert crew.do("reap --as zoe")["expired"] == []


@pytest.mark.parametrize("line", ["done {task} --claim {claim} --as ada", "resume {task} --as ada"])
def test_a_claim_that_changes_in_the_last_moment_is_not_the_one_that_was_judged(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    task, claim = lost(crew)
    # Time stands still for the judge, so that nothing but the claim keeps the task from being taken.
    race(monkeypatch, lambda: crew.do(line.format(task=task, claim=claim)))
    monkeypatch.setattr("projections.liveness.Judge._last_seen", never_seen)

    assert crew.do("reap --as zoe")["expired"] == []
    assert "task.expired" not in crew.events(task)


def test_of_many_who_reap_at_once_one_takes_each_task(crew: Crew) -> None:
    tasks = [crew.spawn(f"task {number}") for number in range(5)]
    for task in tasks:
        crew.start(task)
    crew.do("heartbeat --as ada")
    until(lambda: len(crew.do("reap --dry-run")["expired"]) == len(tasks))

    taken = together(reap_once, [(str(crew.folder), f"agent-{number}") for number in range(8)])

    assert Counter(task for one in taken for task in one) == dict.fromkeys(tasks, 1)
    for task in tasks:
        assert crew.events(task).count("task.expired") == 1


@pytest.mark.slow
def test_fifty_processes_share_two_hundred_tasks_and_each_has_one_holder(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert crewlog(folder, "init", "--as", "zoe")[0] == 0
    lines = "\n".join(f'{{"title": "task {number}"}}' for number in range(TASKS))
    code, spawned = crewlog(folder, "spawn", "--from", "-", "--as", "zoe", stdin=lines)
    assert code == 0

    answers = together(
        start_until_nothing_is_ready, [(folder, f"agent-{number}") for number in range(STARTERS)]
    )

    ends = [one[-1] for one in answers]
    taken = Counter(task for one in answers for code, task in one[:-1] if code == 0)
    assert ends == [(8, "nothing-yet")] * STARTERS
    assert taken == dict.fromkeys((row["task"] for row in spawned["results"]), 1)
    _, listed = crewlog(folder, "list", "--state", "WORKING", "--limit", str(TASKS))
    holders = {row["id"]: row["holder"] for row in listed["tasks"]}
    assert holders == {
        task: f"agent-{number}" for number, one in enumerate(answers) for code, task in one if code == 0
    }
