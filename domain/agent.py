"""Agents: who joined, and the one rule that says who is alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import orjson

from domain.event import Event, Json

FOLD = 1

Verdict = Literal["alive", "suspect", "lost"]
ProcessState = Literal["there", "stopped", "gone", "elsewhere", "unknown"]
ALIVE_INTERVALS = 2.5
LOST_INTERVALS = 6.0


@dataclass(frozen=True, slots=True)
class Agent:
    """A name that joined: when, whether it is a person, and the session process that it named last."""

    name: str
    joined: str
    person: bool
    process: Json | None


def evolve(agent: Agent | None, event: Event) -> Agent:
    """The agent after an event of its stream; joining again renews the session process."""
    joined = agent.joined if agent else event.ts
    person = bool(event.payload.get("person", agent.person if agent else False))
    return Agent(event.subject, joined, person, event.payload.get("process"))


def dump(agent: Agent) -> bytes:
    """The state as JSON bytes."""
    return orjson.dumps(agent)


def load(data: bytes) -> Agent:
    """The state that `dump` wrote."""
    return Agent(**orjson.loads(data))


class Signs(NamedTuple):
    """What is known of a name's life. Ages in seconds; `pulse_age` is None for one that never pulsed."""

    sign_age: float
    pulse_age: float | None
    process: ProcessState


def verdict(signs: Signs, interval: float, quiet: float) -> Verdict:
    """Alive, suspect or lost, by the intervals for who has pulsed, by process and quiet lease for who has not.

    `interval` and `quiet` in seconds. One rule for every reader (DESIGN §8): an agent that never beat and works for
    twenty minutes between two commands is alive while its session process is there.
    """
    if signs.process == "gone":
        return "lost"
    if signs.pulse_age is not None:
        age = min(signs.pulse_age, signs.sign_age)
        if age <= ALIVE_INTERVALS * interval:
            return "alive"
        return "lost" if age > LOST_INTERVALS * interval else "suspect"
    if signs.process in ("there", "stopped"):
        return "alive"
    return "alive" if signs.sign_age <= quiet else "lost"
