"""What the views and live.jsonl cost: a rebuild beside parsing alone, and one change in a small and a large log."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from bench.append import add_task, make_store, note, open_log
from domain import event
from domain.event import Event
from domain.log import Log
from domain.names import task_id
from export.live import LiveFile
from projections import tasks
from projections.tasks import TaskFilter
from projections.views import Views, open_views

SMALL, LARGE = 1_000, 50_000
ROUNDS = 40


def history(number: int) -> Iterator[Event]:
    """Some events of tasks that are spawned, worked on, approved; ten or so a task."""
    chance, given, last = random.Random(1), 0, {"": ""}

    def sealed(stream: str, kind: str, actor: str, payload: dict[str, Any], **on: str) -> Event:
        nonlocal given
        given += 1
        links = {"prev": last[""], "parents": [last[stream]] if stream in last else []}
        ts = event.format_time(10**15 + given * 1_000)
        fields = {
            "v": 1,
            "ts": ts,
            "from": actor,
            "to": "*",
            "type": kind,
            "stream": stream,
            "payload": payload,
        }
        fields |= {"on": on, "key": f"{given:016x}", "replica": "r-bench", "seq": given}
        made = event.seal({**fields, **{name: link for name, link in links.items() if link}})
        last[""] = last[stream] = made.id
        return made

    while given < number:
        stream, actor = "task/" + task_id(chance.randbytes(5)), f"agent-{chance.randrange(32)}"
        labels = ["type:bug", f"area.{chance.randrange(10)}"]
        fields = {
            "title": f"task {given}",
            "priority": chance.randrange(5),
            "assignee": None,
            "labels": labels,
        }
        spawned = sealed(stream, "task.spawned", "zoe", {**fields, "body": "Look into it. " * 10})
        started = sealed(stream, "task.started", actor, {}, attempt=spawned.id)
        yield from (spawned, started)
        for step in range(chance.randrange(12)):
            yield sealed(stream, "task.progressed", actor, {"text": f"step {step}"}, claim=started.id)
        submitted = sealed(stream, "task.submitted", actor, {"evidence": "the tests pass"}, claim=started.id)
        yield submitted
        if chance.random() < 0.8:
            yield sealed(stream, "task.approved", "zoe", {"policy": "other"}, submission=submitted.id)
            yield sealed(stream, "task.merged", "zoe", {}, submission=submitted.id)


def fill(folder: str, number: int) -> None:
    """A store with that history, written past the log's rules and in one transaction: it takes seconds, not minutes."""
    make_store(folder)
    with closing(sqlite3.connect(os.path.join(folder, "crewlog.db"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for position, item in enumerate(history(number), 1):
            row = (position, item.stream, position, item.type, item.line)
            connection.execute("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", row)
            connection.execute(
                "INSERT INTO event_id VALUES (?, ?, ?)", (item.id, position, 10**15 + position)
            )
        connection.execute("COMMIT")


def quickest(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Milliseconds of the quickest of some runs, each after `before`."""
    times: list[float] = []
    for _ in range(ROUNDS):
        before()
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times) * 1_000


def parsed(log: Log) -> float:
    """Seconds to read and parse the whole log: what no fold can be quicker than."""
    begin, position = time.perf_counter(), 0
    while chunk := log.read(position):
        position = chunk[-1].position
    return time.perf_counter() - begin


class Store:
    """A filled store, opened as a long-lived process has it."""

    def __init__(self, folder: str, number: int) -> None:
        fill(folder, number)
        self.folder = folder
        self.log = open_log(folder, keep_open=True)
        self.views, self.live = open_views(folder, self.log), LiveFile(folder, self.log)
        self.stream = add_task(self.log, "one more")
        self.views.catch_up()
        self.live.feed()

    def change(self) -> None:
        """Append one event."""
        note(self.log, self.stream, "a note")

    def listed(self) -> None:
        """Open the views anew, as a command does, and list a page."""
        views = open_views(self.folder, self.log)
        views.ask(lambda connection: tasks.page(connection, TaskFilter(), 50))
        views.close()

    def costs(self) -> dict[str, float]:
        """Milliseconds of what commands do."""
        return {
            "catch up, nothing new": quickest(self.views.catch_up),
            "catch up, one event": quickest(self.views.catch_up, self.change),
            "open and list 50": quickest(self.listed),
            "feed, nothing new": quickest(self.live.feed, self.live.feed),
            "feed, one event": quickest(self.live.feed, self.change),
        }

    def close(self) -> None:
        """Close all."""
        self.views.close()
        self.log.close()


def rebuilds(views: Views, log: Log) -> None:
    """Print what a rebuild costs."""
    number = log.position()
    parsing = min(parsed(log) for _ in range(3))
    rebuilt = min((views.rebuild() for _ in range(3)), key=lambda result: result.seconds)
    print(f"  read and parse            {number / parsing:8.0f} events/s")
    rate = number / rebuilt.seconds
    print(
        f"  rebuild, hashes included  {rate:8.0f} events/s   {rate * parsing / number:.2f} of parsing; same: {rebuilt.same}"
    )


def files(live: LiveFile, number: int) -> None:
    """Print what writing and comparing all of live.jsonl costs."""
    os.truncate(live.path, 0)
    begin = time.perf_counter()
    live.feed()
    written = time.perf_counter() - begin
    assert live.compare() == []
    compared = time.perf_counter() - begin - written
    print(f"  write all of live.jsonl   {number / written:8.0f} lines/s")
    print(f"  compare all of it         {number / compared:8.0f} lines/s")


def main() -> None:
    """Print rates, and what one change costs in a small log and in a large one."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        stores = Store(small, SMALL), Store(large, LARGE)
        rebuilds(stores[1].views, stores[1].log)
        files(stores[1].live, stores[1].log.position())
        few, many = (store.costs() for store in stores)
        for name, cost in few.items():
            ratio = many[name] / cost
            print(
                f"  {name:<24}  {cost:6.2f} ms at {SMALL:,}, {many[name]:.2f} ms at {LARGE:,} events: {ratio:.2f} x"
            )
        for store in stores:
            store.close()


if __name__ == "__main__":
    main()
