"""Whether the log is whole and untouched: bytes, ids, chains, parents, tables, states, blobs, segments.

Everything is read once, a thousand events at a time, and nothing is changed. What is wrong comes back as findings; a
log of any size is looked through in bounded memory.
"""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from domain import event, history
from domain.event import VERSION, id_of, stated_id
from domain.log import FOLDS
from domain.refusals import Refusal
from domain.registry import EVENT_TYPES
from export.findings import Finding
from export.importing import AHEAD, fork
from export.keys import Keys, Used, agree
from export.segments import REWRITE, Span, batches, blob_path, blobs_of, sealed_spans
from export.sources import File, Places

if TYPE_CHECKING:
    from domain.log import Log, Row

CHUNK = 1_000
LOG = "crewlog.db"
FINDING_LIMIT = 1_000
Progress = Callable[[int, int], None]


class End(NamedTuple):
    """The end of a replica's chain, as its events say it."""

    seq: int
    id: str


# For each replica whose chain is whole: the sums of the hashes of its first, first two, first three … ids.
Sums = Mapping[str, Sequence[int]]
_SUM = (1 << 64) - 1


class Verified(NamedTuple):
    """What was found in the log itself."""

    events: int
    ends: dict[str, End]
    blobs: dict[str, str]
    findings: list[Finding]
    sums: Sums = MappingProxyType({})


class Findings(list[Finding]):
    """Findings, up to a limit: of a log that is wrong everywhere the first thousand will do."""

    def say(
        self,
        code: str,
        message: str,
        *,
        path: str = LOG,
        hint: str = "",
        of: str = "",
        **where: int,
    ) -> None:
        """Add a finding."""
        if len(self) < FINDING_LIMIT:
            self.append(Finding(code, path, message, hint, id=of, **where))


# --- the log ---------------------------------------------------------------------------------------------------------


def verify_log(log: Log, progress: Progress | None = None) -> Verified:
    """Bytes, ids, chains, parents, and the tables that are kept beside the events; all of one moment."""
    with log.snapshot():
        return _verify_log(log, progress)


def _verify_log(log: Log, progress: Progress | None) -> Verified:
    look = _Look(log)
    total = log.position()
    position = 0
    while rows := log.rows(position, CHUNK):
        look.at(rows)
        position = rows[-1][0]
        if progress:
            progress(position, total)
    look.finish()
    return Verified(look.events, look.ends, look.blobs, look.found, look.sums)


_NO_EVENTS: tuple[int, tuple[str, ...]] = (0, ())
_NO_CHAIN = End(0, "")


class _Early(NamedTuple):
    """An event whose predecessor in its chain has not been read yet, and the id of that."""

    id: str
    prev: str


def _nothing() -> array[int]:
    return array("Q", [0])


