from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.event import Json
from domain.names import is_name
from domain.refusals import Refusal
from domain.registry import (
    CONFLICTS_LIMIT,
    EVENT_TYPES,
    IMPORT_TYPES,
    LABELS_LIMIT,
    LINKS_LIMIT,
    PATH_LIMIT,
    PATHS_LIMIT,
    TASK_TYPES,
    EventType,
    Field,
    check_payload,
    is_blob,
)
from domain.task import BY_EVENT

ABOUT: Json = {"sha256": "a" * 64, "size": 5_000, "media_type": "text/plain; charset=utf-8"}
LINK: Json = {"id": "b" * 64, "kind": "after", "to": "t-abcdefgh"}
REFERENCE: Json = {"blob": ABOUT, "preview": "x"}

GOOD: dict[str, list[Any]] = {
    "line": ["x", "größe"],
    "text": ["x", "two\nlines", REFERENCE],
    "name": ["ada", "a" * 64],
    "slug": ["fix-login"],
    "integer": [0, 1],
    "boolean": [True, False],
    "object": [{}, {"pid": 17}],
    "labels": [[], ["bug"], ["x" * 64], [f"l{number}" for number in range(LABELS_LIMIT)]],
    "signature": ["-----BEGIN SSH SIGNATURE-----\nU1NI\n"],
    "tasks": [[], ["t-abcdefgh"], ["t-abcdefgh"] * LINKS_LIMIT],
    "commit": ["0" * 40, "0123456789abcdef" * 4],
    "paths": [[], ["src/größe x.py"], ["x" * PATH_LIMIT], ["x"] * PATHS_LIMIT],
    "events": [["a" * 64], ["a" * 64] * CONFLICTS_LIMIT],
    "task": ["t-abcdefgh"],
    "time": ["2025-11-03T05:58:07.295058Z"],
    "links": [[], [{"kind": "after", "to": "elsewhere#7"}], [LINK], [LINK] * LINKS_LIMIT],
}
BAD: dict[str, list[Any]] = {
    "line": [1, None, [], {}, "a\nb", "a\x00", "\x7f", "\x1b[31m", "a\x85b", "a\u2028b", "a\u2029b", " ", ""],
    "text": [1, None, [], {}, {"blob": "x"}, {"preview": "x"}],
    "name": [1, "", "Ada", "a b", "a" * 65, "#ops", "*"],
    "slug": [1, None, "", "a b", "../x", "a" * 65],
    "integer": [-1, "1", None, True, 1.0, []],
    "boolean": [0, 1, "true", None],
    "object": [None, [], "x"],
    "labels": [None, "x", {}, [1], [""], ["x" * 65], ["x"] * (LABELS_LIMIT + 1)],
    "commit": [1, None, [], "", "HEAD", "--all", "a" * 39, "g" * 40, "A" * 40, "a" * 41, "a" * 40 + "^"],
    "paths": [None, "x", {}, [1], [""], ["x" * (PATH_LIMIT + 1)], ["x"] * (PATHS_LIMIT + 1)],
    "events": [None, "a" * 64, [1], [""], ["a" * 63], ["A" * 64], ["a" * 64] * (CONFLICTS_LIMIT + 1)],
    "signature": [
        "x",
        "",
        1,
        None,
        "-----BEGIN SSH SIGNATURE-----\nü",
        "-----BEGIN SSH SIGNATURE-----\n" + "x" * 3_000,
    ],
    "tasks": [None, "t-abcdefgh", [1], [""], ["../x"], ["fix-login"], ["t-abcdefgh"] * (LINKS_LIMIT + 1)],
    "time": [1, None, "", "yesterday", "2025-11-03T05:58:07Z", "2025-11-03 05:58:07.295058Z"],
    "task": [1, None, "", "fix-login", "t-", "t-abcdefg", "../x"],
    "links": [
        *(None, {}, ["x"], [{}], [LINK] * (LINKS_LIMIT + 1)),
        *(
            [{**LINK, name: bad}]
            for name, bad in (("id", "x"), ("kind", ""), ("to", "a\nb"), ("to", 1), ("why", "x"))
        ),
        *([{name: LINK[name] for name in LINK if name != gone}] for gone in ("kind", "to")),
    ],
}

FIELDS = [
    pytest.param(kind, field, id=f"{kind.name}-{field.name}")
    for kind in EVENT_TYPES.values()
    for field in kind.fields
]
TYPES = [pytest.param(kind, id=name) for name, kind in EVENT_TYPES.items()]


def payload_of(kind: EventType) -> Json:
    """The smallest payload that the type allows."""
    return {field.name: GOOD[field.kind][0] for field in kind.fields if field.required}


def on_of(kind: EventType) -> Json:
    return dict.fromkeys(kind.on, "a" * 64)


