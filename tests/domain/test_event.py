from __future__ import annotations

import json
import string
import tracemalloc
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain import event
from domain.event import DEPTH_LIMIT, INT_LIMIT, LINE_LIMIT, PARENT_LIMIT, Json, canonical, check, parse, seal
from domain.refusals import Refusal

INTEGERS = st.integers(-INT_LIMIT, INT_LIMIT)
SCALARS = st.none() | st.booleans() | INTEGERS | st.text(max_size=40)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=12), VALUES, max_size=5)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
IDS = st.text("0123456789abcdef", min_size=64, max_size=64)
MICROS = st.integers(0, 4 * 10**15)


def envelope(**changed: Any) -> Json:
    """The fields of a whole event, changed as given; None leaves a field out."""
    fields: Json = {
        "v": 1,
        "ts": event.format_time(10**15),
        "from": "ada",
        "to": "bob",
        "type": "task.started",
        "stream": "task/t-3k9fa2mq",
        "payload": {"process": {"pid": 17, "host": "hüben"}},
        "on": {"attempt": "a" * 64},
        "parents": ["b" * 64, "c" * 64],
        "key": "k-1",
        "session": "s-1",
        "replica": "r-7d",
        "seq": 812,
        "prev": "d" * 64,
        **changed,
    }
    return {name: value for name, value in fields.items() if value is not None}


ENVELOPES = st.builds(
    envelope,
    ts=MICROS.map(event.format_time),
    payload=OBJECTS,
    on=st.none() | OBJECTS.filter(bool),
    parents=st.none() | st.lists(IDS, min_size=1, max_size=4, unique=True).map(sorted),
    key=st.none() | st.text(string.printable, min_size=1, max_size=20),
    session=st.none() | st.text(min_size=1, max_size=20),
    prev=st.none() | IDS,
    to=NAMES | NAMES.map("#{}".format) | st.just("*"),
    **{"from": NAMES},
)


def forged(content: bytes | str) -> bytes:
    """A line with the right id for content that nobody sealed: damage that the hash cannot find."""
    content = content.encode() if isinstance(content, str) else content
    assert content.startswith(b"{")
    event_id = sha256(b"crewlog.event.v1\0" + content).hexdigest()
    return b'{"id":"' + event_id.encode() + b'",' + content[1:]


def forged_fields(**changed: Any) -> bytes:
    """A line with the right id and canonical bytes, for fields as given."""
    return forged(json.dumps(envelope(**changed), sort_keys=True, separators=(",", ":")))


def refused(line: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check(line)
    assert caught.value.code == "corrupt"
    return caught.value


def nested(depth: int, leaf: Any = 1) -> Any:
    """Lists within lists: `depth` brackets around the leaf."""
    for _ in range(depth):
        leaf = [leaf]
    return leaf


# --- canonical bytes


def test_canonical_bytes_have_sorted_keys_no_spaces_and_ascii_only() -> None:
    assert canonical({"b": [1, {"z": None, "a": True}], "ä": "ü\u2028\x1b"}) == (
        b'{"b":[1,{"a":true,"z":null}],"\\u00e4":"\\u00fc\\u2028\\u001b"}'
    )


def test_characters_beyond_the_basic_plane_are_two_escapes() -> None:
    assert canonical({"a": "\U0001f600"}) == b'{"a":"\\ud83d\\ude00"}'


def test_order_of_insertion_does_not_show() -> None:
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})


@given(OBJECTS)
def test_canonical_bytes_say_the_same_and_are_their_own_canonical_form(value: Json) -> None:
    written = canonical(value)

    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written
    assert written == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    assert written.isascii()
    assert min(written) >= 0x20


@pytest.mark.parametrize("number", [INT_LIMIT, -INT_LIMIT, 0])
def test_integers_that_every_reader_keeps_exact_are_canonical(number: int) -> None:
    assert json.loads(canonical({"n": number})) == {"n": number}


