"""Large texts for people: whole where they are here, else what the event itself still says of them."""

from __future__ import annotations

from typing import Any

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
