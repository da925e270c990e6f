"""A log on a server: many machines at once, and the server killed in the middle."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from domain.log import Log
from domain.stores import postgres
from domain.stores.address import parse
from tests.support.commands import crewlog, mixed_commands
from tests.support.postgres import PostgresStore, Server, new_server, stop
from tests.support.processes import Child, together
from tests.support.stores import all_events, new_stream
from tests.support.wholeness import assert_whole
from tests.support.writers import write_through_crashes

pytestmark = pytest.mark.faults

SOAK = bool(os.environ.get("CREWLOG_SOAK"))
REPLICAS, PROCESSES, COMMANDS = 4, 8, 60 if SOAK else 5
CRASHES = 30 if SOAK else 3
WRITERS = 4


def machines(tmp_path: Path, url: str) -> list[str]:
    """Folders whose log is on the server, one a machine."""
    folders = [str(tmp_path / f"machine-{number}") for number in range(REPLICAS)]
    for folder in folders:
        os.mkdir(folder)
        code, answer = crewlog(folder, "init", "--store", url, "--as", "zoe")
        assert code == 0, answer
    return folders


def test_four_machines_with_eight_processes_each_lose_nothing_and_agree(
    tmp_path: Path, postgres_server: Server
) -> None:
    url = f"{postgres_server.url()}?schema=crew_{os.urandom(5).hex()}"
    folders = machines(tmp_path, url)
    calls = [
        (folder, f"w{place}-{number}", COMMANDS, place * 100 + number)
        for place, folder in enumerate(folders)
        for number in range(PROCESSES)
    ]
    done = [outcome for outcomes in together(mixed_commands, calls) for outcome in outcomes]

    assert len(done) == REPLICAS * PROCESSES * COMMANDS
    assert {code for code, _ in done} <= {0, 4, 5, 8}
    acknowledged = {event for _, ids in done for event in ids}
    assert len(acknowledged) > REPLICAS * PROCESSES
    reader = Log({}, postgres.environment(parse(url, "the test"), {}, read_only=True), "r-reader")
    assert_whole(reader, acknowledged)
    chains = {event.replica for event in all_events(reader)}
    reader.close()
    assert len(chains) == REPLICAS
    rebuilt = [crewlog(folder, "rebuild")[1] for folder in folders]
    assert all(answer["same"] for answer in rebuilt)
    assert len({answer["hash_after"] for answer in rebuilt}) == 1
    assert len({live(folder) for folder in folders}) == 1
    assert [crewlog(folder, "verify")[0] for folder in folders] == [0] * REPLICAS


def live(folder: str) -> bytes:
    """The machine's live.jsonl, fed."""
    assert crewlog(folder, "export")[0] == 0
    with open(os.path.join(folder, ".crewlog", "live.jsonl"), "rb") as file:
        return file.read()


def test_a_server_that_is_killed_in_the_middle_has_every_acknowledged_event() -> None:
    """Kill -9 of all its processes while four machines write, at a durability that would survive a power cut."""
    with new_server() as server:
        guard = server.start()
        store = PostgresStore(server, "crew").create()
        log = store.open()
        stream = new_stream(log)
        log.close()
        writers = [Child(write_through_crashes, store, stream, f"w{number}") for number in range(WRITERS)]
        acknowledged: list[tuple[str, str]] = []
        for _ in range(CRASHES):
            acknowledged += [writer.receive() for writer in writers]  # all of them are at it
            time.sleep(0.2)
            server.kill()
            stop(guard)
            guard = server.start()
        for writer in writers:
            acknowledged.append(writer.receive())
            writer.connection.send("stop")
        for writer in writers:
            acknowledged += writer.rest()

        assert len(acknowledged) > WRITERS * CRASHES
        log = store.open()
        assert_whole(log, {event for _, event in acknowledged})
        notes = [(event.sender, event.key, event.payload["text"]) for event in all_events(log)[1:]]
        assert len(set(notes)) == len(notes)  # what was tried again with its key was written once
        log.close()
        stop(guard)
