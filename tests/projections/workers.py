"""What other processes do in these tests. Imports little: each of them starts with it."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
from contextlib import closing
from importlib import import_module
from multiprocessing.connection import Connection

from domain.commands import Note
from domain.log import Log
from domain.refusals import Refusal
from projections import folding, tasks
from projections.database import connect_memory
from projections.tasks import TaskFilter
from projections.views import Views, open_views
from tests.support.stores import SqliteStore, do, new_stream

NOBODY = 65_534


def expected(log: Log) -> str:
    """The hash that the log says the views must have."""
    with closing(connect_memory()) as connection:
        folding.create(connection)
        folding.fold_all(connection, log, folding.everything(log), 1_000)
        return folding.state_hash(connection)


def catch_up_for_ever(connection: Connection, store: SqliteStore) -> None:
    """Catch up again and again: all is forgotten each time, in one transaction past crewlog."""
    log = store.open()
    views = open_views(store.folder, log, chunk=3)
    views.catch_up()
    connection.send("begun")
    while True:
        with closing(sqlite3.connect(os.path.join(store.folder, "views.db"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for table in views.tables():
                other.execute(f"DELETE FROM {table}")  # noqa: S608
            other.execute("INSERT INTO checkpoint VALUES (1, '', 0, '', 0)")
            other.execute("COMMIT")
        views.catch_up()


def rebuild_for_ever(connection: Connection, store: SqliteStore) -> None:
    """Rebuild again and again."""
    views = open_views(store.folder, store.open(), chunk=50)
    views.catch_up()
    connection.send("begun")
    while True:
        views.rebuild()


def write_and_catch_up(store: SqliteStore, number: int) -> int:
    """Write a little, catch up each time, and look for what was written."""
    log = store.open()
    views = open_views(store.folder, log, chunk=7)
    stream = new_stream(log, title=f"task {number}")
    for index in range(10):
        do(log, stream, Note("zoe", f"note {index}"))
        views.catch_up(wait=index % 2 == 0)
        if index % 2 == 0:
            row = views.connection.execute(
                "SELECT position FROM tasks WHERE id = ?", (stream[5:],)
            ).fetchone()
            assert row[0] == log.read(row[0] - 1, 1)[0].position
            assert log.stream(stream)[-1].line == log.read(row[0] - 1, 1)[0].event.line
    if number == 3:
        views.rebuild()
    views.close()
    log.close()
    return os.getpid()


def open_and_hash(store: SqliteStore) -> str:
    """The hash of the views, caught up."""
    log = store.open()
    views = open_views(store.folder, log)
    views.catch_up()
    found = views.state_hash()
    views.close()
    log.close()
    return found


def read_for_ever(connection: Connection, store: SqliteStore) -> None:
    """Read until told to stop; then tell what was seen."""
    views = open_views(store.folder, store.open())
    seen: set[tuple[str, ...]] = set()
    views.catch_up()
    connection.send("begun")
    while not connection.poll():
        with views.snapshot() as snapshot:
            titles = snapshot.execute("SELECT DISTINCT title FROM tasks ORDER BY title").fetchall()
            count = snapshot.execute("SELECT count(*), min(n) FROM counts").fetchone()
        seen.add((*(row[0] for row in titles), str(count)))
    connection.send(seen)


def as_nobody(store: SqliteStore) -> tuple[list[str], str, str, int]:
    """Read the views as a user who may write nothing. What is imported late is imported before: nobody may not."""
    import_module("sqlite_utils")
    import_module("domain.stores.sqlite")
    log = store.open()
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    views = open_views(store.folder, log)
    caught_up = views.catch_up()
    found = titles(views), views.state_hash(), views.remark, caught_up
    assert views.catch_up() == 0
    assert views.catch_up(wait=False) == 0
    refused = ""
    try:
        views.rebuild()
    except Refusal as refusal:
        refused = refusal.code
    assert refused == "unwritable"
    views.close()
    log.close()
    return found


def on_a_full_disk(store: SqliteStore, limit: int) -> tuple[str, bool, int]:
    """Catch up where no file may grow beyond `limit` bytes."""
    import_module("sqlite_utils")
    log = store.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    views = open_views(store.folder, log)
    silent = views.catch_up(wait=False)
    views.catch_up()
    found = views.state_hash(), bool(views.remark), silent
    views.close()
    log.close()
    return found


def read_without(store: SqliteStore) -> list[str]:
    """Which parts of sqlite_utils a reading and a catching up import."""
    before = {*sys.modules}
    log = store.open()
    views = open_views(store.folder, log)
    views.ask(lambda connection: tasks.page(connection, TaskFilter(), 5))
    new_stream(log)
    views.ask(lambda connection: tasks.page(connection, TaskFilter(), 5))
    views.close()
    log.close()
    return [
        name
        for name in {*sys.modules} - before
        if name.partition(".")[0] in ("sqlite_utils", "click", "pluggy")
    ]


def titles(views: Views) -> list[str]:
    """The titles of all tasks."""
    page = views.ask(lambda connection: tasks.page(connection, TaskFilter(), 1_000))
    return [row["title"] for row in page.rows]
