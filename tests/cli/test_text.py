from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.text import JOINERS, age, cut, safe, safe_line, width

UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]))
# Joiners among what they may join, and among what they may not.
JOINED = st.text(st.sampled_from("a1\u200c\u200d\u200b\ufe0f👩💻❤🔥नكש\n\t "))


def unsafe_left(text: str, allowed: str) -> list[str]:
    left = [char for char in text if unicodedata.category(char) in UNSAFE and char not in allowed]
    return [char for char in left if char not in JOINERS]


@given(ANY_TEXT | JOINED)
def test_the_output_of_safe_never_holds_an_unsafe_character(text: str) -> None:
    assert unsafe_left(safe(text), "\n\t") == []


@given(ANY_TEXT | JOINED)
def test_the_output_of_safe_line_is_one_line_without_an_unsafe_character(text: str) -> None:
    assert unsafe_left(safe_line(text), "") == []


@given(ANY_TEXT | JOINED)
def test_a_joiner_that_is_left_stands_between_two_visible_characters_that_need_it(text: str) -> None:
    out = safe(text)
    for place, char in enumerate(out):
        if char in JOINERS:
            before, after = out[place - 1 : place], out[place + 1 : place + 2]
            assert before.isprintable()
            assert after.isprintable()
            assert min(before, after) >= "\u0600"


@given(ANY_TEXT | JOINED)
def test_what_is_safe_is_changed_no_further(text: str) -> None:
    assert safe(safe(text)) == safe(text)
    assert safe_line(safe_line(text)) == safe_line(text)


@given(ANY_TEXT | JOINED)
def test_the_output_of_safe_can_be_written_to_any_utf8_stream(text: str) -> None:
    assert safe(text).encode("utf-8").decode("utf-8") == safe(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "two\nlines\tand a tab",
        "Größe",
        "日本語",
        "a\u00a0b",
        "👩‍💻 at work",
        "❤️‍🔥",
        "می‌خواهم",
        "क्‍ष",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("bell\x07", r"bell\x07"),
        ("over\rwritten", r"over\x0dwritten"),
        ("\x7f\x9b31m", r"\x7f\x9b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066a\u2069\u200e\u061c", r"\u2066a\u2069\u200e\u061c"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\ufeffstart", r"\ufeffstart"),
        ("ad\u200bmin", r"ad\u200bmin"),
        ("ad\u200dmin", r"ad\u200dmin"),
        ("👩\u200d", "👩\\u200d"),
        ("\ud800", r"\ud800"),
        ("hid\U000e0041den", r"hid\U000e0041den"),
    ],
)
def test_what_could_deceive_is_made_visible(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_on_one_line_breaks_and_tabs_are_made_visible() -> None:
    assert safe_line("a\r\nb\tc\x1b") == r"a\r\nb\tc\x1b"


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("short", 5, "short"),
        ("too long", 5, "too …"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("👩\u200d💻x", 3, "👩…"),
        ("x", 0, ""),
        ("", 0, ""),
        ("xy", 1, "…"),
    ],
)
def test_a_cut_line_ends_in_an_ellipsis_and_fits(text: str, columns: int, shown: str) -> None:
    assert cut(text, columns) == shown


@given(st.text(), st.integers(0, 40))
def test_a_cut_line_is_never_wider_than_asked(text: str, columns: int) -> None:
    assert width(cut(text, columns)) <= columns


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("❤\ufe0f", 2), ("", 0)]
)
def test_width_is_in_columns_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (7200, "2h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (432_000, "5d"),
        (4e7, "462d"),
    ],
)
def test_an_age_is_given_in_its_largest_whole_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown
