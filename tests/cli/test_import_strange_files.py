"""Any bytes for a source: an answer with an exit code, never a traceback, and what is an issue is taken in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Crew
from tests.support.foreign import bead, snapshot
from tests.support.fuzzing import JSON

NAMES = {
    "beads": (
        "id",
        "title",
        "description",
        "status",
        "priority",
        "assignee",
        "labels",
        "dependencies",
        "comments",
        "created_at",
        "updated_at",
        "closed_at",
        "close_reason",
        "issue_type",
        "parent",
        "pinned",
        "_type",
    ),
    "tissue": (
        "type",
        "id",
        "rev",
        "title",
        "body",
        "status",
        "priority",
        "tags",
        "created_at",
        "updated_at",
        "issue_id",
        "src_id",
        "dst_id",
        "kind",
        "state",
    ),
}
WHOLE = {"beads": bead(), "tissue": snapshot()}
SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def lines(system: str) -> st.SearchStrategy[bytes]:
    """Lines as they should be but for some fields, and lines that are anything."""
    changed = st.dictionaries(st.sampled_from(NAMES[system]), JSON, max_size=5)
    records = changed.map(lambda fields: json.dumps({**WHOLE[system], **fields}).encode())
    return st.one_of(records, records, st.binary(max_size=40))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Crew:
    """One store for all examples: what came before is part of what may go wrong."""
    crew = Crew(tmp_path_factory.mktemp("strange"), {"CREWLOG_DEBUG": "1"})
    crew.do("init --as zoe")
    return crew


def take_in(crew: Crew, system: str, found: list[bytes]) -> Any:
    """Import a file of these lines; what is wrong with it must show as findings."""
    path = Path(crew.folder) / system / "issues.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\n".join(found))
    result = crew.run("import", "--from", system, system, "--as", "zoe", "--json", "--allow-secret")
    assert result.code in (0, 4), result.err
    assert "Traceback" not in result.err
    assert (result.code == 4) == (result.json["left_out"] > 0)
    return result.json


@pytest.mark.parametrize("system", ["beads", "tissue"])
@SETTINGS
@given(data=st.data())
def test_any_lines_are_taken_in_or_named(stores: Crew, system: str, data: st.DataObject) -> None:
    found = data.draw(st.lists(lines(system), max_size=4))

    answer = take_in(stores, system, found)
    assert answer["imported"] + answer["synced"] + answer["unchanged"] == answer["issues"]

    again = take_in(stores, system, found)
    assert (again["imported"], again["synced"], again["unchanged"]) == (0, 0, answer["issues"])


HOSTILE = [
    b"\x00" * 100,
    b'{"id":"bd-1","title":"' + b"x" * 100_000 + b'"}',
    b'{"id":"bd-1","title":"a","labels":[' + b",".join(b'"%d"' % number for number in range(500)) + b"]}",
    b'{"id":"bd-1","deep":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"id":"bd-1","deep":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    b'{"id":"bd-1","big":' + b"9" * 10_000 + b"}",
    b'{"id":"bd-1","title":"\\ud800","description":"\\udfff\\u0000"}',
    b'{"id":"bd-1","title":"\\u202eevil\\u0007"}',
    b'{"id":"' + b"i" * 5_000 + b'"}',
    b'{"id":"bd-1","dependencies":['
    + b",".join(b'{"depends_on_id":"x-%d"}' % n for n in range(1_000))
    + b"]}",
    b'{"id":"bd-1","comments":[' + b",".join(b'{"id":%d,"text":"t"}' % n for n in range(1_500)) + b"]}",
    b'{"id":"bd-1","' + b'","'.join(b'k%d":"' % n for n in range(2_000)) + b'"}',
    b'{"id":"bd-1","close_reason":"'
    + "ö".encode() * 3_000
    + b'","status":"closed","description":"'
    + b"d" * 4_000
    + b'"}',
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_lines_cost_a_line_at_most(stores: Crew, line: bytes) -> None:
    answer = take_in(stores, "beads", [line, json.dumps(bead(2)).encode()])

    assert answer["issues"] >= 1
    assert answer["imported"] + answer["synced"] + answer["unchanged"] == answer["issues"]
    assert answer["left_out"] + answer["issues"] == 2


def test_a_line_over_the_limit_is_named_and_skipped_without_being_held(crew: Crew) -> None:
    (crew.folder / ".crewlog" / "config.toml").write_text("[limits]\nblob = 20000\n")
    path = crew.folder / "issues.jsonl"
    path.write_bytes(b'{"id":"bd-1","title":"' + b"x" * 3_000_000 + b'"}\n' + json.dumps(bead(2)).encode())

    result = crew.run("import", "--from", "beads", ".", "--as", "zoe", "--json")

    assert (result.code, result.json["imported"], result.json["left_out"]) == (4, 1, 1)
    assert (result.json["findings"][0]["line"], result.json["findings"][0]["offset"]) == (1, 0)
