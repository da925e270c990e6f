"""The past as spans: who held which task when, which task was in which state when, who wrote to whom.

Folded from the log in its order. What the rules would not apply (a merge can bring such events) is left out. A task
that began in another tool is drawn from there: with the times of its source, not that of the import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from domain import task as machine
from domain.event import Event, IllegalEventError, parse_time
from domain.named import NamedTuple
from domain.task import Task, claim_of
from projections.source_past import SourcePast, of_source


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
    """A judgement at one moment: `kind` is the event's type, `task.imported` where the source had judged."""

    task: str
    kind: str
    by: str
    at: int


@dataclass(slots=True)
class Timeline:
    """Everything that a report draws. `made` has when each task began, `mail` counts messages by sender and address."""

    titles: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    made: dict[str, int] = field(default_factory=dict[str, int])
    spans: list[Span] = field(default_factory=list[Span])
    marks: list[Mark] = field(default_factory=list[Mark])
    mail: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    begin: int = 0
    end: int = 0
    events: int = 0


class _Open(NamedTuple):
    """A task as it is, since when; `source` until something happens to it here."""

    task: Task
    since: int
    source: SourcePast | None = None


_JUDGED = frozenset({"task.approved", "task.rejected"})


def timeline(
    events: Iterable[Event], progress: Callable[[int], None] = lambda _: None, since: int = 0, now: int = 0
) -> Timeline:
    """Fold events, in their order. `progress(done)` is called every thousand of them.

    With `since` (µs) only what went on from then until `now`: tasks that were open then or later, and what was written later.
    """
    fold = _Fold()
    found = fold.found
    for done, event in enumerate(events, 1):
        if done % 1_000 == 0:
            progress(done)
        if not since or parse_time(event.ts) >= since:
            found.events += 1
        if event.kind == "task":
            fold.task(event)
        elif event.kind == "mail":
            fold.mail(event, since)
    fold.end()
    return _from(found, since, max(found.end, now)) if since else found


def _from(past: Timeline, begin: int, end: int) -> Timeline:
    """What of it went on between `begin` and `end`; what began before begins there."""
    spans = [
        span._replace(begin=max(span.begin, begin))
        for span in past.spans
        if (span.end or end) >= begin and (span.begin >= begin or span.end or span.state in machine.OPEN)
    ]
    tasks = {span.task for span in spans}
    return replace(
        past,
        titles={name: title for name, title in past.titles.items() if name in tasks},
        labels={name: labels for name, labels in past.labels.items() if name in tasks},
        made={name: at for name, at in past.made.items() if name in tasks},
        spans=spans,
        marks=[mark for mark in past.marks if mark.at >= begin],
        begin=begin if spans else 0,
        end=end if spans else 0,
    )


class _Fold:
    """The timeline that grows, the tasks as they are, what sources call their actors."""

    def __init__(self) -> None:
        self.found = Timeline()
        self._tasks: dict[str, _Open] = {}
        self._names: dict[str, str] = {}

    def mail(self, event: Event, since: int) -> None:
        """Count what was sent, from `since` on."""
        at = parse_time(event.ts)
        if event.type == "mail.sent" and at >= since:
            route = (event.sender, event.to)
            self.found.mail[route] = self.found.mail.get(route, 0) + 1
        if event.type in ("mail.sent", "mail.answered"):
            self._stretch(at)

    def task(self, event: Event) -> None:
        """Go on with a task."""
        name, before = event.subject, self._tasks.get(event.subject)
        try:
            now = machine.evolve(before.task if before else None, event)
        except (IllegalEventError, KeyError, TypeError, ValueError):
            return
        if of_source(event):
            self._tasks[name] = self._imported(before, now, event)
            return
        at = parse_time(event.ts)
        self._stretch(at)
        if event.type in _JUDGED:
            self.found.marks.append(Mark(name, event.type, event.sender, at))
        self._tasks[name] = self._moved(before, now, event, at) if before else _Open(now, at)

    def _imported(self, before: _Open | None, now: Task, event: Event) -> _Open:
        at = parse_time(event.ts)
        if before and not before.source:
            return self._moved(before, now, event, at)
        made = min(at, parse_time(now.card.created))
        source = (before and before.source) or SourcePast(made, self._names)
        source.told(event, now)
        return _Open(now, made, source)

    def _moved(self, before: _Open, now: Task, event: Event, at: int) -> _Open:
        if (now.state, claim_of(now)) == (before.task.state, claim_of(before.task)):
            return before._replace(task=now)
        was = self._settled(event.subject, before)
        begin = max(at, was.since)
        self._add(_span(event.subject, was, begin, event.type))
        return _Open(now, begin)

    def _settled(self, name: str, was: _Open) -> _Open:
        """The same without its source, whose part of the past has become spans."""
        source = was.source
        if source is None:
            return was
        before, since = source.whiles()
        for part in before:
            self._add(Span(name, part.state, part.holder, part.begin, part.end, "task.imported"))
        if source.rested and (by := source.ended_by()):
            self.found.marks.append(Mark(name, "task.imported", by, since))
        self._stretch(max(since, source.known))
        return _Open(was.task, since)

    def end(self) -> None:
        """Nothing comes any more: what goes on goes on until now."""
        for name, last in self._tasks.items():
            self._add(_span(name, self._settled(name, last), 0, ""))
            self.found.titles[name] = last.task.card.title
            self.found.labels[name] = last.task.card.labels

    def _add(self, span: Span) -> None:
        found = self.found
        found.spans.append(span)
        found.made[span.task] = min(found.made.get(span.task, span.begin), span.begin)
        self._stretch(span.begin)

    def _stretch(self, at: int) -> None:
        self.found.begin = min(self.found.begin or at, at)
        self.found.end = max(self.found.end, at)


def _span(name: str, was: _Open, end: int, ended: str) -> Span:
    claim = claim_of(was.task)
    return Span(name, was.task.state, claim.holder if claim else "", was.since, end, ended)
