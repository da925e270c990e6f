"""Names that said different things of themselves in two clones: every clone ends with the same, whatever came first."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from domain.draft import Draft
from projections import agents, mail
from tests.projections.test_forks import Clone
from tests.projections.test_rebuilt import folded_at_once

SAYINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("agent.joined", {}),
    ("agent.joined", {"person": True}),
    ("agent.left", {}),
    ("agent.subscribed", {"channel": "ops"}),
    ("agent.unsubscribed", {"channel": "ops"}),
    ("agent.subscribed", {"channel": "web"}),
)


def say(clone: Clone, kind: str, **payload: Any) -> None:
    """Ada says something of herself."""
    clone.log.write("agent/ada", "ada", lambda _: [Draft(kind, payload, {})])
    clone.views.catch_up()


def seen(clone: Clone) -> Any:
    """What a clone's views make of ada: whether she is here, a person, and what she listens to."""
    clone.views.catch_up()
    connection = clone.views.connection
    row = agents.one(connection, "ada")
    assert row is not None
    channels = [name for name in ("ops", "web") if "ada" in mail.members(connection, name)]
    return bool(row["left_at"]), row["person"], row["joined"], channels, mail.names(connection)


def met(one: Clone, two: Clone) -> None:
    """Each takes in what the other has."""
    one.take(two)
    two.take(one)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Clone, Clone]:
    """Two clones that know ada."""
    one, two = Clone(tmp_path, "r-1"), Clone(tmp_path, "r-2")
    say(one, "agent.joined")
    two.take(one)
    return one, two


def test_who_left_one_clone_and_joined_another_is_the_same_for_both(pair: tuple[Clone, Clone]) -> None:
    one, two = pair
    say(one, "agent.left")
    say(two, "agent.joined", person=True)

    met(one, two)

    assert seen(one) == seen(two)
    assert seen(one)[:2] == (False, True)  # what was said last


def test_who_subscribed_in_one_clone_and_unsubscribed_in_another_listens_or_not_for_both(
    pair: tuple[Clone, Clone],
) -> None:
    one, two = pair
    say(one, "agent.subscribed", channel="ops")
    say(two, "agent.unsubscribed", channel="ops")
    say(two, "agent.subscribed", channel="web")

    met(one, two)

    assert seen(one)[3] == seen(two)[3] == ["web"]
    say(one, "agent.subscribed", channel="ops")  # behind both
    two.take(one)
    assert seen(one)[3] == seen(two)[3] == ["ops", "web"]


@pytest.mark.parametrize("seed", range(12))
def test_in_any_history_clones_agree_on_who_is_here_and_listens_and_so_does_a_rebuild(
    seed: int, pair: tuple[Clone, Clone]
) -> None:
    chance = random.Random(seed)
    for _ in range(12):
        clone, other = chance.sample(pair, 2)
        if chance.random() < 0.25:
            clone.take(other, size=chance.choice((1, 1_000)))
            continue
        kind, payload = chance.choice(SAYINGS)
        say(clone, kind, **payload)
    met(*pair)

    assert seen(pair[0]) == seen(pair[1])
    for clone in pair:
        assert folded_at_once(clone.log, 7) == clone.views.state_hash()
