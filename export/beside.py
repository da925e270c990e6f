"""The tables that are kept beside the events, compared with what the events say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import event
from domain.event import id_of, stated_id, stated_time
from export.importing import way_out
from export.keys import Keys, Used
from export.looking import CHUNK, KEEP, NO_CHAIN, NO_EVENTS, Looked

if TYPE_CHECKING:
    from domain.log import Log

IMPORT = "Import the segments that hold them: `crewlog import`, `crewlog sync`."


class Beside:
    """What is said goes to the findings of `looked`."""

    def __init__(self, log: Log, looked: Looked, kept: int) -> None:
        """`kept`: the sum over the table of keys (`export.keys.kept`), hashed where the events were looked at."""
        self._log = log
        self._looked = looked
        self._kept = kept
        self._found = looked.findings

    def compare(self) -> None:
        """Compare all of them."""
        self._report_holes()
        self._compare_chains()
        stray_heads = self._compare_heads()
        doubtful = ["keys"] if self._looked.borne != self._kept else []
        if doubtful:
            self._look_at_each_key()
        for what, number in {"stream_heads": stray_heads, **self._log.strays(*doubtful)}.items():
            if number:
                self._found.say("stray-rows", f"{number} rows of {what} belong to no event of the log")
        waiting = self._log.pending()
        if waiting:
            self._found.say("pending", f"{waiting} events wait for one that is not here", hint=IMPORT)

    def _compare_chains(self) -> None:
        chains = self._log.chains()
        for replica in sorted(self._looked.ends.keys() - chains.keys()):
            message = f"the end of {replica} is not kept: its numbers would be given again"
            self._found.say("chain-end", message, path=replica, hint=KEEP)
        for replica, (seq, event_id) in chains.items():
            end = self._looked.ends.get(replica, NO_CHAIN)
            if (
                (end.seq, end.id) != (seq, event_id)
                and not self._looked.holes.get(replica)
                and not self._is_other_end(replica, seq, event_id)
            ):
                message = f"{replica} should end with {seq} ({event_id[:12]}), and ends with {end.seq}"
                self._found.say("chain-end", message, path=replica, hint=KEEP, of=event_id)

    def _compare_heads(self) -> int:
        """Also how many belong to no event."""
        streams = {**self._looked.streams}
        doubtful: dict[str, list[str]] = {}
        for stream, kept in self._log.all_heads():
            _, ids, time = streams.pop(stream, NO_EVENTS)
            if len(ids) != 1 or kept != [(ids[0], time)]:  # of several heads only one's time is known
                doubtful[stream] = ids
        strays = self._compare_with_events(doubtful)
        for stream in streams:
            self._found.say("heads-wrong", f"the heads of {stream} are missing")
        return strays

    def _compare_with_events(self, heads: dict[str, list[str]]) -> int:
        """Compare the heads of some streams with their events; how many have none."""
        strays = 0
        for stream, kept in self._log.heads_beside_events([*heads]):
            if heads[stream] != [head.id for head in kept]:
                self._found.say("heads-wrong", f"the heads of {stream} are not those that its events say")
            for head in kept:
                if head.line and head.ts != stated_time(head.line):
                    message = f"the time that is kept of a head of {stream} is not that of its event"
                    self._found.say("heads-wrong", message, of=head.id)
            strays += sum(head.line is None for head in kept)
        return strays

    def _look_at_each_key(self) -> None:
        keys, position = Keys(self._log), 0
        while rows := self._log.lines(position, CHUNK):
            position = rows[-1].id
            sound = [
                (row.id, event.parse(row.state)) for row in rows if id_of(row.state) == stated_id(row.state)
            ]
            for item in keys.wrong([Used(place, one.sender, one.key, one.id) for place, one in sound]):
                self._found.at(item.position, "keys-wrong", f"key {item.key!r} does not lead to it", item.id)
        surplus = keys.surplus()
        if surplus > self._looked.unread:
            self._found.say("keys-wrong", f"{surplus} keys stand for no event that bears them", hint=KEEP)

    def _is_other_end(self, replica: str, seq: int, event_id: str) -> bool:
        """True if the chain forked, and the end that is kept is that of the other branch."""
        found = self._log.event(event_id) if seq == self._looked.ends.get(replica, NO_CHAIN).seq else None
        return found is not None and (found.replica, found.seq) == (replica, seq)

    def _report_holes(self) -> None:
        for replica, holes in self._looked.holes.items():
            seq, before = self._looked.ends.get(replica, NO_CHAIN)
            for first in sorted(holes):
                event_id, prev = holes[first]
                if first > seq + 1:
                    message = f"{replica}: {seq + 1} to {first - 1} are missing"
                    self._found.say("gap", message, path=replica, hint=IMPORT, of=event_id)
                elif prev != before:  # it names another predecessor than the one that is here
                    message = f"{replica} {first} does not continue {seq}"
                    self._found.say("fork", message, path=replica, hint=way_out(replica), of=event_id)
                seq, before = first, event_id
