"""Events from segments into the log: what is absent is inserted, and what is wrong is said with path, line and offset.

A bad line ends its file, and the other files go on. All files are read side by side, the earliest event first, so
that causes mostly come before effects and memory stays bounded.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from domain import event
from domain.collector import no_collector
from domain.event import LINE_LIMIT, Event, is_id
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import check_shape
from domain.task import Task
from export.findings import Finding
from export.segments import REWRITE, batches, blobs_of

if TYPE_CHECKING:
    from domain.intake import Inserted
    from domain.log import Log
    from export.sources import File, Line, Source

CHUNK = 1_000
# What one transaction takes at most: events, and bytes of them, which are in memory several times over.
TRANSACTION, TRANSACTION_BYTES = 4_000, 4 << 20
FINDING_LIMIT = 1_000
# Clocks differ; what is further ahead than this says so.
AHEAD = 10 * 60 * 1_000_000
_BLOB_SIZE = 64 * 1024 * 1024

Progress = Callable[[int, int], None]


class Conflict(NamedTuple):
    """An event that an import left no room for."""

    stream: str
    event: str
    type: str
    sender: str


class Imported(NamedTuple):
    """What an import did. `streams` counts those with new events, `conflicts` are those that came of it."""

    events: int
    known: int
    pending: int
    streams: int
    blobs: int
    conflicts: tuple[Conflict, ...]
    findings: tuple[Finding, ...]


def import_from(log: Log, source: Source, progress: Progress | None = None) -> Imported:
    """Insert what is absent, some thousand events a transaction: stopped anywhere, it goes on where it was."""
    return _Import(log, source, progress).run()


class _Place(NamedTuple):
    """Where an event was read."""

    path: str
    line: int
    offset: int


class _Last(NamedTuple):
    """What is needed of the event in front of a line."""

    seq: int
    id: str
    replica: str = ""

    @classmethod
    def of(cls, line: bytes) -> _Last:
        """Read from the end of a line that is known to be an event: behind its payload stand only plain fields."""
        replica = line.rfind(b',"replica":"')
        seq = line.rfind(b',"seq":')
        if replica < 0 or seq < 0:
            return cls(0, line[7:71].decode())
        name = line[replica + 12 : line.index(b'"', replica + 12)].decode()
        return cls(int(line[seq + 7 : line.index(b",", seq + 7)]), line[7:71].decode(), name)


def _bytes(item: tuple[Event, _Place]) -> int:
    return len(item[0].line)


def _checked(line: bytes) -> Event:
    found = event.check(line)
    check_shape(found)
    return found


def _whole(line: Line) -> bytes:
    """The line without its newline. Raises Refusal `corrupt` where it has none, or is too long for an event."""
    if line.data.endswith(b"\n"):
        return line.data[:-1]
    what = f"over {LINE_LIMIT:,} bytes" if len(line.data) > LINE_LIMIT else "cut off"
    raise Refusal("corrupt", f"the line is {what}")


class _Import:
    def __init__(self, log: Log, source: Source, progress: Progress | None) -> None:
        self._log = log
        self._source = source
        self._progress = progress
        self._files = source.files()
        self._total = sum(file.size for file in self._files)
        self._done = 0
        self._findings: list[Finding] = []
        self._conflicts: dict[str, Conflict] = {}
        self._streams: set[str] = set()
        self._late: dict[tuple[str, int], str] = {}
        self._read = self._new = 0
        self._limit = event.format_time(log.clock() + AHEAD)

    def run(self) -> Imported:
        """Read, insert, look for blobs."""
        events = heapq.merge(*self._chains(), key=lambda found: found[0].ts)
        with self._log.at_length(), no_collector():
            for chunk in batches(events, TRANSACTION, _bytes, TRANSACTION_BYTES):
                self._insert(chunk)
        blobs = self._take_blobs()
        self._find_forks()
        return Imported(
            self._new,
            self._read - self._new,
            self._log.pending(),
            len(self._streams),
            blobs,
            tuple(conflict for conflict in self._conflicts.values() if self._is_unsettled(conflict)),
            tuple(self._findings),
        )

    def _is_unsettled(self, conflict: Conflict) -> bool:
        """False for a conflict that a later event of the same import resolved."""
        state = self._log.state(conflict.stream)
        return not isinstance(state, Task) or conflict.event in state.card.conflicts

    def _find(self, finding: Finding) -> None:
        if len(self._findings) < FINDING_LIMIT:
            self._findings.append(finding)

    # --- reading -------------------------------------------------------------------------------------------------

    def _chains(self) -> list[Iterator[tuple[Event, _Place]]]:
        """One iterator a replica (or a file that is no segment): its segments one after the other."""
        groups: dict[str, list[File]] = {}
        for file in self._files:
            groups.setdefault(file.span.replica if file.span else file.path, []).append(file)
        return [self._chain(files) for files in groups.values()]

    def _chain(self, files: Sequence[File]) -> Iterator[tuple[Event, _Place]]:
        for file in files:
            yield from self._events(file)

    def _events(self, file: File) -> Iterator[tuple[Event, _Place]]:
        """The absent events of a file, up to its first bad line; what is here already is only looked at."""
        last = _Last(file.span.first - 1 if file.span else 0, "")
        for lines in batches(self._source.lines(file), CHUNK):
            known = self._known(lines)
            for line in lines:
                try:
                    found = None if line.data[7:71] in known else _checked(_whole(line))
                    now = _Last.of(line.data) if found is None else _Last(found.seq, found.id, found.replica)
                    self._check_place(file, last, now, line.data)
                except Refusal as refusal:
                    self._bad_line(file, line, refusal)
                    self._report(file.size)
                    return
                self._read += found is None
                last = now
                if found is not None and found.kind != "pulse":  # a sign of life is nobody else's
                    yield found, _Place(file.path, line.number, line.offset)
            self._report(lines[-1].offset)
        self._check_end(file, last)
        self._done += file.size

    def _known(self, lines: Sequence[Line]) -> set[bytes]:
        """The ids of the lines that are here already, to the byte: they hash to an id that the log has."""
        sound = [line.data[:-1] for line in lines if line.data.endswith(b"\n")]
        ids = [event.id_of(text) for text in sound if text.startswith(b'{"id":"')]
        stated = {event.stated_id(text) for text in sound}
        here = self._log.positions([event_id for event_id in ids if event_id in stated])
        return {event_id.encode() for event_id in here}

    def _bad_line(self, file: File, line: Line, refusal: Refusal) -> None:
        code = "bad-line" if refusal.code == "corrupt" else refusal.code
        stated = str(refusal.details.get("id", ""))
        message = f"{refusal.message}; the rest of the file was left out"
        self._find(Finding(code, file.path, message, self._hint(file), line.number, line.offset, stated))
        self._done += file.size

    def _check_place(self, file: File, last: _Last, now: _Last, line: bytes) -> None:
        """Raise Refusal `corrupt` for an event of a segment that does not stand where it belongs."""
        if file.span is None:
            return
        if now.seq != last.seq + 1 or now.replica != file.span.replica:
            message = f"event {now.seq} of {now.replica} does not belong here: {last.seq + 1} is next"
            raise Refusal("corrupt", message, id=now.id)
        if last.id and b'"prev":"%s"' % last.id.encode() not in line:
            raise Refusal("corrupt", "it does not continue the line before", id=now.id)

    def _check_end(self, file: File, last: _Last) -> None:
        if file.span and last.seq != file.span.last:
            end = last.seq if last.id else "nothing"
            message = f"the file ends with {end}; by its name it goes up to {file.span.last}"
            self._find(Finding("cut-segment", file.path, message, self._hint(file), offset=file.size))

    def _hint(self, file: File) -> str:
        """What to do about a file that is not sound: who wrote it has it in the log."""
        return REWRITE if file.span and file.span.replica == self._log.replica else _RESTORE

    def _report(self, offset: int) -> None:
        if self._progress:
            self._progress(self._done + offset, self._total)

    # --- inserting -----------------------------------------------------------------------------------------------

    def _insert(self, chunk: Sequence[tuple[Event, _Place]]) -> None:
        places = {found.id: place for found, place in chunk}
        with self._log.transaction() as transaction:
            inserted = transaction.insert([found for found, _ in chunk])
            transaction.drop_redacted(_redacted(inserted.new))
        self._read += len(places)
        self._new += len(places.keys() & {item.id for item in (*inserted.new, *inserted.pending)})
        self._streams.update(item.stream for item in inserted.new)
        for change in inserted.changes:
            for lost in change.conflicts:
                self._conflicts[lost.id] = Conflict(change.stream, lost.id, lost.type, lost.sender)
        self._remark(inserted, places)

    def _remark(self, inserted: Inserted, places: dict[str, _Place]) -> None:
        for item in inserted.gaps:
            message = f"{item.replica} {item.seq}: its predecessor is not here"
            hint = "Import the segment that holds it; what is here was taken in."
            self._find(_at("gap", places, item, message, hint))
        for item in (*inserted.new, *inserted.pending):
            if item.ts > self._limit:
                message = f"{item.ts} is more than ten minutes ahead of this clock"
                self._find(_at("future", places, item, message, "Look at the clocks of the machines."))
        self._late.update({(item.replica, item.seq): item.id for item in inserted.late})

    def _find_forks(self) -> None:
        """Whether what came behind a later event of its chain has the number of another event."""
        if not self._late:
            return
        position = 0
        while rows := self._log.lines(position):
            position = rows[-1].id
            for row in rows:
                found = event.parse(row.state)
                other = self._late.get((found.replica, found.seq))
                if other and other != found.id:
                    self._find(fork(found.replica, found.seq, found.id, other))

    # --- blobs ---------------------------------------------------------------------------------------------------

    def _take_blobs(self) -> int:
        """Take in the blobs of the source that an event refers to and that are not here."""
        absent = self._log.absent_blobs([name for name in self._source.blobs() if is_id(name)])
        wanted = absent & self._referred() if absent else set[str]()
        taken = 0
        for digest in sorted(wanted):
            data = self._source.blob(digest, _BLOB_SIZE)
            if data is not None and sha256(data).hexdigest() == digest:
                with self._log.transaction() as transaction:
                    transaction.keep_blob(digest, data)
                taken += 1
            else:
                message = f"blob {digest[:12]} does not match its hash"
                self._find(Finding("bad-blob", digest, message, _RESTORE, id=digest))
        return taken

    def _referred(self) -> set[str]:
        found: set[str] = set()
        position = 0
        while rows := self._log.lines(position):
            position = rows[-1].id
            for row in rows:
                found.update(blobs_of(row.state))
        return found


_RESTORE = "Fetch the file again from the clone that wrote it, and import that."


def way_out(replica: str) -> str:
    """What to do about a chain that forked."""
    return (
        "A store was copied or restored and went on under its old id; both events are kept. Once both stores write under ids"
        f" of their own: `crewlog resolve --fork {replica} --note …`."
    )


def fork(replica: str, seq: int, one: str, other: str) -> Finding:
    """The finding that a chain has two events with one number: two stores wrote under one name."""
    message = f"{replica} has two events with number {seq}: {one[:12]} and {other[:12]}"
    return Finding("fork", replica, message, way_out(replica), id=max(one, other))


def _redacted(events: Sequence[Event]) -> list[str]:
    found = (item.payload.get("sha256") for item in events if item.type == "log.redacted")
    return [digest for digest in found if isinstance(digest, str)]


def _at(code: str, places: dict[str, _Place], item: Event, message: str, hint: str) -> Finding:
    place = places.get(item.id, _Place(item.replica, -1, -1))
    return Finding(code, place.path, message, hint, place.line, place.offset, item.id)


def as_dict(imported: Imported) -> dict[str, Any]:
    """The answer of an import, for programs."""
    counts = {name: getattr(imported, name) for name in ("events", "known", "pending", "streams", "blobs")}
    conflicts = [
        {
            "task": item.stream.partition("/")[2],
            "event": item.event,
            "type": item.type,
            "from": item.sender,
        }
        for item in imported.conflicts
    ]
    return {**counts, "conflicts": conflicts, "findings": [item.as_dict() for item in imported.findings]}
