"""Whether exported files say what the log says, byte for byte, while somebody reads the log in its order anyway.

What is the same here needs no other look. What is not is judged line by line by `export.live` and `export.verify`,
which can say what is wrong and where.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from domain.event import LINE_LIMIT, stated_id
from domain.refusals import Refusal
from export.live import Place
from export.segments import Span, sealed_spans
from export.sources import File, open_plain

_BLOCK = 1 << 20


def text_of(lines: Sequence[bytes]) -> bytes:
    """The lines as a file has them."""
    return b"\n".join([*lines, b""])


class _Mirror:
    """A file that is open, or none."""

    _descriptor = -1

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


class LiveMirror(_Mirror):
    """live.jsonl from a place on, compared with what the log has from there on. `place` is how far they are the same."""

    def __init__(self, path: str, place: Place) -> None:
        self.place = place
        self._descriptor = _opened(path)

    def follow(self, lines: Sequence[bytes], position: int) -> None:
        """Compare the next lines, the last of which stands at `position` in the log; what differs ends it."""
        if self._descriptor < 0:
            return
        text, (before, offset, _) = text_of(lines), self.place
        if os.pread(self._descriptor, len(text), offset) == text:
            self.place = Place(before + len(lines), offset + len(text), position)
        else:
            self.close()


# How many lines of which segments (paths from the store's folder) are the log's; one more for a file that ends there.
Held = Mapping[str, int]


class SegmentMirror(_Mirror):
    """The segments of one replica, compared with its events in the order of its chain. What differs is left out."""

    def __init__(self, folder: str, replica: str) -> None:
        self._folder = folder
        self._spans = _spans(folder, replica)[::-1]
        self._offset = 0
        self.held: dict[str, int] = {}

    def follow(self, lines: Sequence[bytes], seq: int) -> None:
        """Compare the next lines, of which the first has the number `seq`."""
        while self._spans and lines:
            span = self._spans[-1]
            if seq < span.first:  # these are in no segment
                lines, seq = lines[span.first - seq :], span.first
            elif seq <= span.last:
                part = lines[: span.last - seq + 1]
                if not self._same(span, part, seq):
                    self._next()
                    continue
                lines, seq = lines[len(part) :], seq + len(part)
            if seq > span.last:
                self._next()

    def _same(self, span: Span, lines: Sequence[bytes], seq: int) -> bool:
        if self._descriptor < 0:
            self._descriptor = _opened(os.path.join(self._folder, span.path))
            self._offset = _skipped(self._descriptor, seq - span.first)
        text = text_of(lines)
        if self._descriptor < 0 or os.pread(self._descriptor, len(text), self._offset) != text:
            return False
        self._offset += len(text)
        ends = seq + len(lines) > span.last and not os.pread(self._descriptor, 1, self._offset)
        self.held[span.path] = self.held.get(span.path, 0) + len(lines) + ends
        return True

    def _next(self) -> None:
        self._spans.pop()
        self.close()


def is_held(folder: str, file: File, held: Held) -> bool:
    """True if the whole file, a segment in its own place, was found to be what the log has."""
    found = file.span
    return (
        found is not None
        and file.path == os.path.join(folder, found.path)
        and held.get(found.path) == found.last - found.first + 2
    )


def place_near(path: str, offset: int) -> tuple[int, str]:
    """Where in live.jsonl the first whole line begins behind an offset, and the id that it states; 0 and "" for none."""
    descriptor = _opened(path)
    if descriptor < 0:
        return 0, ""
    try:
        block = os.pread(descriptor, 2 * (LINE_LIMIT + 1), offset)
    finally:
        os.close(descriptor)
    _, newline, rest = block.partition(b"\n")
    begin = offset + len(block) - len(rest)
    return (begin, stated_id(rest)) if newline and rest else (0, "")


def _spans(folder: str, replica: str) -> list[Span]:
    """The segments of a replica; none where its name is no folder's."""
    try:
        return sealed_spans(folder, replica)
    except (OSError, ValueError):
        return []


def _opened(path: str) -> int:
    """A descriptor, or -1 for what can't be read: who judges the file says why."""
    try:
        return open_plain(path)
    except (Refusal, OSError):
        return -1


def _skipped(descriptor: int, lines: int) -> int:
    """The offset behind so many lines."""
    offset = 0
    while lines > 0 and descriptor >= 0 and (block := os.pread(descriptor, _BLOCK, offset)):
        if (there := block.count(b"\n")) < lines:
            lines, offset = lines - there, offset + len(block)
            continue
        end = -1
        for _ in range(lines):
            end = block.index(b"\n", end + 1)
        return offset + end + 1
    return offset
