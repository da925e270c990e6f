"""Agents: who joined, and the one rule that says who is alive."""

from __future__ import annotations

import math
from typing import Literal

import orjson

from domain.event import Event, Json
from domain.named import NamedTuple

FOLD = 3

Verdict = Literal["alive", "suspect", "lost"]
# What a reader may be told of a name: `left` said so itself, `remote` works through another clone of the store.
Standing = Verdict | Literal["left", "remote"]
ProcessState = Literal["there", "stopped", "gone", "elsewhere", "unknown"]
ALIVE_INTERVALS = 2.5
LOST_INTERVALS = 6.0
# Two clocks are never read at the same moment: what looks like a shorter suspend is none.
SUSPEND_LEAST = 2.0
# A younger process may be a script that was made for one command, and ends with it while the session goes on.
SETTLED = 5.0


class Agent(NamedTuple):
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
            return now._replace(joined=joined, person=person, process=payload.get("process"), left=None)
        case "agent.left":
            return now._replace(left=event.ts)
        case "agent.subscribed":
            others = tuple(name for name in now.channels if name != payload["channel"])
            return now._replace(channels=(*others, payload["channel"]))
        case "agent.unsubscribed":
            return now._replace(channels=tuple(name for name in now.channels if name != payload["channel"]))
        case _:
            return now


def dump(agent: Agent) -> bytes:
    """The state as JSON bytes."""
    return orjson.dumps(agent._asdict(), option=orjson.OPT_SORT_KEYS)


def load(data: bytes) -> Agent:
    """The state that `dump` wrote."""
    fields: Json = orjson.loads(data)
    fields["channels"] = tuple(fields["channels"])
    return Agent(**fields)


class Signs(NamedTuple):
    """What is known of a name's life. Ages in seconds; `pulse_age` is None for one that never pulsed."""

    sign_age: float
    pulse_age: float | None
    process: ProcessState

    @property
    def silence(self) -> float:
        """Seconds since the last sign of any kind."""
        return self.sign_age if self.pulse_age is None else min(self.sign_age, self.pulse_age)


def tells(age: float | None, lived: float = 0.0) -> bool:
    """True if the end of a recorded process says that its session has ended.

    `age`: its seconds when it was found, None for one that somebody named; `lived`: for how long it was seen after that.
    """
    return age is None or age + lived >= SETTLED


def verdict(signs: Signs, interval: float, quiet: float, woke: float = math.inf) -> Verdict:
    """Alive, suspect or lost, by the intervals for who has pulsed, by process and quiet lease for who has not.

    `interval` and `quiet` in seconds. One rule for every reader (DESIGN §8): an agent that never beat and works for
    twenty minutes between two commands is alive while its session process is there. `woke`: seconds since this
    machine came back from a suspend, in which nobody could give a sign; waking counts as a sign of everybody.
    """
    if signs.process == "gone":
        return "lost"
    silence = min(signs.silence, woke)
    if signs.pulse_age is not None:
        if silence <= ALIVE_INTERVALS * interval:
            return "alive"
        return "lost" if silence > LOST_INTERVALS * interval else "suspect"
    if signs.process in ("there", "stopped"):
        return "alive"
    return "alive" if silence <= quiet else "lost"


def reason(signs: Signs, interval: float, quiet: float) -> str:
    """How one knows that somebody is lost, in a few words: `why` of `task.expired`."""
    if signs.process == "gone":
        return "its session process is gone"
    if signs.pulse_age is not None:
        return f"it beat, and then gave no sign for {signs.silence:.0f} s; {LOST_INTERVALS * interval:g} s are allowed"
    return f"it never beat, and gave no sign for {signs.silence:.0f} s; the quiet lease is {quiet:g} s"


class Awake(NamedTuple):
    """What was seen of this machine's sleep: how far its wall clock had run away, and when (µs) that last grew.

    `suspended` in seconds: only its changes mean something. `woke` is 0 where it never grew while somebody looked.
    """

    boot: str
    suspended: float
    woke: int = 0


def look(before: Awake | None, boot: str, suspended: float, now: int) -> Awake:
    """What is known after a look at `now` (µs). The first look at a boot only remembers."""
    if before is None or before.boot != boot:
        return Awake(boot, suspended)
    if suspended - before.suspended > SUSPEND_LEAST:
        return Awake(boot, suspended, now)
    if (
        before.suspended - suspended > SUSPEND_LEAST
    ):  # the clock was set back: what comes after is seen from here
        return Awake(boot, suspended, min(before.woke, now))
    return before
