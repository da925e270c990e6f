from __future__ import annotations

import pytest

from domain.refusals import CODES, EXIT_MEANINGS, Exit, Refusal


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Refusal("no-such-code", "…")


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_knows_its_exit_code_and_whether_to_try_again(code: str) -> None:
    refusal = Refusal(code, "no", "do this", path="/x")

    assert (refusal.exit, refusal.retryable) == (CODES[code].exit, CODES[code].retryable)
    assert refusal.as_dict() == {
        "code": code,
        "message": "no",
        "hint": "do this",
        "retryable": refusal.retryable,
        "details": {"path": "/x"},
    }


def test_every_exit_code_has_a_meaning() -> None:
    assert set(EXIT_MEANINGS) == set(Exit)


def test_no_refusal_looks_like_success() -> None:
    assert Exit.DONE not in {code.exit for code in CODES.values()}
