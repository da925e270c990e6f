"""The envelope of an event: its fields, its canonical bytes, its id; how it is sealed, parsed and checked.

Version 1 of the envelope (2026): the fields of `Event`. A version that changes shape gets an upcaster here,
run at read; stored bytes never change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import orjson

from domain.named import NamedTuple
from domain.names import is_name, is_stored_address
from domain.refusals import Refusal

VERSION = 1
LINE_LIMIT = 16_384
DEPTH_LIMIT = 32
PARENT_LIMIT = 32
INT_LIMIT = 2**53 - 1

_ID_DOMAIN = b"crewlog.event.v1\0"
_ID_BEGIN = _ID_DOMAIN + b"{"
_ID_PREFIX = b'{"id":"'
_ID_END = len(_ID_PREFIX) + 64
_HEX = "0123456789abcdef"
_TIME_LENGTH = len("2026-11-23T17:31:05.123456Z")

Json = dict[str, Any]


class IllegalEventError(Exception):
    """An event that is not allowed in this state, or that acts on what is no longer current."""


class Event(NamedTuple):
    """One immutable event. `line` holds the exact stored bytes; all else is read from them.

    `sender` is the field `from`; `prev`, `key` and `session` are "" where the line has none; `on` and `payload` are
    JSON objects that nobody may change.
    """

    id: str
    ts: str
    sender: str
    to: str
    type: str
    stream: str
    payload: Json
    on: Json
    parents: tuple[str, ...]
    key: str
    session: str
    replica: str
    seq: int
    prev: str
    v: int
    line: bytes

    @property
    def kind(self) -> str:
        """The kind of stream: `task`, `agent`, `mail`, `log` or `pulse`."""
        return self.stream.partition("/")[0]

    @property
    def subject(self) -> str:
        """The stream without its kind: a task id, a name."""
        return self.stream.partition("/")[2]


def canonical(value: Json) -> bytes:
    """Canonical bytes: keys sorted, no spaces, ASCII only.

    Standard `json`, not orjson: orjson cannot escape to ASCII, and its float text changed between releases. Raises
    Refusal `bad-value` for what has no canonical form: floats, integers beyond 2^53-1, lone surrogates, keys that are
    no strings, nesting over DEPTH_LIMIT.
    """
    plain = _plain(value)
    if plain is not None:
        return plain
    _check_canonical(value)
    return _encode(value).encode("ascii")


def _plain(value: Json) -> bytes | None:
    """The canonical bytes of what orjson spells alike beyond doubt, in a fifth of the time; None for all else."""
    try:
        spelled = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return None
    alike = spelled.isascii() and b"\\u" not in spelled and b"\x7f" not in spelled
    return spelled if alike and _holds_plain(value, DEPTH_LIMIT) else None


def _holds_plain(container: Json | list[Any], depth: int) -> bool:
    """True if nothing in it is beyond JSON without floats, and nothing nested deeper."""
    items: Iterable[Any] = container.values() if isinstance(container, dict) else container
    for item in items:
        if type(item) in _SCALARS:
            continue
        if depth == 1 or type(item) not in _CONTAINERS or not _holds_plain(item, depth - 1):
            return False
    return True


_SCALARS = frozenset({str, int, bool, type(None)})
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def _check_canonical(value: object) -> None:
    level: list[object] = [value]
    for _ in range(DEPTH_LIMIT):
        if not level:
            return
        level = [child for item in level for child in _children(item)]
    if any(isinstance(item, dict | list | tuple) for item in level):
        raise Refusal("bad-value", f"JSON nested deeper than {DEPTH_LIMIT}")
    for item in level:
        _children(item)


def _children(item: object) -> list[object]:
    if isinstance(item, str):
        _check_text(item)
    elif isinstance(item, dict):
        members = cast("dict[object, object]", item)
        for key in members:
            if not isinstance(key, str):
                raise Refusal("bad-value", "JSON keys must be strings")
            _check_text(key)
        return list(members.values())
    elif isinstance(item, list | tuple):
        return list(cast("list[object]", item))
    elif isinstance(item, bool) or item is None:
        pass
    elif isinstance(item, int):
        if not -INT_LIMIT <= item <= INT_LIMIT:
            raise Refusal("bad-value", "integers must lie within ±(2^53-1)")
    else:
        raise Refusal("bad-value", f"{type(item).__name__} has no canonical form")
    return []


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refusal("bad-value", "text holds a lone surrogate: it is not valid Unicode") from error


def seal(fields: Mapping[str, Any]) -> Event:
    """The event for envelope fields without `id` (JSON names, empty optional ones left out).

    Raises Refusal `too-large` when its line would pass LINE_LIMIT bytes.
    """
    body = dict(fields)
    content = canonical(body)
    event_id = hashlib.sha256(_ID_DOMAIN + content).hexdigest()
    line = _ID_PREFIX + event_id.encode("ascii") + b'",' + content[1:]
    if len(line) > LINE_LIMIT:
        message = f"the event would be {len(line):,} bytes; the limit is {LINE_LIMIT:,}"
        raise Refusal("too-large", message, "Shorten the text, or put it into the body, which may be a file.")
    body["id"] = event_id
    return of_fields(body, line)


def id_of(line: bytes) -> str:
    """The id that the bytes of a line hash to, whatever id it states. Needs no re-serialising."""
    return hashlib.sha256(_ID_BEGIN + line[_ID_END + 2 :]).hexdigest()


def stated_id(line: bytes) -> str:
    """The id that a line states, or "" where it has none at its beginning."""
    if not line.startswith(_ID_PREFIX) or line[_ID_END : _ID_END + 2] != b'",':
        return ""
    text = line[len(_ID_PREFIX) : _ID_END].decode("ascii", "replace")
    return text if is_id(text) else ""


def stated_time(line: bytes) -> str:
    """The time that a line of this store states: members are sorted, and none behind it holds an object."""
    return line.rpartition(b'"ts":"')[2].partition(b'"')[0].decode("ascii", "replace")


def parse(line: bytes) -> Event:
    """The event of a line that this store wrote. Trusts it; use `check` for lines from elsewhere."""
    return of_fields(orjson.loads(line), line)


def of_fields(body: Json, line: bytes) -> Event:
    """The event of a line whose fields have been read."""
    get = body.get
    # Past `Event.__new__`, which is Python: it takes twice as long, and logs have millions.
    return tuple.__new__(
        Event,
        (
            body["id"],
            body["ts"],
            body["from"],
            body["to"],
            body["type"],
            body["stream"],
            body["payload"],
            get("on", {}),
            tuple(get("parents", ())),
            get("key", ""),
            get("session", ""),
            get("replica", ""),
            get("seq", 0),
            get("prev", ""),
            body["v"],
            line,
        ),
    )


def check(line: bytes) -> Event:
    """The event of a line from anywhere, or a Refusal `corrupt` that says what is wrong with it.

    Size and depth are checked before parsing, so a hostile line costs bounded memory.
    """
    if len(line) > LINE_LIMIT:
        raise _corrupt(f"line of {len(line):,} bytes is over {LINE_LIMIT:,}")
    if _depth(line) > DEPTH_LIMIT:
        raise _corrupt(f"JSON nested deeper than {DEPTH_LIMIT}")
    stated = stated_id(line)
    if not stated:
        raise _corrupt('line does not begin with {"id":"<64 hex>",')
    if id_of(line) != stated:
        raise _corrupt("bytes do not hash to the id", id=stated, expected=id_of(line))
    fields = _canonical_fields(line)
    if fields is not None:
        _check_fields(fields, stated)
        return of_fields(fields, line)
    try:
        body: object = _decode(line.decode("ascii"))
    except ValueError as error:
        raise _corrupt(f"not JSON: {error}", id=stated) from error
    if not isinstance(body, dict):
        raise _corrupt("not a JSON object", id=stated)
    fields = cast("Json", body)
    _check_fields(fields, stated)
    _check_spelling(fields, line, stated)
    return of_fields(fields, line)


def _canonical_fields(line: bytes) -> Json | None:
    """The fields of a line that is beyond doubt canonical, as nearly all are; None for one that is to be looked at.

    orjson spells plain text and whole numbers as `canonical` does, in a tenth of the time. It differs where there are
    escapes by number and with DEL; and it would let floats pass.
    """
    if b"\\u" in line or b"\x7f" in line or not line.isascii():
        return None
    try:
        body: Any = orjson.loads(line)
        rest = body.copy()
        del rest["id"]
        spelled = orjson.dumps(rest, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    if line[_ID_END + 2 :] != spelled[1:] or _has_float(body):
        return None
    fields: Json = body
    return fields


def _has_float(container: Json | list[Any]) -> bool:
    items: Iterable[Any] = container.values() if isinstance(container, dict) else container
    for item in items:  # noqa: SIM110 - `any` over a generator takes twice as long
        if type(item) is float or (type(item) in _CONTAINERS and _has_float(item)):
            return True
    return False


_CONTAINERS = (dict, list)


def _check_spelling(fields: Json, line: bytes, stated: str) -> None:
    """One spelling only: this also finds duplicate keys, spaces and unsorted keys. Numbers were judged while reading."""
    rest = {name: value for name, value in fields.items() if name != "id"}
    if _SURROGATE in line or _SURROGATE.upper() in line:  # perhaps half of a pair
        try:
            _check_canonical(rest)
        except Refusal as refusal:
            raise _corrupt(refusal.message, id=stated) from refusal
    if _ID_PREFIX + stated.encode() + b'",' + _encode(rest)[1:].encode("ascii") != line:
        raise _corrupt("bytes are not canonical", id=stated)


_SURROGATE = b"\\ud"


def _no_float(text: str) -> float:
    raise ValueError(f"{text[:40]} is no whole number")


def _whole(text: str) -> int:
    if len(text) > 17 or not -INT_LIMIT <= int(text) <= INT_LIMIT:
        raise ValueError("integers must lie within ±(2^53-1)")
    return int(text)


_decode = json.JSONDecoder(parse_float=_no_float, parse_int=_whole, parse_constant=_no_float).decode


_REQUIRED: tuple[tuple[str, type], ...] = (
    ("id", str),
    ("v", int),
    ("ts", str),
    ("from", str),
    ("to", str),
    ("type", str),
    ("stream", str),
    ("payload", dict),
)
_OPTIONAL: tuple[tuple[str, type], ...] = (
    ("on", dict),
    ("parents", list),
    ("key", str),
    ("session", str),
    ("replica", str),
    ("seq", int),
    ("prev", str),
)
_KNOWN = frozenset(name for name, _ in _REQUIRED + _OPTIONAL)


def _check_fields(fields: Json, stated: str) -> None:
    # `type(…) is`: True is an int to isinstance.
    for name, kind in _REQUIRED:
        if type(fields.get(name)) is not kind:
            raise _corrupt(f"field {name!r} is missing or not {kind.__name__}", id=stated)
    for name, kind in _OPTIONAL:
        if name in fields and type(fields[name]) is not kind:
            raise _corrupt(f"field {name!r} is not {kind.__name__}", id=stated)
    if fields["v"] == VERSION and not _KNOWN.issuperset(fields):
        unknown = sorted(fields.keys() - _KNOWN)
        raise _corrupt(f"unknown fields {', '.join(unknown)[:30]!a}", id=stated)
    for name, good, what in _forms(fields):
        if not good:
            raise _corrupt(f"field {name!r} is not {what}", id=stated)
    _check_time(fields["ts"], stated)


def _forms(fields: Json) -> tuple[tuple[str, bool, str], ...]:
    """Which fields look as they must. Ids, names and streams become paths, so nothing else may pass here."""
    parents: list[object] = fields.get("parents", [])
    in_order = all(map(is_id, parents)) and parents == sorted(set(cast("list[str]", parents)))
    return (
        ("v", fields["v"] > 0, "a version"),
        ("from", is_name(fields["from"]), "a name"),
        ("to", is_stored_address(fields["to"]), "an address"),
        ("type", is_name(fields["type"]), "a name like task.started"),
        ("stream", all(map(is_name, fields["stream"].split("/", 1))), "like task/t-3k9fa2mq"),
        ("replica", "replica" not in fields or is_name(fields["replica"]), "a name"),
        ("seq", fields.get("seq", 0) >= 0, "a count"),
        ("prev", "prev" not in fields or is_id(fields["prev"]), "an id"),
        ("parents", len(parents) <= PARENT_LIMIT and in_order, f"at most {PARENT_LIMIT} ids, sorted"),
    )


def is_id(value: object) -> bool:
    """True for a whole event id, or any other SHA-256 in lower-case hex."""
    # `strip` leaves nothing where all is hex, in a fifth of the time that looking at each character takes.
    return isinstance(value, str) and len(value) == 64 and not value.strip(_HEX)


def is_time(text: str) -> bool:
    """True for a time as `format_time` writes it."""
    if len(text) != _TIME_LENGTH or not text.isascii():
        return False
    second, fraction, marks = text[17:19], text[20:26], text[16] + text[19] + text[26]
    digits = second.isdigit() and fraction.isdigit()
    return digits and second < "60" and marks == ":.Z" and _is_minute(text[:16])


@lru_cache(1_024)
def _is_minute(text: str) -> bool:
    """True for the beginning of a time; of the lines of a log many have the same."""
    marks = text[4] + text[7] + text[10] + text[13]
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return marks == "--T:" and text[5:7].isdigit()  # datetime also reads weeks


def _check_time(text: str, stated: str) -> None:
    if not is_time(text):
        raise _corrupt("field 'ts' is not UTC with microseconds", id=stated)


def _depth(line: bytes) -> int:
    """The nesting depth outside strings, or 0 where there are too few brackets to matter."""
    if line.count(b"{") + line.count(b"[") <= DEPTH_LIMIT:
        return 0
    deepest = depth = 0
    inside = escaped = False
    for byte in line:
        if escaped:
            escaped = False
        elif byte == 0x5C:
            escaped = inside
        elif byte == 0x22:
            inside = not inside
        elif inside:
            continue
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _corrupt(message: str, **details: Any) -> Refusal:
    return Refusal("corrupt", message, "The line was changed, cut or made by something else.", **details)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def format_time(micros: int) -> str:
    """Microseconds since 1970 as `2026-11-23T17:31:05.123456Z`: fixed width, sorts as text."""
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> int:
    """Microseconds since 1970 of a time as `format_time` writes it. Raises ValueError."""
    if len(text) != _TIME_LENGTH or text[-1] != "Z":
        raise ValueError(text)
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def after(now: int, newest_parent: str) -> str:
    """The hybrid clock: the later of the wall clock and 1 µs after the newest parent (or "")."""
    wall = format_time(now)
    if wall > newest_parent:
        return wall
    return format_time(parse_time(newest_parent) + 1)