class _Look:
    """One pass over the log, in its order. `at` does what every event needs, and asks the others where something is odd."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._borne = 0  # the sum that `export.keys.agree` compares
        self._unread = 0
        self._streams: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._holes: dict[str, dict[int, _Early]] = {}
        self._arrived = 0
        self._limit = event.format_time(log.clock() + AHEAD)
        self.events = 0
        self.ends: dict[str, End] = {}
        self.blobs: dict[str, str] = {}
        self.sums: dict[str, array[int]] = defaultdict(_nothing)
        self.found = Findings()

    def at(self, rows: Sequence[Row]) -> None:
        """Look at the next rows."""
        self.events += len(rows)
        streams, ends, hashed, loads = self._streams, self.ends, event.id_of, orjson.loads
        limit, borne = self._limit, 0
        for row in rows:
            position, stream, version, topic, line, kept_id, arrived = row
            event_id = hashed(line) if type(line) is bytes else ""  # by hand one can store a text
            if not event_id or not line.startswith(b'{"id":"' + event_id.encode() + b'",'):
                stated = stated_id(line) if event_id else ""
                self._say(position, "bytes-changed", "the bytes do not hash to the id", stated)
                self._unread += 1
                continue
            body = loads(line)
            get = body.get
            key = get("key")
            if key:
                borne += hash((body["from"], key, event_id))
            before, heads = streams.get(stream, _NO_EVENTS)
            if kept_id != event_id or arrived is None or arrived < self._arrived or version != before + 1:
                self._kept(row, event_id, before)
            else:
                self._arrived = arrived
            if body["stream"] != stream or body["type"] != topic:
                self._say(
                    position, "row-changed", "stream or type of the row is not that of the event", event_id
                )
            parents = tuple(get("parents", ()))
            streams[stream] = (
                version,
                ((event_id,) if parents == heads else self._forked(row, heads, parents)),
            )
            replica, seq = get("replica", ""), get("seq", 0)
            end = ends.get(replica, _NO_CHAIN)
            if seq == end[0] + 1 and get("prev", "") == end[1]:
                self._advance(replica, seq, event_id)
                if self._holes:
                    self._close_holes(replica)
            else:
                self._off_chain(position, replica, seq, _Early(event_id, get("prev", "")))
            if body["ts"] > limit or topic not in EVENT_TYPES or body["v"] > VERSION:
                self._odd(position, body)
            if b'"blob":' in line:
                self._refer(line, event_id)
        self._borne += borne

    def _refer(self, line: bytes, event_id: str) -> None:
        for digest in blobs_of(line):
            self.blobs.setdefault(digest, event_id)

    def _say(self, position: int, code: str, message: str, event_id: str = "") -> None:
        self.found.say(code, f"position {position}: {message}", of=event_id, hint=_KEEP, line=position)

    def _kept(self, row: Row, event_id: str, before: int) -> None:
        """What is wrong with the row's number in its stream, or with what the table of ids says."""
        position, stream, version, _, _, kept_id, arrived = row
        if version != before + 1:
            message = f"it is number {version} of {stream}, and {before + 1} is missing"
            self._say(position, "stream-broken", message, event_id)
        if kept_id != event_id:
            self._say(position, "index-wrong", "the table of ids does not say this event", event_id)
        if arrived is not None and arrived < self._arrived:
            self._say(position, "arrival-wrong", "it arrived before the event in front of it", event_id)

    def _forked(self, row: Row, heads: tuple[str, ...], parents: tuple[str, ...]) -> tuple[str, ...]:
        """The heads behind an event that has not seen exactly the heads before it."""
        event_id = row[4][7:71].decode("ascii")
        for parent in parents:
            if parent not in heads and not 0 < self._log.position_of(parent) < row[0]:
                self._say(row[0], "parent-missing", f"parent {parent[:12]} is not before it", event_id)
        return tuple(sorted((*(head for head in heads if head not in parents), event_id)))

    def _off_chain(self, position: int, replica: str, seq: int, early: _Early) -> None:
        """An event that does not continue its replica's chain: it came early, or its number was given twice."""
        holes = self._holes.setdefault(replica, {})
        if seq in holes:
            self.found.append(fork(replica, seq, holes[seq].id, early.id))
        elif seq <= self.ends.get(replica, _NO_CHAIN).seq:
            hint = "A store was copied or restored and went on under its old id; both events are kept."
            message = f"position {position}: {replica} had an event with number {seq} before"
            self.found.say("fork", message, path=replica, hint=hint, of=early.id)
        else:
            holes[seq] = early

    def _odd(self, position: int, body: dict[str, Any]) -> None:
        if body["ts"] > self._limit:
            message = f"{body['ts']} is more than ten minutes ahead of this clock"
            self._say(position, "future", message, body["id"])
        if body["v"] > VERSION or body["type"] not in EVENT_TYPES:
            self._say(position, "unknown-type", f"{body['type']} is of a newer crewlog", body["id"])

    def _close_holes(self, replica: str) -> None:
        """Go on with what came before its predecessor."""
        holes, end = self._holes.get(replica, {}), self.ends[replica]
        while (early := holes.get(end.seq + 1)) and early.prev == end.id:
            end = self._advance(replica, end.seq + 1, holes.pop(end.seq + 1).id)

    def _advance(self, replica: str, seq: int, event_id: str) -> End:
        """The chain is whole up to this event."""
        self.ends[replica] = end = End(seq, event_id)
        sums = self.sums[replica]
        sums.append((sums[-1] + hash(event_id)) & _SUM)
        return end

    def finish(self) -> None:
        """Compare what the events say with the tables."""
        self._report_holes()
        self._compare_chains()
        self._compare_heads()
        doubtful = ["stream_heads"]
        if not agree(self._log, self._borne):
            doubtful.append("keys")
            self._look_at_each_key()
        for what, number in self._log.strays(*doubtful).items():
            if number:
                self.found.say("stray-rows", f"{number} rows of {what} belong to no event of the log")
        waiting = self._log.pending()
        if waiting:
            self.found.say("pending", f"{waiting} events wait for one that is not here", hint=_IMPORT)

    def _compare_chains(self) -> None:
        chains = self._log.chains()
        for replica in self.ends.keys() - chains.keys():
            message = f"the end of {replica} is not kept: its numbers would be given again"
            self.found.say("chain-end", message, path=replica, hint=_KEEP)
        for replica, (seq, event_id) in chains.items():
            end = self.ends.get(replica, End(0, ""))
            if (
                (end.seq, end.id) != (seq, event_id)
                and not self._holes.get(replica)
                and not self._is_other_end(replica, seq, event_id)
            ):
                message = f"{replica} should end with {seq} ({event_id[:12]}), and ends with {end.seq}"
                self.found.say("chain-end", message, path=replica, hint=_KEEP, of=event_id)

    def _compare_heads(self) -> None:
        heads = {stream: heads for stream, (_, heads) in self._streams.items()}
        for stream, stored in self._log.all_heads():
            if heads.pop(stream, None) != stored:
                self.found.say("heads-wrong", f"the heads of {stream} are not those that its events say")
        for stream in heads:
            self.found.say("heads-wrong", f"the heads of {stream} are missing")

    def _look_at_each_key(self) -> None:
        keys, position = Keys(self._log), 0
        while rows := self._log.lines(position, CHUNK):
            position = rows[-1].id
            sound = [
                (row.id, event.parse(row.state)) for row in rows if id_of(row.state) == stated_id(row.state)
            ]
            for item in keys.wrong([Used(place, one.sender, one.key, one.id) for place, one in sound]):
                self._say(item.position, "keys-wrong", f"key {item.key!r} does not lead to it", item.id)
        surplus = keys.surplus()
        if surplus > self._unread:
            self.found.say("keys-wrong", f"{surplus} keys stand for no event that bears them", hint=_KEEP)

    def _is_other_end(self, replica: str, seq: int, event_id: str) -> bool:
        """True if the chain forked, and the end that is kept is that of the other branch."""
        found = self._log.event(event_id) if seq == self.ends.get(replica, _NO_CHAIN).seq else None
        return found is not None and (found.replica, found.seq) == (replica, seq)

    def _report_holes(self) -> None:
        for replica, holes in self._holes.items():
            seq, before = self.ends.get(replica, _NO_CHAIN)
            for first in sorted(holes):
                event_id, prev = holes[first]
                if first > seq + 1:
                    message = f"{replica}: {seq + 1} to {first - 1} are missing"
                    self.found.say("gap", message, path=replica, hint=_IMPORT, of=event_id)
                elif prev != before:  # it names another predecessor than the one that is here
                    message = f"{replica} {first} does not continue {seq}"
                    self.found.say("fork", message, path=replica, of=event_id)
                seq, before = first, event_id


