"""`serve`: commands answered by a resident process are the same commands; whatever happens to it, they go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.warm import control, requests, wire
from tests.cli.conftest import Crew
from tests.packaging.shell import inherited

CREWLOG = Path(sys.executable).with_name("crewlog")
PATIENCE = 20.0

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/ns").exists(), reason="a server needs Linux's /proc"),
    pytest.mark.xdist_group("warm"),
]


def crewlog(folder: Path, line: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a user would, through the installed script."""
    return subprocess.run(
        [str(CREWLOG), *Crew.words(line)],
        cwd=folder,
        env={**inherited(), **environ},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def begin(folder: Path, line: str, **more: Any) -> subprocess.Popen[str]:
    """The same, in the background."""
    return subprocess.Popen(
        [str(CREWLOG), *Crew.words(line)],
        cwd=folder,
        env=inherited(),
        stdin=more.pop("stdin", subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def about(crew: Crew) -> control.About:
    """What the server says of itself; it must be there."""
    found = control.about(str(crew.folder / ".crewlog"))
    assert found is not None
    return found


def wait_for(true: Any) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """True if the process has ended; one that nobody waits for has, too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def nobody_reads(sink: int) -> bool:
    """True if the other end of the pipe is closed."""
    try:
        os.write(sink, b"\n")
    except BrokenPipeError:
        return True
    return False


def workers(server: int) -> list[int]:
    """The server's children."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == server and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.fixture
def served(crew: Crew) -> Generator[Crew]:
    """A crew whose store has a server."""
    done = crewlog(crew.folder, "serve --background --idle 5m --json")
    assert done.returncode == 0, done
    yield crew
    control.stop(str(crew.folder / ".crewlog"))


def test_a_served_command_answers_as_any_other(served: Crew) -> None:
    before = about(served)["served"]

    spawned = crewlog(served.folder, "spawn 'Grüße' --as zoe --json")
    listed = crewlog(served.folder, "list --json")
    cold = crewlog(served.folder, "list --json", CREWLOG_SERVE="0")

    assert (spawned.returncode, spawned.stderr) == (0, "")
    assert [row["title"] for row in orjson.loads(listed.stdout)["tasks"]] == ["Grüße"]
    assert listed.stdout == cold.stdout
    assert about(served)["served"] == before + 2


def test_exit_codes_and_streams_stay_apart(served: Crew) -> None:
    done = crewlog(served.folder, "show t-nothing9")

    assert (done.returncode, done.stdout) == (3, "")
    assert "[not-found]" in done.stderr


def test_a_text_comes_through_standard_input(served: Crew) -> None:
    task = served.spawn()

    crewlog(served.folder, f"note {task} - --as ada", stdin="a\nlong\nnote\n")

    assert served.do(f"show {task}")["events"][-1]["payload"]["text"].strip() == "a\nlong\nnote"


def test_each_client_keeps_its_directory_environment_and_session(served: Crew) -> None:
    inside = served.folder / "deep" / "er"
    inside.mkdir(parents=True)
    (inside / "said.txt").write_text("from a file")

    crewlog(inside, "send zoe --file said.txt", CREWLOG_AGENT="ada", CREWLOG_SESSION="s-1")
    crewlog(inside, "send zoe again", CREWLOG_AGENT="bob", CREWLOG_SESSION="s-2")

    lines = [orjson.loads(line) for line in crewlog(inside, "log --json").stdout.splitlines()]
    said = [(e["from"], e["session"], e["payload"]["text"]) for e in lines if e["type"] == "mail.sent"]
    assert said == [("ada", "s-1", "from a file"), ("bob", "s-2", "again")]


def test_the_session_is_the_clients_not_the_servers(served: Crew) -> None:
    crewlog(served.folder, "join ada --as ada")
    crewlog(served.folder, "join bob --as bob", CREWLOG_SERVE="0")

    pids = {row["name"]: row["pid"] for row in served.do("agents")["agents"]}

    assert pids["ada"] == pids["bob"] == os.getpid()


def test_a_tail_follows_through_the_server_and_ends_with_its_client(served: Crew) -> None:
    before_it = about(served)["served"]
    tail = begin(served.folder, "tail -f --json")
    assert tail.stdout is not None
    wait_for(lambda: about(served)["served"] > before_it)
    before = set(workers(about(served)["pid"]))

    first = [orjson.loads(tail.stdout.readline())["type"]]
    crewlog(served.folder, "spawn 'seen' --as zoe")
    while first[-1] != "task.spawned":
        first.append(orjson.loads(tail.stdout.readline())["type"])
    tail.kill()
    tail.communicate()

    assert first.count("task.spawned") == 1
    wait_for(lambda: len(before & set(workers(about(served)["pid"]))) < len(before))


def test_an_interrupt_reaches_the_command(served: Crew) -> None:
    before = about(served)["served"]
    waiting = begin(served.folder, "wait --message --timeout 50 --as ada")
    wait_for(lambda: about(served)["served"] > before)
    time.sleep(0.3)

    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=PATIENCE)

    assert waiting.returncode == 130


def test_a_killed_server_is_not_missed(served: Crew) -> None:
    os.kill(about(served)["pid"], signal.SIGKILL)

    done = crewlog(served.folder, "spawn 'after' --as zoe --json")
    again = crewlog(served.folder, "serve --background --json")

    assert done.returncode == 0
    assert again.returncode == 0, again.stderr
    assert about(served)["version"] == orjson.loads(again.stdout)["version"]


def test_a_stale_socket_is_passed_by(crew: Crew) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(crew.folder / ".crewlog" / "serve.sock"))

    assert crewlog(crew.folder, "spawn 'x' --as zoe").returncode == 0
    assert crewlog(crew.folder, "serve status --json").returncode == 3


def test_a_mute_server_is_passed_by(crew: Crew) -> None:
    """Somebody listens and never answers: after a moment the command runs by itself."""
    import socket

    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(crew.folder / ".crewlog" / "serve.sock"))
        mute.listen()

        done = crewlog(crew.folder, "spawn 'x' --as zoe --json")

    assert done.returncode == 0
    assert len(crew.do("list")["tasks"]) == 1


