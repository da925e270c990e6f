"""The one order in which every clone folds a stream, and what becomes of each event in it.

A log is a set of events: two clones that hold the same set show the same state, whatever came first. Within one clone
a stream is linear. After an import it can fork, and then progress wins: of several heads the one whose own ancestry
folds to the furthest state comes first, with all its ancestry; the other events follow by time and id. Nothing here
recurses: a stream may be long.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from domain import task
from domain.event import VERSION, Event, IllegalEventError
from domain.named import NamedTuple
from domain.registry import EVENT_TYPES

APPLIED, CONFLICT, PENDING, UNKNOWN = "applied", "conflict", "pending", "unknown"
# APPLIED changed the state. CONFLICT was not legal when its turn came: kept, shown, counted. PENDING waits for a
# parent. UNKNOWN is of a type or a version that only a newer crewlog understands.


class Fold(Protocol):
    """How the events of one kind of stream are folded; `domain.task` and `domain.agent` are such modules."""

    FOLD: int

    def evolve(self, state: Any, event: Event, /) -> Any:
        """The state after the event."""

    def dump(self, state: Any, /) -> bytes:
        """The state as bytes."""
        ...

    def load(self, data: bytes, /) -> Any:
        """The state from bytes."""


class History(NamedTuple):
    """A stream folded: its state, its events in the one order, what became of each, those that nothing follows.

    `order` has no pending events; `dispositions` has every event of the stream, by id. `heads` are sorted.
    """

    state: Any
    order: tuple[Event, ...]
    dispositions: Mapping[str, str]
    heads: tuple[str, ...]

    @property
    def unknown(self) -> int:
        """How many events this version does not understand."""
        return sum(became == UNKNOWN for became in self.dispositions.values())


def step(kind: Fold, state: Any, event: Event) -> tuple[Any, str]:
    """The state after the next event of the order, and what became of the event."""
    if not is_known(event):
        return state, UNKNOWN
    try:
        return kind.evolve(state, event), APPLIED
    except (IllegalEventError, KeyError, TypeError, ValueError, AttributeError):
        # Also a payload that nothing can be made of: an import must never stop a stream for ever.
        if isinstance(state, task.Task):
            return task.conflicted(state, event), CONFLICT
        return state, CONFLICT


def is_known(event: Event) -> bool:
    """True for an event that this version can fold."""
    return event.v <= VERSION and event.type in EVENT_TYPES


def linearize(kind: Fold, events: Iterable[Event]) -> tuple[Event, ...]:
    """The one order of a stream's events, those left out whose ancestry is not whole."""
    return _Graph(kind, events).order()


def fold(kind: Fold, events: Iterable[Event]) -> History:
    """Fold a stream from all its events, in whatever order they are given."""
    listed = [*events]
    if _is_chain(listed):
        return _fold_chain(kind, listed)
    graph = _Graph(kind, listed)
    order = graph.order()
    dispositions = dict.fromkeys(graph.events, PENDING)
    state, stamps = None, _Stamps()
    for event in order:
        latest = stamps.latest(event, graph.keys[event.id]) if graph.is_forked else event
        state, dispositions[event.id] = step(kind, state, latest)
    return History(state, order, dispositions, graph.heads)


def _is_chain(events: Sequence[Event]) -> bool:
    """True if each event has seen the one in front of it and no other end: nothing is to be put in order."""
    last: tuple[str, ...] = ()
    for event in events:
        if event.parents != last:
            return False
        last = (event.id,)
    return True


def _fold_chain(kind: Fold, events: Sequence[Event]) -> History:
    state: Any = None
    dispositions: dict[str, str] = {}
    for event in events:
        state, dispositions[event.id] = step(kind, state, event)
    return History(state, tuple(events), dispositions, tuple(event.id for event in events[-1:]))


Key = tuple[str, int, str]


class _Stamps(dict[str, Key]):
    """When each field of a task was last written: of edits that did not see each other the later one wins."""

    def latest(self, event: Event, key: Key) -> Event:
        """The event without those edits that a later one, already folded, has overwritten."""
        if event.type != "task.edited":
            return event
        payload = {name: self._newer(name, value, key) for name, value in event.payload.items()}
        return event._replace(payload={name: value for name, value in payload.items() if value is not _OLD})

    def _newer(self, name: str, value: Any, key: Key) -> Any:
        if name in ("add_labels", "remove_labels") and isinstance(value, list):
            labels = cast("list[object]", value)
            return [label for label in labels if self._is_newer(f"label {label}", key)]
        return value if self._is_newer(name, key) else _OLD

    def _is_newer(self, name: str, key: Key) -> bool:
        if self.get(name, ("", 0, "")) > key:
            return False
        self[name] = key
        return True


_OLD = object()


