"""A crew whose log is on a server: several folders, as on several machines, each a replica."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.refusals import Refusal
from tests.cli.conftest import Crew, Result, why
from tests.cli.test_answers import problems
from tests.packaging.shell import inherited
from tests.support.postgres import PASSWORD, Server
from tests.support.stores import broken_links, everything

SECONDS = "50"  # who is not told of what happens would sleep longer than that


@pytest.fixture
def url(postgres_server: Server) -> str:
    """A schema that nobody has used."""
    return f"{postgres_server.url()}?schema=crew_{os.urandom(5).hex()}"


@pytest.fixture
def crew(tmp_path: Path, url: str) -> Crew:
    """The first machine of a crew."""
    return machine(tmp_path / "one", url)


@pytest.fixture
def other(tmp_path: Path, crew: Crew, url: str) -> Crew:
    """Another machine of the same crew."""
    return machine(tmp_path / "two", url)


def machine(folder: Path, url: str) -> Crew:
    """A folder whose log is on the server."""
    folder.mkdir()
    made = Crew(folder)
    made.do(f"init --store '{url}' --as zoe")
    return made


def live(crew: Crew) -> list[str]:
    """The lines of live.jsonl, fed."""
    crew.do("export")
    return (crew.folder / ".crewlog/live.jsonl").read_text().splitlines()


def replica(crew: Crew) -> str:
    """The name of the folder's chain."""
    return (crew.folder / ".crewlog/replica").read_text().strip()


class Background:
    """A command that goes on while others are given."""

    def __init__(self, crew: Crew, line: str) -> None:
        self.result: Result | None = None
        self._thread = threading.Thread(target=self._run, args=(crew, line))
        self._thread.start()

    def _run(self, crew: Crew, line: str) -> None:
        self.result = crew.run(*crew.words(line))

    def end(self) -> Result:
        """What it came to."""
        self._thread.join(60)
        assert self.result is not None
        return self.result


def until(happened: Callable[[], Any]) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def listening(server: Server) -> int:
    """How many connections of crewlog sleep: nobody but who waits keeps one that long."""
    statement = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'crewlog%' AND state = 'idle'"
        " AND clock_timestamp() - state_change > interval '0.5 s'"
    )
    return len(server.run(statement))


def end_all(server: Server) -> None:
    """End every connection, as a restart of the server does."""
    server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'crewlog%'"
    )


# --- init ------------------------------------------------------------------------------------------------------------


def test_the_folder_has_everything_but_the_log_and_never_a_password(crew: Crew, url: str) -> None:
    folder = crew.folder / ".crewlog"
    assert not (folder / "crewlog.db").exists()
    assert (folder / "store.url").read_text() == url + "\n"
    assert (folder / "store.url").stat().st_mode & 0o777 == 0o600

    where = crew.do("where")
    assert (where["store"], where["server"], where["events"]) == (str(folder), url, 1)


def test_init_again_changes_nothing_and_says_how_much_is_there(crew: Crew, url: str) -> None:
    for line in ("init", f"init --store '{url}'"):
        assert crew.do(line)["created"] is False
        assert "has 1 events" in crew.run(*crew.words(line)).out
    assert crew.do("where")["events"] == 1


def test_init_may_take_the_address_from_the_environment(tmp_path: Path, url: str) -> None:
    crew = Crew(tmp_path, {"CREWLOG_STORE": url})
    assert crew.do("init --as zoe")["server"] == url

    assert crew.spawn()
    assert crew.do("where")["why"].startswith("CREWLOG_STORE, and ")


@pytest.mark.parametrize("line", ["init", "init --store {url}x", "init . --store {url}x"])
def test_a_folder_keeps_the_log_that_it_has(crew: Crew, url: str, line: str, tmp_path: Path) -> None:
    embedded = Crew(tmp_path)
    embedded.do("init --as zoe")
    if "--store" not in line:
        assert crew.do(line)["server"] == url
        return
    for somewhere in (crew, embedded):
        refused = somewhere.refused(line.format(url=url))
        assert why(refused) == ("bad-value", 2)
        assert refused["hint"].startswith("To take it there: crewlog move --to ")


