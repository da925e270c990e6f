"""Agents in other processes that send mail, wait for it and ack it by whole commands."""

from __future__ import annotations

from multiprocessing.connection import Connection
from random import Random
from typing import Any

from tests.support.commands import crewlog


def done(folder: str, name: str, *words: str) -> Any:
    """Run a command that must succeed; its answer."""
    code, answer = crewlog(folder, *words, "--as", name)
    assert code == 0, (name, words, answer)
    return answer


def talk(connection: Connection, folder: str, name: str, addresses: list[str], seed: int) -> None:
    """Send a message to each address in random order, and read now and then.

    Reports ("sent", to, id) and ("read", position, id).
    """
    random = Random(seed)
    for number, to in enumerate(random.sample(addresses, len(addresses))):
        message = done(folder, name, "send", to, f"{name}'s message {number}")["message"]
        connection.send(("sent", to, message))
        if random.random() < 0.2:
            for read in read_some(folder, name):
                connection.send(("read", *read))


def next_message(folder: str, name: str, timeout: float = 0) -> Any:
    """What `wait --message` gives; None for nothing yet."""
    code, answer = crewlog(folder, "wait", "--message", "--timeout", str(timeout), "--as", name)
    assert code in {0, 8}, (name, answer)
    return answer["got"] if code == 0 else None


def read_some(folder: str, name: str, limit: int = 1) -> list[tuple[int, str]]:
    """Wait for a message, and ack it and those behind it, `limit` in all; (position, id) of each."""
    got = next_message(folder, name)
    if got is None:
        return []
    rows = [got] if limit == 1 else done(folder, name, "inbox", "--limit", str(limit))["messages"]
    assert rows[0]["id"] == got["id"], "both give the oldest first"
    done(folder, name, "ack", *(row["id"] for row in rows))
    return [(row["position"], row["id"]) for row in rows]


def read_all(connection: Connection, folder: str, name: str) -> None:
    """Wait and ack until nothing is there; reports ("read", position, id)."""
    while some := read_some(folder, name, limit=25):
        for read in some:
            connection.send(("read", *read))


def read_until_killed(connection: Connection, folder: str, name: str) -> None:
    """Wait, say what came, ack it, say so; without end."""
    while True:
        if got := next_message(folder, name, timeout=30):
            connection.send(("seen", got["id"]))
            done(folder, name, "ack", got["id"])
            connection.send(("acked", got["id"]))
