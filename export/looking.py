"""One pass over the log, or over a part of it: bytes, ids, chains, parents, and whether exported files say the same.

A log of some size is looked at in parts, in processes of their own. A part takes what it finds at its beginning for
right, and `joined` sees whether the part before ends so. Where anything is odd no part says what: the whole log is then
looked at from its first event on, by one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from domain import event
from domain.collector import no_collector
from domain.event import VERSION, stated_id
from domain.log import Stored
from domain.named import NamedTuple
from domain.registry import EVENT_TYPES
from export.findings import Finding
from export.importing import fork, way_out
from export.live import Place
from export.mirrors import Held, LiveMirror, SegmentMirror, place_near
from export.segments import REFERS, blobs_of

if TYPE_CHECKING:
    from domain.log import Log, Row

Progress = Callable[[int, int], None]
Take = Callable[[Sequence[Stored]], None]

CHUNK = 1_000
FINDING_LIMIT = 1_000
LOG = "crewlog.db"
KEEP = "Keep the file as it is; another clone or a backup has the event as it was."


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

    def at(self, position: int, code: str, message: str, event_id: str = "") -> None:
        """Add a finding about the event at a position."""
        self.say(code, f"position {position}: {message}", of=event_id, hint=KEEP, line=position)


class End(NamedTuple):
    """The end of a replica's chain, as its events say it."""

    seq: int
    id: str


class Part(NamedTuple):
    """Which events to look at: behind the position `after`, up to `until`; and where live.jsonl has the first of them.

    `folder`: the store's, where exported files are to be compared, else "". `latest`: the time beyond which an event is
    from the future.
    """

    after: int
    until: int
    folder: str
    latest: str
    place: Place = Place()


class Early(NamedTuple):
    """An event whose predecessor in its chain has not been read yet, and the id of that."""

    id: str
    prev: str


# The number of a stream's last event in it, the ids of those that no other one follows, sorted, and the last one's time.
Heads = tuple[int, list[str], str]


class _Sound(NamedTuple):
    """Rows whose bytes are their events', column by column.

    First as the log has them: `number` in the stream, `topic`, `kept_id`. Then `ids` by their bytes, the parsed `bodies`, and
    what these say.
    """

    positions: Sequence[int] = ()
    kept_streams: Sequence[str] = ()
    numbers: Sequence[int] = ()
    topics: Sequence[str] = ()
    lines: Sequence[bytes] = ()
    kept_ids: Sequence[str | None] = ()
    arrivals: Sequence[int | None] = ()
    ids: Sequence[str] = ()
    bodies: Sequence[dict[str, Any]] = ()
    types: Sequence[str] = ()
    times: Sequence[str] = ()
    versions: Sequence[int] = ()
    streams: Sequence[str] = ()
    replicas: Sequence[str] = ()
    seqs: Sequence[int] = ()


_SAID = itemgetter("type", "ts", "v", "stream", "replica", "seq")
_UNSAID = {"replica": "", "seq": 0}


# For each replica the number of the first of some of its lines in a row, and these lines.
_Runs = dict[str, tuple[int, list[bytes]]]


class Looked(NamedTuple):
    """What a part holds.

    `streams`, `ends`: how streams and chains are at its end. `opened`, `begun`: what the first event of each that it
    meets says of what must be before it: the number in the stream and the parents, but no time; the end of the chain. `borne`: the sum
    that `export.keys.kept` must be. `signed`: the approvals that bear a signature, or should. `began`, `live`: from where to where live.jsonl is the log. `last`: the position of
    the last event. `unread`: how many events have bytes that are not theirs.
    """

    events: int
    last: int
    streams: dict[str, Heads]
    opened: dict[str, Heads]
    ends: dict[str, End]
    begun: dict[str, End]
    arrived: tuple[int, int]
    borne: int
    blobs: dict[str, str]
    signed: list[str]
    began: Place
    live: Place
    held: Held
    unread: int
    holes: dict[str, dict[int, Early]]
    findings: Findings


