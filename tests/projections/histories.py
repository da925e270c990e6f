"""Histories to fold: what a crew did by commands, and soups of events that no single clone would write."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from hypothesis import strategies as st

from domain import event, task
from domain.commands import (
    Approve,
    Assign,
    BeginMerge,
    Bind,
    Cancel,
    Command,
    Edit,
    Fail,
    FailMerge,
    Merge,
    Note,
    Progress,
    Reject,
    Release,
    Resume,
    Retry,
    Spawn,
    Start,
    Submit,
    Unbind,
    Withdraw,
)
from domain.decide import decide, spawn
from domain.draft import Draft
from domain.event import Event, IllegalEventError
from domain.log import Log, Transaction
from domain.refusals import Refusal
from domain.task import Task, claim_of, current
from tests.support.stores import SqliteStore
from tests.support.streams import COMMIT, CONFLICT, MERGING

ACTORS = ("ada", "bob", "eve", "zoe")
LABELS = ("hold", "type:bug", "type:doc", "area.ui")


class Step(NamedTuple):
    """One thing that somebody tries: `verb` on the `task`-th task, with one of several ways to do it."""

    verb: str
    task: int
    actor: str
    way: int


VERBS = (
    *(
        "spawn",
        "spawn",
        "start",
        "start",
        "done",
        "done",
        "approve",
        "approve",
        "resume",
        "withdraw",
        "reject",
    ),
    *(
        "begin",
        "setback",
        "merge",
        "cancel",
        "fail",
        "release",
        "retry",
        "assign",
        "edit",
        "note",
        "progress",
        "join",
        "pulse",
    ),
    *("link", "link", "unlink"),
)


def steps(least: int = 1, most: int = 40) -> st.SearchStrategy[list[Step]]:
    """What a crew may try; many of these will be refused, as in life."""
    step = st.builds(
        Step, st.sampled_from(VERBS), st.integers(0, 5), st.sampled_from(ACTORS), st.integers(0, 2**16)
    )
    return st.lists(step, min_size=least, max_size=most)


def some_steps(number: int, seed: int) -> list[Step]:
    """As many steps as one likes, always the same ones."""
    chance = random.Random(seed)
    return [
        Step(chance.choice(VERBS), chance.randrange(200), chance.choice(ACTORS), chance.randrange(2**16))
        for _ in range(number)
    ]


class Crew:
    """Plays steps on a log, and remembers the tasks."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.tasks: list[str] = []

    def play(self, history: Sequence[Step]) -> None:
        """All steps in one transaction, then their pulses."""
        with self.log.transaction() as transaction:
            for step in history:
                if step.verb == "spawn":
                    self._spawn(transaction, step)
                elif step.verb == "join":
                    self._join(transaction, step)
                elif step.verb != "pulse" and self.tasks:
                    self._try(transaction, step)
        for step in history:
            if step.verb == "pulse":
                self.log.pulse(step.actor, {})

    def _spawn(self, transaction: Transaction, step: Step) -> None:
        chance = random.Random(step.way)
        command = Spawn(
            step.actor,
            f"task {step.way}",
            chance.randrange(4),
            body="x" * chance.choice((0, 10, 5_000)),
            assignee=chance.choice((None, None, *ACTORS)),
            labels=tuple(chance.choices(LABELS, k=chance.randrange(3))),
            slug=chance.choice((None, "login", "logout")),
            after=tuple(chance.choices([*self.tasks, "t-22222222"], k=chance.choice((0, 0, 1, 2)))),
            parent=chance.choice((None, *self.tasks[:2])),
        )
        written = transaction.append(None, step.actor, lambda _: spawn(command))
        self.tasks.append(written.events[0].subject)

    def _join(self, transaction: Transaction, step: Step) -> None:
        payload: dict[str, Any] = {"person": True} if step.way % 3 == 0 else {}
        if step.way % 2:
            payload["process"] = {"pid": step.way, "host": "here"}
        transaction.append(f"agent/{step.actor}", step.actor, lambda _: (Draft("agent.joined", payload, {}),))

    def _try(self, transaction: Transaction, step: Step) -> None:
        stream = "task/" + self.tasks[step.task % len(self.tasks)]
        with suppress(Refusal):
            transaction.append(
                stream, step.actor, lambda seen: decide(_command(step, seen.state, self.tasks), seen.state)
            )


def _command(step: Step, now: Task, tasks: Sequence[str]) -> Command:
    claim = claim_of(now)
    shown, actor = (claim.id, claim.holder) if claim else ("0000", step.actor)
    chance = random.Random(step.way)
    kind, other = chance.choice((task.AFTER, task.PARENT)), chance.choice(tasks[:3])
    commands: dict[str, Command] = {
        "start": Start(step.actor, chance.choice((None, {"pid": step.way, "host": "there"}))),
        "resume": Resume(actor),
        "done": Submit(actor, shown, "it works", chance.choice((None, COMMIT))),
        "withdraw": Withdraw(actor, shown),
        "reject": Reject(step.actor, "no", chance.choice((None, "eve"))),
        "approve": Approve(step.actor, "other"),
        "begin": BeginMerge(step.actor, current(now, "submission"), MERGING),
        "setback": FailMerge(step.actor, current(now, "merging") or current(now, "submission"), CONFLICT),
        "merge": Merge(step.actor, current(now, "merging"), chance.choice(("", COMMIT))),
        "cancel": Cancel(step.actor),
        "fail": Fail(actor, shown, "too hard"),
        "release": Release(actor, shown),
        "retry": Retry(step.actor),
        "assign": Assign(step.actor, chance.choice((None, *ACTORS))),
        "edit": Edit(
            step.actor,
            title=f"title {step.way}",
            priority=chance.randrange(4),
            slug=chance.choice((None, "mend")),
            add_labels=tuple(chance.choices(LABELS, k=1)),
            remove_labels=tuple(chance.choices(LABELS, k=1)),
        ),
        "note": Note(step.actor, "seen"),
        "link": Bind(step.actor, kind, other),
        "unlink": Unbind(step.actor, kind, other),
        "progress": Progress(actor, shown, "on", chance.randrange(100)),
    }
    return commands[step.verb]


