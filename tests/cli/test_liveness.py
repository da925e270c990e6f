"""`reap`, `leave`, `prune`, `start` from the lost, `heartbeat --every`: who is alive, and what follows from it."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.app import run
from cli.shell import Shell
from domain.task import STRIKES
from tests.cli.conftest import Crew, why
from tests.cli.test_answers import problems

SECOND = 1_000_000
PATIENCE = 30.0

needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/ns"), reason="reads /proc, and there is none here"
)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock(crew: Crew) -> Clock:
    crew.clock = Clock()
    return crew.clock


@pytest.fixture
def session() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for an agent's session."""
    child = subprocess.Popen(["sleep", "600"])
    yield child
    end(child)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(PATIENCE)


def agent(crew: Crew, name: str) -> Any:
    return next(row for row in crew.do("agents")["agents"] if row["name"] == name)


def held_by(crew: Crew, session: subprocess.Popen[bytes], name: str = "ada") -> str:
    """A task that the name holds, from that session."""
    task = crew.spawn()
    crew.do(f"start {task} --as {name} --pid {session.pid}")
    return task


def lose(crew: Crew, name: str = "ada") -> str:
    """A task whose holder's session has ended."""
    session = subprocess.Popen(["sleep", "600"])
    task = held_by(crew, session, name)
    end(session)
    return task


# --- reap --------------------------------------------------------------------------------------------------------


@needs_proc
def test_a_task_whose_holders_process_is_gone_is_taken_back(crew: Crew) -> None:
    task = lose(crew)

    answer = crew.do("reap --as zoe")

    [expired] = answer["expired"]
    assert (expired["task"], expired["holder"], expired["state"]) == (task, "ada", "ASSIGNED")
    assert "process is gone" in expired["why"]
    assert answer["kept"] == []
    shown = crew.do(f"show {task}")
    assert (shown["task"]["state"], shown["task"]["strikes"]) == ("ASSIGNED", 1)
    last = shown["events"][-1]
    assert (last["type"], last["from"], last["to"]) == ("task.expired", "zoe", "ada")
    assert last["id"] == expired["event"]
    assert crew.do("reap --as zoe") == {"expired": [], "kept": []}


@needs_proc
def test_who_works_long_without_a_word_is_not_robbed_while_its_process_is_there(
    crew: Crew, clock: Clock, session: subprocess.Popen[bytes]
) -> None:
    task = held_by(crew, session)
    clock.pass_by(20 * 3_600)

    [kept] = crew.do("reap --as zoe")["kept"]
    assert (kept["task"], kept["verdict"], kept["silence"]) == (task, "alive", 72_000)
    assert why(crew.refused("start --as bob")) == ("nothing-yet", 8)
    session.send_signal(signal.SIGSTOP)
    assert crew.do("reap --as zoe")["expired"] == []
    end(session)
    assert [row["task"] for row in crew.do("reap --as zoe")["expired"]] == [task]


@needs_proc
def test_who_beat_is_lost_after_six_intervals_even_if_its_process_is_there(
    crew: Crew, clock: Clock, session: subprocess.Popen[bytes]
) -> None:
    task = held_by(crew, session)
    crew.do("heartbeat --as ada")
    clock.pass_by(59)
    assert [row["verdict"] for row in crew.do("reap --as zoe")["kept"]] == ["suspect"]
    clock.pass_by(2)

    [expired] = crew.do("reap --as zoe")["expired"]

    assert (expired["task"], expired["silence"]) == (task, 61)


@needs_proc
def test_beats_from_before_the_claim_do_not_count(
    crew: Crew, clock: Clock, session: subprocess.Popen[bytes]
) -> None:
    crew.do("heartbeat --as ada")
    clock.pass_by(1)
    held_by(crew, session)
    clock.pass_by(3_600)

    assert [row["verdict"] for row in crew.do("reap --as zoe")["kept"]] == ["alive"]


def test_where_nobody_can_look_the_quiet_lease_counts_and_every_command_renews_it(
    crew: Crew, clock: Clock
) -> None:
    task = crew.spawn()
    crew.start(task)
    elsewhere(crew)
    clock.pass_by(1_700)
    crew.do(f"note {task} hm --as ada")
    clock.pass_by(1_700)
    assert crew.do("reap --as zoe")["expired"] == []
    clock.pass_by(200)

    assert [row["task"] for row in crew.do("reap --as zoe")["expired"]] == [task]


