"""Sealed segments: this clone's own events in files that nobody ever edits, so that git never has to merge a line.

`log/<replica>/<first>-<last>.jsonl`, numbered by `seq`. What is new is sealed into a file of its own. Large payloads
lie beside them, as `blobs/<aa>/<sha256>`. Whoever holds these files holds everything that the clones have said. Where two
stores wrote under one id, a file of the one that made way has the beginning of its last event's id in its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import IO, TYPE_CHECKING, TypeVar

from domain.event import LINE_LIMIT, check, id_of, is_id, stated_id
from domain.named import NamedTuple
from domain.names import is_name
from domain.refusals import Refusal
from domain.stores import queue

if TYPE_CHECKING:
    from domain.event import Event
    from domain.log import Log

LOG = "log"
BLOBS = "blobs"
CHUNK = 1_000
# A file of about 8 MB; what is more goes into the next one.
SEGMENT_EVENTS = 20_000
REWRITE = "`crewlog export --rebuild` writes this clone's own segments and the blobs again from the log."
_NAME = re.compile(r"([0-9]{10})-([0-9]{10})(?:\.([0-9a-f]{8}))?\.jsonl")
REFERS = b'{"blob":{'  # in a line that refers to a blob
_BLOB = re.compile(rb'"blob":\{"media_type":"[^"]*","sha256":"([0-9a-f]{64})"')

Progress = Callable[[int, int], None]


class Span(NamedTuple):
    """Which part of a replica's chain a segment holds: from `first` to `last`, by `seq`.

    `aside`: the beginning of the last event's id, for a segment whose name another store's has.
    """

    replica: str
    first: int
    last: int
    aside: str = ""

    @property
    def path(self) -> str:
        """Where it lies, from the store's folder."""
        aside = f".{self.aside}" if self.aside else ""
        return f"{LOG}/{self.replica}/{self.first:010}-{self.last:010}{aside}.jsonl"


class Sealed(NamedTuple):
    """What was sealed: paths from the store's folder, and how many events and blobs."""

    segments: tuple[str, ...]
    events: int
    blobs: int


def span(path: str) -> Span | None:
    """What a segment's path says that it holds; None for what is no segment."""
    folder, _, name = path.rpartition("/")
    before, _, replica = folder.rpartition("/")
    found = _NAME.fullmatch(name)
    if not found or not is_name(replica) or before.rpartition("/")[2] != LOG:
        return None
    first, last = int(found[1]), int(found[2])
    return Span(replica, first, last, found[3] or "") if 0 < first <= last else None


def sealed_spans(folder: str, replica: str) -> list[Span]:
    """The segments of a replica in a store's folder, in order; without those that were set aside."""
    try:
        names = os.listdir(os.path.join(folder, LOG, replica))
    except FileNotFoundError:
        return []
    found = (span(f"{LOG}/{replica}/{name}") for name in names)
    return sorted(item for item in found if item and not item.aside)


def blob_path(digest: str) -> str:
    """Where a blob lies, from the store's folder."""
    return f"{BLOBS}/{digest[:2]}/{digest}"


def blobs_of(line: bytes) -> list[str]:
    """The hashes of the blobs that an event refers to. An event is canonical, so its bytes say it."""
    return [found.decode() for found in _BLOB.findall(line)] if REFERS in line else []


def is_whole(data: bytes, item: Span) -> bool:
    """True for the bytes of a segment in which every event is sound, and continues the one before it."""
    *lines, rest = data.split(b"\n")
    if rest or len(lines) != item.last - item.first + 1:
        return False
    last = ""
    for seq, line in enumerate(lines, item.first):
        try:
            found = check(line)
        except Refusal:
            return False
        if (found.replica, found.seq) != (item.replica, seq) or (last and found.prev != last):
            return False
        last = found.id
    return True


class _End(NamedTuple):
    """The last event that is sealed: its number, its id, and its position in the log."""

    seq: int
    id: str
    position: int


_NOTHING = _End(0, "", 0)