@pytest.mark.parametrize(
    "value",
    [
        INT_LIMIT + 1,
        -INT_LIMIT - 1,
        2**64,
        1.0,
        float("nan"),
        float("inf"),
        "\ud800",
        "ok \udfff ok",
        b"bytes",
        {1, 2},
        NotImplemented,
        {1: "a key that is no text"},
        {"\ud800": 1},
        {None: 1},
    ],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused_wherever_it_hides(value: Any) -> None:
    for place in (value, [value], {"deep": [{"deeper": value}]}):
        with pytest.raises(Refusal) as caught:
            canonical({"a": place})
        assert caught.value.code == "bad-value"


def test_nesting_is_allowed_up_to_the_limit_and_no_deeper() -> None:
    deepest = nested(DEPTH_LIMIT - 1)  # the object itself is one more

    assert json.loads(canonical({"a": deepest})) == {"a": deepest}
    for leaf in (1, "x", None):
        with pytest.raises(Refusal, match="nested deeper"):
            canonical({"a": nested(DEPTH_LIMIT, leaf)})
    empties: list[Any] = [[], {}, ()]
    for empty in empties:
        with pytest.raises(Refusal, match="nested deeper"):
            canonical({"a": nested(DEPTH_LIMIT - 1, empty)})


def test_what_lies_at_the_deepest_level_is_checked_too() -> None:
    with pytest.raises(Refusal, match="float"):
        canonical({"a": nested(DEPTH_LIMIT - 1, 1.5)})


def test_nesting_a_hundred_thousand_deep_is_refused_without_recursion() -> None:
    with pytest.raises(Refusal, match="nested deeper"):
        canonical({"a": nested(100_000)})


# --- seal, parse, check


@given(ENVELOPES)
def test_a_sealed_event_is_what_parse_and_check_read_from_its_line(fields: Json) -> None:
    sealed = seal(fields)

    assert parse(sealed.line) == sealed
    assert check(sealed.line) == sealed


@given(ENVELOPES)
def test_the_id_is_the_hash_of_the_canonical_bytes_without_it(fields: Json) -> None:
    sealed = seal(fields)

    assert sealed.id == sha256(b"crewlog.event.v1\0" + canonical(fields)).hexdigest()
    assert event.stated_id(sealed.line) == event.id_of(sealed.line) == sealed.id


def test_the_line_begins_with_the_id_and_hashes_without_being_serialised_again() -> None:
    line = seal(envelope()).line
    content = b"{" + line[len('{"id":"') + 64 + len('",') :]

    assert line.startswith(b'{"id":"')
    assert sha256(b"crewlog.event.v1\0" + content).hexdigest() == json.loads(line)["id"]


@given(ENVELOPES, ENVELOPES)
def test_different_fields_have_different_ids(one: Json, other: Json) -> None:
    assume(canonical(one) != canonical(other))

    assert seal(one).id != seal(other).id


def test_fields_that_a_line_leaves_out_read_as_empty() -> None:
    sealed = seal(envelope(on=None, parents=None, key=None, session=None, prev=None))

    assert (sealed.on, sealed.parents, sealed.key, sealed.session, sealed.prev) == ({}, (), "", "", "")


def test_kind_and_subject_are_the_two_halves_of_the_stream() -> None:
    sealed = seal(envelope(stream="agent/ada"))

    assert (sealed.kind, sealed.subject) == ("agent", "ada")


def test_an_event_whose_line_would_be_over_the_limit_is_refused() -> None:
    room = LINE_LIMIT - len(seal(envelope(payload={"text": ""})).line)

    assert len(seal(envelope(payload={"text": "x" * room})).line) == LINE_LIMIT
    with pytest.raises(Refusal) as caught:
        seal(envelope(payload={"text": "x" * (room + 1)}))
    assert caught.value.code == "too-large"
    assert caught.value.hint


# --- damage


def test_every_flipped_bit_anywhere_is_found() -> None:
    line = seal(envelope()).line

    for position in range(len(line)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[position] ^= 1 << bit
            refused(bytes(damaged))


@given(ENVELOPES, st.data())
def test_a_byte_changed_lost_added_or_moved_is_found(fields: Json, data: st.DataObject) -> None:
    line = seal(fields).line
    place = data.draw(st.integers(0, len(line) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    other = data.draw(st.integers(0, len(line) - 1))
    swapped = bytearray(line)
    swapped[place], swapped[other] = swapped[other], swapped[place]

    changed = line[:place] + byte + line[place + 1 :]
    lost = line[:place] + line[place + 1 :]
    added = line[:place] + byte + line[place:]
    for damaged in (changed, lost, added, bytes(swapped), line[:place], line + byte):
        if damaged != line:
            refused(damaged)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}",
        b"[]",
        b"null",
        b'{"id":""}',
        b'{"id":"' + b"g" * 64 + b'","v":1}',
        b'{"id":"' + b"a" * 64,
    ],
    ids=repr,
)
def test_what_does_not_begin_like_an_event_is_refused(line: bytes) -> None:
    assert "does not begin" in refused(line).message


def test_an_upper_case_id_is_refused() -> None:
    sealed = seal(envelope())

    refused(sealed.line.replace(sealed.id.encode(), sealed.id.upper().encode()))


def test_the_id_of_another_event_is_refused_and_both_ids_are_told() -> None:
    mine, other = seal(envelope()), seal(envelope(key="k-2"))
    stated = mine.line.replace(mine.id.encode(), other.id.encode())

    assert refused(stated).details == {"id": other.id, "expected": mine.id}


GOOD = json.dumps(envelope(), sort_keys=True, separators=(",", ":"))


SPELLINGS: dict[str, str | bytes] = {
    "spaces": GOOD.replace('"v":1', '"v": 1'),
    "a space behind it": GOOD + " ",
    "a newline behind it": GOOD + "\n",
    "bytes behind it": GOOD + "{}",
    "a carriage return within": GOOD.replace(',"v":1', ',\r"v":1'),
    "unsorted keys": GOOD.replace('{"from":"ada",', "{").replace(',"v":1}', ',"v":1,"from":"ada"}'),
    "unsorted keys further in": GOOD.replace(
        '"host":"h\\u00fcben","pid":17', '"pid":17,"host":"h\\u00fcben"'
    ),
    "a key twice": GOOD.replace('"v":1', '"v":1,"v":1'),
    "a key twice, with another value first": GOOD.replace('"v":1', '"v":2,"v":1'),
    "a key twice further in": GOOD.replace('"pid":17', '"pid":17,"pid":17'),
    "a second id": GOOD.replace('{"from"', '{"id":"' + "a" * 64 + '","from"'),
    "NaN": GOOD.replace('"pid":17', '"pid":NaN'),
    "Infinity": GOOD.replace('"pid":17', '"pid":-Infinity'),
    "a float": GOOD.replace('"pid":17', '"pid":17.0'),
    "an exponent": GOOD.replace('"pid":17', '"pid":17e0'),
    "minus zero": GOOD.replace('"pid":17', '"pid":-0'),
    "an integer beyond 2^53": GOOD.replace('"pid":17', '"pid":9007199254740992'),
    "a huge integer": GOOD.replace('"pid":17', '"pid":' + "9" * 10_000),
    "a lone surrogate": GOOD.replace("h\\u00fcben", "h\\ud800ben"),
    "a lone surrogate as a key": GOOD.replace('"pid":17', '"pid":17,"\\udfff":1'),
    "UTF-8 instead of escapes": GOOD.replace("\\u00fc", "ü"),
    "upper-case escapes": GOOD.replace("\\u00fc", "\\u00FC"),
    "an escape that is not needed": GOOD.replace('"k-1"', '"\\u006b-1"'),
    "an escaped slash": GOOD.replace("task/t", "task\\/t"),
    "a control character as it is": GOOD.replace("k-1", "k\t1"),
    "bytes that are no UTF-8": GOOD.encode().replace(b"k-1", b"\xff\xfe"),
    "half of it": GOOD[: len(GOOD) // 2],
    "a comma too many": GOOD[:-1] + ",}",
    "unknown fields": GOOD.replace('"v":1', '"v":1,"zz":1'),
}


@pytest.mark.parametrize("content", SPELLINGS.values(), ids=SPELLINGS)
def test_other_spellings_are_refused_though_their_hash_is_right(content: str | bytes) -> None:
    check(forged(GOOD))

    refused(forged(content))


# Without any escape by number a line is judged in a quicker way.
PLAIN = GOOD.replace("\\u00fc", "u")


@pytest.mark.parametrize("name", sorted(name for name in SPELLINGS if "escapes" not in name))
def test_other_spellings_are_refused_in_a_line_of_plain_text_too(name: str) -> None:
    check(forged(PLAIN))
    content = SPELLINGS[name]

    refused(forged(content.replace("\\u00fc", "u") if isinstance(content, str) else content))


def test_del_as_it_is_is_refused_since_it_is_escaped() -> None:
    check(forged(PLAIN.replace("huben", "h\\u007fben")))

    refused(forged(PLAIN.replace("huben", "h\x7fben")))


@pytest.mark.parametrize(
    "changed",
    [
        {"v": None},
        {"v": "1"},
        {"v": True},
        {"v": 0},
        {"v": -1},
        {"ts": None},
        {"from": None},
        {"from": "Ada"},
        {"from": "*"},
        {"from": ""},
        {"from": 7},
        {"to": None},
        {"to": ""},
        {"to": "#"},
        {"to": "##ops"},
        {"to": "a b"},
        {"type": None},
        {"type": ["task.started"]},
        {"stream": None},
        {"payload": None},
        {"payload": []},
        {"payload": "text"},
        {"on": []},
        {"on": "x"},
        {"parents": "x"},
        {"parents": {}},
        {"parents": [1]},
        {"parents": ["not an id"]},
        {"parents": ["B" * 64]},
        {"parents": ["c" * 64, "b" * 64]},
        {"parents": ["b" * 64, "b" * 64]},
        {"parents": [f"{i:064x}" for i in range(PARENT_LIMIT + 1)]},
        {"key": 1},
        {"session": {}},
        {"replica": 7},
        {"replica": "../../etc"},
        {"replica": "r/1"},
        {"seq": "1"},
        {"seq": True},
        {"seq": -1},
        {"prev": 1},
        {"prev": "../x"},
        {"prev": "d" * 63},
    ],
    ids=repr,
)
def test_fields_of_the_wrong_kind_are_refused_though_their_hash_is_right(changed: Json) -> None:
    refused(forged_fields(**changed))


def test_as_many_parents_as_allowed_pass() -> None:
    parents = [f"{number:064x}" for number in range(PARENT_LIMIT)]

    assert check(forged_fields(parents=parents)).parents == tuple(parents)


def test_a_newer_envelope_may_have_fields_that_nobody_knows_yet() -> None:
    assert check(forged_fields(v=2, colour="red")).v == 2


@pytest.mark.parametrize("name", ["\ud800", "\x1b[31m", "\u202e", "x" * 5_000])
def test_hostile_field_names_make_a_refusal_that_can_be_printed(name: str) -> None:
    message = refused(forged_fields(**{name: 1})).message

    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 400


def test_a_line_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    room = LINE_LIMIT - len(seal(envelope(key="")).line)
    line = seal(envelope(key="x" * room)).line

    assert check(line).line == line
    assert "over 16,384" in refused(forged_fields(key="x" * (room + 1))).message


def test_nesting_over_the_limit_is_refused_before_it_is_parsed() -> None:
    deepest = DEPTH_LIMIT - 2  # the line and its payload are two

    assert check(forged_fields(payload={"a": nested(deepest)})).payload == {"a": nested(deepest)}
    assert "nested deeper" in refused(forged_fields(payload={"a": nested(deepest + 1)})).message


def test_brackets_in_texts_are_not_nesting() -> None:
    text = '[{"\\' * 200

    assert check(seal(envelope(payload={"text": text})).line).payload == {"text": text}


MEGABYTES = {
    "brackets": b"[" * 2**20,
    "braces": b"{" * 2**20,
    "an endless id": b'{"id":"' + b"a" * 2**20,
    "nesting behind an id": b'{"id":"' + b"a" * 64 + b'",' + b'"a":[' * 2**18,
    "digits": b"9" * 2**20,
    "zeros": b"\0" * 2**20,
    "no UTF-8": b"\xff" * 2**20,
    "one key again and again": forged("{" + '"v":1,' * 2**17 + '"v":1}'),
    "nesting with the right id": forged('{"v":' + "[" * 2**19 + "]" * 2**19 + "}"),
}


@pytest.mark.parametrize("line", MEGABYTES.values(), ids=MEGABYTES)
def test_a_megabyte_of_hostile_bytes_is_refused_in_little_memory(line: bytes) -> None:
    tracemalloc.start()
    try:
        refused(line)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * 1024


WORST = {
    "open brackets": '{"v":' + "[" * 16_000,
    "closed brackets": '{"v":' + "[" * 8_000 + "]" * 8_000 + "}",
    "objects": '{"v":' + '{"":' * 4_000,
    "a long number": '{"v":' + "9" * 16_000 + "}",
    "a long negative number": '{"v":-' + "9" * 16_000 + "}",
    "a long exponent": '{"v":1e' + "9" * 16_000 + "}",
    "backslashes": '{"v":"' + "\\" * 16_000 + '"}',
    "lone surrogates": '{"v":"' + "\\ud800" * 2_600 + '"}',
    "one key again and again": "{" + '"v":1,' * 2_600 + '"v":1}',
    "many keys": "{" + ",".join(f'"k{number}":[]' for number in range(1_300)) + "}",
}


@pytest.mark.parametrize("content", WORST.values(), ids=WORST)
def test_the_worst_that_fits_into_a_line_is_refused(content: str) -> None:
    refused(forged(content))


# --- time


@given(MICROS)
def test_a_time_survives_being_written_and_read(micros: int) -> None:
    text = event.format_time(micros)

    assert event.parse_time(text) == micros
    assert len(text) == 27
    assert text.endswith("Z")


@given(MICROS, MICROS)
def test_times_sort_as_text(one: int, other: int) -> None:
    assert (event.format_time(one) < event.format_time(other)) == (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T17:31:05.123456",
        "2026-11-23T17:31:05.123456z",
        "2026-11-23 17:31:05.123456Z",
        "2026-11-23T17:31:05.12345Z",
        "2026-11-23T17:31:05.1234567Z",
        "2026-11-23T17:31:05,123456Z",
        "2026-11-23T17:31:05Z",
        "2026-11-23T17:31:60.123456Z",
        "2026-13-23T17:31:05.123456Z",
        "2026-02-30T17:31:05.123456Z",
        "0000-01-01T00:00:00.000000Z",
        "20261123T173105.123456+00:00",
        "2026-W47-1T17:31:05.123456Z",
        "2026-11-23T17:31:05.12\u0663456Z",
        "2026-11-23T17:31:05.12\ud800456Z",
        "",
        "now",
    ],
)
def test_other_ways_to_write_a_time_are_refused(text: str) -> None:
    refused(forged_fields(ts=text))


@given(MICROS, MICROS)
def test_the_hybrid_clock_is_the_wall_clock_unless_a_parent_is_ahead(now: int, parent: int) -> None:
    stamped = event.after(now, event.format_time(parent))

    assert event.parse_time(stamped) == max(now, parent + 1)


@given(MICROS)
def test_the_hybrid_clock_without_a_parent_is_the_wall_clock(now: int) -> None:
    assert event.parse_time(event.after(now, "")) == now