def look(log: Log, part: Part, progress: Progress | None = None, take: Take | None = None) -> Looked:
    """Look at a part of the log. `take` is given its events, up to the first one whose bytes are not its own."""
    looking = _Looking(log, part, take)
    position = part.after
    with closing(looking), no_collector():
        while position < part.until and (rows := log.rows(position, min(CHUNK, part.until - position))):
            looking.at([row for row in rows if row[0] <= part.until])
            position = rows[-1][0]
            if progress:
                progress(position - part.after, part.until - part.after)
    return looking.looked()


def nothing_but(events: int, last: int, findings: Findings) -> Looked:
    """What is known of a log where no more can be said than this."""
    place = Place()
    return Looked(events, last, {}, {}, {}, {}, (0, 0), 0, {}, [], place, place, {}, 0, {}, findings)


def parts(log: Log, whole: Part, number: int) -> list[Part]:
    """The log in parts of about one size; fewer where it can't be cut so. Cuts are made where live.jsonl has a line."""
    cuts = [(whole.after, whole.place)]
    for share in range(1, number):
        place = _cut(log, whole, share / number)
        if place.position > cuts[-1][0]:
            cuts.append((place.position, place))
    ends = [*(position for position, _ in cuts[1:]), whole.until]
    return [
        whole._replace(after=after, until=until, place=place)
        for (after, place), until in zip(cuts, ends, strict=True)
    ]


def _cut(log: Log, whole: Part, share: float) -> Place:
    path = os.path.join(whole.folder, "live.jsonl")
    try:
        size = os.path.getsize(path) if whole.folder else 0
    except OSError:
        size = 0
    offset, first = place_near(path, int(share * size)) if size else (0, "")
    position = log.position_of(first) if first else 0
    if 0 < position <= whole.until:
        return Place(offset=offset, position=position - 1)
    return Place(position=int(whole.after + share * (whole.until - whole.after)))


def joined(looked: Sequence[Looked | None]) -> Looked | None:
    """The parts as one, in their order; None where they do not fit together, or anything in them is odd."""
    sound = [part for part in looked if part and not part.findings and not part.holes]
    if len(sound) < len(looked):
        return None
    first = sound[0]
    streams, ends, held, blobs, live = first.streams, first.ends, first.held, first.blobs, first.live
    for before, part in pairwise(sound):
        if before.events and part.events and before.arrived[1] > part.arrived[0]:
            return None
        if any(streams.get(stream, NO_EVENTS)[:2] != opened[:2] for stream, opened in part.opened.items()):
            return None
        if any(ends.get(replica, NO_CHAIN) != begun for replica, begun in part.begun.items()):
            return None
        streams, ends = streams | part.streams, ends | part.ends
        held = {**held, **{path: held.get(path, 0) + lines for path, lines in part.held.items()}}
        blobs = part.blobs | blobs
        live = _further(before, live, part)
    events, borne = sum(part.events for part in sound), sum(part.borne for part in sound)
    return first._replace(
        signed=[event_id for part in sound for event_id in part.signed],
        events=events,
        borne=borne,
        streams=streams,
        ends=ends,
        held=held,
        blobs=blobs,
        live=live,
    )


def _further(before: Looked, live: Place, part: Looked) -> Place:
    """How far live.jsonl is the log: through this part as well where it is to the very end of those before."""
    if (live.position, live.offset) != (before.last, part.began.offset):
        return live
    return part.live._replace(lines=live.lines + part.live.lines)


NO_CHAIN = End(0, "")
NO_EVENTS: Heads = (0, [], "")


