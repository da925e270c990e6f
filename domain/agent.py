"""Agents: who joined, and the one rule that says who is alive."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """A name: since when it is here, until when, whether a person, its session process, the channels it listens to.

    `joined` is "" for one who only listens to channels so far; `left` is None for who is here.
    """

    name: str
    joined: str = ""
    person: bool = False
    process: Json | None = None
    left: str | None = None
    channels: tuple[str, ...] = ()


def evolve(agent: Agent | None, event: Event) -> Agent:
    """The agent after an event of its stream; joining again renews the session process."""
    now, payload = agent or Agent(event.subject), event.payload
    match event.type:
        case "agent.joined":
            person = bool(payload.get("person", now.person))
            joined = now.joined or event.ts
            return replace(now, joined=joined, person=person, process=payload.get("process"), left=None)
        case "agent.left":
            return replace(now, left=event.ts)
        case "agent.subscribed":
            others = tuple(name for name in now.channels if name != payload["channel"])
            return replace(now, channels=(*others, payload["channel"]))
        case "agent.unsubscribed":
            return replace(now, channels=tuple(name for name in now.channels if name != payload["channel"]))
        case _:
            return now


def dump(agent: Agent) -> bytes:
    """The state as JSON bytes."""
    return orjson.dumps(agent)


def load(data: bytes) -> Agent:
    """The state that `dump` wrote."""
    fields: Json = orjson.loads(data)
    return Agent(**{**fields, "channels": tuple(fields["channels"])})


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
