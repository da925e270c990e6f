from __future__ import annotations

import tomllib
from typing import Any

import pytest

from domain.config import KEYS, Config, duration, load, template
from domain.refusals import Refusal


def test_an_empty_file_is_the_defaults() -> None:
    assert load({}) == (Config(), [])


def test_the_template_changes_nothing_and_shows_every_key_with_its_default() -> None:
    text = template()
    assert load(tomllib.loads(text)) == (Config(), [])

    lines = [line.removeprefix("# ") for line in text.split("\n")[2:]]
    shown = tomllib.loads("\n".join(lines))
    assert load(shown) == (Config(), [])
    assert {(section, name) for section, names in shown.items() for name in names} == {
        (key.section, key.name) for key in KEYS
    }


def test_what_the_file_says_is_in_force() -> None:
    document = {
        "review": {"by": "person"},
        "liveness": {"interval": "5s"},
        "lease": {"quiet": "2h"},
        "store": {"queue": False, "wait": "1m"},
        "limits": {"blob": 1_000},
    }

    config, warnings = load(document)
    assert warnings == []
    assert (config.review_by, config.interval, config.quiet) == ("person", 5.0, 7_200.0)
    assert (config.queue, config.wait, config.blob) == (False, 60.0, 1_000)


@pytest.mark.parametrize(
    "document", [{"colour": "red"}, {"review": {"colour": "red"}}, {"colours": {"hue": "other"}}], ids=repr
)
def test_an_unknown_key_is_warned_of_and_changes_nothing(document: dict[str, Any]) -> None:
    config, [warning] = load(document)

    assert config == Config()
    assert "colour" in warning


@pytest.mark.parametrize(
    "document",
    [
        {"review": {"by": "nobody"}},
        {"review": {"by": 1}},
        {"liveness": {"interval": 10}},
        {"liveness": {"interval": "soon"}},
        {"liveness": {"interval": "0s"}},
        {"store": {"queue": "yes"}},
        {"store": {"queue": 1}},
        {"limits": {"blob": True}},
        {"limits": {"blob": 0}},
        {"limits": {"blob": "10MB"}},
    ],
    ids=repr,
)
def test_a_bad_value_is_refused_and_named(document: dict[str, Any]) -> None:
    [(section, values)] = document.items()

    with pytest.raises(Refusal) as caught:
        load(document)
    assert caught.value.code == "bad-value"
    assert f"[{section}] {next(iter(values))}" in caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("10s", 10), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800), ("0.5s", 0.5)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "0", "0s", "1w", "1 day", "nan", "inf", "1e99d", "10_", "٣s x"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        duration(text)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize(
    "document", [{"by": "signed"}, {"reviews": {"by": "signed"}}, {"git": {"by": "signed"}}], ids=repr
)
def test_a_setting_outside_of_its_section_is_refused_and_its_place_is_said(document: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        load(document)

    assert caught.value.code == "bad-value"
    assert "[review]" in caught.value.hint