_KEEP = "Keep the file as it is; another clone or a backup has the event as it was."
_REFOLD = "`crewlog doctor --repair` folds it anew."
_IMPORT = "Import the segments that hold them: `crewlog import`, `crewlog sync`."


# --- states ----------------------------------------------------------------------------------------------------------


def verify_states(log: Log, progress: Progress | None = None) -> list[Finding]:
    """Fold every stream anew, and compare with the states that decisions are made on; all of one moment."""
    with log.snapshot():
        return _verify_states(log, progress)


def _verify_states(log: Log, progress: Progress | None) -> list[Finding]:
    found = Findings()
    total = log.position()
    done = kept = 0
    for (stream, version, data, fold), events in log.all_streams():
        kept += 1
        if events is None:  # its bytes were changed, which is a finding of its own
            continue
        kind = FOLDS.get(stream.partition("/")[0])
        done += len(events)
        if version != len(events):
            found.say(
                "state-wrong", f"{stream} has {len(events)} events, and its state was made of {version}"
            )
        elif kind and fold == kind.FOLD:
            state = history.fold(kind, events).state
            if data != (kind.dump(state) if state is not None else None):
                found.say(
                    "state-wrong", f"the state of {stream} is not what its events come to", hint=_REFOLD
                )
        if progress:
            progress(done, total)
    missing = log.stream_count() - kept
    if missing > 0:
        found.say("state-wrong", f"the states of {missing} streams are not kept", hint=_REFOLD)
    return found


