"""Times as other tools write them, as times of ours: UTC with microseconds."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.event import format_time

# Go's zero time and SQL's null dates lie before; no tracker does.
_FIRST = "1970-01-01T00:00:00.000000Z"
_LAST_MILLISECOND = 253_402_300_799_999


def moment(value: object) -> str:
    """The time that RFC 3339 text (any offset, up to nanoseconds) or milliseconds since 1970 stand for, or ""."""
    if isinstance(value, int) and not isinstance(value, bool):
        return format_time(value * 1_000) if 0 < value <= _LAST_MILLISECOND else ""
    if not isinstance(value, str) or not value:
        return ""
    try:
        parsed = datetime.fromisoformat(value.strip())
        utc = parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return ""
    text = utc.isoformat(timespec="microseconds") + "Z"
    return text if text > _FIRST else ""
