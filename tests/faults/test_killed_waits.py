"""An agent that is killed again and again between two calls of `wait` misses nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.support.commands import crewlog, take_messages_until_killed
from tests.support.processes import Child

KILLS = 1_000 if os.environ.get("CREWLOG_SOAK") else 40

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_no_message_is_missed_by_who_is_killed_between_two_waits(tmp_path: Path) -> None:
    folder = str(tmp_path)
    crewlog(folder, "init", "--as", "zoe")
    crewlog(folder, "join", "ada")
    random = Random(7)
    sent: list[str] = []
    seen: set[str] = set()
    position = 0

    for number in range(KILLS):
        for part in range(random.randint(1, 3)):
            code, answer = crewlog(folder, "send", "ada", f"{number}.{part}", "--as", "zoe")
            assert code == 0
            sent.append(answer["message"])
        child = Child(take_messages_until_killed, folder, "ada", position)
        first, position = child.receive()
        seen.add(first)
        time.sleep(random.random() * 0.05)
        child.kill()
        for message, behind in child.rest():
            seen.add(message)
            position = behind

    while (
        rest := crewlog(
            folder, "wait", "--message", "--since", str(position), "--timeout", "0", "--as", "ada"
        )
    )[0] == 0:
        seen.add(rest[1]["got"]["id"])
        position = rest[1]["position"]
    assert seen == set(sent)
    unread = crewlog(folder, "inbox", "--as", "ada", "--limit", "10000")[1]["messages"]
    acked = {message for message in sent if message not in {row["id"] for row in unread}}
    assert acked <= seen
