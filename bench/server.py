"""What an append costs on a PostgreSQL server of this machine, beside a raw INSERT there at the same durability."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context

import psycopg

from bench.append import WRITERS, add_task, note, worst_wait
from bench.figures import Figure
from tests.support.postgres import PostgresStore, Server, new_server, stop

EVENTS = 200
EACH = 10
WAITING = 20


def raw(server: Server) -> float:
    """Transactions a second of one INSERT: what disk, server and library allow."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE raw (id bigserial PRIMARY KEY, line bytea)")
        begin = time.perf_counter()
        for _ in range(EVENTS):
            connection.execute("INSERT INTO raw (line) VALUES (%s)", (b"x" * 500,))
        return EVENTS / (time.perf_counter() - begin)


def one_writer(store: PostgresStore, *, keep_open: bool) -> float:
    """Events a second of one process; without `keep_open` it connects for every event, as a command does."""
    log = store.open("r-one", keep_open=keep_open)
    stream = add_task(log, "one writer")
    begin = time.perf_counter()
    for number in range(EVENTS):
        note(log, stream, f"note {number}")
    spent = time.perf_counter() - begin
    log.close()
    return EVENTS / spent


def _look(store: PostgresStore) -> None:
    log = store.open()
    log.position()
    log.close()


def _write(store: PostgresStore, name: int) -> float:
    return worst_wait(store.open(f"r-{name}"), name, EACH)


def many_writers(store: PostgresStore) -> tuple[float, float]:
    """Events a second of WRITERS processes at once, each connecting for every event; the worst wait in seconds."""
    with get_context("spawn").Pool(WRITERS) as pool:
        pool.map(_look, [store] * WRITERS * 4, chunksize=1)  # all of them are there, with everything loaded
        begin = time.perf_counter()
        worst = max(pool.map(partial(_write, store), range(WRITERS), chunksize=1))
        return WRITERS * EACH / (time.perf_counter() - begin), worst


def woken(store: PostgresStore) -> float:
    """Seconds from a commit until who listens for it has the event; the median of some."""
    reader, writer = store.open("r-reader"), store.open("r-writer", keep_open=True)
    stream = add_task(writer, "to be told of")
    listener = reader.listen()
    spent: list[float] = []
    while listener and len(spent) < WAITING:
        listener.wait(0)
        note(writer, stream, "now")
        begin = time.perf_counter()
        listener.wait(10)
        reader.position()
        spent.append(time.perf_counter() - begin)
    reader.close()
    writer.close()
    return sorted(spent)[len(spent) // 2]


def figures() -> Iterator[Figure]:
    """Events a second and their ratios, and what an event takes on disk."""
    with new_server() as server:
        guard = server.start()
        store = PostgresStore(server, "bench").create()
        plain = raw(server)
        one, one_shot = one_writer(store, keep_open=True), one_writer(store, keep_open=False)
        many, worst = many_writers(store)
        told = woken(store)
        [(size, events)] = store.rows(
            "SELECT sum(pg_total_relation_size(c.oid)), (SELECT count(*) FROM stored_events) FROM pg_class c"
            " WHERE c.relnamespace = to_regnamespace('bench') AND c.relkind = 'r'"
        )
        stop(guard)
    beside = f"raw INSERT there: {plain:.0f}/s, {1000 / plain:.2f} ms each"
    yield Figure("on a server: append, one long-lived process", [one / plain], beside=beside)
    yield Figure("on a server: append, connecting for each event", [one_shot / plain], beside=beside)
    what = f"on a server: {WRITERS} writers at once, connecting for each event"
    yield Figure(what, [many / one_shot], beside=f"one such writer: {one_shot:.0f}/s")
    yield Figure("on a server: the worst wait of the unluckiest of them", [worst], "s")
    yield Figure("on a server: from a commit until a listener has looked", [1000 * told], "ms")
    yield Figure("on a server: an event on disk, indexes and all", [int(size) / int(events)], "bytes")
