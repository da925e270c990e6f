"""`crewlog demo`: the show goes on, and a program gets an answer."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Crew
from tests.cli.test_answers import problems


@pytest.mark.slow
def test_the_demonstration_answers_a_program_with_what_is_as_it_should_be(crew: Crew) -> None:
    schema = crew.do("schema")["$defs"]["demo"]

    result = crew.run("demo", "--tasks", "8", "--json")

    assert result.code == 0, result
    assert not problems(result.json, schema)
    assert result.json["tasks"] == 8
    assert all(row["ok"] for row in result.json["checks"])
    assert "was killed with -9" in result.err
