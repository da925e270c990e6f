from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.blobs import MEDIA_TYPE, Blob, check_in, digest_of, preview
from domain.event import canonical
from domain.refusals import Refusal
from domain.registry import BLOB_LIMIT, PREVIEW, TEXT_INLINE, check_payload


def stored_size(text: str) -> int:
    return len(canonical({"a": text})) - len(b'{"a":""}')


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600", "\x1b", '"', "\n"])
def test_a_text_stays_inline_up_to_the_limit_and_leaves_behind_it(character: str) -> None:
    fits = character * (TEXT_INLINE // stored_size(character))
    over = fits + "x" * (TEXT_INLINE - stored_size(fits) + 1)

    assert check_in("task.noted", {"text": fits}, BLOB_LIMIT) == ({"text": fits}, [])
    changed, blobs = check_in("task.noted", {"text": over}, BLOB_LIMIT)
    assert blobs == [Blob(sha256(over.encode()).hexdigest(), MEDIA_TYPE, over.encode())]
    assert changed["text"]["blob"] == {
        "sha256": blobs[0].sha256,
        "size": len(over.encode()),
        "media_type": MEDIA_TYPE,
    }
    assert changed["text"]["preview"] == over[:PREVIEW]


@given(st.text(max_size=3_000), st.integers(1, 40))
def test_nothing_inline_is_ever_over_the_limit(piece: str, times: int) -> None:
    text = piece * times
    changed, blobs = check_in("task.noted", {"text": text}, BLOB_LIMIT)

    check_payload("task.noted", changed if text.strip() else {"text": "x"}, {})
    assert blobs[0].data.decode() == text if blobs else changed == {"text": text}
    assert bool(blobs) == (stored_size(text) > TEXT_INLINE)


def test_only_large_fields_leave() -> None:
    title = "x" * (TEXT_INLINE + 1)

    assert check_in("task.spawned", {"title": title}, BLOB_LIMIT) == ({"title": title}, [])


def test_several_large_texts_are_several_blobs() -> None:
    body, reason = "b" * 5_000, "r" * 5_000

    changed, blobs = check_in("task.progressed", {"text": body}, BLOB_LIMIT)
    assert len(blobs) == 1
    changed, blobs = check_in("task.approved", {"policy": "other", "note": reason}, BLOB_LIMIT)
    assert [blob.data.decode() for blob in blobs] == [reason]
    assert changed["policy"] == "other"


def test_the_payload_that_was_given_is_not_changed() -> None:
    payload = {"text": "x" * 5_000}
    check_in("task.noted", payload, BLOB_LIMIT)

    assert payload == {"text": "x" * 5_000}


def test_a_reference_is_not_checked_in_again() -> None:
    changed, _ = check_in("task.noted", {"text": "x" * 5_000}, BLOB_LIMIT)

    assert check_in("task.noted", changed, BLOB_LIMIT) == (changed, [])


@pytest.mark.parametrize("text", ["x" * 5_001, "é" * 2_501])
def test_a_text_over_the_blob_limit_is_refused_and_named(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_in("task.noted", {"text": text}, 5_000)
    assert caught.value.code == "too-large"
    assert caught.value.details == {"field": "text"}


def test_a_large_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        check_in("task.noted", {"text": "\ud800" * 5_000}, BLOB_LIMIT)
    assert caught.value.code == "bad-value"


def test_a_preview_is_what_an_event_itself_says() -> None:
    changed, blobs = check_in("task.noted", {"text": "x" * 5_000}, BLOB_LIMIT)

    assert preview(changed["text"]) == "x" * PREVIEW
    assert digest_of(changed["text"]) == blobs[0].sha256
    assert (preview("short"), preview(None)) == ("short", "")
    assert (digest_of("short"), digest_of(None), digest_of({"blob": 1})) == ("", "", "")