def elsewhere(crew: Crew) -> None:
    """From now on no recorded process can be looked at, as on another host."""
    crew.environ["TEST_ELSEWHERE"] = "1"


@pytest.fixture(autouse=True)
def _elsewhere(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli import process

    known = process.process_state

    def look(found: Any) -> Any:
        return "elsewhere" if crew.environ.get("TEST_ELSEWHERE") else known(found)

    monkeypatch.setattr(process, "process_state", look)


@needs_proc
def test_a_dry_run_says_the_same_and_changes_nothing(crew: Crew) -> None:
    task = lose(crew)
    before = crew.do(f"show {task}")

    dry = crew.do("reap --dry-run")

    assert crew.do(f"show {task}") == before
    assert [(row["task"], row["event"]) for row in dry["expired"]] == [(task, None)]
    [expired] = crew.do("reap --as zoe")["expired"]
    assert {**expired, "event": None, "state": "WORKING"} == {
        **dry["expired"][0],
        "silence": expired["silence"],
    }


@needs_proc
def test_why_a_holder_was_lost_is_shown_with_the_task(crew: Crew) -> None:
    task = lose(crew)
    dry = crew.run("reap", "--dry-run").out
    crew.do("reap --as zoe")

    assert dry == f"{task} would be taken from ada: its session process is gone\n"
    expired = next(line for line in crew.run("show", task).out.split("\n") if "task.expired" in line)
    assert expired.endswith("its session process is gone")


@needs_proc
def test_the_third_strike_fails_the_task_and_a_submission_clears_them(crew: Crew) -> None:
    task = crew.spawn()
    states: list[str] = []
    for _ in range(STRIKES):
        session = subprocess.Popen(["sleep", "600"])
        crew.do(f"start {task} --as ada --pid {session.pid}")
        end(session)
        states += [row["state"] for row in crew.do("reap --as zoe")["expired"]]

    assert states == ["ASSIGNED", "ASSIGNED", "FAILED"]
    assert "process is gone" in crew.do(f"show {task}")["task"]["end"]["reason"]
    crew.do(f"retry {task} --as zoe")
    assert crew.do(f"show {task}")["task"]["strikes"] == 0


def test_a_reap_needs_a_name_and_a_dry_run_none(crew: Crew) -> None:
    assert why(crew.refused("reap")) == ("no-name", 2)
    assert crew.do("reap --dry-run") == {"expired": [], "kept": []}


@needs_proc
def test_a_claim_that_another_replica_recorded_is_left_alone(crew: Crew) -> None:
    task = lose(crew)
    (crew.folder / ".crewlog/replica").write_text("r-another\n")
    with closing(sqlite3.connect(crew.folder / ".crewlog/crewlog.db", isolation_level=None)) as log:
        log.execute("DELETE FROM members")  # as if the events had come from another clone

    [kept] = crew.do("reap --as zoe")["kept"]

    assert (kept["task"], kept["verdict"]) == (task, "remote")
    assert agent(crew, "ada")["verdict"] == "remote"
    assert crew.state(task) == "WORKING"


# --- start -------------------------------------------------------------------------------------------------------


@needs_proc
def test_start_takes_what_a_lost_holder_left_and_says_who_it_was(crew: Crew) -> None:
    task = lose(crew)
    crew.do(f"note {task} 'the parser is done' --as ada")

    answer = crew.do("start --as bob")

    assert (answer["task"], answer["reaped"]) == (task, [task])
    before = answer["previous"]
    assert (before["holder"], before["ended"], before["notes"], before["branch"]) == (
        "ada",
        "expired",
        1,
        None,
    )
    assert "process is gone" in before["reason"]
    assert crew.events(task)[-2:] == ["task.expired", "task.started"]


@needs_proc
def test_no_reap_leaves_the_lost_what_they_hold(crew: Crew) -> None:
    task = lose(crew)

    assert why(crew.refused("start --no-reap --as bob")) == ("nothing-yet", 8)
    assert crew.state(task) == "WORKING"


@needs_proc
@pytest.mark.parametrize(
    "line", ["wait --task {task} --state ASSIGNED", "wait --event task.expired", "wait --ready"]
)
def test_who_waits_takes_back_what_the_lost_hold(crew: Crew, line: str) -> None:
    """Else who waits for a task whose holder died would wait for ever, if nobody else is there."""
    task = lose(crew)
    line = f"{line.format(task=task)} --timeout 0 --as bob"

    assert why(crew.refused(f"{line} --no-reap")) == ("nothing-yet", 8)
    got = crew.do(line)["got"]

    assert crew.state(task) == "ASSIGNED"
    assert task in (got["id"], got.get("stream", "").removeprefix("task/"))


@needs_proc
def test_who_has_no_name_takes_nothing_and_still_may_wait(crew: Crew) -> None:
    task = lose(crew)

    assert why(crew.refused("wait --event task.expired --timeout 0")) == ("nothing-yet", 8)
    assert crew.state(task) == "WORKING"


@pytest.mark.parametrize(
    ("line", "ended"),
    [
        ("release {task} --claim {claim} --as ada --reason 'not mine'", "released"),
        ("fail {task} --claim {claim} --as ada --reason 'not mine'", "failed"),
        ("release {task} --force --as zoe --reason 'not mine'", "released"),
        ("cancel {task} --as zoe --reason 'not mine'", "cancelled"),
    ],
)
def test_the_next_holder_hears_how_the_last_one_ended(crew: Crew, line: str, ended: str) -> None:
    task = crew.spawn()
    crew.do(line.format(task=task, claim=crew.start(task)))
    if ended in ("failed", "cancelled"):
        crew.do(f"retry {task} --as zoe")

    answer = crew.do(f"start {task} --as bob")

    before = answer["previous"]
    assert (before["holder"], before["ended"], before["reason"], before["notes"]) == (
        "ada",
        ended,
        "not mine",
        0,
    )
    crew.do(f"release {task} --as bob --claim {answer['claim']}")
    said = crew.run("start", task, "--as", "ada").out
    assert "before you bob held it, and it was released" in said


def test_the_first_holder_hears_of_nobody(crew: Crew) -> None:
    task = crew.spawn()
    crew.do(f"note {task} hm --as zoe")

    assert "previous" not in crew.do(f"start {task} --as ada")


def test_a_retry_with_the_same_key_reaps_nothing_and_takes_nothing_new(crew: Crew) -> None:
    crew.spawn("first")
    first = crew.do("start --as ada --key k")
    crew.spawn("second")

    again = crew.do("start --as ada --key k")

    assert (again["task"], again["replayed"]) == (first["task"], True)


def test_waiting_for_a_task_that_comes_gets_it_at_once(crew: Crew) -> None:
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(crew.do("start --wait 30 --as ada")))
    waiting.start()
    time.sleep(0.2)
    spawned = time.monotonic()

    task = crew.spawn()
    waiting.join(PATIENCE)

    assert [answer["task"] for answer in answers] == [task]
    assert time.monotonic() - spawned < PATIENCE / 2