def test_a_failed_init_leaves_no_store(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    refused = crew.refused("init --store postgresql://zoe@127.0.0.1:1/nowhere --as zoe")

    assert why(refused) == ("unreachable", 6)
    assert refused["retryable"] is True
    assert why(crew.refused("list")) == ("no-store", 6)


def test_a_password_comes_from_the_environment_and_is_never_printed(
    tmp_path: Path, postgres_server: Server, url: str
) -> None:
    name = f"zoe_{os.urandom(4).hex()}"
    postgres_server.run(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    postgres_server.run(f"GRANT CREATE ON DATABASE postgres TO {name}")
    mine = url.replace("postgres@", f"{name}@")
    crew = Crew(tmp_path, {"PGPASSFILE": "/nonexistent"})
    assert why(crew.refused(f"init --store '{mine}'")) == ("no-access", 6)

    crew.environ["PGPASSWORD"] = PASSWORD
    crew.do(f"init --store '{mine}' --as zoe")
    crew.spawn()
    said = [crew.run(*crew.words(line)) for line in ("where", "list --json", "whoami --as zoe", "log")]
    assert PASSWORD not in str(said)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(PASSWORD.encode() in content for content in files)


# --- several machines ------------------------------------------------------------------------------------------------


def test_machines_are_replicas_with_chains_of_their_own_in_one_log(crew: Crew, other: Crew) -> None:
    task = crew.spawn()
    claim = other.start(task)
    other.do(f"done {task} --as ada --claim {claim}")
    crew.do(f"approve {task} --as zoe")

    assert crew.events(task) == other.events(task)
    assert crew.state(task) == other.state(task) == "COMPLETED"
    assert replica(crew) != replica(other)
    assert live(crew) == live(other)
    assert crew.do("rebuild")["hash_after"] == other.do("rebuild")["hash_after"]


def test_a_task_has_one_holder_across_machines(crew: Crew, other: Crew) -> None:
    task = crew.spawn()
    crew.start(task)

    assert why(other.refused(f"start {task} --as ada")) == ("held", 5)
    assert why(other.refused("start --as bob")) == ("nothing-yet", 8)


def test_a_large_text_is_read_whole_on_every_machine(crew: Crew, other: Crew) -> None:
    text = "größer " * 2_000
    crew.do(f"send zoe '{text}' --as ada --allow-unknown")

    [message] = other.do("inbox --as zoe --full")["messages"]
    assert message["text"] == text


def test_a_key_is_known_on_every_machine(crew: Crew, other: Crew) -> None:
    first = crew.do("spawn 'Greet by name' --as zoe --key k-1")
    again = other.do("spawn 'Greet by name' --as zoe --key k-1")

    assert again["task"] == first["task"]
    assert again["replayed"] is True


def test_who_beats_on_one_machine_is_alive_on_the_other_and_who_stopped_is_reaped_there(
    crew: Crew, other: Crew
) -> None:
    for somewhere in (crew, other):
        (somewhere.folder / ".crewlog/config.toml").write_text('[liveness]\ninterval = "0.5s"\n')
    task = crew.spawn()
    claim = crew.start(task)
    crew.do("heartbeat --as ada", environ={"CREWLOG_TASK": task, "CREWLOG_CLAIM": claim})

    [ada] = [agent for agent in other.do("agents")["agents"] if agent["name"] == "ada"]
    assert (ada["verdict"], ada["tasks"][0]["id"]) in {("alive", task), ("suspect", task), ("lost", task)}
    until(lambda: other.do("reap --as zoe")["expired"])
    assert crew.state(task) == "ASSIGNED"
    assert why(crew.refused(f"done {task} --as ada --claim {claim}")) == ("stale-claim", 5)


# --- waiting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "happens", "got"),
    [
        (
            f"wait --message --as zoe --timeout {SECONDS} --json",
            "send zoe hello --as ada --allow-unknown",
            "message",
        ),
        (f"wait --event task.spawned --timeout {SECONDS} --json", "spawn hello --as zoe", "event"),
        (f"wait --ready --as ada --timeout {SECONDS} --json", "spawn hello --as zoe", "ready"),
        (f"start --wait {SECONDS} --as ada --json", "spawn hello --as zoe", ""),
    ],
)
def test_who_waits_is_woken_by_what_happens_on_another_machine(
    crew: Crew, other: Crew, postgres_server: Server, line: str, happens: str, got: str
) -> None:
    waiting = Background(crew, line)
    until(lambda: listening(postgres_server))
    other.do(happens)

    result = waiting.end()
    assert result.code == 0, result
    assert not got or result.json["got"]["kind"] == got
    assert listening(postgres_server) == 0


def test_a_question_that_is_answered_on_another_machine_is_answered(
    crew: Crew, other: Crew, postgres_server: Server
) -> None:
    waiting = Background(crew, f"ask zoe 'which port?' --wait {SECONDS} --as ada --json")
    until(lambda: listening(postgres_server))
    [question] = other.do("inbox --as zoe")["messages"]
    other.do(f"answer {question['id']} 8080 --as zoe")

    assert waiting.end().json["answer"]["text"] == "8080"


def test_who_waits_connects_again_when_the_server_was_restarted(
    crew: Crew, other: Crew, postgres_server: Server
) -> None:
    waiting = Background(crew, f"wait --message --as zoe --timeout {SECONDS} --json")
    until(lambda: listening(postgres_server))
    end_all(postgres_server)
    until(lambda: listening(postgres_server))
    other.do("send zoe hello --as ada --allow-unknown")

    assert waiting.end().json["got"]["text"] == "hello"


def test_a_tail_goes_on_over_a_restart_and_drops_and_repeats_nothing(
    crew: Crew, other: Crew, postgres_server: Server
) -> None:
    script = Path(sys.executable).with_name("crewlog")
    with subprocess.Popen(
        [script, "tail", "-f", "-n", "0", "--json"],
        cwd=crew.folder,
        env={**inherited(), **crew.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        until(lambda: listening(postgres_server))
        first = other.spawn("before")
        seen = [orjson.loads(tail.stdout.readline())["stream"]]
        end_all(postgres_server)
        second = other.spawn("while it is away")
        until(lambda: listening(postgres_server))
        third = other.spawn("after")
        seen += [orjson.loads(tail.stdout.readline())["stream"] for _ in range(2)]
        tail.send_signal(signal.SIGINT)
        rest, _ = tail.communicate(timeout=float(SECONDS))

    assert seen == [f"task/{task}" for task in (first, second, third)]
    assert (rest, tail.returncode) == ("", 130)


# --- move ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def embedded(tmp_path: Path) -> Crew:
    """A crew with an embedded store and some history: events, pulses, large texts, keys."""
    folder = tmp_path / "embedded"
    folder.mkdir()
    crew = Crew(folder)
    crew.do("init --as zoe")
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe")
    crew.spawn("with a key", "--key k-1")
    crew.do(f"send zoe '{'x' * 9_000}' --as ada")
    for _ in range(3):
        crew.do("heartbeat --as ada")
    return crew


def facts(crew: Crew) -> list[Any]:
    """What must be the same wherever the log is."""
    return [
        (crew.folder / ".crewlog/live.jsonl").read_bytes(),
        crew.run("log", "--json", "--limit", "1000").out,
        crew.do("list"),
        [message["text"] for message in crew.do("inbox --as zoe --full")["messages"]],
        crew.do("rebuild")["hash_after"],
    ]


def test_a_log_is_moved_to_a_server_and_back_event_for_event(embedded: Crew, url: str) -> None:
    before = facts(embedded)
    moved = embedded.do(f"move --to '{url}'")
    assert (moved["to"], moved["pulses"]) == (url, 3)
    assert not problems(moved, embedded.do("schema")["$defs"]["move"])
    assert embedded.do("where")["server"] == url
    assert facts(embedded) == before

    embedded.spawn("with a key", "--key k-1")  # nothing new: the key came along
    assert facts(embedded) == before
    task = embedded.spawn("on the server")
    middle = facts(embedded)

    back = embedded.do("move --to .")
    assert back["events"] == moved["events"] + 1
    assert embedded.do("where")["server"] is None
    assert facts(embedded) == middle
    embedded.start(task)
    assert embedded.state(task) == "WORKING"


def test_whoever_still_has_the_old_place_is_told_where_the_log_is(embedded: Crew, url: str) -> None:
    task = embedded.spawn()
    embedded.do(f"move --to '{url}'")
    (embedded.folder / ".crewlog/store.url").unlink()  # as if the move had been killed right before

    for line in ("list", f"note {task} hm --as ada", "heartbeat --as ada", "tail"):
        refused = embedded.refused(line)
        assert why(refused) == ("moved", 6), line
        assert refused["hint"] == f"crewlog move --to '{url}'"
    embedded.do(f"move --to '{url}'")
    embedded.do(f"note {task} hm --as ada")


def test_other_machines_follow_a_log_that_was_moved_on(crew: Crew, other: Crew, url: str) -> None:
    task = crew.spawn()
    there = f"{url}_2"
    crew.do(f"move --to '{there}'")

    refused = other.refused(f"note {task} hm --as ada")
    assert why(refused) == ("moved", 6)
    other.do(refused["hint"].removeprefix("crewlog "))
    other.do(f"note {task} hm --as ada")
    assert crew.events(task) == ["task.spawned", "task.noted"]
    assert replica(crew) != replica(other)


def test_who_had_the_store_open_cannot_write_to_the_old_place(embedded: Crew, url: str) -> None:
    from tests.support.stores import SqliteStore, new_stream

    log = SqliteStore(str(embedded.folder / ".crewlog")).open("r-late", keep_open=True)
    new_stream(log)
    embedded.do(f"move --to '{url}'")

    for write in (lambda: new_stream(log), lambda: log.pulse("ada", {})):
        with pytest.raises(Refusal) as caught:
            write()
        assert caught.value.code == "moved"
    log.close()


def test_a_place_that_holds_another_log_is_refused_and_nothing_is_closed(
    embedded: Crew, crew: Crew, url: str
) -> None:
    refused = embedded.refused(f"move --to '{url}'")

    assert why(refused) == ("corrupt", 7)
    assert embedded.do("where")["server"] is None
    embedded.spawn()
    crew.spawn()


@pytest.mark.parametrize("to", [".", "{url}"])
def test_moving_to_where_the_log_is_already_is_refused(embedded: Crew, url: str, to: str) -> None:
    if to != ".":
        embedded.do(f"move --to '{url}'")

    assert why(embedded.refused(f"move --to '{to.format(url=url)}'")) == ("bad-value", 2)


def test_a_move_that_finds_a_damaged_event_changes_nothing(embedded: Crew, url: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(embedded.folder / ".crewlog/crewlog.db", isolation_level=None)) as log:
        log.execute("DROP TRIGGER stored_events_no_update")
        log.execute("UPDATE stored_events SET state = replace(state, 'Greet', 'Grxet') WHERE rowid = 2")

    assert why(embedded.refused(f"move --to '{url}'")) == ("corrupt", 7)
    assert embedded.do("where")["server"] is None
    assert embedded.do("list")["tasks"]


def test_the_chains_are_whole_after_a_move(embedded: Crew, url: str) -> None:
    from domain.log import Log
    from domain.stores import postgres
    from domain.stores.address import parse

    embedded.do(f"move --to '{url}'")
    embedded.spawn()
    log = Log({}, postgres.environment(parse(url, "the test"), {}, read_only=True), "r-reader")
    stored = everything(log.read)
    assert broken_links(row.event for row in stored) == []
    assert [row.position for row in stored] == list(range(1, len(stored) + 1))
    log.close()


def test_a_log_on_a_server_is_looked_through_with_its_keys(crew: Crew, other: Crew) -> None:
    other.do("spawn two --key twice --as zoe")
    crew.do("spawn one --key once --as zoe")

    assert crew.do("verify")["findings"] == []
