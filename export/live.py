"""live.jsonl: every event of the log, in log order, for whoever tails it.

The file is only ever appended to, under the lock `live.lock`, and it stays the same inode for ever. Where to go on is
read from its own end, so nothing needs to be stored, nothing needs to be synced, and a crash at any byte is mended by
the next feed: a torn last line is completed, never cut, so that no tail ever reads half a line followed by other
bytes.

The lock is a file of its own and not the live file: it must also hold while somebody deletes or replaces that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.event import LINE_LIMIT, id_of, stated_id
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.stores import queue
from export.findings import Finding

if TYPE_CHECKING:
    from domain.log import Line, Log

CHUNK = 1_000
WAIT_SECONDS = 10.0
FINDING_LIMIT = 100
_BLOCK = 1 << 20
# The last two lines and a torn one.
_TAIL = 3 * (LINE_LIMIT + 1)
_REMARKS = {
    "locked": "live-locked",
    "unwritable": "live-unwritable",
    "disk-full": "live-unwritable",
    "unsafe-store": "live-unsafe",
}
_WHOSE = "Look who put it there."
_REBUILD = "`crewlog export --rebuild` writes it again from the log."

Progress = Callable[[int, int], None]


class Place(NamedTuple):
    """A place in the file: how many lines and bytes lie before it, and the position of the event of the last one."""

    lines: int = 0
    offset: int = 0
    position: int = 0


START = Place()


class Fed(NamedTuple):
    """What a feed did: how many lines it completed, and why it stopped where it did, if something is wrong."""

    written: int
    remark: Finding | None = None


class _End(NamedTuple):
    """The end of the file: its size, its last two complete lines (fewer at its beginning), the bytes behind them."""

    size: int
    lines: list[bytes]
    torn: bytes

    @property
    def line_offset(self) -> int:
        """Where the last complete line begins."""
        return self.size - len(self.torn) - (len(self.lines[-1]) + 1 if self.lines else 0)


class _EditedError(Exception):
    """Somebody else wrote into the file: at which byte, what is wrong."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


