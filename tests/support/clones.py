"""Clones of one task without a log: each holds a set of events, works on what it sees, and now and then gets the others'."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from domain import event, history, task
from domain.blobs import check_in
from domain.commands import (
    Approve,
    Assign,
    BeginMerge,
    Cancel,
    Command,
    Edit,
    Expire,
    Fail,
    FailMerge,
    Merge,
    Note,
    Progress,
    Reject,
    Release,
    Resolve,
    Resume,
    Retry,
    Spawn,
    Start,
    Submit,
    Withdraw,
)
from domain.decide import decide, spawn
from domain.draft import Draft
from domain.event import PARENT_LIMIT, Event
from domain.history import Fold, History
from domain.refusals import Refusal
from domain.registry import BLOB_LIMIT
from domain.task import Task, claim_of
from tests.support.streams import COMMIT, CONFLICT, MERGING

KIND = cast("Fold", task)
NAMES = ("ada", "bob", "eve", "zoe")
SECOND = 1_000_000
START = 10**15
# How far two clocks may be apart.
SKEW = 1_000 * SECOND


class Clone:
    """One clone. `chance` decides what it does; its clock goes wrong by `skew` µs."""

    def __init__(self, name: str, skew: int = 0) -> None:
        self.replica = name
        self.skew = skew
        self.events: dict[str, Event] = {}
        self.own: list[Event] = []
        self.history = history.fold(KIND, ())
        self.was_completed = False

    @property
    def state(self) -> Task:
        """The task as this clone sees it."""
        assert self.history.state is not None
        return cast("Task", self.history.state)

    def spawn(self, now: int = START, **fields: Any) -> Event:
        """Begin the task."""
        return self.append("zoe", spawn(Spawn("zoe", "Mend the login", 2, **fields))[0], now)

    def do(self, command: Command, now: int = START) -> list[Event]:
        """Decide on what is seen here, and append what comes of it. Raises Refusal."""
        return [self.append(command.actor, draft, now) for draft in decide(command, self.state)]

    def append(self, actor: str, draft: Draft, now: int) -> Event:
        """Stamp a draft as the log would, and fold it."""
        heads = sorted((self.events[head] for head in self.history.heads), key=lambda e: (e.ts, e.id))
        parents = heads[:PARENT_LIMIT]
        last = self.own[-1].id if self.own else ""
        newest = max((head.ts for head in parents), default="")
        fields: dict[str, Any] = {
            "v": event.VERSION,
            "ts": event.after(now + self.skew, newest),
            "from": actor,
            "to": draft.to,
            "type": draft.type,
            "stream": "task/t-aaaaaaaa",
            "payload": check_in(draft.type, draft.payload, BLOB_LIMIT)[0],
            "key": f"{self.replica}-{len(self.own)}",
            "replica": self.replica,
            "seq": len(self.own) + 1,
            **({"on": draft.on} if draft.on else {}),
            **({"parents": sorted(head.id for head in parents)} if parents else {}),
            **({"prev": last} if last else {}),
        }
        sealed = event.seal(fields)
        self.own.append(sealed)
        self.take([sealed])
        return sealed

    def take(self, events: Iterable[Event]) -> None:
        """Get events of another clone, or one of one's own."""
        self.events |= {item.id: item for item in events}
        self.history = history.fold(KIND, self.events.values())
        if self.history.state is not None:
            self.was_completed |= self.state.state == task.COMPLETED

    def take_from(self, other: Clone) -> None:
        """Get all that another clone has."""
        self.was_completed |= other.was_completed
        self.take(other.events.values())


def fold(events: Iterable[Event]) -> History:
    """A task's history."""
    return history.fold(KIND, events)


def simulated(seed: int, clones: int = 3, steps: int = 12) -> list[Clone]:
    """Clones that worked offline on one task, with clocks that are wrong, and merged now and then; always the same."""
    chance = random.Random(seed)
    crew = [Clone(f"r-{number}", chance.randint(-SKEW, SKEW)) for number in range(clones)]
    crew[0].spawn()
    for clone in crew[1:]:
        clone.take_from(crew[0])
    for number in range(1, steps + 1):
        clone = chance.choice(crew)
        now = START + number * SECOND
        if chance.random() < 0.2:
            clone.take_from(chance.choice(crew))
            continue
        with suppress(Refusal):
            clone.do(some_command(chance, clone.state), now)
    return crew


def some_command(chance: random.Random, now: Task) -> Command:
    """Something that somebody who sees this state may try; mostly what leads on."""
    claim = claim_of(now)
    holder, shown = (claim.holder, claim.id) if claim else (chance.choice(NAMES), "0" * 8)
    name = chance.choice(NAMES)
    leads_on: dict[str, list[Command]] = {
        task.ASSIGNED: [Start(name), Start(name), Assign(name, chance.choice((None, *NAMES)))],
        task.WORKING: [
            Submit(holder, shown, "look", chance.choice((None, COMMIT))),
            Submit(holder, shown, "look"),
            Resume(holder),
            Release(holder, shown),
            Fail(holder, shown, "too hard"),
            Expire(name, shown, 61, "no beat"),
            Progress(holder, shown, "on", chance.randrange(100)),
        ],
        task.IN_REVIEW: [Approve(name, "other"), Reject(name, "no"), Withdraw(holder, shown)],
        task.APPROVED: [
            BeginMerge(name, task.current(now, "submission"), MERGING),
            Merge(name, found=COMMIT),
            Merge(name, found=COMMIT),
            FailMerge(name, task.current(now, "submission"), CONFLICT),
            Reject(name, "no"),
            Submit(holder, shown, "again"),
        ],
        task.MERGING: [
            Merge(name, task.current(now, "merging")),
            FailMerge(name, task.current(now, "merging"), CONFLICT),
        ],
        task.FAILED: [Retry(name)],
        task.CANCELLED: [Retry(name)],
        task.COMPLETED: [Note(name, "done")],
    }
    anyhow: list[Command] = [
        Cancel(name),
        Note(name, "hm"),
        Resolve(name),
        Edit(name, title=f"title {chance.randrange(9)}", add_labels=(chance.choice("abc"),)),
        Edit(name, priority=chance.randrange(5), remove_labels=(chance.choice("abc"),)),
    ]
    return chance.choice(leads_on[now.state] if chance.random() < 0.75 else anyhow)


def by_arrival(events: Iterable[Event]) -> Any:
    """The mutant: folds in the order in which events came."""
    state: Any = None
    for item in events:
        state, _ = history.step(KIND, state, item)
    return state


Folding = Callable[[Iterable[Event]], Any]
