"""The hits of a search as people see them: what matches is in sight and marked, however narrow the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cli.output import INDENT, Columns
from cli.style import BOLD, DIM, Style
from cli.text import cut, safe_line, width
from projections.search import BEGIN, END
from projections.search_rows import in_source

if TYPE_CHECKING:
    from projections.search import Hit

NARROW = 110  # up to here a hit has a line of its own for its excerpt
TITLE = 32
LEAST = 20  # columns of an excerpt
BEFORE = 3  # of what there is room for, one part stands before the match

Named = Mapping[str, tuple[str | None, str]]


def hit_lines(style: Style, hits: Sequence[Hit], named: Named) -> list[str]:
    """One line a hit, or two where the terminal is narrow."""
    if 0 < style.room <= NARROW:
        return [line for hit in hits for line in _two_lines(style, hit, named)]
    heads = Columns()
    for hit in hits:
        heads.add(*_when_and_what(style, hit), *_who_and_how(style, hit), cut(_title(hit, named), TITLE), "")
    shown = heads.lines()
    room = heads.widths
    left = max(LEAST, style.room - sum(room) - 2 * len(room)) if style.room else 0
    edge = sum(room) + 2 * len(room)
    return [_padded(head, edge) + _excerpt(style, hit, left) for head, hit in zip(shown, hits, strict=True)]


def _padded(head: str, edge: int) -> str:
    from cli.style import plain

    return head + " " * (edge - width(plain(head)))


def _two_lines(style: Style, hit: Hit, named: Named) -> tuple[str, str]:
    first = Columns(style.room)
    first.add(*_when_and_what(style, hit), _title(hit, named))
    who, kind = _who_and_how(style, hit)
    name = _by(hit)
    left = style.room - width(INDENT) - width(name) - width(kind) - 2
    return first.lines()[0], f"{INDENT}{who} {kind} {_excerpt(style, hit, max(LEAST, left))}"


def _when_and_what(style: Style, hit: Hit) -> tuple[str, str]:
    at = in_source(hit.event)[1] or hit.event.ts
    return style.paint(style.when(at)[:16], DIM), hit.event.subject


def _who_and_how(style: Style, hit: Hit) -> tuple[str, str]:
    return style.name(_by(hit)), safe_line(hit.event.type)


def _by(hit: Hit) -> str:
    return in_source(hit.event)[0] or hit.event.sender


def _title(hit: Hit, named: Named) -> str:
    slug, title = named.get(about(hit), (None, ""))
    return safe_line(f"{slug}: {title}" if slug else title)


def about(hit: Hit) -> str:
    """The task that the hit is about, also where it is a message."""
    return str(hit.event.payload.get("task") or hit.event.subject)


# --- the excerpt -------------------------------------------------------------------------------------------------


def parts_of(excerpt: str) -> list[str]:
    """The excerpt taken apart: what matches stands at odd places."""
    return excerpt.replace(END, BEGIN).split(BEGIN)


def _excerpt(style: Style, hit: Hit, room: int) -> str:
    shown = [safe_line(part) for part in parts_of(hit.excerpt)]
    if not style.colour:
        shown = [f"[{part}]" if place % 2 else part for place, part in enumerate(shown)]
    shown = fitted(shown, room) if room else shown
    return "".join(style.paint(part, BOLD) if place % 2 else part for place, part in enumerate(shown))


def fitted(parts: Sequence[str], room: int) -> list[str]:
    """The parts in so many columns: cut on both sides, so that the first match is in sight."""
    if sum(map(width, parts)) <= room:
        return [*parts]
    first, *others = parts
    behind = sum(map(width, others))
    before = max(room // BEFORE, room - behind)
    kept = [cut(first[::-1], before)[::-1]]  # its end
    for part in others:
        left = room - sum(map(width, kept))
        kept.append(cut(part, left))
    return kept
