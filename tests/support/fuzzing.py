"""Input that nobody meant: how it is made, how much of it, and what a command may make of it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cli.app import run
from cli.shell import Shell
from domain.refusals import CODES, Exit

EXAMPLES = 3_000 if os.environ.get("CREWLOG_SOAK") else 25

# The store is shared by all examples: what came before is part of what may go wrong.
FUZZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

# What a shell can hand over as an argument: no NUL; bytes that are no UTF-8 arrive as these surrogates.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0") | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]
)
WORDS = st.text(CHARACTERS, max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Good bytes after a few accidents: parts changed, lost, doubled, moved, put in, cut off."""
    data = whole
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 200)))
        middle = data[begin:end]
        data = draw(
            st.sampled_from(
                [
                    data[:begin] + data[end:],
                    data[:begin] + middle + data[begin:],
                    data[:begin] + draw(st.binary(max_size=40)) + data[end:],
                    data[:end] + middle[::-1] + data[end:],
                    data[:begin],
                    data[begin:] + data[:begin],
                ]
            )
        )
    return data


def answer(folder: Path, *words: str, stdin: str = "") -> Any:
    """What a command line comes to: an answer or a refusal of a documented kind. Anything else fails here."""
    out, err = io.StringIO(), io.StringIO()
    shell = Shell(io.StringIO(stdin), out, err, {"CREWLOG_DEBUG": "1"}, str(folder))
    code = run([*words, "--json"], shell)
    said = f"{words} {out.getvalue()[:2_000]} {err.getvalue()[-4_000:]}"
    assert code in set(Exit) - {Exit.INTERNAL}, said
    assert "Traceback" not in err.getvalue(), said
    found: Any = [orjson.loads(line) for line in out.getvalue().split("\n") if line]
    if found and isinstance(found[0], dict) and "error" in found[0]:
        refused = found[0]["error"]
        assert (CODES[refused["code"]].exit, refused["code"] != "internal") == (code, True), said
    return found[0] if len(found) == 1 else found
