"""Addresses of stores on a server: one that libpq understands, or a refusal; never a password kept or repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.refusals import Refusal
from domain.stores.address import parse
from tests.support.fuzzing import FUZZED, WORDS

pytestmark = pytest.mark.faults

PARTS = st.sampled_from(["postgresql://", "postgres://", "ada", ":", "@", "db.example.org", "[::1]", "[", "/crews", "?", "schema=", "crew_one", "&", "=", "%", "%41", "%0A", "#", "password=", "sslmode=require", "host=/run", "\n"]) | WORDS  # fmt: skip
URLS = st.lists(PARTS, max_size=10).map("".join)
SECRET = "hunter2-secret"


@FUZZED
@given(URLS | URLS.map("postgresql://".__add__))
def test_an_address_is_kept_as_it_was_read_or_refused(text: str) -> None:
    try:
        found = parse(text, "--store")
    except Refusal as refusal:
        assert refusal.code == "bad-value"  # noqa: PT017 - the other outcome is no refusal at all
        return
    assert parse(found.text, "--store") == found


@FUZZED
@given(
    st.sampled_from(
        [
            "postgresql://ada:{}@{}/crews",
            "postgresql://{1}/crews?password={0}",
            "postgresql://{1}?schema=a&sslpassword={0}",
            "postgresql://{1}/?pass%77ord={0}",
        ]
    ),
    st.text("abcdefghijklmnop.-_", max_size=12),
)
def test_a_password_is_refused_and_not_repeated(form: str, host: str) -> None:
    try:
        found = parse(form.format(SECRET, host), "--store")
    except Refusal as refusal:
        assert SECRET not in f"{refusal.message} {refusal.hint} {refusal.details}"  # noqa: PT017 - the same
    else:
        raise AssertionError(found)
