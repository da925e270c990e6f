"""The bytes of kept states: stores have them, so that other bytes for the same events are another FOLD."""

from __future__ import annotations

from hashlib import sha256
from typing import get_args, get_type_hints

import pytest

from domain import agent, journal, mail, task
from domain.event import Json
from tests.support.clones import simulated

AT = "2026-11-24T10:00:00.000000Z"
# Version of the fold, and digest of what it keeps. Another digest is another FOLD.
DUMPED = {
    "agent": (3, "7915b37f8c07"),
    "mail": (3, "bc346dffd309"),
    "journal": (2, "7d5d108fc6d3"),
    "task": (5, "9e730946d265"),
}


def kept(kind: str) -> tuple[int, list[bytes]]:
    """The version of the fold, and states as it keeps them."""
    if kind == "task":
        states = [clone.state for seed in range(40) for clone in simulated(seed)]
        return task.FOLD, [task.dump(state) for state in states]
    if kind == "agent":
        here = agent.Agent("ada", AT, person=True, process={"pid": 7, "host": "vm"}, channels=("#ops",))
        return agent.FOLD, [agent.dump(here), agent.dump(agent.Agent("bob", left=AT))]
    if kind == "journal":
        return journal.FOLD, [journal.dump(journal.Journal(2, 9, (("a" * 64, "b" * 64),)))]
    answers = (mail.Answer("c" * 64, "bob", AT, "yes"),)
    asked = mail.Message(
        "m-aaaaaaaa",
        "d" * 64,
        "ada",
        "bob",
        "?",
        AT,
        True,
        False,
        None,
        None,
        ("bob",),
        answers,
    )
    return mail.FOLD, [mail.dump(asked)]


@pytest.mark.parametrize("kind", DUMPED)
def test_a_state_whose_bytes_change_needs_a_new_version_of_its_fold(kind: str) -> None:
    version, states = kept(kind)
    assert (version, sha256(b"\n".join(states)).hexdigest()[:12]) == DUMPED[kind]


def test_each_field_that_may_hold_an_object_is_kept_in_one_spelling() -> None:
    for kind, fields in task._OBJECTS.items():
        hints = get_type_hints(kind)
        assert {name for name, hint in hints.items() if Json in (hint, *get_args(hint))} == {*fields}, kind
