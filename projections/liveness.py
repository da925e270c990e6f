"""Who holds a task and is lost: the one rule of `domain.agent`, asked of a claim.

A claim is judged by what belongs to it: the pulses that name it, or name none and came after it; the process that was
recorded with it, or that its pulses watch; and every command of its holder. So a name whose second session beats does
not lend its beats to the first one, and does not take the quiet of the first one's process away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from domain import task as machine
from domain.agent import Signs, Verdict, reason, verdict
from domain.decide import CLAIM_PREFIX
from domain.event import Event, Json, parse_time
from domain.named import NamedTuple
from domain.process import Process
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
    return [held_by(task) for task in found if isinstance(task, Working)]


def held_by(task: Working) -> Held:
    """The claim on a task that is worked on."""
    claim = task.claim
    return Held(task.card.id, task.card.title, claim.id, claim.holder, claim.process)


class Judge:
    """What is to be thought of holders, by all that the log held when it was made.

    Made inside the log's write lock, nothing can come between its look and the event that follows from it.
    """

    def __init__(self, connection: sqlite3.Connection, log: Log, rule: Rule) -> None:
        """Look at what the views have not folded yet; the rest is asked for when it is needed."""
        self._connection = connection
        self._log = log
        self._rule = rule
        self._seen = _seen_behind(log, checkpoint(connection).position)
        self._known: set[str] = set()
        self._newest: dict[str, Event | None] = {}

    def judge(self, held: Held) -> Judged:
        """What is to be thought of a claim's holder."""
        rule, beat = self._rule, self._newest_beat(held)
        process = (beat.payload.get("process") if beat else None) or held.process
        signs = Signs(
            agents.age(self._last_seen(held.holder), rule.now),
            agents.age(parse_time(beat.ts), rule.now) if beat else None,
            agents.session_state(process, rule.process_state, lambda: self._lived(held, beat)),
        )
        judged = verdict(signs, rule.interval, rule.quiet, rule.woke)
        why = reason(signs, rule.interval, rule.quiet) if judged == "lost" else ""
        return Judged(held, judged, int(signs.silence), why)

    def _lived(self, held: Held, beat: Event | None) -> float:
        """For how many seconds after the claim its recorded process gave signs."""
        process = Process.from_dict(held.process)
        began, last = 0, 0
        for event in (*self._log.stream(f"task/{held.task}"), *([beat] if beat else [])):
            if event.id == held.claim:
                began = parse_time(event.ts)
            elif began and process and (event.sender, event.session) == (held.holder, process.session):
                last = max(last, parse_time(event.ts))
        return max(0, last - began) / 1_000_000

    def _last_seen(self, name: str) -> int | None:
        """When the name's newest event arrived."""
        if name not in self._known:
            self._known.add(name)
            row = agents.one(self._connection, name)
            self._seen.setdefault(name, row["last_seen"] if row else None)
        return self._seen[name]

    def _newest_beat(self, held: Held) -> Event | None:
        """The newest pulse that counts for the claim."""
        name = held.holder
        if name not in self._newest:
            self._newest[name] = next(self._log.pulses_of(name), None)
        newest = self._newest[name]
        if newest is None or _names(newest, held.claim):
            return newest
        return _unnamed_beat(self._log, held)


def recorded_here(log: Log, claim: str) -> bool:
    """True if this store recorded the claim: only then may it say that the holder is lost."""
    event = log.event(claim)
    return event is not None and event.replica in log.members()


def _names(pulse: Event, claim: str) -> bool:
    named = str(pulse.payload.get("claim", ""))
    return len(named) >= CLAIM_PREFIX and claim.startswith(named)


def _unnamed_beat(log: Log, held: Held) -> Event | None:
    """The newest pulse that names the claim, or none at all and came after it."""
    since = _arrival(log, held.claim)
    for pulse in log.pulses_of(held.holder):
        if _names(pulse, held.claim):
            return pulse
        if parse_time(pulse.ts) < since:
            return None
        if not pulse.payload.get("claim"):
            return pulse
    return None


def _arrival(log: Log, event_id: str) -> int:
    """When an event came here. Its own time may be ahead of this clock: it is later than every parent's."""
    return log.read(log.position_of(event_id) - 1, 1)[0].arrived


def _seen_behind(log: Log, position: int) -> dict[str, int | None]:
    """When the newest event of each name arrived, behind a position."""
    seen: dict[str, int | None] = {}
    while behind := log.read(position):
        seen |= {stored.event.sender: stored.arrived for stored in behind}
        position = behind[-1].position
    return seen
