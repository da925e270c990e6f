"""A crew that talks all at once, and readers that are killed: every message reaches whom it is for, once."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from tests.faults.test_commands_at_once import assert_whole, log_lines
from tests.support.commands import crewlog
from tests.support.mailing import done, read_all, read_until_killed, talk
from tests.support.processes import Child

SOAK = bool(os.environ.get("CREWLOG_SOAK"))
AGENTS, MESSAGES = 20, 500 if SOAK else 100
KILLS, EACH = (300, 5) if SOAK else (20, 4)

pytestmark = [pytest.mark.faults, pytest.mark.slow]

NAMES = [f"agent-{number}" for number in range(AGENTS)]
OPS = NAMES[:5]


def addresses(number: int) -> list[str]:
    """Where an agent's messages go: a channel twice, all and people once, the rest to one another."""
    random = Random(number)
    others = [name for name in NAMES if name != NAMES[number]]
    return ["+ops", "+ops", "all", "people", *random.choices(others, k=MESSAGES - 4)]


def addressees(sender: str, to: str) -> set[str]:
    """Who a message is for: everybody is here and listens before the first one is sent."""
    groups = {"+ops": {*OPS}, "all": {*NAMES, "zoe"}, "people": {"zoe"}}
    return groups[to] - {sender} if to in groups else {to}


def crew(folder: Path) -> str:
    """A store where everybody has joined and some listen to a channel."""
    assert crewlog(str(folder), "init", "--as", "zoe")[0] == 0
    for name in NAMES:
        done(str(folder), name, "join")
    for name in OPS:
        done(str(folder), name, "channel", "join", "ops")
    return str(folder)


def reports(children: list[Child]) -> list[list[Any]]:
    """What each of them says until its end."""
    return [child.rest() for child in children]


def test_twenty_agents_with_a_hundred_messages_each_lose_none_and_get_none_twice(tmp_path: Path) -> None:
    folder = crew(tmp_path)

    talks = reports([Child(talk, folder, name, addresses(n), n) for n, name in enumerate(NAMES)])
    rests = reports([Child(read_all, folder, name) for name in (*NAMES, "zoe")])

    expected: dict[str, list[str]] = {name: [] for name in (*NAMES, "zoe")}
    for sender, said in zip(NAMES, talks, strict=True):
        sent = [(to, message) for what, to, message in said if what == "sent"]
        assert len(sent) == MESSAGES
        for to, message in sent:
            for name in addressees(sender, to):
                expected[name].append(message)
    for name, said, rest in zip((*NAMES, "zoe"), [*talks, []], rests, strict=True):
        got = [(position, message) for what, position, message in [*said, *rest] if what == "read"]
        assert sorted(message for _, message in got) == sorted(expected[name])
        assert got == sorted(got), "oldest first, also over several waits"
        assert done(folder, name, "inbox") == {"messages": [], "more": 0}
    assert sum(map(len, expected.values())) > AGENTS * MESSAGES
    assert_whole(tmp_path, set())


def test_a_reader_killed_between_wait_and_ack_skips_nothing(tmp_path: Path) -> None:
    folder = crew(tmp_path)
    random = Random(20261123)
    sent: list[str] = []
    seen: set[str] = set()
    acked: set[str] = set()
    last_words: Counter[str] = Counter()

    for number in range(KILLS):
        words = ("send", "agent-1")
        sent += [done(folder, "agent-0", *words, f"message {number}.{n}")["message"] for n in range(EACH)]
        said = _read_a_while(folder, random.random() * 0.2)
        seen |= {message for what, message in said if what == "seen"}
        acked |= {message for what, message in said if what == "acked"}
        last_words[said[-1][0]] += 1

        waiting = {row["id"] for row in done(folder, "agent-1", "inbox", "--limit", "100000")["messages"]}
        assert not acked & waiting
        assert {*sent} - seen <= waiting, "nobody has seen these"

    assert last_words["seen"], "no kill fell between wait and ack"
    assert acked
    (rest,) = reports([Child(read_all, folder, "agent-1")])
    assert {*sent} - acked <= {message for _, _, message in rest} | seen
    assert acks(tmp_path) == Counter(sent), "each is acked, once"
    assert_whole(tmp_path, set())


def _read_a_while(folder: str, seconds: float) -> list[Any]:
    child = Child(read_until_killed, folder, "agent-1")
    said = [child.receive()]  # it is at work now
    time.sleep(seconds)
    child.kill()
    return said + child.rest()


def acks(folder: Path) -> Counter[str]:
    """How often each message was acked, as the log says."""
    events = [orjson.loads(line) for line in log_lines(folder)]
    return Counter(event["stream"].removeprefix("mail/") for event in events if event["type"] == "mail.acked")
