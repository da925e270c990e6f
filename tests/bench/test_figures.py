"""Figures of a benchmark: judged by their median, and carried from JSON into the page."""

from __future__ import annotations

import orjson
import pytest

from bench.figures import Figure
from bench.page import BEGIN, END, written


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("append", [0.2, 0.6, 0.7], least=0.5), True),
        (Figure("append", [0.6, 0.2, 0.3], least=0.5), False),
        (Figure("cold", [9.0, 6.0, 7.0], most=6.5), False),
        (Figure("cold", [6.5]), None),
    ],
)
def test_a_figure_is_judged_by_its_median(figure: Figure, met: bool | None) -> None:
    assert figure.met is met
    assert ("**no**" in figure.row) is (met is False)


def test_a_run_is_written_between_the_marks_and_again_over_the_old_one() -> None:
    run = {"machine": {"cores": 2}, "cold": [Figure("cold `list`", [8.0, 9.0], most=6.5).as_dict()]}
    page = f"# Speed\n\n{BEGIN}\nstale words\n{END}\n\nAfter it.\n"

    once = written(page, orjson.dumps(run))

    assert "| cold `list` | 8.5 x | 8 to 9 | at most 6.5 | **no** |  |" in once
    assert once.startswith("# Speed\n")
    assert once.endswith("\n\nAfter it.\n")
    assert "stale words" not in once
    assert written(once, orjson.dumps(run)) == once
