"""The past as spans: who held which task when, which task was in which state when, who wrote to whom.

Folded from the log in its order. What the rules would not apply (a merge can bring such events) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from domain import task as machine
from domain.event import Event, IllegalEventError, parse_time
from domain.task import Task, claim_of


class Span(NamedTuple):
    """A while in the life of a task, in microseconds: in `state`, held by `holder` ("" by nobody). `end` 0: until now.

    `ended` is the type of the event that ended it, "" for one that goes on.
    """

    task: str
    state: str
    holder: str
    begin: int
    end: int
    ended: str


class Mark(NamedTuple):
    """A judgement at one moment: `kind` is the event's type."""

    task: str
    kind: str
    by: str
    at: int


@dataclass(slots=True)
class Timeline:
    """Everything that a report draws. `mail` counts messages by sender and address."""

    titles: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    spans: list[Span] = field(default_factory=list[Span])
    marks: list[Mark] = field(default_factory=list[Mark])
    mail: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    begin: int = 0
    end: int = 0
    events: int = 0


class _Open(NamedTuple):
    task: Task
    since: int


_JUDGED = frozenset({"task.approved", "task.rejected"})


def timeline(events: Iterable[Event], progress: Callable[[int], None] = lambda _: None) -> Timeline:
    """Fold events, in their order. `progress(done)` is called every thousand of them."""
    found = Timeline()
    tasks: dict[str, _Open] = {}
    for event in events:
        found.events += 1
        if found.events % 1_000 == 0:
            progress(found.events)
        if event.type == "mail.sent":
            route = (event.sender, event.to)
            found.mail[route] = found.mail.get(route, 0) + 1
        if event.kind == "task":
            _fold(found, tasks, event)
        elif event.type in ("mail.sent", "mail.answered"):
            _stretch(found, parse_time(event.ts))
    for name, last in tasks.items():
        found.spans.append(_span(name, last, 0, ""))
        found.titles[name], found.labels[name] = last.task.card.title, last.task.card.labels
    return found


def _fold(found: Timeline, tasks: dict[str, _Open], event: Event) -> None:
    name, before = event.subject, tasks.get(event.subject)
    try:
        now = machine.evolve(before.task if before else None, event)
    except (IllegalEventError, KeyError, TypeError, ValueError):
        return
    at = parse_time(event.ts)
    _stretch(found, at)
    if event.type in _JUDGED:
        found.marks.append(Mark(name, event.type, event.sender, at))
    if before is None:
        tasks[name] = _Open(now, at)
    elif (now.state, claim_of(now)) == (before.task.state, claim_of(before.task)):
        tasks[name] = before._replace(task=now)
    else:
        found.spans.append(_span(name, before, max(at, before.since), event.type))
        tasks[name] = _Open(now, max(at, before.since))


def _span(name: str, was: _Open, end: int, ended: str) -> Span:
    claim = claim_of(was.task)
    return Span(name, was.task.state, claim.holder if claim else "", was.since, end, ended)


def _stretch(found: Timeline, at: int) -> None:
    found.begin = min(found.begin or at, at)
    found.end = max(found.end, at)
