from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli import process
from cli.process import process_state, session_id, session_process
from domain.process import Process
from domain.refusals import Refusal

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self/ns"), reason="reads /proc, and there is none here"
)

# Prints the session process that a command would record, and the pids above it.
COMMAND = f"""
import json, os, sys
sys.path.insert(0, {str(PROJECT)!r})
from cli.process import session_process
found = session_process()
print(json.dumps([found and found.pid, os.getpid(), os.getppid()]))
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait(PATIENCE)


def until(state: str, known: Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while process_state(known) != state:
        assert time.monotonic() < deadline, process_state(known)
        time.sleep(0.01)


def recorded(pid: int) -> Process:
    found = session_process(pid)
    assert found is not None
    return found


def run(*arguments: str) -> list[int | None]:
    """What COMMAND printed, run by these arguments below this test."""
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=PATIENCE)
    answer: list[int | None] = json.loads(done.stdout)
    return answer


def script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def command(tmp_path: Path) -> str:
    return script(tmp_path / "command.py", COMMAND)


def test_a_running_process_is_there(sleeper: subprocess.Popen[bytes]) -> None:
    assert process_state(recorded(sleeper.pid)) == "there"


def test_a_stopped_process_is_stopped_until_it_goes_on(sleeper: subprocess.Popen[bytes]) -> None:
    known = recorded(sleeper.pid)

    sleeper.send_signal(signal.SIGSTOP)
    until("stopped", known)
    sleeper.send_signal(signal.SIGCONT)
    until("there", known)


def test_a_zombie_is_gone_and_so_is_what_was_buried(sleeper: subprocess.Popen[bytes]) -> None:
    known = recorded(sleeper.pid)

    sleeper.kill()
    until("gone", known)
    sleeper.wait(PATIENCE)

    assert process_state(known) == "gone"


def test_a_pid_that_another_process_has_now_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    assert process_state(replace(recorded(sleeper.pid), started="1")) == "gone"


@pytest.mark.parametrize("field", ["host", "boot", "namespace"])
def test_nothing_can_be_told_of_a_process_elsewhere(sleeper: subprocess.Popen[bytes], field: str) -> None:
    known = Process(**{**recorded(sleeper.pid).as_dict(), field: "another"})  # type: ignore[arg-type]

    assert process_state(known) == "elsewhere"


def test_a_name_with_spaces_and_parentheses_is_read_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add = fake(monkeypatch, tmp_path / "proc")
    add(7, "a) S 1 (b", 1)

    known = recorded(7)

    assert known.started == "700"
    assert process_state(known) == "there"


def test_a_program_may_bear_any_name(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    odd = str(tmp_path / "a) S 1 (b")
    shutil.copy("/bin/sleep", odd)
    child = subprocess.Popen([odd, "600"])
    try:
        assert process_state(recorded(child.pid)) == "there"
        assert int(recorded(child.pid).started) >= int(recorded(sleeper.pid).started) > 1
    finally:
        child.kill()
        child.wait(PATIENCE)


def test_the_process_that_the_user_names_is_recorded_with_all_that_is_known() -> None:
    found = recorded(os.getpid())

    assert found.pid == os.getpid()
    assert found.started.isdigit()
    assert found.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.namespace.startswith("pid:[")
    assert found.host == os.uname().nodename


@pytest.mark.parametrize("pid", [0, -1, 2**31 - 1, 2**40])
def test_a_process_that_is_not_running_cannot_be_named(pid: int) -> None:
    with pytest.raises(Refusal) as refused:
        session_process(pid)

    assert refused.value.code == "bad-value"


def test_without_a_shell_between_the_caller_is_the_session(command: str) -> None:
    session, _, parent = run(sys.executable, command)

    assert session == parent == os.getpid()


@pytest.mark.parametrize(
    "between",
    [
        ["sh", "-c", '"$@"; exit $?', "sh"],
        ["bash", "-c", '"$@"; exit $?', "bash"],
        ["timeout", "30"],
        ["sh", "-c", 'echo "$@" | xargs env', "sh"],
        ["bash", "-c", 'timeout 30 sh -c \'"$@"; exit $?\' sh "$@"; exit $?', "bash"],
    ],
    ids=["sh", "bash", "timeout", "xargs", "all"],
)
def test_shells_and_programs_that_wait_for_one_command_are_passed_over(
    between: list[str], command: str
) -> None:
    session, _, parent = run(*between, sys.executable, command)

    assert session == os.getpid() != parent


def test_a_shell_script_is_a_shell_whatever_its_name(tmp_path: Path, command: str) -> None:
    agent = script(tmp_path / "my-agent", "#!/bin/sh", f"{sys.executable} {command}", "exit $?")

    session, _, parent = run(agent)

    assert session == os.getpid() != parent


def test_a_make_target_is_no_session(tmp_path: Path, command: str) -> None:
    if not shutil.which("make"):
        pytest.skip("no make here")
    (tmp_path / "Makefile").write_text(f"all:\n\t@{sys.executable} {command}; exit $$?\n")

    session, _, parent = run("make", "-s", "-C", str(tmp_path))

    assert session == os.getpid() != parent


@pytest.mark.parametrize("first_line", [f"#!{sys.executable}", ""], ids=["as a script", "by an interpreter"])
def test_crewlog_itself_is_no_session(tmp_path: Path, command: str, first_line: str) -> None:
    """As below `crewlog run`, whose command runs crewlog again."""
    below = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, {command!r}]))"
    crewlog = script(tmp_path / "crewlog", first_line, below)

    session, _, parent = run(*([crewlog] if first_line else [sys.executable, "-X", "utf8", crewlog]))

    assert session == os.getpid() != parent


def test_an_agent_written_in_python_is_a_session(tmp_path: Path, command: str) -> None:
    below = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, {command!r}]))"
    agent = script(tmp_path / "agent.py", below)

    session, _, parent = run(sys.executable, agent, "crewlog")

    assert session == parent != os.getpid()


def test_the_session_of_another_process_can_be_asked_for(sleeper: subprocess.Popen[bytes]) -> None:
    found = session_process(command=sleeper.pid)

    assert found == session_process(os.getpid())


def test_the_age_of_a_session_is_known_where_it_was_found_and_not_where_it_was_named() -> None:
    found = session_process(command=os.getpid())
    named = session_process(os.getppid())

    assert found
    assert named
    assert found.age is not None
    assert 0 <= found.age <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert named.age is None


def test_an_orphan_does_not_belong_to_the_session_that_it_left(tmp_path: Path, command: str) -> None:
    out = tmp_path / "out"
    subprocess.run(
        ["sh", "-c", f"(sleep 0.3; {sys.executable} {command} > {out}.part; mv {out}.part {out}) &"],
        check=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not out.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    session, _, _ = json.loads(out.read_text())

    assert session != os.getpid()


def fake(monkeypatch: pytest.MonkeyPatch, proc: Path) -> Callable[[int, str, int], None]:
    """A /proc of our own, to which processes are added by pid, name and parent."""
    (proc / "self" / "ns").mkdir(parents=True)
    (proc / "self" / "ns" / "pid").symlink_to("pid:[1]")
    monkeypatch.setattr(process, "PROC", str(proc))

    def add(pid: int, name: str, parent: int) -> None:
        (proc / str(pid)).mkdir()
        (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {'0 ' * 17}{pid * 100} 0\n")

    return add


@pytest.mark.parametrize("reaper", ["systemd", "init", "tini", "dumb-init", "containerd-shim", "sleep"])
def test_below_a_reaper_of_orphans_no_session_is_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reaper: str
) -> None:
    add = fake(monkeypatch, tmp_path / "proc")
    add(1, reaper[:15], 0)
    add(7, "bash", 1)
    add(8, "crewlog", 7)

    assert session_process(command=8) is None


def test_an_agent_that_is_a_containers_first_process_is_a_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add = fake(monkeypatch, tmp_path / "proc")
    add(1, "claude", 0)
    add(8, "crewlog", 1)

    found = session_process(command=8)

    assert found is not None
    assert (found.pid, found.started) == (1, "100")


def test_a_command_that_came_into_a_container_from_outside_has_no_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add = fake(monkeypatch, tmp_path / "proc")
    add(7, "bash", 0)
    add(8, "crewlog", 7)

    assert session_process(command=8) is None


def test_a_name_that_the_kernel_cut_short_is_known_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add = fake(monkeypatch, tmp_path / "proc")
    add(1, "init", 0)
    add(5, "codex", 1)
    add(6, "codex-linux-sandbox"[:15], 5)
    add(7, "npm run start"[:15], 6)
    add(8, "crewlog", 7)

    found = session_process(command=8)

    assert found is not None
    assert found.pid == 5


def test_a_loop_of_parents_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add = fake(monkeypatch, tmp_path / "proc")
    add(7, "sh", 8)
    add(8, "sh", 7)

    assert session_process(command=8) is None


def test_without_proc_only_the_named_process_is_recorded_and_judged_by_its_pid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    monkeypatch.setattr(process, "PROC", str(tmp_path / "none"))

    known = recorded(sleeper.pid)
    assert known == Process(sleeper.pid, host=os.uname().nodename)
    assert process_state(known) == "there"
    assert session_process() is None
    assert session_id({}) == ""

    sleeper.kill()
    sleeper.wait(PATIENCE)
    assert process_state(known) == "gone"


def test_the_session_is_the_process_and_its_start() -> None:
    found = session_process()

    assert found is not None
    assert session_id({}) == f"{found.pid}.{found.started}"
    assert session_id({"CREWLOG_SESSION": ""}) == session_id({})


def test_crewlog_session_says_it_first() -> None:
    assert session_id({"CREWLOG_SESSION": "run-17"}) == "run-17"


@pytest.mark.parametrize("given", ["x" * 65, "tab\there", "escape\x1b[2J", "größe"])
def test_a_session_that_could_not_be_printed_is_refused(given: str) -> None:
    with pytest.raises(Refusal) as refused:
        session_id({"CREWLOG_SESSION": given})

    assert refused.value.code == "bad-value"
    assert "\x1b" not in refused.value.message