def test_waiting_in_vain_is_nothing_yet(crew: Crew) -> None:
    assert why(crew.refused("start --wait 0.2 --as ada")) == ("nothing-yet", 8)


def test_waiting_for_a_named_task_is_refused(crew: Crew) -> None:
    assert why(crew.refused(f"start {crew.spawn()} --wait 1 --as ada")) == ("usage", 2)


# --- a suspend ---------------------------------------------------------------------------------------------------


def asleep(crew: Crew, slept: float, *words: str) -> Any:
    """The answer of a command on a machine that slept so long since it booted."""
    assert crew.clock
    out = io.StringIO()
    shell = Shell(
        io.StringIO(), out, io.StringIO(), {}, str(crew.folder), clock=crew.clock, slept=lambda: slept
    )
    assert run([*words, "--json"], shell) == 0, out.getvalue()
    return orjson.loads(out.getvalue())


@needs_proc
def test_after_a_suspend_everyone_has_as_long_as_after_a_sign(
    crew: Crew, clock: Clock, session: subprocess.Popen[bytes]
) -> None:
    task = held_by(crew, session)
    crew.do("heartbeat --as ada")
    assert asleep(crew, 100.0, "reap", "--as", "zoe")["expired"] == []
    clock.pass_by(8 * 3_600)

    assert asleep(crew, 28_900.0, "reap", "--as", "zoe")["expired"] == []
    clock.pass_by(59)
    assert asleep(crew, 28_900.0, "agents")["agents"][0]["verdict"] == "suspect"
    assert asleep(crew, 28_900.0, "reap", "--as", "zoe")["expired"] == []
    clock.pass_by(2)
    [expired] = asleep(crew, 28_900.0, "reap", "--as", "zoe")["expired"]

    assert expired["task"] == task


