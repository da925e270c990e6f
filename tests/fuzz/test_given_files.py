"""Files that somebody names: many tasks as JSON lines, a checkpoint that was kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.commands.spawn_many import KNOWN
from tests.support.commands import crewlog
from tests.support.fuzzing import FUZZED, JSON, answer, damaged

pytestmark = pytest.mark.faults

LINE = json.dumps(
    {"title": "Greet", "body": "b", "priority": 1, "labels": ["a"], "after": ["greet"]}
).encode()


@st.composite
def tasks(draw: st.DrawFn) -> bytes:
    """A line with the fields that there are, of every kind of value."""
    fields: dict[str, Any] = draw(st.dictionaries(st.sampled_from(KNOWN), JSON, max_size=5))
    return json.dumps({"title": "x", **fields} if draw(st.booleans()) else fields).encode()


@FUZZED
@given(st.lists(st.one_of(st.binary(max_size=60), damaged(LINE), tasks()), max_size=4).map(b"\n".join))
@example(b'{"title":"x","priority":' + b"9" * 5_000 + b"}")
@example(b'{"title":' + b"[" * 100_000 + b"}")
@example(b'{"title":"a","slug":"b","after":["b"]}')
@example(b'{"title":"\\ud800"}')
def test_tasks_are_spawned_together_or_not_at_all(folder: Path, content: bytes) -> None:
    (folder / "tasks").write_bytes(content)
    before = count(folder)

    found = answer(folder, "spawn", "--from", "tasks", "--as", "zoe")

    assert count(folder) - before == (0 if "error" in found else len(found["results"]))


def count(folder: Path) -> int:
    """How many tasks there are."""
    found = answer(folder, "list", "--limit", "1")
    return len(found["tasks"]) + int(found["more"])


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> bytes:
    """A good one."""
    assert crewlog(str(folder), "checkpoint", "-o", "good")[0] == 0
    return (folder / "good").read_bytes()


@FUZZED
@given(st.data())
def test_a_checkpoint_that_was_damaged_is_compared_or_refused(
    folder: Path, checkpoint: bytes, data: st.DataObject
) -> None:
    (folder / "kept").write_bytes(data.draw(st.binary(max_size=100) | damaged(checkpoint)))
    answer(folder, "verify", "--checkpoint", "kept")


@FUZZED
@given(st.data())
def test_a_checkpoint_with_other_values_is_compared_or_refused(
    folder: Path, checkpoint: bytes, data: st.DataObject
) -> None:
    document = json.loads(checkpoint)
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(document)), JSON, max_size=3))
    ends = data.draw(
        st.dictionaries(st.text(max_size=8), st.dictionaries(st.sampled_from(["seq", "id"]), JSON))
    )
    text = json.dumps({**document, "ends": {**document["ends"], **ends}, **changed})
    (folder / "kept").write_text(text, encoding="utf-8", errors="surrogatepass")
    answer(folder, "verify", "--checkpoint", "kept")


def test_a_number_beyond_all_numbers_is_no_checkpoint(folder: Path, checkpoint: bytes) -> None:
    document = {**json.loads(checkpoint), "events": 0}
    (folder / "kept").write_text(json.dumps(document).replace('"events": 0', '"events": 1e999'))
    assert answer(folder, "verify", "--checkpoint", "kept")["error"]["code"] == "bad-value"
