"""What must hold when the soak is over."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import orjson

from tests.soak.commands import Record
from tests.soak.crew import Clone


def settled(clones: list[Clone]) -> None:
    """Bring both to the same set of events: nobody writes any more."""
    for clone in clones:
        clone.operator.do("serve", "stop", kill=0)
    for _ in range(2):
        for clone in clones:
            clone.operator.do("sync", kill=0)


def judged(clones: list[Clone], record: Record) -> dict[str, Any]:
    """Look at all that must hold; what does not is a problem of the record."""
    logs = [_events(clone) for clone in clones]
    for clone, events in zip(clones, logs, strict=True):
        for problem in _wrong(clone, events, record):
            record.problem(f"{clone.folder.name}: {problem}")
    if set(logs[0]) != set(logs[1]):
        record.problem(f"after syncing the logs differ in {len(set(logs[0]) ^ set(logs[1]))} events")
    states = {clone.operator.do("verify", kill=0).get("state", "") for clone in clones}
    if len(states) != 1:
        record.problem(f"the same events, but not the same state: {states}")
    return {"events": [len(events) for events in logs], "states": len(states)}


def _wrong(clone: Clone, events: dict[str, dict[str, Any]], record: Record) -> Iterator[str]:
    lost = record.acknowledged - set(events)
    if lost:
        yield f"{len(lost)} acknowledged events are lost, such as {min(lost)}"
    given = Counter((event["from"], event["key"]) for event in events.values() if "key" in event)
    twice = [key for key in record.keys if given[key] != 1]
    if twice:
        yield f"{len(twice)} writes with a key are there more or less than once, such as {twice[0]}"
    with open(clone.store / "live.jsonl", "rb") as file:
        if [orjson.loads(line)["id"] for line in file] != list(events):
            yield "live.jsonl is not the log"
    looked = clone.operator.do("verify", kill=0)
    if not looked.get("ok"):
        yield f"verify: {looked}"
    rebuilt = clone.operator.do("rebuild", kill=0)
    if not rebuilt.get("same"):
        yield f"the views were not what the log says: {rebuilt}"


def _events(clone: Clone) -> dict[str, dict[str, Any]]:
    """The log as it lies in the database, in log order."""
    with closing(sqlite3.connect(clone.store / "crewlog.db")) as connection:
        rows = connection.execute("SELECT state FROM stored_events ORDER BY rowid")
        parsed = (orjson.loads(line) for (line,) in rows)
        return {event["id"]: event for event in parsed}