class _Looking:
    """Each check is of some rows at once, column against column, and asks of each row only where these differ."""

    def __init__(self, log: Log, part: Part, take: Take | None = None) -> None:
        self._log = log
        self._part = part
        self._take = take
        self._streams: dict[str, Heads] = {}
        self._opened: dict[str, Heads] = {}
        self._ends: dict[str, tuple[int, str]] = {}
        self._begun: dict[str, End] = {}
        self._holes: dict[str, dict[int, Early]] = {}
        self._arrived = self._first_arrived = 0
        self._borne = self._unread = self._events = self._last = 0
        self._blobs: dict[str, str] = {}
        self._signed: list[str] = []
        self._found = Findings()
        self._mirrors: dict[str, SegmentMirror] = {}
        self._live = LiveMirror(os.path.join(part.folder, "live.jsonl") if part.folder else "", part.place)

    def at(self, rows: Sequence[Row]) -> None:
        """Look at the next rows."""
        if not rows:
            return
        if not self._events:
            self._first_arrived = rows[0][6] or 0
        self._events += len(rows)
        self._last = rows[-1][0]
        sound = self._sound(rows)
        whole = len(sound.ids) == len(rows)
        self._look_at_fields(sound)
        self._look_at_places(sound)
        self._follow_streams(sound)
        runs = self._follow_chains(sound)
        self._give(sound, whole=whole)
        if self._part.folder:
            self._compare(rows, runs, sound=whole)

    def _sound(self, rows: Sequence[Row]) -> _Sound:
        """The rows whose bytes hash to the id that they state, parsed."""
        lines = [row[4] for row in rows]
        # By hand one can store a text.
        ids = [event.id_of(line) if type(line) is bytes else "" for line in lines]
        stated = "".join([f'{{"id":"{event_id}",' for event_id in ids]).encode()
        if "" in ids or b"".join([line[:73] for line in lines]) != stated:
            rows = [
                row
                for row, event_id in zip(rows, ids, strict=True)
                if self._is_sound(row[0], row[4], event_id)
            ]
            lines = [row[4] for row in rows]
            ids = [line[7:71].decode("ascii") for line in lines]
            if not rows:
                return _Sound()
        bodies = [*map(orjson.loads, lines)]
        try:
            said = [*map(_SAID, bodies)]
        except KeyError:
            said = [_SAID({**_UNSAID, **body}) for body in bodies]
        # In the order of `_Sound`: what `Log.rows` has, then what `_SAID` names.
        columns = zip(*rows, strict=True), [ids, bodies], zip(*said, strict=True)
        return _Sound._make(chain.from_iterable(columns))

    def _is_sound(self, position: int, line: bytes, event_id: str) -> bool:
        stated = stated_id(line) if event_id else ""
        if stated and stated == event_id:
            return True
        self._found.at(position, "bytes-changed", "the bytes do not hash to the id", stated)
        self._unread += 1
        return False

    def _look_at_fields(self, sound: _Sound) -> None:
        """What an event says by itself: whether it can be read, and what it refers to."""
        latest, version = max(sound.times, default=""), max(sound.versions, default=0)
        if latest > self._part.latest or version > VERSION or not EVENT_TYPES.keys() >= {*sound.types}:
            for position, body in zip(sound.positions, sound.bodies, strict=True):
                self._odd(position, body)
        self._borne += sum(
            [
                hash((body["from"], body["key"], event_id))
                for event_id, body in zip(sound.ids, sound.bodies, strict=True)
                if "key" in body
            ]
        )
        if "task.approved" in sound.types:
            self._signed += [
                event_id
                for event_id, of_type, line in zip(sound.ids, sound.types, sound.lines, strict=True)
                if of_type == "task.approved" and _is_signed(line)
            ]
        for line, event_id in zip(sound.lines, sound.ids, strict=True):
            if REFERS in line:
                self._refer(line, event_id)

    def _look_at_places(self, sound: _Sound) -> None:
        """Whether what stands beside an event is what it says, or what its place says."""
        if (sound.kept_streams, sound.topics, [*sound.kept_ids]) != (sound.streams, sound.types, sound.ids):
            for row in zip(
                *(sound.positions, sound.ids, sound.kept_ids, sound.kept_streams, sound.topics, sound.bodies),
                strict=True,
            ):
                self._misplaced(*row)
        arrived = [self._arrived, *(arrival for arrival in sound.arrivals if arrival is not None)]
        if sorted(arrived) == arrived:
            self._arrived = arrived[-1]
            return
        for position, arrival, event_id in zip(sound.positions, sound.arrivals, sound.ids, strict=True):
            if arrival is not None and arrival < self._arrived:
                message = "it arrived before the event in front of it"
                self._found.at(position, "arrival-wrong", message, event_id)
            elif arrival is not None:
                self._arrived = arrival

    def _misplaced(
        self,
        position: int,
        event_id: str,
        kept_id: str | None,
        stream: str,
        topic: str,
        body: dict[str, Any],
    ) -> None:
        if kept_id != event_id:
            self._found.at(position, "index-wrong", "the table of ids does not say this event", event_id)
        if body["stream"] != stream or body["type"] != topic:
            message = "stream or type of the row is not that of the event"
            self._found.at(position, "row-changed", message, event_id)

    def _follow_streams(self, sound: _Sound) -> None:
        """How the events continue their streams."""
        streams = self._streams
        columns = (sound.positions, sound.kept_streams, sound.numbers, sound.ids, sound.bodies, sound.times)
        for position, stream, number, event_id, body, time in zip(*columns, strict=True):
            parents = body.get("parents", _NONE)
            before, heads, _ = streams.get(stream) or self._open(stream, number, parents)
            if number != before + 1:
                message = f"it is number {number} of {stream}, and {before + 1} is missing"
                self._found.at(position, "stream-broken", message, event_id)
            heads = [event_id] if parents == heads else self._forked(position, event_id, heads, parents)
            streams[stream] = (number, heads, time)

    def _follow_chains(self, sound: _Sound) -> _Runs:
        """How the events continue their replicas' chains; the lines of each, with the number of the first."""
        if not sound.ids:
            return {}
        prevs = [body.get("prev", "") for body in sound.bodies]
        replica, first, number = sound.replicas[0], sound.seqs[0], len(prevs)
        seq, end = self._ends.get(replica) or self._begin(replica, first, prevs[0])
        if (
            not self._holes
            and sound.replicas == (replica,) * number
            and sound.seqs == (*range(seq + 1, seq + 1 + number),)
            and prevs == [end, *sound.ids[:-1]]
        ):
            self._ends[replica] = (sound.seqs[-1], sound.ids[-1])
            return {replica: (first, [*sound.lines])}
        return self._follow_mixed(sound, prevs)

    def _follow_mixed(self, sound: _Sound, prevs: list[str]) -> _Runs:
        """The same where they are not one replica's, each following the one in front of it."""
        runs: _Runs = {}
        columns = (sound.replicas, sound.seqs, prevs, sound.positions, sound.ids, sound.lines)
        for replica, seq, prev, position, event_id, line in zip(*columns, strict=True):
            end = self._ends.get(replica) or self._begin(replica, seq, prev)
            if seq != end[0] + 1 or prev != end[1]:
                self._off_chain(position, replica, seq, Early(event_id, prev))
                continue
            self._ends[replica] = (seq, event_id)
            if replica in runs:
                runs[replica][1].append(line)
            else:
                runs[replica] = (seq, [line])
            if self._holes:
                self._close_holes(replica)
        return runs

    def _give(self, sound: _Sound, *, whole: bool) -> None:
        """Who folds events can go on only while none is missing."""
        if not whole:
            self._take = None
        if self._take:
            of = event.of_fields
            columns = (sound.positions, sound.numbers, sound.arrivals, sound.bodies, sound.lines)
            self._take(
                [
                    tuple.__new__(Stored, (position, number, arrived or 0, of(body, line)))
                    for position, number, arrived, body, line in zip(*columns, strict=True)
                ]
            )

    def _compare(self, rows: Sequence[Row], runs: dict[str, tuple[int, list[bytes]]], *, sound: bool) -> None:
        """Exported files with the lines; not from where something is odd on."""
        if not sound:
            self._live.close()
        else:
            self._live.follow([row[4] for row in rows], rows[-1][0])
        for replica, (seq, lines) in runs.items():
            if not self._holes and sound:
                if replica not in self._mirrors:
                    self._mirrors[replica] = SegmentMirror(self._part.folder, replica)
                self._mirrors[replica].follow(lines, seq)

    def _open(self, stream: str, version: int, parents: list[str]) -> Heads:
        """How a stream is before the first of its events that is read; in a later part what that one says itself."""
        if not self._part.after:
            return NO_EVENTS
        self._opened[stream] = before = (version - 1, parents, "")
        return before

    def _begin(self, replica: str, seq: int, prev: str) -> tuple[int, str]:
        """The same for a replica's chain."""
        if not self._part.after:
            return NO_CHAIN
        self._begun[replica] = before = End(seq - 1, prev)
        return before

    def _refer(self, line: bytes, event_id: str) -> None:
        for digest in blobs_of(line):
            self._blobs.setdefault(digest, event_id)

    def _forked(self, position: int, event_id: str, heads: list[str], parents: list[str]) -> list[str]:
        """The heads behind an event that has not seen exactly the heads before it."""
        for parent in parents:
            if parent not in heads and not 0 < self._log.position_of(parent) < position:
                self._found.at(position, "parent-missing", f"parent {parent[:12]} is not before it", event_id)
        return sorted([*(head for head in heads if head not in parents), event_id])

    def _off_chain(self, position: int, replica: str, seq: int, early: Early) -> None:
        """An event that does not continue its replica's chain: it came early, or its number was given twice."""
        holes = self._holes.setdefault(replica, {})
        last = self._ends.get(replica, NO_CHAIN)[0]
        if seq in holes:
            self._found.append(fork(replica, seq, holes[seq].id, early.id))
        elif seq <= last:
            message = f"position {position}: {replica} had an event with number {seq} before"
            self._found.say("fork", message, path=replica, hint=way_out(replica), of=early.id)
        else:
            holes[seq] = early

    def _odd(self, position: int, body: dict[str, Any]) -> None:
        if body["ts"] > self._part.latest:
            message = f"{body['ts']} is more than ten minutes ahead of this clock"
            self._found.at(position, "future", message, body["id"])
        if body["v"] > VERSION or body["type"] not in EVENT_TYPES:
            self._found.at(position, "unknown-type", f"{body['type']} is of a newer crewlog", body["id"])

    def _close_holes(self, replica: str) -> None:
        """Go on with what came before its predecessor."""
        holes, end = self._holes.get(replica, {}), self._ends[replica]
        while (early := holes.get(end[0] + 1)) and early.prev == end[1]:
            self._ends[replica] = end = (end[0] + 1, holes.pop(end[0] + 1).id)

    def close(self) -> None:
        """Close the exported files."""
        self._live.close()
        for mirror in self._mirrors.values():
            mirror.close()

    def looked(self) -> Looked:
        """What was found."""
        held: dict[str, int] = {}
        for mirror in self._mirrors.values():
            held |= mirror.held
        return Looked(
            self._events,
            self._last,
            self._streams,
            self._opened,
            {replica: End(*end) for replica, end in self._ends.items()},
            self._begun,
            (self._first_arrived, self._arrived),
            self._borne,
            self._blobs,
            self._signed,
            self._part.place,
            self._live.place,
            held,
            self._unread,
            self._holes,
            self._found,
        )


def _is_signed(line: bytes) -> bool:
    return b'"signature"' in line or b'"policy":"signed"' in line


_NONE: list[str] = []