def test_a_worker_that_dies_after_the_commit_is_no_second_write(crew: Crew) -> None:
    """The other side here is real but for its end: it runs the command with the client's key, and says nothing."""
    import socket

    def run_and_die() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(wire.HELLO)
            request = requests.receive(connection)
            wanted = requests.errand(request)
            for descriptor in request.descriptors:
                os.close(descriptor)
            connection.sendall(wire.BEGUN)
            environ = {"CREWLOG_AGENT": "zoe"}
            shell_key["key"] = wanted.key
            crew.run_with(*wanted.words, environ=environ, retry_key=wanted.key)

    shell_key: dict[str, str] = {}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(crew.folder / ".crewlog" / "serve.sock"))
        listener.listen()
        other = threading.Thread(target=run_and_die)
        other.start()
        done = crewlog(crew.folder, "spawn 'once' --as zoe --json")
        other.join()

    assert done.returncode == 0, done
    assert [row["title"] for row in crew.do("list")["tasks"]] == ["once"]
    assert orjson.loads(done.stdout)["task"] == crew.do("list")["tasks"][0]["id"]
    assert shell_key["key"]


def test_workers_killed_at_random_lose_and_double_nothing(served: Crew) -> None:
    over = threading.Event()

    def kill() -> None:
        while not over.is_set():
            for pid in workers(about(served)["pid"])[:1]:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.15)

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(4) as pool:
        lines = [f"spawn 'task {number}' --as zoe --json" for number in range(40)]
        done = list(pool.map(partial(crewlog, served.folder), lines))
    over.set()
    killer.join()

    assert [one.returncode for one in done] == [0] * 40, [one.stderr for one in done if one.returncode]
    titles = [row["title"] for row in served.do("list --limit 100")["tasks"]]
    assert sorted(titles) == sorted(f"task {number}" for number in range(40))


def test_32_callers_at_once_are_all_answered(served: Crew) -> None:
    with ThreadPoolExecutor(32) as pool:
        lines = [f"spawn 'task {number}' --as a{number} --json" for number in range(64)]
        done = list(pool.map(partial(crewlog, served.folder), lines))

    assert {one.returncode for one in done} == {0}
    assert len({orjson.loads(one.stdout)["task"] for one in done}) == 64


def test_a_client_killed_in_the_middle_takes_its_command_along(served: Crew) -> None:
    before = about(served)["served"]
    source, sink = os.pipe()
    waiting = begin(served.folder, "spawn --from - --as zoe", stdin=source)
    os.close(source)
    wait_for(lambda: about(served)["served"] > before)

    waiting.kill()
    waiting.communicate()

    wait_for(lambda: nobody_reads(sink))
    os.close(sink)
    assert served.do("list")["tasks"] == []