class LiveFile:
    """The live file of the store in `folder` (`.crewlog`)."""

    def __init__(self, folder: str, log: Log, *, chunk: int = CHUNK, wait: float = WAIT_SECONDS) -> None:
        self.path = os.path.join(folder, "live.jsonl")
        self._lock = os.path.join(folder, "live.lock")
        self._log = log
        self._chunk = chunk
        self._wait = wait

    def feed(self, wait: float | None = None) -> Fed:
        """Append what the log has and the file has not. Costs what is new, whatever the size of the log.

        `wait`: seconds for another feeder to end, if not those of this file. Never raises for what is wrong with the file, the disk or the lock: the command that calls it is already
        acknowledged. The remark says what it was, and the next feed goes on.
        """
        return self._remarking(self._feed, self._wait if wait is None else wait)

    def is_ahead(self) -> bool:
        """True where the last whole line is a sound event that the log does not know: the log was put back."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            lines = _end(descriptor).lines if stat.S_ISREG(os.fstat(descriptor).st_mode) else []
        finally:
            os.close(descriptor)
        stated = stated_id(lines[-1]) if lines else ""
        return bool(stated) and id_of(lines[-1]) == stated and not self._log.position_of(stated)

    def rebuild(self) -> Fed:
        """Write the file again from its first wrong byte on: the same inode, and what was right is not touched."""
        return self._remarking(self._rebuild, self._wait)

    def _remarking(self, work: Callable[[int], int], wait: float) -> Fed:
        try:
            with queue.turn(self._lock, wait), self._opened() as descriptor:
                return Fed(work(descriptor))
        except _EditedError as edited:
            return Fed(0, Finding("live-edited", self.path, edited.message, _REBUILD, offset=edited.offset))
        except _StoppedError as stopped:
            return Fed(stopped.written, self._unwritable(stopped.error))
        except OSError as error:
            return Fed(0, self._unwritable(error))
        except Refusal as refusal:
            code = _REMARKS.get(refusal.code)
            if code is None:
                raise
            return Fed(0, Finding(code, self.path, refusal.message, refusal.hint))

    def _unwritable(self, error: OSError) -> Finding:
        message = f"{self.path} could not be written: {error.strerror}"
        return Finding("live-unwritable", self.path, message, _LATER)

    @contextmanager
    def _opened(self) -> Generator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise queue.unwritable(error, self.path) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refusal("unsafe-store", f"{self.path} is not a regular file", _WHOSE)
            yield descriptor
        finally:
            os.close(descriptor)

    # --- appending -----------------------------------------------------------------------------------------------

    def _feed(self, descriptor: int) -> int:
        end = _end(descriptor)
        position = self._position(end)
        rows = self._log.lines(max(position - 2, 0), self._chunk + 2)
        self._check_lines(end, [row.state for row in rows if row.id <= position])
        new = [row.state for row in rows if row.id > position]
        last = rows[-1].id if rows else 0
        return self._append(descriptor, end, new, last)

    def _position(self, end: _End) -> int:
        """The position in the log of the last complete line, 0 where there is none."""
        if not end.lines:
            return 0
        event_id = stated_id(end.lines[-1])
        position = self._log.position_of(event_id) if event_id else 0
        if not position:
            raise _EditedError(end.line_offset, f"the last line of {self.path} is no event of this log")
        return position

    def _check_lines(self, end: _End, stored: list[bytes]) -> None:
        """The last two lines must be the log's, one after the other: this also finds an old line pasted at the end.

        A log may skip a position (PostgreSQL does, after a transaction that failed); then `stored` has the last only.
        """
        if end.lines[-len(stored) :] != stored:
            raise _EditedError(end.line_offset, f"the last lines of {self.path} are not those of the log")

    def _append(self, descriptor: int, end: _End, new: list[bytes], last: int) -> int:
        written, torn = 0, end.torn
        while new:
            data = b"".join(line + b"\n" for line in new)
            if not data.startswith(torn):
                raise self._bad_tail(end)
            try:
                _write(descriptor, data[len(torn) :])
            except OSError as error:
                raise _StoppedError(error, written) from error
            written, torn = written + len(new), b""
            rows = self._log.lines(last, self._chunk)
            new, last = [row.state for row in rows], rows[-1].id if rows else last
        if torn:
            raise self._bad_tail(end)
        return written

    def _bad_tail(self, end: _End) -> _EditedError:
        return _EditedError(
            end.size - len(end.torn), f"the end of {self.path} is not the beginning of the next event"
        )

    def _rebuild(self, descriptor: int) -> int:
        right = next(
            (finding.offset for finding in self._compare(descriptor, None, START) if finding.offset >= 0),
            None,
        )
        if right is not None:
            from export.rewriting import check_lines, check_log

            check_log(self._log, self.path)
            check_lines(self._log, self.path, _lines(descriptor, right))
            os.ftruncate(descriptor, right)
        return self._feed(descriptor)

    # --- comparing -----------------------------------------------------------------------------------------------

    def compare(self, progress: Progress | None = None, since: Place = START) -> list[Finding]:
        """Compare the file with the log, line by line; at most FINDING_LIMIT findings, in file order.

        What lies before `since` was found to be the log's.

        `progress(done, total)` counts bytes. Codes: `live-changed` (a line's bytes), `live-unknown` (no event of this
        log), `live-missing` (events left out), `live-repeated` (again, or out of order), `live-torn` (half a line at
        the end), `live-behind` (not fed yet), `live-absent` (no file), `live-unsafe` (no regular file).
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return [Finding("live-absent", self.path, f"there is no {self.path}", _REBUILD)]
        except OSError as error:
            return [Finding("live-unreadable", self.path, f"{self.path} cannot be read: {error.strerror}")]
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return [Finding("live-unsafe", self.path, f"{self.path} is not a regular file", _WHOSE)]
            return list(self._compare(descriptor, progress, since))[:FINDING_LIMIT]
        finally:
            os.close(descriptor)

    def _compare(self, descriptor: int, progress: Progress | None, since: Place) -> Iterator[Finding]:
        size = os.fstat(descriptor).st_size
        expected = _Expected(self._log, self._chunk, since.position)
        found, number = 0, since.lines
        for number, (offset, line) in enumerate(_lines(descriptor, since.offset), since.lines + 1):
            for code, message, event_id in expected.judge(line):
                found += 1
                yield Finding(code, self.path, message, _REBUILD, number, offset, event_id)
            if found >= FINDING_LIMIT:
                return
            if progress and number % self._chunk == 0:
                progress(offset, size)
        behind = expected.skip()
        if behind:
            message = f"{behind} events of the log are not in {self.path} yet"
            yield Finding("live-behind", self.path, message, "The next command appends them.", number)


