"""Stores that cannot be used: each a typed refusal that names the path, and nothing half-written."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from projections import tasks
from projections.views import Views
from tests.cli.conftest import Crew, Result, why
from tests.packaging.shell import inherited

PROJECT = Path(__file__).resolve().parents[2]
needs_capabilities = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root writes everywhere, and has no setpriv"
)


# One process for many commands: each with streams of its own, as `Crew.run` has it.
DRIVER = """
import io, json, sys
from cli.app import run
from cli.shell import Shell
def one(words, stdin):
    out, err = io.StringIO(), io.StringIO()
    return run(words, Shell(io.StringIO(stdin), out, err, {}, ".")), out.getvalue(), err.getvalue()
lines, stdin = json.load(sys.stdin)
print(json.dumps([one(words, stdin) for words in lines]))
"""


def outside(crew: Crew, *lines: str, stdin: str = "", limit: int | None = None) -> list[Result]:
    """Run lines in a process without root's right to write everywhere; `limit`: no file grows beyond it."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []

    def prepare() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [*drop, sys.executable, "-c", DRIVER],
        cwd=crew.folder,
        env={**inherited(), "PYTHONPATH": str(PROJECT)},
        input=orjson.dumps([[crew.words(line) for line in lines], stdin]),
        capture_output=True,
        check=False,
        preexec_fn=prepare,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [Result(*found) for found in orjson.loads(done.stdout)]


@needs_capabilities
def test_a_read_only_store_can_be_read_and_says_what_cannot_be_written(crew: Crew) -> None:
    task = crew.spawn()
    store = crew.folder / ".crewlog"
    for path in store.iterdir():
        path.chmod(0o400)
    store.chmod(0o500)
    try:
        reads = ("list", f"show {task}", "ready", "log", "tail", "whoami", "agents", "where --json")
        results = outside(crew, *reads)
        assert [result.code for result in results] == [0] * len(reads), results
        assert results[-1].json["writable"] is False
        [verified] = outside(crew, "verify --json")
        assert [finding["code"] for finding in verified.json["findings"]] == ["views-unchecked"]
        writes = ("spawn x --as zoe", f"start {task} --as ada", "start --as ada", "heartbeat --as ada")
        for result in outside(crew, *(f"{line} --json" for line in writes)):
            assert (result.code, result.error["code"]) == (6, "unwritable"), result
            assert result.error["details"]["path"].startswith(str(store))
            assert "sandbox" in result.error["hint"]
            assert result.err == ""
    finally:
        store.chmod(0o700)


@needs_capabilities
def test_a_store_that_may_not_be_entered_is_not_called_missing(crew: Crew) -> None:
    store = crew.folder / ".crewlog"
    store.chmod(0)
    try:
        [result] = outside(crew, "list --json")
        assert (result.code, result.error["code"]) == (6, "unwritable")
        assert result.error["details"]["path"] == str(store)
    finally:
        store.chmod(0o700)


@needs_capabilities
def test_init_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    tmp_path.chmod(0o500)
    try:
        [result] = outside(crew, "init --json")
        assert (result.code, result.error["code"]) == (6, "unwritable")
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


def test_a_newer_store_is_neither_read_nor_written(crew: Crew) -> None:
    task = crew.spawn()
    with closing(sqlite3.connect(crew.folder / ".crewlog/crewlog.db")) as database:
        database.execute("PRAGMA user_version = 99")
        before = database.execute("SELECT count(*) FROM stored_events").fetchone()

    reads = ("list", "log", "tail -f", "where", "init")
    for line in (
        *reads,
        "spawn x --as zoe",
        f"start {task} --as ada",
        "start --as ada",
        "heartbeat --as ada",
    ):
        refused = crew.refused(line)
        assert why(refused) == ("newer-store", 6), line
        assert "Upgrade crewlog" in refused["hint"]

    with closing(sqlite3.connect(crew.folder / ".crewlog/crewlog.db")) as database:
        assert database.execute("SELECT count(*) FROM stored_events").fetchone() == before


def test_a_damaged_store_is_corrupt(crew: Crew) -> None:
    store = crew.folder / ".crewlog"
    for path in store.glob("crewlog.db-*"):
        path.unlink()
    (store / "crewlog.db").write_bytes(b"no database, just twenty thousand bytes " * 500)

    for line in ("list", "spawn x --as zoe", "init"):
        refused = crew.refused(line)
        assert why(refused) == ("corrupt", 7), line
        assert "restore" in refused["hint"]