# --- soups -------------------------------------------------------------------------------------------------------

STREAMS = ("t-22222222", "t-33333333", "t-44444444")
SOUP_TYPES = (*task.BY_EVENT, "task.dreamt", "agent.joined", "mail.dreamt")


class Drop(NamedTuple):
    """One event of a soup: acting on what is current if `fits`, else on something else."""

    type: str
    stream: str
    actor: str
    fits: bool
    way: int


def soups(most: int = 60) -> st.SearchStrategy[list[Drop]]:
    """Events in an order that only a merge could make: links before their tasks, illegal and unknown events."""
    likely = st.sampled_from(
        ("task.spawned", "task.started", "task.submitted", "task.approved", "task.merged")
    )
    drop = st.builds(
        Drop,
        st.one_of(likely, st.sampled_from(SOUP_TYPES)),
        st.sampled_from(STREAMS),
        st.sampled_from(ACTORS),
        st.sampled_from((True, True, True, False)),
        st.integers(0, 2**16),
    )
    return st.lists(drop, min_size=1, max_size=most)


class Pot:
    """Writes events past the log's rules, as an import may: any type on any stream, whatever the state."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._states: dict[str, Task] = {}
        self._told: dict[str, list[str]] = {}
        self._number = 0
        self.version = 1

    def pour(self, soup: Sequence[Drop]) -> None:
        """Store a whole soup, in one transaction."""
        with self._store.plain() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for drop in soup:
                self._store_one(connection, self._seal(drop, _payload(drop)))
            connection.execute("COMMIT")

    def add(self, kind: str, stream: str, /, **payload: Any) -> Event:
        """Store one event of this type, by ada, on the task `stream`."""
        sealed = self._seal(Drop(kind, stream, "ada", fits=True, way=0), payload)
        with self._store.plain() as connection:
            self._store_one(connection, sealed)
        return sealed

    def _store_one(self, connection: sqlite3.Connection, sealed: Event) -> None:
        connection.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)",
            (sealed.stream, self._number, sealed.type, sealed.line),
        )
        connection.execute(
            "INSERT INTO event_id SELECT ?, max(rowid), ? FROM stored_events",
            (sealed.id, 10**15 + self._number),
        )

    def _seal(self, drop: Drop, payload: dict[str, Any]) -> Event:
        kind, _, _ = drop.type.partition(".")
        subject = drop.actor if kind == "agent" else drop.stream
        self._number += 1
        sealed = event.seal(
            {
                "v": self.version,
                "ts": event.format_time(10**15 + self._number * 1_000_000),
                "from": drop.actor,
                "to": "*",
                "type": drop.type,
                "stream": f"{kind}/{subject}",
                "payload": payload,
                "on": self._on(drop),
                "parents": self._parents(f"{kind}/{subject}", drop),
                "key": str(self._number),
                "replica": "r-soup",
                "seq": self._number,
            }
        )
        self._told.setdefault(sealed.stream, []).append(sealed.id)
        with suppress(IllegalEventError, KeyError):
            self._states[drop.stream] = task.evolve(self._states.get(drop.stream), sealed)
        return sealed

    def _parents(self, stream: str, drop: Drop) -> list[str]:
        """Mostly the last event of the stream; now and then an older one, several, or none."""
        told, chance = self._told.setdefault(stream, []), random.Random(drop.way)
        if not told or chance.random() < 0.1:
            return []
        return told[-1:] if chance.random() < 0.6 else sorted({chance.choice(told) for _ in range(2)})

    def _on(self, drop: Drop) -> dict[str, str]:
        row, state = task.BY_EVENT.get(drop.type), self._states.get(drop.stream)
        if row is None or not row.on:
            return {}
        on = task.acts_on(row, state) if state else row.on.partition(",")[0]
        return {on: task.current(state, on) if state and drop.fits else "f" * 64}


def _payload(drop: Drop) -> dict[str, Any]:
    chance = random.Random(drop.way)
    payloads: dict[str, dict[str, Any]] = {
        "task.spawned": {
            "title": "from elsewhere",
            "priority": chance.randrange(3),
            "assignee": chance.choice((None, *ACTORS)),
            "labels": chance.choices(LABELS, k=chance.randrange(3)),
            "after": chance.choices(STREAMS, k=chance.randrange(3)),
            "parent": chance.choice((None, *STREAMS)),
        },
        "task.linked": {
            "kind": chance.choice((task.AFTER, task.PARENT, "mentions")),
            "to": chance.choice((*STREAMS, "elsewhere#1")),
        },
        "task.approved": {"policy": "other"},
        "task.merging": MERGING,
        "task.merge-failed": CONFLICT,
        "task.rejected": {"reason": "no", "assignee": chance.choice((None, "eve"))},
        "task.assigned": {"assignee": chance.choice((None, *ACTORS))},
        "task.edited": {"priority": chance.randrange(3), "add_labels": [chance.choice(LABELS)]},
    }
    # Now and then a payload lacks what its type needs: an import that nobody checked.
    return {} if drop.way % 50 == 7 else payloads.get(drop.type, {})
