"""Agents in other processes that send, read and ack mail by whole commands."""

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


def read_some(folder: str, name: str, limit: int = 50) -> list[tuple[int, str]]:
    """Look into the inbox once and ack what is there; (position, id) of each message."""
    rows = done(folder, name, "inbox", "--limit", str(limit))["messages"]
    if rows:
        done(folder, name, "ack", *(row["id"] for row in rows))
    return [(row["position"], row["id"]) for row in rows]


def read_all(connection: Connection, folder: str, name: str) -> None:
    """Look and ack until nothing is there; reports ("read", position, id)."""
    while some := read_some(folder, name):
        for read in some:
            connection.send(("read", *read))


def read_until_killed(connection: Connection, folder: str, name: str) -> None:
    """Look, say what is there, ack it, say so; one message at a time, without end."""
    while True:
        for row in done(folder, name, "inbox", "--limit", "1")["messages"]:
            connection.send(("seen", row["id"]))
            done(folder, name, "ack", row["id"])
            connection.send(("acked", row["id"]))
