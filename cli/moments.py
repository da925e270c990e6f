"""Moments as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.config import duration
from domain.refusals import Refusal

if TYPE_CHECKING:
    from datetime import datetime


def moment(text: str, now: int) -> int:
    """Microseconds of `2h` (so long ago), `2026-11-23`, `2026-11-23 17:31` (local) or a time of an event (with a Z)."""
    if not text[:4].isdigit() or "-" not in text:
        return now - int(duration(text, "the time") * 1_000_000)
    from datetime import datetime

    try:
        found = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:  # a time zone can lead out of the years 1 to 9999
        hint = "Examples: 2h, 3d, 2026-11-23, 2026-11-23T17:31, 2026-11-23T17:31:05Z."
        raise Refusal("bad-value", f"{text[:40]!r} is no time", hint) from error
    return micros(found)


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly: `timestamp()` is a float, whose last one may be wrong."""
    from datetime import UTC, datetime, timedelta

    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
