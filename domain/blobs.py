"""The claim check: a large text leaves the event as a content-addressed blob; a preview stays."""

from __future__ import annotations

import hashlib
import json

from domain.event import Json
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import EVENT_TYPES, PREVIEW, TEXT_INLINE, is_blob

MEDIA_TYPE = "text/plain; charset=utf-8"


class Blob(NamedTuple):
    """Bytes that an event refers to by their hash."""

    sha256: str
    media_type: str
    data: bytes


def check_in(type_name: str, payload: Json, limit: int) -> tuple[Json, list[Blob]]:
    """The payload with its large texts replaced by references, and the blobs they refer to.

    `limit` is the largest blob in bytes; over it the command is refused as `too-large`.
    """
    blobs: list[Blob] = []
    changed = payload
    for name, value in payload.items():
        if isinstance(value, str) and _stored_size(value) > TEXT_INLINE and _may_leave(type_name, name):
            changed = {**changed, name: _reference(name, value, limit, blobs)}
    return changed, blobs


def _may_leave(type_name: str, name: str) -> bool:
    return any(field.large for field in EVENT_TYPES[type_name].fields if field.name == name)


def _stored_size(text: str) -> int:
    """Bytes that the text takes in a line, escapes counted."""
    if text.isascii() and len(text) * 6 <= TEXT_INLINE:
        return len(text)
    return len(json.dumps(text)) - 2


def _reference(name: str, text: str, limit: int, blobs: list[Blob]) -> Json:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise Refusal("bad-value", f"{name} holds a lone surrogate: it is not valid Unicode") from error
    if len(data) > limit:
        message = f"{name} is {len(data):,} bytes; the limit is {limit:,}"
        raise Refusal(
            "too-large", message, "Commit the file and name it, or raise [limits] blob.", field=name
        )
    blob = Blob(hashlib.sha256(data).hexdigest(), MEDIA_TYPE, data)
    blobs.append(blob)
    about = {"sha256": blob.sha256, "size": len(data), "media_type": blob.media_type}
    return {"blob": about, "preview": text[:PREVIEW]}


def preview(value: str | Json | None) -> str:
    """What an event itself says of a text: all of it, or its beginning."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return str(value.get("preview", ""))


def digest_of(value: str | Json | None) -> str:
    """The hash of the blob that a text of a payload refers to, or ""."""
    return str(value["blob"]["sha256"]) if isinstance(value, dict) and is_blob(value) else ""