Judgement = tuple[str, str, str]


class _Expected:
    """What the log says must come next; judges one line of the file after another."""

    def __init__(self, log: Log, chunk: int, position: int) -> None:
        self._log = log
        self._chunk = chunk
        self._rows: Sequence[Line] = []
        self._next = 0
        self._position = position

    def judge(self, line: bytes) -> list[Judgement]:
        """What is wrong with this line (its newline included, if it has one)."""
        text, row = line.removesuffix(b"\n"), self._peek()
        if text == line:
            torn = row is not None and row.state.startswith(text)
            return [("live-torn", "the last line is not complete", "")] if torn else [_changed(text)]
        if row and text == row.state:
            self._take(row)
            return []
        event_id = stated_id(text)
        position = self._log.position_of(event_id) if event_id else 0
        if not position:
            return [("live-unknown", f"no event of this log: {text[:40]!r}", event_id)]
        if position <= self._position:
            return [("live-repeated", f"event {event_id[:12]} stands here again, or too late", event_id)]
        return self._judge_known(text, event_id, position)

    def _judge_known(self, text: bytes, event_id: str, position: int) -> list[Judgement]:
        found: list[Judgement] = []
        missing = self.skip(position)
        if missing:
            found.append(("live-missing", f"{missing} events before {event_id[:12]} are missing", event_id))
        row = self._peek()
        if row:
            found += [] if text == row.state else [_changed(text)]
            self._take(row)
        return found

    def skip(self, position: int | None = None) -> int:
        """Leave out the events before a position, or all that are left; how many these were."""
        skipped = 0
        while (row := self._peek()) and (position is None or row.id < position):
            self._take(row)
            skipped += 1
        return skipped

    def _peek(self) -> Line | None:
        if self._next >= len(self._rows):
            self._rows, self._next = self._log.lines(self._position, self._chunk), 0
        return self._rows[self._next] if self._rows else None

    def _take(self, row: Line) -> None:
        self._position, self._next = row.id, self._next + 1


def _changed(text: bytes) -> Judgement:
    event_id = stated_id(text)
    return ("live-changed", f"the bytes are not those of the log: {text[:40]!r}", event_id)


_LATER = "Nothing is lost: the next command that can write appends the rest."


class _StoppedError(Exception):
    """The disk gave up after so many lines."""

    def __init__(self, error: OSError, written: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.written = written


def _write(descriptor: int, data: bytes) -> None:
    """Append all of it, in one write where the system takes it in one."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _end(descriptor: int) -> _End:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(size - _TAIL, 0))
    whole, newline, torn = tail.rpartition(b"\n")
    if not newline:
        return _End(size, [], torn)
    lines = whole.split(b"\n")
    if size > len(tail) and len(lines) > 1:
        del lines[0]  # it may begin before the bytes that were read
    return _End(size, lines[-2:], torn)


def _lines(descriptor: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """Each line with its newline and its offset; a line beyond all limits comes in pieces, in bounded memory."""
    rest = b""
    while block := os.pread(descriptor, _BLOCK, offset + len(rest)):
        rest += block
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield offset, line + b"\n"
            offset += len(line) + 1
        if len(rest) > _TAIL:
            yield offset, rest
            offset, rest = offset + len(rest), b""
    if rest:
        yield offset, rest
