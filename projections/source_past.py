"""What an imported task went through in its source: from when it was made there until this log took it in.

A source says when an issue was made and when it came to rest, and some keep what happened between. Of that only one
thing is read: whether somebody was at work. Such records can be wrong about times; no while ends before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.event import Event, parse_time
from domain.named import NamedTuple
from domain.task import ASSIGNED, WORKING, Task

_FROM_SOURCES = ("task.imported", "task.synced", "task.source-event")
# How trackers write that somebody is at work.
_AT_WORK = ("in_progress", "hooked")


def of_source(event: Event) -> bool:
    """True for what an import wrote."""
    return event.type in _FROM_SOURCES or (event.type == "task.noted" and "digest" in event.payload)


class Step(NamedTuple):
    """From `at` on (µs) `holder` was at work, or with "" nobody."""

    at: int
    holder: str


class While(NamedTuple):
    """`state` and who was at work, from `begin` to `end` in microseconds."""

    state: str
    holder: str
    begin: int
    end: int


@dataclass(slots=True)
class SourcePast:
    """What is known of one task. Times in microseconds; `rested` is 0 where it is not at rest.

    `names` is shared by all tasks: our name for each of the source's actors.
    """

    made: int
    names: dict[str, str]
    known: int = 0  # the latest moment of which the source says anything
    rested: int = 0
    closer: str = ""
    assignee: str = ""
    steps: list[Step] = field(default_factory=list[Step])

    def told(self, event: Event, task: Task) -> None:
        """Take in an import, a later one, or an entry of the source's history. `task` is as it is after that."""
        payload = event.payload
        if by := str(payload.get("by", "")):
            self.names[str(payload.get("actor", by))] = by
        if event.type == "task.source-event":
            self._happened(event)
        elif event.type != "task.noted":
            self._stands(event, task)

    def _stands(self, event: Event, task: Task) -> None:
        payload, taken_in = event.payload, parse_time(event.ts)
        if task.card.assignee:
            self.assignee = str(payload.get("assigned") or task.card.assignee)
            self.names[self.assignee] = task.card.assignee
        # A source whose clock runs ahead must not reach beyond the moment at which it was read.
        self.known = min(parse_time(payload.get("updated") or event.ts), taken_in)
        self.rested = 0
        if task.state != ASSIGNED:
            told = payload.get("ended")
            self.rested = min(parse_time(told), taken_in) if told else self.known
            self.closer = str(payload.get("ended_by", ""))

    def _happened(self, event: Event) -> None:
        payload = event.payload
        text, at = payload.get("text"), payload.get("at")
        if not at:
            return
        parts = [part.partition(": ") for part in text.split(", ")] if isinstance(text, str) else []
        told = {name: value for name, _, value in parts}
        if payload["kind"] == "closed":
            self._stepped(at, event.ts, "")
        elif "status" in told:
            worker = told.get("assignee") or str(payload.get("actor") or payload.get("by", ""))
            self._stepped(at, event.ts, worker if told["status"] in _AT_WORK else "")

    def _stepped(self, at: str, read: str, holder: str) -> None:
        step = Step(parse_time(min(at, read)), holder)
        self.steps.append(step)
        self.known = max(self.known, step.at)

    def ended_by(self) -> str:
        """Who brought it to rest, or whose it was where the source does not say; "" for nobody."""
        name = self.closer or self.assignee
        return self.names.get(name, name)

    def whiles(self) -> tuple[list[While], int]:
        """Every while before its present state, and since when it has been in that."""
        steps = sorted(self.steps)
        begin = min([self.made, *(step.at for step in steps)])
        at_work = bool(steps and steps[-1].holder)
        until = self.rested or (self.known if at_work else 0)
        if until:
            steps = [*(step for step in steps if step.at < until), Step(until, "")]
        found: list[While] = []
        holder = ""
        for step in steps:
            if step.at > begin and (step.holder != holder or step.at == until):
                found.append(self._while(holder, begin, step.at))
                begin = step.at
            holder = step.holder
        return found, max(begin, self.rested)

    def _while(self, holder: str, begin: int, end: int) -> While:
        return While(WORKING if holder else ASSIGNED, self.names.get(holder, holder), begin, end)
