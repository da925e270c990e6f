"""Large texts for people: whole where they are here, else what the event itself still says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from cli.call import Call
from domain.blobs import digest_of, preview
from domain.refusals import Refusal


def whole_text(call: Call, text: str | dict[str, Any]) -> str:
    """All of a text; of one that was taken out, or that is in another clone only, the beginning and why."""
    digest = digest_of(text)
    if not digest:
        return preview(text)
    try:
        return call.store.log.blob(digest).decode("utf-8", "replace")
    except Refusal as refusal:
        if refusal.code not in ("not-found", "redacted"):
            raise
        return f"{preview(text)}… ({refusal.message})"


def unfolded(call: Call, value: Any) -> Any:
    """The value as it is, with --full with its long texts whole."""
    return with_texts(call, value) if call.options.full else value


def with_texts(call: Call, value: Any) -> Any:
    """The value with every reference to a blob replaced by its text."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if digest_of(members):
            return whole_text(call, members)
        return {name: with_texts(call, item) for name, item in members.items()}
    if isinstance(value, list):
        return [with_texts(call, item) for item in cast("Sequence[Any]", value)]
    return value