def test_another_version_runs_its_own_commands(served: Crew, tmp_path: Path) -> None:
    root = Path(control.root())
    other = tmp_path / "other"
    for folder in ("cli", "domain", "export", "projections"):
        shutil.copytree(root / folder, other / folder, ignore=shutil.ignore_patterns("__pycache__"))
    version = other / "cli" / "version.py"
    version.write_text('"""The version."""\n\n__version__ = "9.9.9"\n')
    before = about(served)["served"]

    done = subprocess.run(
        [sys.executable, str(other / "cli" / "launcher.py"), "spawn", "by the other", "--as", "zoe"],
        cwd=served.folder,
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert about(served)["version"] != "9.9.9"
    assert about(served)["served"] == before  # it declined
    assert len(served.do("list")["tasks"]) == 1


def test_a_server_whose_program_changed_ends(crew: Crew, tmp_path: Path) -> None:
    root = Path(control.root())
    tree = tmp_path / "tree"
    for folder in ("cli", "domain", "export", "projections"):
        shutil.copytree(root / folder, tree / folder)
    line = [sys.executable, str(tree / "cli" / "launcher.py")]
    subprocess.run([*line, "serve", "--background"], cwd=crew.folder, env=inherited(), check=True)
    pid = about(crew)["pid"]
    time.sleep(1.1)  # it looks once a second

    os.utime(tree / "cli" / "version.py")
    done = subprocess.run([*line, "list"], cwd=crew.folder, env=inherited(), check=False, capture_output=True)

    assert done.returncode == 0, done.stderr
    wait_for(lambda: is_gone(pid))


def test_another_store_behind_the_path_is_not_answered_for(served: Crew) -> None:
    store = served.folder / ".crewlog"
    pid = about(served)["pid"]
    served.spawn("in the old one")
    store.rename(served.folder / "moved")
    served.do("init --as zoe")
    (served.folder / "moved" / "serve.sock").rename(store / "serve.sock")

    done = crewlog(served.folder, "list --json")

    assert orjson.loads(done.stdout)["tasks"] == []
    wait_for(lambda: is_gone(pid))


def test_a_sandboxed_client_runs_its_own_commands(served: Crew) -> None:
    """Else the server would do outside what the client must not do inside."""
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv on this machine")
    before = about(served)["served"]

    done = subprocess.run(
        ["setpriv", "--no-new-privs", str(CREWLOG), "spawn", "inside", "--as", "zoe"],
        cwd=served.folder,
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    task = served.do("list")["tasks"][0]["id"]
    assert "." not in served.do(f"show {task}")["events"][0]["key"]  # the mark of a forwarded write
    assert about(served)["served"] == before  # it declined


def test_only_its_owner_can_reach_it(served: Crew) -> None:
    mode = (served.folder / ".crewlog" / "serve.sock").stat().st_mode
    assert mode & 0o777 == 0o600


def test_there_is_one_server(served: Crew) -> None:
    done = crewlog(served.folder, "serve --json")

    assert (done.returncode, orjson.loads(done.stdout)["error"]["code"]) == (5, "held")


def test_it_ends_when_idle(crew: Crew) -> None:
    crewlog(crew.folder, "serve --background --idle 1s")
    pid = about(crew)["pid"]

    wait_for(lambda: is_gone(pid))

    assert not (crew.folder / ".crewlog" / "serve.sock").exists()


def test_it_is_stopped_and_that_twice(served: Crew) -> None:
    pid = about(served)["pid"]

    first, second = (crewlog(served.folder, "serve stop --json") for _ in range(2))

    assert orjson.loads(first.stdout)["pid"] == pid
    assert (second.returncode, orjson.loads(second.stdout)["running"]) == (0, False)


def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    far = tmp_path.joinpath(*["a-long-name-of-a-folder" * 2] * 4)
    far.mkdir(parents=True)
    crew = Crew(far)
    crew.do("init --as zoe")
    crewlog(far, "serve --background")

    crewlog(far, "spawn 'x' --as zoe")

    assert about(crew)["served"] == 1
    control.stop(str(far / ".crewlog"))


def test_a_line_that_is_no_request_harms_nobody(served: Crew) -> None:
    import socket

    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", b"crewlog1\xff\xff\xff\xff", b"crewlog1\0\0\0\3run"):
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(served.folder / ".crewlog" / "serve.sock"))
            other.sendall(garbage)
            other.shutdown(socket.SHUT_WR)
            assert other.recv(10).startswith(wire.HELLO)

    assert crewlog(served.folder, "list").returncode == 0
