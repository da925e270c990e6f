"""What other processes do in these tests. Imports little: each of them starts with it."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Sequence
from multiprocessing.connection import Connection

from domain.commands import Note
from domain.log import Log
from export.live import Fed, LiveFile
from tests.support.stores import SqliteStore, do, everything, new_stream


def fill(log: Log, number: int) -> str:
    """A task with some notes: `number` events in all, of different lengths. Returns its stream."""
    with log.turn():
        stream = new_stream(log)
        for index in range(number - 1):
            do(log, stream, Note("zoe", "note " * (index % 7) + str(index)))
    return stream


def content(log: Log) -> bytes:
    """What the live file must hold."""
    rows: Sequence[bytes] = [stored.event.line for stored in everything(log.read)]
    return b"".join(line + b"\n" for line in rows)


def feed_for_ever(connection: Connection, store: SqliteStore, seed: int) -> None:
    """Feed again and again; each time the end of the file is lost before, at any byte."""
    live, chance = LiveFile(store.folder, store.open(), chunk=3), random.Random(seed)
    live.feed()
    connection.send("begun")
    while True:
        os.truncate(live.path, chance.randrange(os.path.getsize(live.path) + 1))
        live.feed()


def rebuild_for_ever(connection: Connection, store: SqliteStore) -> None:
    """Break the file and write it again, for ever."""
    live, chance = LiveFile(store.folder, store.open(), chunk=3), random.Random(1)
    live.feed()
    connection.send("begun")
    while True:
        with open(live.path, "r+b") as file:
            file.seek(chance.randrange(os.path.getsize(live.path)))
            file.write(b"#")
        live.rebuild()


def write_and_feed(store: SqliteStore, number: int) -> int:
    """Write and feed as commands do; how many lines these feeds appended."""
    log = store.open()
    live, written = LiveFile(store.folder, log), 0
    stream = new_stream(log, title=f"task {number}")
    for index in range(12):
        fed = live.feed()
        assert fed.remark is None, fed.remark
        written += fed.written
        do(log, stream, Note("zoe", f"note {index} of {number} " + "." * number * 50))
    log.close()
    return written


def just_feed(store: SqliteStore) -> Fed:
    """Feed once."""
    log = store.open()
    fed = LiveFile(store.folder, log).feed()
    log.close()
    return fed


def feed_on_a_full_disk(store: SqliteStore, limit: int) -> Fed:
    """Feed where no file may grow beyond `limit` bytes."""
    log = store.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    fed = LiveFile(store.folder, log, chunk=2).feed()
    log.close()
    return fed


def follow(connection: Connection, path: str) -> None:
    """Read the file as `tail -f` does until told to stop; then send all that was read."""
    read = b""
    with open(path, "rb") as file:
        connection.send("begun")
        stop = False
        while True:
            piece = file.read()
            read += piece
            if stop and not piece:
                break
            stop = stop or connection.poll()
    connection.send(read)