def refused(kind: EventType, payload: Json, on: Json | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_payload(kind.name, payload, on_of(kind) if on is None else on)
    assert caught.value.code == "bad-value"
    return caught.value


@pytest.mark.parametrize("kind", TYPES)
def test_the_smallest_payload_passes(kind: EventType) -> None:
    check_payload(kind.name, payload_of(kind), on_of(kind))


@pytest.mark.parametrize("kind", TYPES)
def test_a_field_that_nobody_knows_is_refused(kind: EventType) -> None:
    assert "no field 'colour'" in refused(kind, {**payload_of(kind), "colour": "red"}).message


@pytest.mark.parametrize("kind", TYPES)
def test_an_event_must_say_what_it_acts_on_and_nothing_else(kind: EventType) -> None:
    refused(kind, payload_of(kind), {**on_of(kind), "weather": "a" * 64})
    if kind.on:
        refused(kind, payload_of(kind), {})


@pytest.mark.parametrize("kind", TYPES)
def test_a_missing_field_that_is_required_is_refused(kind: EventType) -> None:
    for name in payload_of(kind):
        shorter = {key: value for key, value in payload_of(kind).items() if key != name}
        assert name in refused(kind, shorter).message


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_field_takes_what_its_kind_allows(kind: EventType, field: Field) -> None:
    for value in [*GOOD[field.kind], *([None] if field.nullable else [])]:
        check_payload(kind.name, {**payload_of(kind), field.name: value}, on_of(kind))


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_field_refuses_what_its_kind_forbids_and_is_named(kind: EventType, field: Field) -> None:
    for value in BAD[field.kind]:
        if value is None and field.nullable:
            continue
        refusal = refused(kind, {**payload_of(kind), field.name: value})
        assert refusal.details == {"field": field.name}, value


OF_SIZE: dict[str, Callable[[int], Any]] = {
    "line": lambda size: "x" * size,
    "integer": lambda size: size,
    "object": lambda size: {f"k{number}": 1 for number in range(size)},
}
LIMITED = [
    pytest.param(kind, field, id=f"{kind.name}-{field.name}")
    for kind in EVENT_TYPES.values()
    for field in kind.fields
    if field.kind in OF_SIZE
]


@pytest.mark.parametrize(("kind", "field"), LIMITED)
def test_a_field_takes_its_limit_and_refuses_one_more(kind: EventType, field: Field) -> None:
    of_size = OF_SIZE[field.kind]

    check_payload(kind.name, {**payload_of(kind), field.name: of_size(field.limit)}, on_of(kind))
    refused(kind, {**payload_of(kind), field.name: of_size(field.limit + 1)})


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_required_text_must_say_something(kind: EventType, field: Field) -> None:
    if field.required and field.kind in ("line", "text"):
        for empty in ("", "  ", "\n\t"):
            refused(kind, {**payload_of(kind), field.name: empty})


@pytest.mark.parametrize(
    "changed",
    [
        {"blob": {**ABOUT, "sha256": "../../etc/passwd"}},
        {"blob": {**ABOUT, "sha256": "A" * 64}},
        {"blob": {**ABOUT, "sha256": 7}},
        {"blob": {**ABOUT, "size": "5"}},
        {"blob": {**ABOUT, "size": -5}},
        {"blob": {**ABOUT, "size": True}},
        {"blob": {**ABOUT, "media_type": 1}},
        {"blob": {**ABOUT, "more": 1}},
        {"blob": {"sha256": "a" * 64}},
        {"blob": None},
        {"preview": None},
        {"preview": ["x"]},
        {"more": 1},
    ],
    ids=repr,
)
def test_only_a_whole_reference_is_a_reference(changed: Json) -> None:
    assert is_blob(REFERENCE)

    assert not is_blob({**REFERENCE, **changed})
    refused(EVENT_TYPES["task.noted"], {"text": {**REFERENCE, **changed}})


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        check_payload("task.exploded", {}, {})
    assert caught.value.code == "unknown-type"


@pytest.mark.parametrize("kind", TYPES)
def test_a_stored_type_is_named_after_its_stream_and_what_happened(kind: EventType) -> None:
    noun, _, verb = kind.name.partition(".")

    assert is_name(kind.name)
    assert verb.isascii()
    assert noun == kind.stream or (noun, kind.stream) == ("agent", "pulse")


def test_the_registry_and_the_task_machine_know_the_same_events() -> None:
    assert {kind.name for kind in TASK_TYPES + IMPORT_TYPES} == set(BY_EVENT)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in TASK_TYPES + IMPORT_TYPES])
def test_the_registry_and_the_task_machine_agree_on_what_an_event_acts_on(kind: EventType) -> None:
    on, _, while_merging = BY_EVENT[kind.name].on.partition(", or ")
    assert kind.on == ((on,) if on else ())
    assert kind.instead == while_merging
