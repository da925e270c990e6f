"""Events from segments into the log: what is absent is inserted, and what is wrong is said with path, line and offset.

A bad line ends its file, and the other files go on. All files are read side by side, the earliest event first, so
that causes mostly come before effects and memory stays bounded.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from domain import event
from domain.event import LINE_LIMIT, Event, is_id
from domain.refusals import Refusal
from export.findings import Finding
from export.segments import blobs_of

if TYPE_CHECKING:
    from domain.intake import Inserted
    from domain.log import Log
    from export.sources import File, Line, Source

CHUNK = 1_000
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
    """Insert what is absent, a thousand events a transaction: stopped anywhere, it goes on where it was."""
    return _Import(log, source, progress).run()


class _Place(NamedTuple):
    """Where an event was read."""

    path: str
    line: int
    offset: int


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
        chunk: list[tuple[Event, _Place]] = []
        for item in heapq.merge(*self._chains(), key=lambda found: found[0].ts):
            chunk.append(item)
            if len(chunk) == CHUNK:
                self._insert(chunk)
                chunk = []
        if chunk:
            self._insert(chunk)
        blobs = self._take_blobs()
        self._find_forks()
        return Imported(
            self._new,
            self._read - self._new,
            self._log.pending(),
            len(self._streams),
            blobs,
            tuple(self._conflicts.values()),
            tuple(self._findings),
        )

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
        """The events of a file, up to its first bad line."""
        last = None
        for line in self._source.lines(file):
            try:
                found = self._judged(file, line, last)
            except Refusal as refusal:
                code = "bad-line" if refusal.code == "corrupt" else refusal.code
                stated = str(refusal.details.get("id", ""))
                message = f"{refusal.message}; the rest of the file was left out"
                self._find(Finding(code, file.path, message, _RESTORE, line.number, line.offset, stated))
                break
            if found is not None:
                yield found, _Place(file.path, line.number, line.offset)
                last = found
            if line.number % CHUNK == 0:
                self._report(line.offset)
        else:
            self._check_end(file, last)
        self._done += file.size
        self._report(0)

    def _judged(self, file: File, line: Line, last: Event | None) -> Event | None:
        """The event of a line; None for a sign of life, which is nobody else's. Raises Refusal `corrupt`."""
        if not line.data.endswith(b"\n"):
            what = f"over {LINE_LIMIT:,} bytes" if len(line.data) > LINE_LIMIT else "cut off"
            raise Refusal("corrupt", f"the line is {what}")
        found = event.check(line.data[:-1])
        if file.span and (found.replica != file.span.replica or found.seq != _expected(file, last)):
            message = (
                f"event {found.seq} of {found.replica} does not belong here: {_expected(file, last)} is next"
            )
            raise Refusal("corrupt", message, id=found.id)
        if file.span and last and found.prev != last.id:
            raise Refusal("corrupt", "it does not continue the line before", id=found.id)
        return None if found.kind == "pulse" else found

    def _check_end(self, file: File, last: Event | None) -> None:
        if file.span and (last is None or last.seq != file.span.last):
            end = last.seq if last else "nothing"
            message = f"the file ends with {end}; by its name it goes up to {file.span.last}"
            self._find(Finding("cut-segment", file.path, message, _RESTORE, offset=file.size))

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
        self._new += len(inserted.new) + len(inserted.pending)
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


def fork(replica: str, seq: int, one: str, other: str) -> Finding:
    """The finding that a chain has two events with one number: two stores wrote under one name."""
    message = f"{replica} has two events with number {seq}: {one[:12]} and {other[:12]}"
    hint = "A store was copied or restored and went on under its old id; both events are kept."
    return Finding("fork", replica, message, hint, id=max(one, other))


def _redacted(events: Sequence[Event]) -> list[str]:
    found = (item.payload.get("sha256") for item in events if item.type == "log.redacted")
    return [digest for digest in found if isinstance(digest, str)]


def _expected(file: File, last: Event | None) -> int:
    assert file.span is not None  # noqa: S101 - who calls has looked
    return last.seq + 1 if last else file.span.first


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
