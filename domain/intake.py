"""Events of other clones into the log: absent ones are inserted, causes before effects, and forked streams refolded.

An event whose parents are not all here is kept aside (`pending`) and comes into the log behind the last of them. So
the log's order always extends causality, and whoever folds it never meets an effect before its cause.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from domain import event, history
from domain.event import Event
from domain.history import APPLIED, CONFLICT, UNKNOWN, Fold
from domain.named import NamedTuple
from domain.stores.tables import Head, Link, State, Tables


class Change(NamedTuple):
    """What an import did to a stream: its state before and after, and the events that are in conflict since."""

    stream: str
    before: Any
    after: Any
    conflicts: tuple[Event, ...]


class Inserted(NamedTuple):
    """What became of some events. `new` are in the log now, in this order; `pending` are kept until a parent comes.

    `gaps` are those of them whose predecessor in its replica's chain is not here; `late` those that came behind a
    later one of their chain: they fill a gap, or the chain has two ends.
    """

    new: tuple[Event, ...]
    pending: tuple[Event, ...]
    gaps: tuple[Event, ...]
    late: tuple[Event, ...]
    changes: tuple[Change, ...]


class Intake:
    """Takes events in, inside one transaction. They must have passed `event.check`."""

    def __init__(self, tables: Tables, folds: Mapping[str, Fold], arrived: int) -> None:
        self._tables = tables
        self._folds = folds
        self._arrived = arrived
        self._stored: dict[str, tuple[State, list[Head]]] = {}
        self._streams: dict[str, _Stream] = {}
        self._chains: dict[str, Link] = {}  # as far as was seen, pending events too
        self._ends: dict[str, Link] = {}  # of what came into the log
        self._new: dict[str, Event] = {}
        self._rows: list[tuple[Event, int]] = []
        self._pending: list[Event] = []
        self._gaps: list[Event] = []
        self._late: list[Event] = []

    def insert(self, events: Sequence[Event]) -> Inserted:
        """Insert what is absent."""
        ids = list({item.id for item in events})
        known = self._tables.known(ids)
        waiting = self._tables.known_pending(ids)
        wanted = list({parent for item in events for parent in item.parents})
        here = known | self._tables.known(wanted)
        anything_waits = self._tables.pending() > 0
        self._stored = self._tables.streams(sorted({item.stream for item in events}))
        for item in events:
            if item.id in known or item.id in waiting or item.id in self._new:
                continue
            self._link(item)
            stack = [item]
            while stack:
                one = stack.pop()
                missing = self._missing(one, here)
                if missing:
                    self._tables.put_pending(one, missing)
                    self._pending.append(one)
                    anything_waits = True
                    continue
                self._take(one)
                here.add(one.id)
                if anything_waits:
                    stack += [event.parse(line) for line in self._tables.take_pending(one.id)]
        return self._finish()

    def _missing(self, item: Event, here: set[str]) -> str:
        """A parent that is not in the log, or ""."""
        absent = [parent for parent in item.parents if parent not in here]
        if absent and (
            found := self._tables.known(absent)
        ):  # what waited comes with parents nobody asked for
            here |= found
            absent = [parent for parent in absent if parent not in found]
        return absent[0] if absent else ""

    def _link(self, item: Event) -> None:
        """Judge the event's place in its replica's chain."""
        end = self._chains.get(item.replica) or self._tables.chain(item.replica)
        if (item.seq, item.prev) == (end.seq + 1, end.id):
            pass
        elif item.seq <= end.seq:
            self._late.append(item)
        elif (item.prev and not self._is_here(item.prev)) or (item.seq > 1 and not item.prev):
            self._gaps.append(item)
        self._chains[item.replica] = max(end, Link(item.seq, item.id))

    def _is_here(self, event_id: str) -> bool:
        known = event_id in self._new or bool(self._tables.position(event_id))
        return known or bool(self._tables.known_pending([event_id]))

    def _take(self, item: Event) -> None:
        stream = self._streams.get(item.stream)
        if stream is None:
            stored = self._stored.get(item.stream) or self._tables.streams([item.stream])[item.stream]
            stream = self._streams[item.stream] = _Stream(item.stream, *stored, self._tables, self._folds)
        stream.add(item)
        self._new[item.id] = item
        self._rows.append((item, stream.version))
        self._ends[item.replica] = max(self._ends.get(item.replica, Link(0, "")), Link(item.seq, item.id))

    def _finish(self) -> Inserted:
        self._tables.insert(self._rows, self._arrived)
        for replica, end in self._ends.items():
            self._tables.put_chain(replica, end)
        changes = [stream.finish(self._new) for stream in self._streams.values()]
        self._tables.put_streams({name: stream.now for name, stream in sorted(self._streams.items())})
        pending = tuple(item for item in self._pending if item.id not in self._new)
        new = tuple(self._new.values())
        return Inserted(new, pending, tuple(self._gaps), tuple(self._late), tuple(changes))


class _Stream:
    """A stream that gets events: folded as they come while it is linear, from its beginning where it forked."""

    def __init__(
        self, stream: str, stored: State, heads: Sequence[Head], tables: Tables, folds: Mapping[str, Fold]
    ) -> None:
        self._stream = stream
        self._tables = tables
        self._kind = folds.get(stream.partition("/")[0])
        self._heads = {head.id: head for head in heads}
        self._forked = bool(stored.version) and (self._kind is None or stored.fold != self._kind.FOLD)
        self._before = (
            self._kind.load(stored.data) if self._kind and stored.data and not self._forked else None
        )
        self._state = self._before
        self._unknown = stored.unknown
        self._conflicts: list[Event] = []
        self.version = stored.version

    def add(self, item: Event) -> None:
        """Take the next event of the log's order."""
        self.version += 1
        if {*item.parents} != self._heads.keys():
            self._forked = True
        for parent in item.parents:
            self._heads.pop(parent, None)
        self._heads[item.id] = Head(item.id, item.ts)
        if self._kind and not self._forked:
            self._state, became = history.step(self._kind, self._state, item)
            self._unknown += became == UNKNOWN
            self._conflicts += [item] if became == CONFLICT else []

    def finish(self, new: Mapping[str, Event]) -> Change:
        """What came of it, all events of the stream being in the log."""
        if self._kind and self._forked:
            self._refold(self._kind, new)
        return Change(self._stream, self._before, self._state, tuple(self._conflicts))

    @property
    def now(self) -> tuple[State, Collection[Head]]:
        """The state to keep, and the heads."""
        if self._kind is None:
            return State(self.version, None, 0, self.version), self._heads.values()
        data = self._kind.dump(self._state) if self._state is not None else None
        return State(self.version, data, self._kind.FOLD, self._unknown), self._heads.values()

    def _refold(self, kind: Fold, new: Mapping[str, Event]) -> None:
        events = [event.parse(line) for line in self._tables.lines(self._stream)]
        old = history.fold(kind, [item for item in events if item.id not in new])
        now = history.fold(kind, events)
        self._before, self._state = old.state, now.state
        self._unknown = now.unknown
        self._conflicts = [
            item
            for item in now.order
            if now.dispositions[item.id] == CONFLICT and old.dispositions.get(item.id, APPLIED) != CONFLICT
        ]
