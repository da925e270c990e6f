"""Words as people and agents type them: ids, prefixes, names, addresses, moments, searches."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.moments import micros
from domain.event import format_time, parse_time
from domain.names import check_name, is_stored_address, stored_address
from domain.refusals import Refusal
from tests.support.fuzzing import FUZZED, WORDS, answer

pytestmark = pytest.mark.faults

HEX = st.text("0123456789abcdefABCDEF-gt", max_size=70)
ADDRESSES = (
    WORDS | WORDS.map("+".__add__) | st.sampled_from(["all", "people", "+", "#ops", "*", "+all", "anyone"])
)
MOMENTS = st.one_of(
    WORDS,
    st.from_regex(r"\A[0-9]{1,12}[smhdwy]\Z"),
    st.from_regex(
        r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?)?\Z"
    ),
    st.datetimes().map(lambda moment: moment.isoformat()),
    HEX,
)
FTS5 = st.lists(
    st.sampled_from(
        [
            "AND",
            "OR",
            "NOT",
            "NEAR(",
            ")",
            "(",
            '"',
            "*",
            "^",
            ":",
            "-",
            "+",
            "title",
            "{title body}",
            "needle",
        ]
    )
    | WORDS,
    max_size=6,
).map(" ".join)

BY_TASK = ["show {}", "log {}", "review {}", "start {} --as ada", "cancel {} --reason x --as zoe", "link {} --blocks greet --as zoe", "wait --task {} --timeout 0"]  # fmt: skip
BY_NAME = [
    "inbox --as {}",
    "list --assignee {}",
    "start greet --as {}",
    "spawn x --to {} --as zoe",
    "whoami --as {}",
]
BY_ID = ["ack {} --as ada", "answer {} yes --as ada", "blob show {}", "resolve {} --as zoe", "done greet --claim {} --as ada", "redact {} --reason x --as zoe"]  # fmt: skip


def filled(line: str, word: str) -> list[str]:
    """The words of a line, with this one in its gap."""
    return [part.replace("{}", word) if part == "{}" else part for part in line.split()]


@pytest.mark.parametrize("line", BY_TASK)
@FUZZED
@given(WORDS | HEX | HEX.map("t-".__add__))
def test_any_word_for_a_task_is_one_or_is_refused(line: str, folder: Path, word: str) -> None:
    answer(folder, *filled(line, word))


@pytest.mark.parametrize("line", BY_NAME)
@FUZZED
@given(ADDRESSES)
def test_any_word_for_a_name_is_one_or_is_refused(line: str, folder: Path, word: str) -> None:
    answer(folder, *filled(line, word))


@pytest.mark.parametrize("line", BY_ID)
@FUZZED
@given(WORDS | HEX)
def test_any_word_for_an_id_is_one_or_is_refused(line: str, folder: Path, word: str) -> None:
    answer(folder, *filled(line, word))


@FUZZED
@given(ADDRESSES)
def test_an_address_is_stored_as_one_or_refused(typed: str) -> None:
    try:
        assert is_stored_address(stored_address(typed))
    except Refusal as refusal:
        assert refusal.code == "bad-name"  # noqa: PT017 - the other outcome is no refusal at all
    try:
        assert check_name(typed) == typed
    except Refusal as refusal:
        assert refusal.code == "bad-name"  # noqa: PT017 - the same


@pytest.mark.parametrize(
    "line", ["send {} hello --as zoe", "channel join {} --as ada", "ask {} why --as zoe"]
)
@FUZZED
@given(ADDRESSES)
def test_any_word_for_an_address_is_one_or_is_refused(line: str, folder: Path, word: str) -> None:
    answer(folder, *filled(line, word))


@pytest.mark.parametrize(
    "line", ["list --at {}", "status --since {}", "search needle --since {}", "log --at {}"]
)
@FUZZED
@given(MOMENTS)
@example("0001-01-01")
@example("9999-12-31T23:59:59.999999")
@example("0001-01-01T00:00:00+14:00")
@example("999999999999d")
@example("²h")
def test_any_word_for_a_moment_is_one_or_is_refused(line: str, folder: Path, word: str) -> None:
    answer(folder, *filled(line, word))


@pytest.mark.parametrize(
    "line", ["search {}", "search --raw {}", "search {} --from ada", "search {} --since 1d"]
)
@FUZZED
@given(FTS5 | WORDS)
@example('"')
@example("NEAR(")
@example("\udcff")
def test_any_words_are_searched_or_refused(line: str, folder: Path, word: str) -> None:
    answer(folder, *filled(line, word))


@FUZZED
@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
def test_a_moment_is_exact_to_the_microsecond(moment: datetime) -> None:
    written = moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    assert format_time(micros(moment)) == written
    assert parse_time(written) == micros(moment)
