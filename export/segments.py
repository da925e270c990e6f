"""Sealed segments: this clone's own events in files that nobody ever edits, so that git never has to merge a line.

`log/<replica>/<first>-<last>.jsonl`, numbered by `seq`. What is new is sealed into a file of its own. Large payloads
lie beside them, as `blobs/<aa>/<sha256>`. Whoever holds these files holds everything that the clones have said.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar

from domain.event import LINE_LIMIT, is_id, stated_id
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
_NAME = re.compile(r"([0-9]{10})-([0-9]{10})\.jsonl")
_BLOB = re.compile(rb'"blob":\{"media_type":"[^"]*","sha256":"([0-9a-f]{64})"')

Progress = Callable[[int, int], None]


class Span(NamedTuple):
    """Which part of a replica's chain a segment holds: from `first` to `last`, by `seq`."""

    replica: str
    first: int
    last: int

    @property
    def path(self) -> str:
        """Where it lies, from the store's folder."""
        return f"{LOG}/{self.replica}/{self.first:010}-{self.last:010}.jsonl"


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
    return Span(replica, first, last) if 0 < first <= last else None


def sealed_spans(folder: str, replica: str) -> list[Span]:
    """The segments of a replica in a store's folder, in order."""
    try:
        names = os.listdir(os.path.join(folder, LOG, replica))
    except FileNotFoundError:
        return []
    found = (span(f"{LOG}/{replica}/{name}") for name in names)
    return sorted(item for item in found if item)


def blob_path(digest: str) -> str:
    """Where a blob lies, from the store's folder."""
    return f"{BLOBS}/{digest[:2]}/{digest}"


def blobs_of(line: bytes) -> list[str]:
    """The hashes of the blobs that an event refers to. An event is canonical, so its bytes say it."""
    return [found.decode() for found in _BLOB.findall(line)] if b'"blob":{' in line else []


class Segments:
    """The segments of the store in `folder` (`.crewlog`), sealed for these replicas: this clone's id, and earlier ones."""

    def __init__(self, folder: str, log: Log, replicas: Sequence[str]) -> None:
        self._folder = folder
        self._log = log
        self._replicas = replicas

    def seal(self, progress: Progress | None = None) -> Sealed:
        """Write what the segments do not hold yet. Costs what is new. Raises Refusal `unwritable`, `disk-full`."""
        segments: list[str] = []
        events, blobs = 0, 0
        with queue.turn(os.path.join(self._folder, "segments.lock")):
            self._sweep()
            self.drop_redacted()
            for replica in self._replicas:
                for part in batches(self._unsealed(replica, progress), SEGMENT_EVENTS):
                    blobs += sum(self._write_blobs(item.line) for item in part)
                    segments.append(self._write(replica, part))
                    events += len(part)
        return Sealed(tuple(segments), events, blobs)

    def unsealed(self) -> int:
        """How many events the next seal would write."""
        return sum(1 for replica in self._replicas for _ in self._unsealed(replica, None))

    def _unsealed(self, replica: str, progress: Progress | None) -> Iterator[Event]:
        """The events of a replica behind its last segment, in the order of its chain; up to a gap."""
        spans = sealed_spans(self._folder, replica)
        if spans and spans[-1].last == self._log.chains().get(replica, (0, ""))[0]:
            self._position(spans[-1])  # nothing is new; that it belongs to this log is looked at all the same
            return
        next_seq, position = (spans[-1].last + 1, self._position(spans[-1])) if spans else (1, 0)
        end = self._log.position()
        later: dict[int, Event] = {}
        while rows := self._log.read(position, CHUNK):
            position = rows[-1].position
            for row in rows:
                if row.event.replica == replica and row.event.seq >= next_seq:
                    later[row.event.seq] = row.event
            while next_seq in later:
                yield later.pop(next_seq)
                next_seq += 1
            if progress:
                progress(position, end)

    def _position(self, last: Span) -> int:
        """Where in the log the last event of a segment stands: what was sealed lies before it."""
        path = os.path.join(self._folder, last.path)
        with _open(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LINE_LIMIT - 2))
            line = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        position = self._log.position_of(stated_id(line))
        if not position:
            hint = "`crewlog verify` says more; `crewlog import` takes in what is whole."
            message = f"the last line of {path} is no event of this log"
            raise Refusal("corrupt", message, hint, path=path)
        return position

    def _write(self, replica: str, events: Sequence[Event]) -> str:
        path = Span(replica, events[0].seq, events[-1].seq).path
        self._put(path, b"".join(item.line + b"\n" for item in events))
        return path

    def _write_blobs(self, line: bytes) -> int:
        """Write the blobs that an event refers to, as far as they are here and not written yet."""
        written = 0
        for digest in blobs_of(line):
            path = blob_path(digest)
            if not os.path.exists(os.path.join(self._folder, path)):
                data = self._log.find_blob(digest)
                if data is not None:
                    self._put(path, data)
                    written += 1
        return written

    def _put(self, path: str, data: bytes) -> None:
        """A whole file that nobody can have read half of, and that is never written over."""
        whole = os.path.join(self._folder, path)
        temporary = os.path.join(self._folder, f"{_TEMPORARY}{os.urandom(6).hex()}")
        try:
            _make_folders(self._folder, os.path.dirname(path))
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.link(temporary, whole)
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


Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most so many."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


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
