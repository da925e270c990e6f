"""Whether the log is whole and untouched: bytes, ids, chains, parents, tables, states, blobs, segments.

Everything is read once, a thousand events at a time, and nothing is changed. What is wrong comes back as findings; a
log of any size is looked through in bounded memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from domain import event, history, task
from domain.event import id_of, stated_id
from domain.log import FOLDS
from domain.refusals import Refusal
from domain.stores.apart import WORTHWHILE, Apart
from export.beside import IMPORT, Beside
from export.findings import Finding
from export.importing import AHEAD
from export.keys import kept
from export.looking import (
    CHUNK,
    KEEP,
    NO_EVENTS,
    Findings,
    Heads,
    Looked,
    Part,
    Progress,
    Take,
    joined,
    look,
    nothing_but,
    parts,
)
from export.mirrors import Held, is_held
from export.segments import REWRITE, batches, blob_path, blobs_of, sealed_spans
from export.sources import File, Places

if TYPE_CHECKING:
    from domain.log import Log, StreamState


# --- the log ---------------------------------------------------------------------------------------------------------


def verify_log(
    log: Log,
    progress: Progress | None = None,
    folder: str = "",
    apart: Apart | None = None,
    take: Take | None = None,
) -> Looked:
    """Bytes, ids, chains, parents, and the tables that are kept beside the events; all of one moment.

    `folder`: the store's, where live.jsonl and segments are compared as well. `apart`: where other processes may help.
    `take` is given the events where no other process reads them, as `export.looking.look` says. What is wrong is among the
    findings of what was looked at.
    """
    with log.snapshot():
        whole = Part(0, log.position(), folder, event.format_time(log.clock() + AHEAD))
        looked, sum_of_keys = _looked_apart(log, whole, progress, apart, take)
        Beside(log, looked, sum_of_keys).compare()
    return looked


def look_at_lines(log: Log) -> Looked:
    """Each event judged like a line from elsewhere: for a log with rows that hash to their ids and are no events."""
    found = Findings()
    number = position = 0
    while rows := log.lines(position, CHUNK):
        position = rows[-1].id
        number += len(rows)
        for row in rows:
            try:
                event.check(row.state)
            except Refusal as refusal:
                found.at(row.id, "no-event", f"what is stored here is no event: {refusal.message}")
    return nothing_but(number, position, found)


def _looked_apart(
    log: Log, whole: Part, progress: Progress | None, apart: Apart | None, take: Take | None
) -> tuple[Looked, int]:
    """What is in the log, and the sum of its keys; by several where that pays, and by one where anything is odd."""
    if apart and apart.number > 1 and whole.until >= WORTHWHILE:
        keys = apart.begin(kept, log)
        shares = parts(log, whole, apart.number)
        jobs = [apart.begin(look, log, part) for part in shares]
        found = [
            job.result(_behind(progress, part.after, whole.until))
            for job, part in zip(jobs, shares, strict=True)
        ]
        sum_of_keys, looked = keys.result(), joined(found)
        if sum_of_keys is not None and looked is not None:
            return looked, sum_of_keys
    return look(log, whole, progress, take), kept(log)


def _behind(progress: Progress | None, after: int, total: int) -> Progress | None:
    """The progress of what is done behind a position."""
    return (lambda done, _: progress(after + done, total)) if progress else None


_REFOLD = "`crewlog doctor --repair` folds it anew."


# --- states ----------------------------------------------------------------------------------------------------------


def verify_states(
    log: Log,
    progress: Progress | None = None,
    folded: Iterable[tuple[str, bytes]] = (),
    streams: Mapping[str, Heads] = MappingProxyType({}),
) -> list[Finding]:
    """Compare the states that decisions are made on with what their events come to; all of one moment.

    `folded`: streams, sorted, with the states that somebody has just folded; `streams`: what `verify_log` saw of each. A
    stream that these do not settle is folded here.
    """
    with log.snapshot():
        return _verify_states(log, progress, _Settled(folded, streams))


def _verify_states(log: Log, progress: Progress | None, settled: _Settled) -> list[Finding]:
    found = Findings()
    total, done, kept = log.position(), 0, 0
    for (stream, version, data, fold, unknown), events in log.all_streams(settled.has):
        kept += events != []
        if events is None:  # its bytes were changed, which is a finding of its own
            continue
        kind = FOLDS.get(stream.partition("/")[0])
        done += len(events)
        if version != len(events) or not version:
            found.say(
                "state-wrong", f"{stream} has {len(events)} events, and its state was made of {version}"
            )
        elif kind and fold == kind.FOLD:
            folded = history.fold(kind, events)
            state = kind.dump(folded.state) if folded.state is not None else None
            if (data, unknown) != (state, folded.unknown):
                found.say(
                    "state-wrong", f"the state of {stream} is not what its events come to", hint=_REFOLD
                )
        if progress:
            progress(done + settled.events, total)
    missing = log.stream_count() - kept - settled.number
    if missing > 0:
        found.say("state-wrong", f"the states of {missing} streams are not kept", hint=_REFOLD)
    return found


class _Settled:
    """The streams whose kept states are those that somebody has folded from as many events."""

    def __init__(self, folded: Iterable[tuple[str, bytes]], streams: Mapping[str, Heads]) -> None:
        self._folded = iter(folded)
        self._next = next(self._folded, None)
        self._streams = streams
        self.number = self.events = 0

    def has(self, kept: StreamState) -> bool:
        """True for one of them; to be asked in the order of the streams."""
        stream, version, data, fold, unknown = kept
        while self._next and self._next[0] < stream:
            self._next = next(self._folded, None)
        if (
            self._next != (stream, data)
            or (fold, unknown) != (task.FOLD, 0)
            or self._streams.get(stream, NO_EVENTS)[0] != version
        ):
            return False
        self.number, self.events = self.number + 1, self.events + version
        return True


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
            found.say("blob-changed", f"blob {digest[:12]} does not match its hash", hint=KEEP, of=digest)
    for digest, event_id in referred.items():
        if digest not in kept and digest not in redacted:
            message = f"blob {digest[:12]}, of event {event_id[:12]}, is not here"
            found.say("blob-missing", message, hint=IMPORT, of=digest)
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
    log: Log, folder: str, progress: Progress | None = None, held: Held = MappingProxyType({})
) -> list[Finding]:
    """Every line of every segment against the log, and every segment against the one before it.

    What `verify_log` found to be `held`, byte for byte, is not read again.
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
        if not is_held(folder, file, held):
            _verify_file(log, source, file, found)
        done += file.size
        if progress:
            progress(done, total)
    return found


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
                    hint=IMPORT,
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
