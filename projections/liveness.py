"""Who holds a task and is lost: the one rule of `domain.agent`, asked of a claim.

A claim is judged by what belongs to it: the pulses that name it, or name none and came after it; the process that was
recorded with it, or that its pulses watch; and every command of its holder. So a name whose second session beats does
not lend its beats to the first one, and does not take the quiet of the first one's process away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from domain import task as machine
from domain.agent import ProcessState, Signs, Verdict, reason, verdict
from domain.decide import CLAIM_PREFIX
from domain.event import Event, Json, parse_time
from domain.task import Working
from projections import agents
from projections.folding import checkpoint

if TYPE_CHECKING:
    from domain.log import Log

_WORKING = (
    "SELECT data FROM tasks INDEXED BY tasks_by_state WHERE state = 'WORKING'"
    " ORDER BY priority, created, id LIMIT ?"
)


class Rule(NamedTuple):
    """By what is judged: `now` in µs, the rest in seconds; `process_state` looks at a recorded process."""

    now: int
    interval: float
    quiet: float
    woke: float
    process_state: Callable[[Json], str]


class Held(NamedTuple):
    """A claim on a task that is worked on."""

    task: str
    title: str
    claim: str
    holder: str
    since: str
    process: Json | None


class Judged(NamedTuple):
    """A claim and what is thought of its holder; `silence` in seconds, `why` for who is lost."""

    held: Held
    verdict: Verdict
    silence: int
    why: str


def working(connection: sqlite3.Connection, limit: int) -> list[Held]:
    """The claims on WORKING tasks, the most urgent task first."""
    found = [machine.load(row[0]) for row in connection.execute(_WORKING, (limit,))]
    return [_held(task) for task in found if isinstance(task, Working)]


def _held(task: Working) -> Held:
    claim = task.claim
    return Held(task.card.id, task.card.title, claim.id, claim.holder, claim.since, claim.process)


def judge(connection: sqlite3.Connection, log: Log, held: Held, rule: Rule) -> Judged:
    """What is to be thought of a claim's holder, by all that the log holds now.

    Inside the log's write lock nothing can come between this look and the event that follows from it.
    """
    beat = _newest_beat(log, held)
    process = (beat.payload.get("process") if beat else None) or held.process
    signs = Signs(
        agents.age(_last_seen(connection, log, held.holder), rule.now),
        agents.age(parse_time(beat.ts), rule.now) if beat else None,
        cast("ProcessState", rule.process_state(process) if process else "unknown"),
    )
    judged = verdict(signs, rule.interval, rule.quiet, rule.woke)
    why = reason(signs, rule.interval, rule.quiet) if judged == "lost" else ""
    return Judged(held, judged, int(signs.silence), why)


def recorded_here(log: Log, claim: str) -> bool:
    """True if this store recorded the claim: only then may it say that the holder is lost."""
    event = log.event(claim)
    return event is not None and event.replica == log.replica


def _newest_beat(log: Log, held: Held) -> Event | None:
    for pulse in log.pulses_of(held.holder):
        named = str(pulse.payload.get("claim", ""))
        if len(named) >= CLAIM_PREFIX and held.claim.startswith(named):
            return pulse
        if pulse.ts < held.since:
            return None
        if not named:
            return pulse
    return None


def _last_seen(connection: sqlite3.Connection, log: Log, name: str) -> int | None:
    """When the name's newest event arrived: as the views have it, and what they have not folded yet."""
    row = agents.one(connection, name)
    seen: int | None = row["last_seen"] if row else None
    position = checkpoint(connection).position
    while behind := log.read(position):
        arrived = [stored.arrived for stored in behind if stored.event.sender == name]
        seen, position = arrived[-1] if arrived else seen, behind[-1].position
    return seen
