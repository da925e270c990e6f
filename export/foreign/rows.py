"""What a line of a source is about, before and after the lines of one issue are brought together."""

from __future__ import annotations

from domain.named import NamedTuple
from export.foreign.record import Record


class Staged(NamedTuple):
    """Which issue a line belongs to, and as what. `other` is the issue that would rather have it, `people` who it names."""

    what: str
    issue: str
    other: str = ""
    people: tuple[str, ...] = ()


class Place(NamedTuple):
    """Where a line stands: `line` counts from 1, `offset` in bytes from 0."""

    file: str
    line: int
    offset: int


class Row(NamedTuple):
    """A line of one issue."""

    what: str
    place: Place
    line: str
    record: Record
