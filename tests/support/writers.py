"""What other processes do to a store. Each of them opens it anew for every command, as a shell would."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from domain.commands import Note, Start
from domain.log import IdempotencyKey, Log
from domain.refusals import Refusal
from tests.support.stores import Store, add_task, do, new_stream


def open_of(store: Store, options: dict[str, Any]) -> Log:
    """The store as this process sees it."""
    return store.open(**options)


def append_notes(
    store: Store, streams: Sequence[str], actor: str, count: int, options: dict[str, Any]
) -> list[str]:
    """Append `count` notes, to each stream in turn; their ids."""
    log = open_of(store, options)
    ids: list[str] = []
    for number in range(count):
        stream = streams[number % len(streams)]
        ids.append(do(log, stream, Note(actor, f"{actor} {number}")).events[0].id)
    log.close()
    return ids


def start_each(store: Store, barrier: Barrier, streams: Sequence[str], actor: str) -> list[str]:
    """Try to start one task after another, always at the same moment as the others; those that it got."""
    won: list[str] = []
    log = open_of(store, {})
    for stream in streams:
        barrier.wait(60)
        try:
            do(log, stream, Start(actor))
            won.append(stream)
        except Refusal as refusal:
            if refusal.code != "held":
                raise
    log.close()
    return won


def write_until_killed(
    connection: Connection, store: Store, streams: Sequence[str], actor: str, options: dict[str, Any]
) -> None:
    """Append for ever, small and large, old tasks and new ones; after each commit, send its id."""
    log = open_of(store, options)
    number = 0
    while True:
        number += 1
        if number % 5:
            text = f"{actor} {number} " + "x" * (number * 97 % 9_000)
            written = do(log, streams[number % len(streams)], Note(actor, text))
        else:
            written = add_task(log, actor=actor, body="b" * (number * 997 % 40_000))
        connection.send(written.events[0].id)


def hold_turn(connection: Connection, path: str) -> None:
    """Take a place in the writers' queue and keep it."""
    from domain.stores import queue

    with queue.turn(path):
        connection.send(os.getpid())
        connection.recv()


def take_turns(path: str, counter: str, times: int) -> None:
    """Count up in a file, in a way that loses counts unless one process at a time does it."""
    from domain.stores import queue

    for _ in range(times):
        with queue.turn(path):
            with open(counter, encoding="ascii") as file:
                number = int(file.read())
            os.sched_yield()
            with open(counter, "w", encoding="ascii") as file:
                file.write(str(number + 1))


def create(store: Store, options: dict[str, Any]) -> None:
    """What `init` does."""
    log = open_of(store, options)
    log.create()
    log.close()


def pulse_often(store: Store, actor: str, count: int, options: dict[str, Any]) -> list[str]:
    """Give signs of life; their ids."""
    log = open_of(store, options)
    ids = [log.pulse(actor, {}).id for _ in range(count)]
    log.close()
    return ids


def append_below(store: Store, stream: str, limits: Sequence[int]) -> list[tuple[str, str]]:
    """For each limit of how large a file may grow, try to append a large note below it: its id, or why not."""
    import resource

    log = open_of(store, {})
    outcomes: list[tuple[str, str]] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            outcomes.append(("", do(log, stream, Note("ada", f"{limit} " + "x" * 9_000)).events[0].id))
        except Refusal as refusal:
            outcomes.append((refusal.code, ""))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.close()
    return outcomes


def fill_a_small_disk(folder: str) -> dict[str, Any] | None:
    """Write to a store on a file system of 2 MB until it is full, make room, write again; None: cannot mount."""
    if not mount_small(folder, "2m"):
        return None
    from tests.support.stores import SqliteStore, all_events, broken_links

    ballast = os.path.join(folder, "ballast")
    with open(ballast, "wb") as file:
        file.write(b"x" * 500_000)
    store = SqliteStore(folder).create()
    log = store.open()
    stream = new_stream(log)
    acknowledged: list[str] = []
    refusals: list[str] = []
    while len(refusals) < 3 and len(acknowledged) < 1_000:
        try:
            acknowledged.append(do(log, stream, Note("ada", "x" * 9_000)).events[0].id)
        except Refusal as refusal:
            refusals.append(refusal.code)
    stored = [found.id for found in all_events(log)[1:]]
    os.remove(ballast)
    after = do(log, stream, Note("ada", "there is room again")).events[0].id
    links = broken_links(all_events(log))
    log.close()
    return {
        "acknowledged": acknowledged,
        "refusals": refusals,
        "stored": stored,
        "found": after in {found.id for found in all_events(store.open())},
        "links": links,
    }


def mount_small(folder: str, size: str) -> bool:
    """Mount a small file system that only this process sees; False where that is not allowed."""
    import ctypes
    import subprocess

    new_mount_namespace = 0x00020000
    if ctypes.CDLL(None).unshare(new_mount_namespace) != 0:
        return False
    private = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "crewlog-test", folder]
    return private.returncode == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0


def use_without_rights(store: Store, stream: str, queue: bool) -> dict[str, Any]:
    """As a user who may read the store and no more: read it, then try to write."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    log = store.open(queue=queue)
    found: dict[str, Any] = {"read": [row.id for row in log.lines(0)], "notes": log.state(stream).card.notes}
    for name, write in (
        ("note", lambda: do(log, stream, Note("ada", "hm"))),
        ("pulse", lambda: log.pulse("ada", {})),
    ):
        try:
            write()
            found[name] = "written"
        except Refusal as refusal:
            found[name] = refusal.code
    found["read again"] = log.position()
    log.close()
    return found


def write_through_crashes(connection: Connection, store: Store, stream: str, actor: str) -> None:
    """Append notes until told to stop, each until it is acknowledged, with the same key; send key and id of each."""
    log = store.open(f"r-{actor}")
    number = 0
    while not connection.poll():
        number += 1
        key = IdempotencyKey(f"k-{number}", frozenset({"task.noted"}), {"text": f"{actor} {number}"})
        connection.send((key.key, _insist(log, stream, Note(actor, f"{actor} {number}"), key)))
    log.close()


def _insist(log: Log, stream: str, note: Note, key: IdempotencyKey) -> str:
    """Append the note, however often it takes; its id."""
    while True:
        try:
            return do(log, stream, note, key).events[0].id
        except Refusal as refusal:
            if not refusal.retryable:
                raise
        time.sleep(0.05)