# --- blobs -----------------------------------------------------------------------------------------------------------


def referred_blobs(log: Log) -> dict[str, str]:
    """The blobs that events refer to, each with the first of these events."""
    found: dict[str, str] = {}
    position = 0
    while rows := log.lines(position, CHUNK):
        position = rows[-1].id
        for row in rows:
            for digest in blobs_of(row.state):
                found.setdefault(digest, row.state[7:71].decode())
    return found


def verify_blobs(log: Log, folder: str, referred: dict[str, str]) -> list[Finding]:
    """Every blob hashes to its name, and every one that an event refers to is here, or was taken out on purpose."""
    found = Findings()
    redacted, kept = log.redacted(), log.blobs()
    for digest in kept:
        data = log.find_blob(digest)
        if data is not None and sha256(data).hexdigest() != digest:
            found.say("blob-changed", f"blob {digest[:12]} does not match its hash", hint=_KEEP, of=digest)
    for digest, event_id in referred.items():
        if digest not in kept and digest not in redacted:
            message = f"blob {digest[:12]}, of event {event_id[:12]}, is not here"
            found.say("blob-missing", message, hint=_IMPORT, of=digest)
    places = Places([folder])
    there = places.blobs()
    for digest in _unexported(log, folder, referred, {*kept}.difference(there)):
        path = os.path.join(folder, blob_path(digest))
        message = f"a segment refers to blob {digest[:12]}, and its file is not there"
        found.say("blob-unexported", message, path=path, hint=REWRITE, of=digest)
    for digest in there:
        data = places.blob(digest, 1 << 30)
        if data is None or sha256(data).hexdigest() != digest:
            path = os.path.join(folder, blob_path(digest))
            found.say("blob-changed", f"{path} does not match its name", path=path, hint=REWRITE, of=digest)
    return found


def _unexported(log: Log, folder: str, referred: dict[str, str], absent: set[str]) -> Iterator[str]:
    """The blobs without a file that an event in a segment refers to."""
    sealed: dict[str, int] = {}
    for digest in sorted(absent & referred.keys()):
        event = log.event(referred[digest])
        if event is None:
            continue
        if event.replica not in sealed:
            spans = sealed_spans(folder, event.replica)
            sealed[event.replica] = spans[-1].last if spans else 0
        if event.seq <= sealed[event.replica]:
            yield digest


# --- segments --------------------------------------------------------------------------------------------------------

_SEGMENT = f"`git log` in the store's folder tells who changed it; {REWRITE}"


