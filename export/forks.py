"""Chains that forked because two stores wrote under one id, and what somebody said of it.

An event names its predecessor by hash, so the end of a branch stands for all of it. `log.fork-settled` names the ends of
all branches that were seen: what they cover is dealt with, and a number that is given again later is found again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from domain import event, journal
from domain.blobs import preview
from domain.event import id_of, stated_id
from domain.named import NamedTuple
from export.findings import Finding

if TYPE_CHECKING:
    from domain.event import Event
    from domain.log import Log

SETTLED = "log.fork-settled"
FINDING_LIMIT = 1_000  # where findings were left out nobody knows where a fork begins


class _Link(NamedTuple):
    """An event of a forked chain: its number, and the one before it."""

    seq: int
    prev: str


def forked(findings: Sequence[Finding]) -> set[str]:
    """The replicas whose chains forked."""
    return {finding.path for finding in findings if finding.code == "fork"}


def settlements(log: Log, replica: str) -> list[Event]:
    """What was said of a replica's forks."""
    found = log.stream(journal.STREAM)
    return [one for one in found if one.type == SETTLED and one.payload["replica"] == replica]


def settle(log: Log, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with one `fork-settled` in the place of the forks of each replica that are dealt with, all of them."""
    settled = [found for replica in sorted(forked(findings)) if (found := _settled(log, replica, findings))]
    done = {finding.path for finding in settled}
    return [
        *(finding for finding in findings if not (finding.code == "fork" and finding.path in done)),
        *settled,
    ]


def ends(log: Log, replica: str, findings: Sequence[Finding]) -> list[str]:
    """The last event of each branch of a chain that forked, sorted."""
    branches = _branches(log, replica, _first(log, replica, findings))
    continued = {link.prev for link in branches.values()}
    return sorted(branches.keys() - continued)


def _settled(log: Log, replica: str, findings: Sequence[Finding]) -> Finding | None:
    said = settlements(log, replica)
    if not said or len(findings) >= FINDING_LIMIT:
        return None
    first = _first(log, replica, findings)
    branches = _branches(log, replica, first)
    if not _covers({end for one in said for end in one.payload["ends"]}, branches):
        return None
    if not _is_continuous(log, branches):
        return None
    by = said[-1]
    why = preview(by.payload["reason"])
    message = f"{replica} has several events with one number from {first} on; {by.sender} settled it, {by.ts}: {why}"
    return Finding("fork-settled", replica, message, id=by.id)


def _first(log: Log, replica: str, findings: Sequence[Finding]) -> int:
    """The first number that was given twice."""
    ids = [finding.id for finding in findings if finding.code == "fork" and finding.path == replica]
    return min((one.seq for one in map(log.event, ids) if one), default=1)


def _branches(log: Log, replica: str, first: int) -> dict[str, _Link]:
    """The events of a chain from a number on: what lies before is one, and can be long."""
    found: dict[str, _Link] = {}
    position = 0
    while rows := log.lines(position):
        position = rows[-1].id
        for row in rows:
            if replica.encode() in row.state and id_of(row.state) == stated_id(row.state):
                one = event.parse(row.state)
                if one.replica == replica and one.seq >= first:
                    found[one.id] = _Link(one.seq, one.prev)
    return found


def _covers(ends: Collection[str], branches: Mapping[str, _Link]) -> bool:
    """True if each event that shares its number with another one lies on a branch with a known end."""
    known: set[str] = set()
    todo = list(ends)
    while todo:
        event_id = todo.pop()
        if event_id in branches and event_id not in known:
            known.add(event_id)
            todo.append(branches[event_id].prev)
    times = Counter(link.seq for link in branches.values())
    return all(event_id in known for event_id, link in branches.items() if times[link.seq] > 1)


def _is_continuous(log: Log, branches: Mapping[str, _Link]) -> bool:
    """True if the predecessor of each is here: what is missing behind a fork is no part of what was settled."""
    before = {link.prev for link in branches.values()} - branches.keys() - {""}
    return before == log.positions(sorted(before)).keys()
