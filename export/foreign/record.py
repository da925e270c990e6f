"""A line of another tool's file: parsed generously, and kept exactly.

No event holds floats, integers beyond 2^53, lone surrogates or deep nesting. What cannot stand in an event as it is
stands there as text, and `exact` says so: whoever keeps the record then keeps its line as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any, cast

import orjson

from domain.event import DEPTH_LIMIT, INT_LIMIT, Json
from domain.named import NamedTuple

# The record lies inside the event's payload, below a field of it.
_DEPTH = DEPTH_LIMIT - 4
_DIGITS = len(str(INT_LIMIT))


class UnreadableError(ValueError):
    """A line that holds no record; the message says why."""


class Record(NamedTuple):
    """A JSON object of a line. `exact` is False where a value could not stay what it was, or a key came twice."""

    fields: Json
    exact: bool


class _Reading:
    """The hooks of the JSON parser, and whether one of them had to change something."""

    def __init__(self) -> None:
        self.exact = True

    def text(self, literal: str) -> str:
        self.exact = False
        return literal

    def integer(self, literal: str) -> int | str:
        if len(literal) <= _DIGITS + 1 and abs(number := int(literal)) <= INT_LIMIT:
            return number
        return self.text(literal)

    def object(self, pairs: list[tuple[str, Any]]) -> Json:
        members = dict(pairs)
        self.exact = self.exact and len(members) == len(pairs)
        return members


def read(line: bytes) -> Record:
    """The record of a line. Raises UnreadableError."""
    reading = _Reading()
    try:
        value: object = json.loads(
            line.decode(),
            parse_float=reading.text,
            parse_int=reading.integer,
            parse_constant=reading.text,
            object_pairs_hook=reading.object,
        )
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8: byte {error.start} of the line") from error
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise UnreadableError("JSON nested too deeply") from error
    if not isinstance(value, dict):
        raise UnreadableError("not a JSON object")
    fields = cast("Json", value)
    if b"\\u" not in line and line.count(b"{") + line.count(b"[") <= _DEPTH:
        return Record(fields, reading.exact)  # nothing here can be a surrogate or too deep
    fields, exact = _fit(fields, _DEPTH)
    return Record(fields, reading.exact and exact)


def glance(line: bytes) -> Json:
    """The fields of a line, quickly: what they are exactly does not matter yet. Raises UnreadableError."""
    try:
        value: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return read(line).fields  # which accepts more, or says what is wrong
    if not isinstance(value, dict):
        raise UnreadableError("not a JSON object")
    return cast("Json", value)


def _fit(value: Any, depth: int) -> tuple[Any, bool]:
    """The value as an event can hold it, and whether that is the same."""
    if isinstance(value, str):
        clean = well_formed(value)
        return clean, clean is value
    if not isinstance(value, dict | list):
        return value, True
    if depth == 0:
        return json.dumps(value), False
    if isinstance(value, list):
        items = [_fit(item, depth - 1) for item in cast("Sequence[Any]", value)]
        return [item for item, _ in items], all(same for _, same in items)
    members = [(_fit(name, 0), _fit(item, depth - 1)) for name, item in cast("Json", value).items()]
    fitted = {name: item for (name, _), (item, _) in members}
    same = all(first and second for (_, first), (_, second) in members)
    return fitted, same and len(fitted) == len(members)


def well_formed(text: str) -> str:
    """The text, with a replacement character for each lone surrogate."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def stored_size(value: object) -> int:
    """Bytes that the value takes in a line, at most."""
    return len(json.dumps(value))


def digest(value: object) -> str:
    """A hash of a value, the same for every spelling of it: key order and blanks do not count."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Inline(NamedTuple):
    """As much of a record as stands in the event itself; `whole` is False where some fields had no room."""

    fields: Json
    whole: bool


def inline(fields: Json, without: Collection[str], room: int, members: int) -> Inline:
    """The fields of a record but those that the event has elsewhere: the small ones first, up to `room` bytes."""
    rest = {name: value for name, value in fields.items() if name not in without}
    if len(rest) <= members and stored_size(rest) <= room:
        return Inline(rest, whole=True)
    sizes = sorted((stored_size({name: value}), name) for name, value in rest.items())
    kept: Json = {}
    for size, name in sizes:
        if size > room or len(kept) == members:
            return Inline(kept, whole=False)
        room -= size
        kept[name] = fields[name]
    return Inline(kept, whole=True)


def text_of(fields: Json, *names: str) -> str:
    """The first of the fields that says something, as text; what is no text, as JSON."""
    for name in names:
        value = fields.get(name)
        if value not in (None, "", [], {}):
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return ""


def identity(fields: Json, name: str) -> str:
    """The id that a field holds. Raises UnreadableError where it holds none."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise UnreadableError(f"no {name}")
    return value


def objects(value: object) -> Sequence[Any]:
    """The members of a list; what is no list has none."""
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()