def verify_segments(
    log: Log, folder: str, progress: Progress | None = None, sums: Sums = MappingProxyType({})
) -> list[Finding]:
    """Every line of every segment against the log, and every segment against the one before it.

    With the `sums` of the log a segment that holds what they say is not looked up line by line.
    """
    if not os.path.isdir(os.path.join(folder, "log")):
        return []
    found = Findings()
    source = Places([folder])
    files, done = source.files(), 0
    total = sum(file.size for file in files)
    ends: dict[str, int] = {}
    for file in files:
        if file.span is None:
            found.say("not-a-segment", "it is not named like a segment", path=file.path)
            continue
        before = ends.get(file.span.replica, 0)
        if file.span.first > before + 1:
            message = f"{before + 1} to {file.span.first - 1} of {file.span.replica} are in no segment"
            found.say("segment-missing", message, path=file.path, hint=_SEGMENT)
        ends[file.span.replica] = max(before, file.span.last)
        if not _holds(source, file, file.span, sums.get(file.span.replica, ())):
            _verify_file(log, source, file, found)
        done += file.size
        if progress:
            progress(done, total)
    return found


def _holds(source: Places, file: File, span: Span, sums: Sequence[int]) -> bool:
    """True if the file has, one behind the other, exactly the events of its span that the log has."""
    if span.last >= len(sums):
        return False
    last, total, number = b"", 0, 0
    try:
        for line in source.lines(file):
            text = line.data[:-1]
            event_id = id_of(text)
            whole = line.data[-1:] == b"\n" and text.startswith(b'{"id":"' + event_id.encode() + b'",')
            if not whole or last not in text:
                return False
            last, total, number = b'"prev":"%s"' % text[7:71], total + hash(event_id), number + 1
    except Refusal:
        return False
    expected = sums[span.last] - sums[span.first - 1]
    return number == span.last - span.first + 1 and (total - expected) & _SUM == 0


def _verify_file(log: Log, source: Places, file: File, found: Findings) -> None:
    assert file.span is not None  # noqa: S101 - who calls has looked
    numbers = count(file.span.first)
    seq = file.span.first - 1
    for lines in batches(_sound(source, file, found), CHUNK):
        known = log.positions([event_id for event_id, _, _ in lines])
        waiting = log.known_pending([event_id for event_id, _, _ in lines if event_id not in known])
        for event_id, number, offset in lines:
            seq = next(numbers)
            if event_id not in known and event_id not in waiting:
                message = f"event {event_id[:12]} is not in the log"
                found.say(
                    "segment-unknown",
                    message,
                    path=file.path,
                    hint=_IMPORT,
                    of=event_id,
                    line=number,
                    offset=offset,
                )
    if seq != file.span.last:
        message = f"it ends with {seq}; by its name it goes up to {file.span.last}"
        found.say("segment-cut", message, path=file.path, hint=_SEGMENT, offset=file.size)


def _sound(source: Places, file: File, found: Findings) -> Iterator[tuple[str, int, int]]:
    """Id, line and offset of the lines that are what they must be; a bad one is told, and ends the file."""
    assert file.span is not None  # noqa: S101 - who calls has looked
    seq, last = file.span.first, ""
    try:
        for line in source.lines(file):
            text = line.data.removesuffix(b"\n")
            wrong = "the line is cut off or over-long" if text == line.data else ""
            stated = stated_id(text)
            if not wrong and (not stated or id_of(text) != stated):
                wrong = "the bytes do not hash to the id"
            body: dict[str, Any] = {} if wrong else orjson.loads(text)
            if not wrong and (body.get("replica"), body.get("seq")) != (file.span.replica, seq):
                wrong = f"event {body.get('seq')} of {body.get('replica')} stands where {seq} belongs"
            if not wrong and last and body.get("prev") != last:
                wrong = "it does not continue the line before"
            if wrong:
                found.say(
                    "segment-changed",
                    wrong,
                    path=file.path,
                    hint=_SEGMENT,
                    of=stated,
                    line=line.number,
                    offset=line.offset,
                )
                return
            yield stated, line.number, line.offset
            seq, last = seq + 1, stated
    except Refusal as refusal:
        found.say("segment-unreadable", refusal.message, path=file.path)