class _Graph:
    """The events of a stream, and the order that follows from who saw whom."""

    def __init__(self, kind: Fold, events: Iterable[Event]) -> None:
        self._kind = kind
        self.events = {event.id: event for event in events}
        self._children: dict[str, list[str]] = {}
        self.keys = self._keyed()
        self._sorted = sorted(self.keys, key=self.keys.__getitem__)
        self._place = {event_id: place for place, event_id in enumerate(self._sorted)}
        seen = {parent for event_id in self._sorted for parent in self.events[event_id].parents}
        self.heads = tuple(sorted(event_id for event_id in self._sorted if event_id not in seen))
        self.is_forked = not self._is_linear()

    def _keyed(self) -> dict[str, Key]:
        """For each event whose ancestry is whole what it is sorted by: its time and id, and always behind its parents.

        An honest event is later than its parents. One that is not is lifted behind them, so that a wrong clock cannot
        put an effect before its cause; and the key depends on the event's own ancestry only.
        """
        waiting = Counter[str]()
        for event in self.events.values():
            waiting[event.id] = len(event.parents)
            for parent in event.parents:
                self._children.setdefault(parent, []).append(event.id)
        free = [event_id for event_id in self.events if not waiting[event_id]]
        keys: dict[str, Key] = {}
        while free:
            event_id = free.pop()
            keys[event_id] = self._key(self.events[event_id], keys)
            for child in self._children.get(event_id, ()):
                waiting[child] -= 1
                if not waiting[child]:
                    free.append(child)
        return keys

    def _key(self, event: Event, keys: Mapping[str, Key]) -> Key:
        moment, lift, _ = max((keys[parent] for parent in event.parents), default=("", 0, ""))
        return (event.ts, 0, event.id) if event.ts > moment else (moment, lift + 1, event.id)

    def _is_linear(self) -> bool:
        last: tuple[str, ...] = ()
        for event_id in self._sorted:
            if self.events[event_id].parents != last:
                return False
            last = (event_id,)
        return True

    def order(self) -> tuple[Event, ...]:
        """The one order."""
        if not self.is_forked:
            return tuple(self.events[event_id] for event_id in self._sorted)
        return tuple(self.events[event_id] for event_id in _Ranking(self).order())

    def step(self, state: Any, event_id: str) -> Any:
        """The state after the event."""
        return step(self._kind, state, self.events[event_id])[0]

    def following(self, event_id: str) -> int:
        """How many events name this one as a parent."""
        return len(self._children.get(event_id, ()))

    def topological(self) -> Sequence[str]:
        """All events whose ancestry is whole, causes first."""
        return self._sorted

    def maximal(self, ids: Sequence[str]) -> list[str]:
        """Those of the events that are no ancestor of another one."""
        if len(ids) < 2:
            return list(ids)
        lowest = min(self._place[event_id] for event_id in ids)
        queue = [-self._place[parent] for event_id in ids for parent in self.events[event_id].parents]
        heapq.heapify(queue)
        reached: set[int] = set()
        while queue and -queue[0] >= lowest:
            place = -heapq.heappop(queue)
            if place not in reached:
                reached.add(place)
                parents = self.events[self._sorted[place]].parents
                for parent in parents:
                    heapq.heappush(queue, -self._place[parent])
        return [event_id for event_id in ids if self._place[event_id] not in reached]

    def beyond(self, ids: Sequence[str], winner: str) -> list[str]:
        """The events and their ancestors without the winner and its ancestors, sorted.

        Walks from the youngest down, and stops as soon as nothing is left that the winner has not seen: the cost is
        that of what diverged.
        """
        seen = {self._place[winner]}
        wanted = {self._place[event_id] for event_id in ids} - seen
        queue = [-place for place in seen | wanted]
        heapq.heapify(queue)
        found: list[int] = []
        while wanted:
            place = -heapq.heappop(queue)
            mine = place in wanted
            if mine:
                wanted.discard(place)
                found.append(place)
            for parent in self.events[self._sorted[place]].parents:
                self._paint(self._place[parent], mine, seen, wanted, queue)
        return [self._sorted[place] for place in reversed(found)]

    def _paint(self, place: int, mine: bool, seen: set[int], wanted: set[int], queue: list[int]) -> None:  # noqa: FBT001
        if place in seen:
            return
        if mine:
            if place not in wanted:
                wanted.add(place)
                heapq.heappush(queue, -place)
            return
        seen.add(place)
        if place in wanted:
            wanted.discard(place)  # it is in the queue already
        else:
            heapq.heappush(queue, -place)


class _Ranking:
    """Folds each event's own ancestry once, each from that of its furthest parent, to find who comes first."""

    def __init__(self, graph: _Graph) -> None:
        self._graph = graph
        self._states: dict[str, Any] = {}
        self._left = {event_id: graph.following(event_id) for event_id in graph.topological()}
        # For each event: the parent whose order it continues ("": none), and what comes between the two.
        self._before: dict[str, tuple[str, Sequence[str]]] = {}

    def order(self) -> list[str]:
        """The one order, as ids."""
        graph = self._graph
        for event_id in graph.topological():
            parents = graph.events[event_id].parents
            winner, between, state = self._joined(parents)
            self._before[event_id] = winner, between
            self._states[event_id] = graph.step(state, event_id)
            self._forget(parents)
        winner, between, _ = self._joined(graph.heads)
        return self._unrolled(winner, between)

    def _joined(self, heads: Sequence[str]) -> tuple[str, Sequence[str], Any]:
        """Of several heads: who wins, what follows the winner, and the state behind that."""
        if not heads:
            return "", (), None
        furthest = self._graph.maximal(heads)
        winner = min(furthest, key=self._rank)
        between = self._graph.beyond(furthest, winner) if len(furthest) > 1 else ()
        state = self._states[winner]
        for event_id in between:
            state = self._graph.step(state, event_id)
        return winner, between, state

    def _rank(self, event_id: str) -> tuple[int, Key]:
        state = self._states[event_id]
        done = task.progress(state) if isinstance(state, task.Task) else 0
        return -done, self._graph.keys[event_id]

    def _forget(self, parents: Sequence[str]) -> None:
        for parent in parents:
            self._left[parent] -= 1
            if not self._left[parent]:
                del self._states[parent]

    def _unrolled(self, winner: str, between: Sequence[str]) -> list[str]:
        backwards: list[str] = [*reversed(between)]
        while winner:
            backwards.append(winner)
            winner, between = self._before[winner]
            backwards += reversed(between)
        return backwards[::-1]
