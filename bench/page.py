"""`python -m bench.page FILE`: write the figures of a run into docs/performance.md, between its two marks."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from bench.figures import Figure, headline, table

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by `python -m bench.page` -->", "<!-- end of figures -->"


def written(page: str, run: bytes) -> str:
    """The page with the figures of this run."""
    about, *parts = orjson.loads(run).items()
    lines = [headline(about[1]) + "."]
    for name, rows in parts:
        figures = [Figure(*(row[field] for field in Figure._fields)) for row in rows]
        lines += ["", f"### {name}", "", table(figures)]
    above, _, rest = page.partition(BEGIN)
    return "\n".join([above + BEGIN, "", *lines, "", END]) + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(
        written(PAGE.read_text(encoding="utf-8"), Path(sys.argv[1]).read_bytes()), encoding="utf-8"
    )
