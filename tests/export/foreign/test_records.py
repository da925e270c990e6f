from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.event import canonical
from export.foreign.moments import moment
from export.foreign.people import People
from export.foreign.record import UnreadableError, inline, read, stored_size


@pytest.mark.parametrize(
    ("line", "fields", "exact"),
    [
        (b'{"a": 1, "b": [true, null, "x"]}', {"a": 1, "b": [True, None, "x"]}, True),
        (b'{"score": 0.850}', {"score": "0.850"}, False),
        (b'{"big": 12345678901234567890123}', {"big": "12345678901234567890123"}, False),
        (b'{"edge": 9007199254740991}', {"edge": 9007199254740991}, True),
        (b'{"over": -9007199254740992}', {"over": "-9007199254740992"}, False),
        (b'{"nan": NaN, "inf": -Infinity}', {"nan": "NaN", "inf": "-Infinity"}, False),
        (b'{"twice": 1, "twice": 2}', {"twice": 2}, False),
        (b'{"half": "\\ud83d"}', {"half": "\ufffd"}, False),
        (b'{"whole": "\\ud83d\\ude00"}', {"whole": "\U0001f600"}, True),
        (b'{"inner": {"twice": 1, "twice": 2}}', {"inner": {"twice": 2}}, False),
    ],
)
def test_what_no_event_can_hold_becomes_text_and_is_told(
    line: bytes, fields: dict[str, Any], exact: bool
) -> None:
    record = read(line)

    assert record == (fields, exact)
    assert canonical(record.fields)


def test_what_is_nested_too_deeply_for_an_event_stands_there_as_text() -> None:
    line = b'{"deep": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}"

    record = read(line)

    assert not record.exact
    assert canonical({"payload": {"source": record.fields}})
    assert "[[" in json.dumps(record.fields)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"<<<<<<< HEAD", "not JSON"),
        (b'{"id": "bd-1"', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"id": "\xff"}', "not UTF-8: byte 8"),
        (b"\x00\x00", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_without_a_record_says_what_is_wrong_with_it(line: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_that_an_event_can_hold_or_are_refused(line: bytes) -> None:
    try:
        record = read(line)
    except UnreadableError:
        return
    assert canonical({"payload": {"source": record.fields}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
def test_what_stands_in_the_event_is_there_verbatim_or_the_line_is_kept(fields: dict[str, Any]) -> None:
    line = json.dumps(fields).encode()

    record = read(line)

    assert canonical({"payload": {"source": record.fields}})
    if record.exact:
        assert record.fields == fields


def test_the_small_fields_stand_in_the_event_before_the_large_ones() -> None:
    fields = {"large": "x" * 500, "small": 1, "middle": "y" * 50, "elsewhere": "z"}

    kept = inline(fields, {"elsewhere"}, 100, 10)

    assert kept == ({"small": 1, "middle": "y" * 50}, False)
    assert inline(fields, {"elsewhere"}, 1_000, 10).whole
    assert not inline(fields, (), 1_000, 2).whole
    assert stored_size("é") == len(json.dumps("é"))


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2025-11-02T21:58:07.295058123-08:00", "2025-11-03T05:58:07.295058Z"),
        ("2025-11-02T21:58:07Z", "2025-11-02T21:58:07.000000Z"),
        ("2025-10-27 21:48:57.7+05:30", "2025-10-27T16:18:57.700000Z"),
        ("2025-10-27T21:48:57", "2025-10-27T21:48:57.000000Z"),
        (1_795_459_391_409, "2026-11-23T18:43:11.409000Z"),
        ("0001-01-01T00:00:00Z", ""),
        ("9999-12-31T23:59:59-12:00", ""),
        ("yesterday", ""),
        ("", ""),
        (None, ""),
        (True, ""),
        (-5, ""),
        (10**18, ""),
    ],
)
def test_times_of_every_spelling_are_utc_with_microseconds(written: object, time: str) -> None:
    assert moment(written) == time


@given(st.text(max_size=40) | st.integers() | st.none())
def test_no_time_is_too_strange_to_ask(written: object) -> None:
    assert len(moment(written)) in (0, 27)


def test_actors_get_names_of_ours_and_two_never_share_one() -> None:
    people = People({}, ["Ada Lovelace", "ada.lovelace", "gastown/polecats/furiosa", "all"])

    assert people.name("ada.lovelace") == "ada.lovelace"
    assert people.name("gastown/polecats/furiosa") == "gastown.polecats.furiosa"
    taken = people.name("Ada Lovelace")
    assert taken.startswith("ada.lovelace-")
    assert people.name("Ada Lovelace") == taken
    assert people.name("all").startswith("all-")
    assert people.name("李雷").startswith("actor-")


def test_a_name_from_an_earlier_import_stays() -> None:
    people = People({"Ada L": "ada.l"}, ["ADA L", "Ada L"])

    assert people.name("Ada L") == "ada.l"
    assert people.name("ADA L") != "ada.l"


@given(st.lists(st.text(min_size=1, max_size=70), max_size=20, unique=True))
def test_every_actor_has_one_name_and_every_name_one_actor(originals: list[str]) -> None:
    from domain.names import RESERVED, is_name

    people = People({}, originals)
    names = [people.name(original) for original in originals]

    assert len(set(names)) == len(names)
    assert all(is_name(name) and name not in RESERVED for name in names)
