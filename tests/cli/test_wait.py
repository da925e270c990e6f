"""`wait`: got it, no longer possible, not yet; nothing between two calls is missed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cli.demo.crew import command_line
from cli.follow import LOOK
from domain.log import Log
from tests.cli.conftest import Crew
from tests.support.commands import crewlog


def test_what_is_so_already_is_got_at_once(crew: Crew) -> None:
    task = crew.spawn()
    assert crew.do(f"wait --task {task} --state ASSIGNED --timeout 0")["got"]["state"] == "ASSIGNED"
    assert crew.do("wait --ready --timeout 0 --as ada --no-reap")["got"]["id"] == task


def test_what_is_not_so_is_exit_8_with_a_position_to_go_on_from(crew: Crew) -> None:
    task = crew.spawn()
    refused = crew.refused(f"wait --task {task} --timeout 0")
    assert (refused["code"], refused["exit"], refused["retryable"]) == ("nothing-yet", 8, True)
    assert refused["details"]["position"] == crew.do("where")["events"]


def test_who_waited_in_vain_hears_what_the_task_is_and_since_when(crew: Crew) -> None:
    """A cancelled task may come back, so it is not called unreachable; but nobody should wait for it unaware."""
    task = crew.spawn()
    crew.do(f"cancel {task} --as zoe")
    crew.do(f"note {task} 'a pity' --as zoe")
    cancelled = crew.do(f"show {task}")["events"][1]

    refused = crew.refused(f"wait --task {task} --state IN_REVIEW --timeout 0")

    assert refused["exit"] == 8
    assert f"{task} is CANCELLED since {cancelled['ts']}" in refused["message"]
    assert f"`crewlog retry {task}`" in refused["message"]
    assert (refused["details"]["state"], refused["details"]["since"]) == ("CANCELLED", cancelled["ts"])
    crew.do(f"retry {task} --as zoe")
    assert "is ASSIGNED since" in crew.refused(f"wait --task {task} --state FAILED --timeout 0")["message"]


def test_a_state_that_can_no_longer_be_reached_is_exit_4(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe")
    assert crew.refused(f"wait --task {task} --state WORKING --timeout 0")["exit"] == 4
    assert crew.do(f"wait --task {task} --timeout 0")["got"]["state"] == "COMPLETED"


def test_a_state_that_passed_between_two_calls_is_not_missed(crew: Crew) -> None:
    task = crew.spawn()
    position = crew.refused(f"wait --task {task} --state IN_REVIEW --timeout 0")["details"]["position"]
    claim = crew.start(task)
    crew.do(f"done {task} --as ada --claim {claim}")
    crew.do(f"done {task} --withdraw --as ada --claim {claim}")

    got = crew.do(f"wait --task {task} --state IN_REVIEW --since {position} --timeout 0")["got"]

    assert got["state"] == "IN_REVIEW"
    assert crew.refused(f"wait --task {task} --state IN_REVIEW --timeout 0")["exit"] == 8


def test_a_message_that_was_acked_meanwhile_is_still_got_behind_the_position(crew: Crew) -> None:
    crew.do("join ada")
    position = crew.refused("wait --message --as ada --timeout 0")["details"]["position"]
    sent = crew.do("send ada hello --as zoe")
    message = crew.do("inbox --as ada")["messages"][0]["id"]
    crew.do(f"ack {message} --as ada")

    got = crew.do(f"wait --message --as ada --since {position} --timeout 0")["got"]

    assert got["id"] == message
    assert sent
    assert crew.refused("wait --message --as ada --timeout 0")["exit"] == 8


def test_of_several_messages_between_two_calls_each_is_got_in_turn(crew: Crew) -> None:
    crew.do("join ada")
    position = crew.do("where")["events"]
    for number in range(3):
        crew.do(f"send ada {number} --as zoe")
    texts: list[str] = []
    for _ in range(3):
        answer = crew.do(f"wait --message --as ada --since {position} --timeout 0")
        texts.append(answer["got"]["text"])
        position = answer["position"]
    assert texts == ["0", "1", "2"]
    assert crew.refused(f"wait --message --as ada --since {position} --timeout 0")["exit"] == 8


def test_a_reply_is_got_with_its_text(crew: Crew) -> None:
    crew.do("join ada")
    crew.run("ask", "ada", "which port?", "--as", "zoe")
    message = crew.do("inbox --as ada")["messages"][0]["id"]
    assert crew.refused(f"wait --reply {message} --as zoe --timeout 0")["exit"] == 8
    crew.do(f"answer {message} 8080 --as ada")
    assert crew.do(f"wait --reply {message} --as zoe --timeout 0")["got"]["text"] == "8080"


def test_an_event_counts_from_the_position_or_from_now_on(crew: Crew) -> None:
    crew.spawn()
    assert crew.refused("wait --event task.spawned --timeout 0")["exit"] == 8
    assert crew.do("wait --event task.spawned --since 0 --timeout 0")["got"]["type"] == "task.spawned"
    assert crew.refused("wait --event task.invented --timeout 0")["code"] == "bad-value"


@pytest.mark.parametrize("line", ["wait", "wait --message --ready", "wait --ready --state WORKING"])
def test_one_thing_at_a_time(crew: Crew, line: str) -> None:
    assert crew.refused(f"{line} --as ada --timeout 0")["code"] == "usage"


def test_a_waiter_in_another_process_wakes_for_what_this_one_writes(crew: Crew) -> None:
    since = str(crew.do("where")["events"])  # a waiter that is slow to begin misses nothing either
    line = command_line("wait", "--event", "task.spawned", "--since", since, "--timeout", "60", "--json")
    with subprocess.Popen(line, cwd=crew.folder, stdout=subprocess.PIPE, text=True) as waiter:
        time.sleep(1.0)
        crew.spawn()
        out, _ = waiter.communicate(timeout=60)
    assert waiter.returncode == 0
    assert '"type":"task.spawned"' in out


@pytest.mark.parametrize(
    ("line", "cause", "kind"),
    [
        ("wait --ready --no-reap --as ada", "spawn one --as zoe", "ready"),
        ("wait --message --as ada", "send ada hello --as zoe", "message"),
        ("wait --reply {question} --as zoe", "answer {question} 8080 --as ada", "reply"),
        ("wait --task {task} --state CANCELLED --as ada", "cancel {task} --as zoe", "task"),
    ],
)
def test_whatever_is_waited_for_wakes_the_waiter(crew: Crew, line: str, cause: str, kind: str) -> None:
    """Well before its time is up: an idle wait looks at nothing by itself for ten seconds and more."""
    crew.do("join ada")
    question = crew.do("ask ada 'which port?' --as zoe")["message"]
    crew.do(f"ack {question} --as ada")
    about = {"question": question, "task": crew.spawn("of bob", "--to bob")}
    began = threading.Event()

    def act() -> None:
        began.wait(60)
        crew.do(cause.format(**about))

    acting = threading.Thread(target=act)
    acting.start()
    threading.Timer(0.3, began.set).start()
    got = crew.do(f"{line.format(**about)} --timeout 300")["got"]
    acting.join(60)

    assert got["kind"] == kind


IDLE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from tests.support.commands import crewlog
crewlog(sys.argv[2], "wait", "--event", "task.spawned", "--timeout", "0")
before = resource.getrusage(resource.RUSAGE_SELF)
code, _ = crewlog(sys.argv[2], "wait", "--event", "task.spawned", "--timeout", sys.argv[3])
after = resource.getrusage(resource.RUSAGE_SELF)
print(code, after.ru_nvcsw - before.ru_nvcsw)
"""


def test_an_idle_wait_wakes_up_no_more_often_than_its_beat(crew: Crew) -> None:
    """Counted by the kernel, for the processor time of a few wake-ups is no measure on a busy machine."""
    project = str(Path(__file__).parents[2])
    woken: list[int] = []
    for seconds in ("1", "6"):
        done = subprocess.run(
            [sys.executable, "-c", IDLE, project, str(crew.folder), seconds],
            capture_output=True,
            text=True,
            check=True,
        )
        code, times = done.stdout.split()
        assert code == "8"
        woken.append(int(times))
    assert woken[1] - woken[0] < 1.5 * 5 / LOOK


def test_an_idle_wait_asks_the_database_nothing(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    lines = Log.lines

    def counted(log: Log, after: int, limit: int = 1_000) -> Sequence[Any]:
        asked.append(after)
        return lines(log, after, limit)

    monkeypatch.setattr(Log, "lines", counted)
    time.sleep(0.3)
    assert crewlog(str(crew.folder), "wait", "--event", "task.spawned", "--timeout", "1.5")[0] == 8
    assert len(asked) <= 6, "a look at the files is no query"