def _change_views(crew: Crew, statement: str) -> None:
    with closing(sqlite3.connect(crew.folder / ".crewlog/views.db")) as views, views:
        views.execute(statement)


_NO_JSON = "UPDATE tasks SET data = CAST('{' AS BLOB)"


@pytest.mark.parametrize("line", ["show greet", "audit", "reap --as zoe"])
def test_a_command_that_stumbles_over_damaged_views_mends_them_and_says_so(crew: Crew, line: str) -> None:
    crew.do("spawn Greet --slug greet --as zoe")
    crew.do("start greet --as ada")
    crew.do("list")
    _change_views(crew, _NO_JSON)
    refused = crew.refused(line)
    assert (why(refused), refused["retryable"]) == (("views-mended", 6), True)
    crew.do(line)
    assert crew.do("verify")["ok"]


def test_a_write_goes_on_where_the_views_are_damaged_and_mends_them(crew: Crew) -> None:
    crew.do("spawn Greet --slug greet --as zoe")
    crew.do("list")
    _change_views(crew, _NO_JSON)
    noted = crew.run("note", "greet", "straw", "--as", "ada")
    assert (noted.code, "has to wait" in noted.err) == (0, True)
    assert crew.do("show greet")["task"]["notes"] == 1
    assert crew.do("verify")["ok"]


def test_a_fault_of_ours_in_a_query_is_told_as_one(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    crew.do("spawn Greet --slug greet --as zoe")

    def faulty(_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(tasks, "claim_of", faulty)
    for _ in range(2):
        refused = crew.refused("show greet")
        assert why(refused) == ("internal", 1)
        assert "no such thing" in refused["message"]


def test_ctrl_c_while_views_are_mended_is_told_like_any_other(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew.do("spawn Greet --slug greet --as zoe")
    crew.do("list")
    _change_views(crew, _NO_JSON)

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Views, "mend", interrupted)
    assert why(crew.refused("show greet")) == ("interrupted", 130)


def test_a_store_that_another_process_holds_is_locked_and_names_it(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text('[store]\nwait = "0.05s"\n')
    with (crew.folder / ".crewlog/queue.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid():<10}\n")
        lock.flush()

        refused = crew.refused("spawn x --as zoe")
        read = crew.run("list")

    assert why(refused) == ("locked", 6)
    assert refused["retryable"]
    assert refused["details"]["pid"] == os.getpid()
    assert f"`ps -p {os.getpid()}`" in refused["hint"]
    assert read.code == 0
    assert crew.do("spawn x --as zoe")["state"] == "ASSIGNED"


def test_a_full_disk_refuses_the_write_whole_and_the_next_one_goes_on(crew: Crew) -> None:
    crew.spawn("before")
    size = max(path.stat().st_size for path in (crew.folder / ".crewlog").iterdir())

    [result] = outside(crew, "spawn x --body - --as zoe --json", stdin="b" * 200_000, limit=size)

    assert result.code == 6, result
    assert result.error["code"] in ("disk-full", "unwritable")
    assert str(crew.folder / ".crewlog") in result.error["message"]
    assert [row["title"] for row in crew.do("list")["tasks"]] == ["before"]
    crew.spawn("after")
    log = crew.run("log", "--json").out
    assert (crew.folder / ".crewlog/live.jsonl").read_text() == log
    assert [orjson.loads(line)["seq"] for line in log.splitlines()] == [1, 2, 3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_small_disk_that_is_full_is_said_to_be_full(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        crew = Crew(tmp_path)
        crew.do("init --as zoe")
        (tmp_path / "filler").write_bytes(b"x" * 40_000)

        refused = crew.refused("spawn x --body - --as zoe", stdin="b" * 300_000)

        assert why(refused) == ("disk-full", 6)
        assert refused["retryable"]
        assert "Free some space" in refused["hint"]
        (tmp_path / "filler").unlink()
        crew.spawn("after")
        assert [row["title"] for row in crew.do("list")["tasks"]] == ["after"]
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # a whole path may be longer than a socket's name can be


ODD: dict[str, Callable[[Path], None]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("line", ["list", "spawn more --as zoe", "export"])
def test_settings_that_are_no_regular_file_are_named_and_nothing_waits_for_them(
    odd: str, line: str, crew: Crew
) -> None:
    path = crew.folder / ".crewlog/config.toml"
    path.unlink()
    ODD[odd](path)

    refused = crew.refused(line)

    assert why(refused) == ("unsafe-store", 6)
    assert str(path) in refused["message"]