class Segments:
    """The segments of the store in `folder` (`.crewlog`), sealed for these replicas: this clone's id, and earlier ones."""

    def __init__(self, folder: str, log: Log, replicas: Sequence[str]) -> None:
        self._folder = folder
        self._log = log
        self.replicas = replicas

    def seal(self, progress: Progress | None = None) -> Sealed:
        """Write what the segments do not hold yet. Costs what is new. Raises Refusal `unwritable`, `disk-full`."""
        segments: list[str] = []
        events = 0
        with queue.turn(os.path.join(self._folder, "segments.lock")):
            self._sweep()
            self.drop_redacted()
            blobs = self._write_blobs()
            for replica in self.replicas:
                for part in batches(self._unsealed(replica, progress), SEGMENT_EVENTS):
                    segments.append(self._write(replica, part))
                    events += len(part)
        return Sealed(tuple(segments), events, blobs)

    def mend(self) -> list[str]:
        """Write this clone's own segments, and the blobs, again from the log where the files differ; their paths.

        A file with a sound event that the log has not is left: nothing may be lost by mending. So is one that is whole: of
        a chain that forked it may be the other branch.
        """
        with queue.turn(os.path.join(self._folder, "segments.lock")):
            self._sweep()
            self._write_blobs(mend=True)
            return [path for replica in self.replicas for path in self._mend(replica)]

    def set_aside(self, path: str, mine: bytes, theirs: bytes) -> str:
        """Make way for another store's segment of the same name; the path at which this one's goes on.

        Written before it is written over: stopped anywhere, this store's events are in a file. `mine` as it was committed:
        where this was stopped before, the file is theirs by now.
        """
        sealed = span(path)
        if sealed is None:
            raise ValueError(path)
        with queue.turn(os.path.join(self._folder, "segments.lock")):
            end = stated_id(mine.rstrip(b"\n").rpartition(b"\n")[2])
            aside = sealed._replace(aside=end[:8]).path
            self._put(aside, mine)
            self._put(path, theirs, replace=True)
            return aside

    def has_gap(self) -> bool:
        """True where a segment of this clone is missing in front of another one. Only names are looked at."""
        return any(
            item.first > before + 1
            for replica in self.replicas
            for before, item in _behind_each_other(sealed_spans(self._folder, replica))
        )

    def _mend(self, replica: str) -> Iterator[str]:
        chain = self._behind(replica, _NOTHING, None)
        last = 0
        for item in sealed_spans(self._folder, replica):
            if item.first <= last:
                continue
            absent = list(islice(chain, item.first - last - 1))
            if absent:
                yield self._write(replica, absent)
            events = list(islice(chain, item.last - item.first + 1))
            if len(events) <= item.last - item.first:
                return  # the log is older than the file
            data, last = _lines(events), item.last
            found = self._read(item.path)
            mends = found != data and not is_whole(found, item) and is_whole(data, item)
            if mends and not self._has_more(found):
                self._put(item.path, data, replace=True)
                yield item.path

    def _read(self, path: str) -> bytes:
        whole = os.path.join(self._folder, path)
        try:
            with _open(whole) as file:
                return file.read()
        except OSError as error:
            raise queue.unwritable(error, whole) from error

    def _has_more(self, data: bytes) -> bool:
        """True for a segment with a sound event that the log does not have."""
        lines = [line for line in data.split(b"\n") if line]
        sound = [stated for line in lines if (stated := stated_id(line)) and id_of(line) == stated]
        return len(self._log.positions(sound)) < len(set(sound))

    def unsealed(self) -> int:
        """How many events the next seal would write."""
        return sum(1 for replica in self.replicas for _ in self._unsealed(replica, None))

    def _unsealed(self, replica: str, progress: Progress | None) -> Iterator[Event]:
        """The events of a replica behind its last segment, in the order of its chain; up to a gap."""
        spans = sealed_spans(self._folder, replica)
        last = self._end(spans[-1]) if spans else _NOTHING
        if last.seq == self._log.chains().get(replica, (0, ""))[0]:
            return  # nothing is new; that the last segment belongs to this log was looked at all the same
        yield from self._behind(replica, last, progress)

    def _behind(self, replica: str, last: _End, progress: Progress | None) -> Iterator[Event]:
        """The events of a replica that continue the one at the end, up to a gap; not those of another store under its id."""
        seq, before, position = last
        end = self._log.position()
        later: dict[tuple[int, str], Event] = {}
        while rows := self._log.read(position, CHUNK):
            position = rows[-1].position
            for row in rows:
                if row.event.replica == replica and row.event.seq > seq:  # of two the one that was here first
                    later.setdefault((row.event.seq, row.event.prev), row.event)
            while found := later.pop((seq + 1, before), None):
                yield found
                seq, before = found.seq, found.id
            if progress:
                progress(position, end)

    def _end(self, last: Span) -> _End:
        """The last event of a segment, and where in the log it stands: what was sealed lies before it."""
        path = os.path.join(self._folder, last.path)
        with _open(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LINE_LIMIT - 2))
            line = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        event_id = stated_id(line)
        position = self._log.position_of(event_id)
        if not position:
            hint = f"`crewlog import` takes in what is whole; {REWRITE}"
            message = f"the last line of {path} is no event of this log"
            raise Refusal("corrupt", message, hint, path=path)
        return _End(last.last, event_id, position)

    def _write(self, replica: str, events: Sequence[Event]) -> str:
        path = Span(replica, events[0].seq, events[-1].seq).path
        self._put(path, _lines(events))
        return path

    def _write_blobs(self, *, mend: bool = False) -> int:
        """Write the blobs that have no file; `mend`: also those whose file does not match. How many."""
        written = 0
        for digest in self._log.blobs():
            path = blob_path(digest)
            there = os.path.lexists(os.path.join(self._folder, path))
            if there and not (mend and sha256(self._read(path)).hexdigest() != digest):
                continue
            data = self._log.find_blob(digest)
            if data is not None and sha256(data).hexdigest() == digest:
                self._put(path, data, replace=there)
                written += 1
        return written

    def _put(self, path: str, data: bytes, *, replace: bool = False) -> None:
        """A whole file that nobody can have read half of; `replace`: over one that was changed."""
        whole = os.path.join(self._folder, path)
        temporary = os.path.join(self._folder, f"{_TEMPORARY}{os.urandom(6).hex()}")
        try:
            _make_folders(self._folder, os.path.dirname(path))
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            (os.replace if replace else os.link)(temporary, whole)
            _sync_folder(os.path.dirname(whole))
        except FileExistsError:
            return
        except OSError as error:
            raise queue.unwritable(error, whole) from error
        finally:
            _remove(temporary)

    def drop_redacted(self) -> None:
        """Remove the files of blobs that were taken out."""
        for digest in self._log.redacted():
            if is_id(digest):
                _remove(os.path.join(self._folder, blob_path(digest)))

    def _sweep(self) -> None:
        """Remove what a seal that was killed left behind."""
        for name in os.listdir(self._folder):
            if name.startswith(_TEMPORARY):
                _remove(os.path.join(self._folder, name))


_TEMPORARY = ".sealing-"


def _behind_each_other(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Each span with how far those in front of it go."""
    last = 0
    for item in spans:
        yield last, item
        last = max(last, item.last)


Item = TypeVar("Item")


def batches(
    items: Iterable[Item], size: int, weigh: Callable[[Item], int] = lambda _: 0, limit: int = 1
) -> Iterator[list[Item]]:
    """The items in lists of at most so many, each of which ends where what `weigh` says of its items reaches the limit."""
    batch: list[Item] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += weigh(item)
        if len(batch) == size or weight >= limit:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _lines(events: Sequence[Event]) -> bytes:
    return b"".join(item.line + b"\n" for item in events)


def _make_folders(folder: str, path: str) -> None:
    """Make the folders of a path inside the store, one by one: none of them may be a link that leads out of it."""
    for name in path.split("/"):
        folder = os.path.join(folder, name)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            if os.path.islink(folder):
                hint = "A store holds real files only; look who made the link."
                raise Refusal("unsafe-store", f"{folder} is a symbolic link", hint, path=folder) from None


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _open(path: str) -> IO[bytes]:
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