# --- leave, agents -----------------------------------------------------------------------------------------------


def test_who_leaves_is_shown_so_and_told_what_it_still_holds(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task)

    result = crew.run("leave", "--as", "ada", "--reason", "my shift is over", "--json")

    assert result.code == 0
    assert [row["id"] for row in result.json["holds"]] == [task]
    assert f"{task} is WORKING and still yours" in result.err
    assert agent(crew, "ada")["verdict"] == "left"
    assert crew.state(task) == "WORKING"
    crew.do("join ada")
    assert agent(crew, "ada")["verdict"] == "alive"


def test_leaving_unbinds_the_worktree(crew: Crew, tmp_path: Path) -> None:
    worktree = tmp_path / "repository"
    worktree.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=worktree, check=True)
    about = {"cwd": worktree, "environ": {"CREWLOG_STORE": str(crew.folder)}}
    crew.do("join ada", **about)
    assert crew.do("whoami", **about)["name"] == "ada"

    assert crew.do("leave", **about)["unbound"] == str(worktree)

    assert crew.do("whoami", **about)["name"] is None
    assert crew.do("leave --as ada", **about)["unbound"] is None


@needs_proc
def test_the_roster_tells_a_lost_claim_of_a_name_that_is_alive(
    crew: Crew, session: subprocess.Popen[bytes]
) -> None:
    lost = lose(crew)
    kept = held_by(crew, session)

    ada = agent(crew, "ada")

    assert (ada["verdict"], ada["pid"]) == ("alive", session.pid)
    assert {task["id"]: task["verdict"] for task in ada["tasks"]} == {lost: "lost", kept: "alive"}
    assert f"{lost} WORKING (lost)" in crew.run("agents").out


# --- heartbeat ---------------------------------------------------------------------------------------------------


def pulses(crew: Crew) -> list[Any]:
    lines = crew.run("tail", "--pulses", "--json", "-n", "1000").out.splitlines()
    return [orjson.loads(line) for line in lines]


@needs_proc
def test_a_sidecar_beats_until_its_session_is_gone_and_tells_which_it_is(
    crew: Crew, session: subprocess.Popen[bytes]
) -> None:
    threading.Timer(0.5, session.kill).start()
    threading.Thread(target=session.wait).start()

    answer = crew.do(f"heartbeat --every 0.1 --while-pid {session.pid} --as ada")

    assert answer["ended"] == "process"
    assert answer["pulses"] == len(pulses(crew)) > 1
    assert {pulse["payload"]["process"]["pid"] for pulse in pulses(crew)} == {session.pid}
    ada = agent(crew, "ada")
    assert (ada["pid"], ada["verdict"]) == (session.pid, "lost")


@needs_proc
def test_a_sidecar_does_not_beat_for_a_stopped_session(crew: Crew, session: subprocess.Popen[bytes]) -> None:
    session.send_signal(signal.SIGSTOP)
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGTERM)).start()

    answer = crew.do(f"heartbeat --every 0.1 --while-pid {session.pid} --as ada")

    assert (answer["ended"], answer["pulses"], pulses(crew)) == ("signal", 0, [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sidecar_ends_on_a_signal_and_gives_the_handlers_back(crew: Crew, number: signal.Signals) -> None:
    before = [signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)]
    threading.Timer(0.3, os.kill, (os.getpid(), number)).start()

    assert crew.do("heartbeat --every 0.1 --as ada")["ended"] == "signal"

    assert before == [signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)]


def test_a_sidecar_ends_with_stale_claim_when_its_task_is_taken(crew: Crew) -> None:
    task = crew.spawn()
    about = {"CREWLOG_TASK": task, "CREWLOG_CLAIM": crew.start(task), "CREWLOG_AGENT": "ada"}
    take = threading.Timer(0.4, crew.run, ("release", task, "--force", "--reason", "x", "--as", "zoe"))
    take.start()

    refused = crew.refused("heartbeat --every 0.1", environ=about)

    assert why(refused) == ("stale-claim", 5)
    assert {pulse["payload"]["claim"] for pulse in pulses(crew)} == {about["CREWLOG_CLAIM"]}


