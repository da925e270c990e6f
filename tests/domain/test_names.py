from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import names
from domain.refusals import Refusal

NAME = re.compile(names.NAME_PATTERN)
SLUG = re.compile(names.SLUG_PATTERN)
ODD_TEXTS = st.text(max_size=80) | st.text("aZ09._-+#* /\n\0é\u202e", max_size=70)


@given(ODD_TEXTS | st.from_regex(NAME, fullmatch=True))
def test_a_name_is_what_the_pattern_says(text: str) -> None:
    assert names.is_name(text) == bool(NAME.fullmatch(text))


@given(ODD_TEXTS)
def test_the_nearest_name_is_a_name_or_nothing(text: str) -> None:
    near = names.near_name(text)

    assert near == "" or names.is_name(near)


@given(st.from_regex(NAME, fullmatch=True).filter(lambda name: not name.endswith(".")))
def test_the_nearest_name_of_a_name_is_itself(name: str) -> None:
    assert names.near_name(name) == name


@pytest.mark.parametrize(
    ("typed", "near"), [("Ada", "ada"), ("Ada Lovelace", "ada.lovelace"), ("__x", "x"), ("é", ""), ("", "")]
)
def test_the_nearest_name_is_what_one_would_expect(typed: str, near: str) -> None:
    assert names.near_name(typed) == near


@given(ODD_TEXTS)
def test_a_bad_name_is_refused_with_one_that_would_do(text: str) -> None:
    if names.is_name(text):
        assert names.check_name(text) == text
        return
    with pytest.raises(Refusal) as caught:
        names.check_name(text)
    assert caught.value.code == "bad-name"
    assert names.near_name(text) in caught.value.hint


def test_a_refused_name_is_quoted_in_part_only() -> None:
    with pytest.raises(Refusal) as caught:
        names.check_name("X" * 100_000)
    assert len(caught.value.message) < 300
    assert len(str(caught.value.details)) < 300


@given(ODD_TEXTS | st.from_regex(SLUG, fullmatch=True))
def test_a_slug_is_what_the_pattern_says_and_climbs_nowhere(text: str) -> None:
    assert names.is_slug(text) == (bool(SLUG.fullmatch(text)) and ".." not in text)
    if names.is_slug(text):
        inside = os.path.normpath(os.path.join("/crew", text))
        assert inside == f"/crew/{text}"


@pytest.mark.parametrize(
    "text", ["t-abcdefgh", "../x", "a..b", "", "-x", ".x", "x" * 65, "a b", "a/b", "a\n"]
)
def test_a_slug_that_could_be_mistaken_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        names.check_slug(text)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize("text", ["fix-login", "GH-17", "v1.2", "t-abc", "x" * 64])
def test_a_slug_is_returned_unchanged(text: str) -> None:
    assert names.check_slug(text) == text


@pytest.mark.parametrize("text", ["bug", "type:bug", "größe", "x" * 64, "#1"])
def test_a_label_is_returned_unchanged(text: str) -> None:
    assert names.check_label(text) == text


@pytest.mark.parametrize(
    "text", ["", "x" * 65, "a b", "a,b", "a\tb", "a\n", "\x1b[31m", "\u202e", "a\u00a0b", "\ud800"]
)
def test_a_label_that_would_break_a_list_or_a_terminal_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        names.check_label(text)
    assert caught.value.code == "bad-value"


@given(st.binary(min_size=5, max_size=40))
def test_every_hash_makes_a_task_id(digest: bytes) -> None:
    assert names.is_task_id(names.task_id(digest))


@given(st.binary(min_size=5, max_size=5), st.binary(min_size=5, max_size=5))
def test_task_ids_use_all_of_their_five_bytes(one: bytes, other: bytes) -> None:
    assert (names.task_id(one) == names.task_id(other)) == (one == other)


@pytest.mark.parametrize(
    "text", ["", "t-", "t-abcdefg", "t-abcdefghi", "T-abcdefgh", "t-abcdefg1", "t-abcdefgl", "x-abcdefgh"]
)
def test_other_texts_are_no_task_ids(text: str) -> None:
    assert not names.is_task_id(text)


def test_a_task_id_is_a_name_so_that_it_may_become_a_path() -> None:
    assert names.is_name(names.task_id(b"\xff" * 5))


@pytest.mark.parametrize(
    ("typed", "stored"), [("bob", "bob"), ("+ops", "#ops"), ("all", "*"), ("people", "#people")]
)
def test_an_address_is_stored_without_what_a_shell_would_eat(typed: str, stored: str) -> None:
    assert names.stored_address(typed) == stored
    assert names.is_stored_address(stored)


@pytest.mark.parametrize("typed", ["", "*", "#ops", "+", "++ops", "Bob", "a b", "+Ops"])
def test_an_address_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(Refusal) as caught:
        names.stored_address(typed)
    assert caught.value.code == "bad-name"


@given(ODD_TEXTS)
def test_what_is_stored_for_an_address_is_always_a_stored_address(typed: str) -> None:
    try:
        stored = names.stored_address(typed)
    except Refusal:
        return
    assert names.is_stored_address(stored)


@pytest.mark.parametrize("text", ["", "#", "**", "##ops", "+ops", "# ops", "#Ops"])
def test_other_texts_are_no_stored_addresses(text: str) -> None:
    assert not names.is_stored_address(text)
