from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.process import LARGEST_PID, Process

PROCESS = Process(4711, "812345", "5d1c0b1e-boot", "pid:[4026531836]", "laptop")


def test_a_process_survives_its_way_through_json() -> None:
    assert Process.from_dict(json.loads(json.dumps(PROCESS.as_dict()))) == PROCESS


@given(st.builds(Process, st.integers(1, LARGEST_PID), st.text(), st.text(), st.text(), st.text()))
def test_any_process_survives_as_a_dict(process: Process) -> None:
    assert Process.from_dict(process.as_dict()) == process


@pytest.mark.parametrize(
    "value",
    [None, 7, "4711", [], {}, {"pid": "4711"}, {"pid": 0}, {"pid": -1}, {"pid": True}, {"pid": 2**31}],
)
def test_what_names_no_pid_is_no_process(value: object) -> None:
    assert Process.from_dict(value) is None


def test_a_field_of_the_wrong_type_counts_as_unknown() -> None:
    assert Process.from_dict({"pid": 1, "started": 5, "more": "x"}) == Process(1)


@pytest.mark.parametrize(
    ("age", "known"), [(0, 0), (7, 7), (None, None), (-1, None), (True, None), ("7", None)]
)
def test_the_age_at_which_it_was_found_is_remembered_and_makes_no_other_process(
    age: object, known: int | None
) -> None:
    found = Process.from_dict({**PROCESS.as_dict(), "age": age})

    assert found
    assert found == PROCESS
    assert found.age == known
    assert found.as_dict().get("age") == known
