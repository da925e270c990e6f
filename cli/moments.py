"""Moments as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.config import duration
from domain.refusals import Refusal

EXAMPLES = "Examples: 2h, 3d, 2026-11-23, 2026-11-23T17:31, 2026-11-23T17:31:05Z."

if TYPE_CHECKING:
    from datetime import datetime


def moment(text: str, now: int) -> int:
    """Microseconds of `2h` (so long ago), `2026-11-23`, `2026-11-23 17:31` (local) or a time of an event (with a Z)."""
    if not text[:4].isdigit() or "-" not in text:
        return now - _ago(text)
    from datetime import datetime

    try:
        found = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:  # a time zone can lead out of the years 1 to 9999
        raise Refusal("bad-value", f"{text[:40]!r} is no time", EXAMPLES) from error
    return micros(found)


def _ago(text: str) -> int:
    """Microseconds of an age. A bare number is none: `--since 7 days` would mean seven seconds."""
    if text.isdigit():
        hint = f"{text}d is days, {text}h hours, {text}m minutes, {text}s seconds. {EXAMPLES}"
        raise Refusal("bad-value", f"{text[:40]!r} has no unit", hint)
    try:
        return int(duration(text, "the time") * 1_000_000)
    except Refusal as refusal:
        raise Refusal("bad-value", f"{text[:40]!r} is no time", EXAMPLES) from refusal


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly: `timestamp()` is a float, whose last one may be wrong."""
    from datetime import UTC, datetime, timedelta

    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