def test_a_sidecar_ends_in_peace_when_its_task_was_given_up(crew: Crew) -> None:
    task = crew.spawn()
    about = {"CREWLOG_TASK": task, "CREWLOG_CLAIM": crew.start(task), "CREWLOG_AGENT": "ada"}
    crew.do("release", environ=about)

    assert crew.do("heartbeat --every 0.1", environ=about) == {
        "agent": "ada",
        "pulses": 0,
        "ended": "settled",
    }


def test_a_sidecar_beats_on_through_a_review_as_its_help_says(crew: Crew) -> None:
    """A reject gives the work back under the same claim: who had fallen silent would be lost in that moment."""
    task = crew.spawn()
    about = {"CREWLOG_TASK": task, "CREWLOG_CLAIM": crew.start(task), "CREWLOG_AGENT": "ada"}
    crew.do("done", environ=about)
    verdicts: list[str] = []

    def review() -> None:
        while len(pulses(crew)) < 2:
            time.sleep(0.05)
        crew.do(f"reject {task} --reason 'no test' --as zoe")
        verdicts.extend(row["verdict"] for row in crew.do("reap --as zoe")["kept"])
        crew.do("done", environ=about)
        crew.do(f"approve {task} --as zoe")

    reviewer = threading.Thread(target=review)
    reviewer.start()
    answer = crew.do("heartbeat --every 0.1", environ=about)
    reviewer.join(PATIENCE)

    assert (verdicts, answer["ended"]) == (["alive"], "settled")
    assert answer["pulses"] >= 2
    assert "While the task is in review it beats on" in " ".join(crew.run("help", "heartbeat").out.split())


@pytest.mark.parametrize("every", ["26", "soon", "-1"])
def test_an_interval_that_would_look_suspect_is_refused(crew: Crew, every: str) -> None:
    assert why(crew.refused(f"heartbeat --every={every} --as ada")) == ("bad-value", 2)


@needs_proc
def test_a_process_that_is_not_there_is_not_beaten_for(crew: Crew) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(PATIENCE)

    assert why(crew.refused(f"heartbeat --while-pid {gone.pid} --as ada")) == ("bad-value", 2)


# --- prune -------------------------------------------------------------------------------------------------------


def test_old_pulses_are_pruned_and_what_went_is_in_the_log(crew: Crew, clock: Clock) -> None:
    for _ in range(3):
        crew.do("heartbeat --as ada")
        clock.pass_by(10)
    clock.pass_by(8 * 86_400)
    before = agent(crew, "ada")

    answer = crew.do("prune --pulses --as zoe")

    assert answer["count"] == 2
    assert [(row["agent"], row["count"], row["longest_gap"]) for row in answer["pruned"]] == [
        ("ada", 2, 10_000)
    ]
    assert len(pulses(crew)) == 1
    assert agent(crew, "ada") == before
    assert crew.do("rebuild")["same"]
    assert agent(crew, "ada") == before
    assert crew.do("prune --pulses --as zoe")["count"] == 0


@pytest.mark.parametrize("line", ["prune", "prune --older-than 9d", "prune --pulses --older-than 10m"])
def test_nothing_is_pruned_by_a_slip(crew: Crew, line: str) -> None:
    assert crew.refused(f"{line} --as zoe")["exit"] == 2


# --- shapes ------------------------------------------------------------------------------------------------------


@needs_proc
def test_answers_about_the_lost_have_the_shape_that_the_schema_says(crew: Crew, clock: Clock) -> None:
    schemas = crew.do("schema")["$defs"]
    lost = lose(crew)
    crew.do("heartbeat --as ada")
    clock.pass_by(10 * 86_400)
    crew.do("heartbeat --as ada")
    lines = [
        "reap --dry-run",
        "agents",
        "start --as bob",
        "agents",
        f"run {crew.spawn()} --as kim -- false",
        "prune --pulses --as zoe",
        "leave --as bob",
    ]
    for line in lines:
        answer = crew.run("--json", *line.split()).json
        assert problems(answer, schemas[line.split()[0]]) == [], line
    settled = {
        "CREWLOG_TASK": lost,
        "CREWLOG_CLAIM": crew.do("whoami --as bob")["claim"],
        "CREWLOG_AGENT": "bob",
    }
    crew.do("release", environ=settled)
    assert problems(crew.do("heartbeat --every 1", environ=settled), schemas["heartbeat"]) == []
