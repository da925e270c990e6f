"""A gigabyte where a few lines belong: a refusal, in little memory, whatever the file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.refusals import Exit
from tests.support.commands import crewlog, in_little_memory
from tests.support.processes import alone

pytestmark = pytest.mark.faults

GIGABYTE = 1 << 30


def huge(path: Path) -> None:
    """A file of a gigabyte that takes no room on the disk: one line of NUL bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(GIGABYTE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store in which something has happened."""
    assert crewlog(str(tmp_path), "init", "--as", "zoe")[0] == 0
    assert crewlog(str(tmp_path), "spawn", "Greet", "--slug", "greet", "--as", "zoe")[0] == 0
    assert crewlog(str(tmp_path), "export")[0] == 0
    return tmp_path


GIVEN = {
    "spawn --from huge --as zoe": "too-large",
    "spawn x --body - --as zoe < huge": "too-large",
    "note greet - --as zoe < huge": "too-large",
    "send zoe --file huge --as zoe": "too-large",
    "import huge": "bad-line",
    "import --from beads huge --as zoe": "bad-line",
    "list --from huge": "",
    "verify --checkpoint huge": "bad-value",
}


@pytest.mark.parametrize("line", GIVEN)
def test_a_huge_file_that_is_given_is_refused(line: str, folder: Path) -> None:
    huge(folder / "huge")
    words, _, stdin = line.partition(" < ")

    code, answer = alone(in_little_memory, str(folder), words, stdin and str(folder / stdin))

    assert code != Exit.INTERNAL, answer
    assert GIVEN[line] in said(answer)
    assert len(crewlog(str(folder), "list")[1]["tasks"]) == 1


PLACES = {
    "config.toml": ("list", "too-large"),
    "local.toml": ("whoami", ""),
    "replica": ("spawn x --as zoe", "too-large"),
    "live.jsonl": ("verify", "live-changed"),
    "signers": ("verify", ""),
    "log/r-1/0000000001-0000000002.jsonl": ("verify", "segment-changed"),
    "blobs/aa/" + "a" * 64: ("import .crewlog", ""),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_huge_file_in_the_store_is_refused_or_passed_over(place: str, folder: Path) -> None:
    huge(folder / ".crewlog" / place)
    line, expected = PLACES[place]

    code, answer = alone(in_little_memory, str(folder), line, "")

    assert code != Exit.INTERNAL, answer
    assert expected in said(answer)


def said(answer: Any) -> set[str]:
    """The codes of a refusal and of findings, and nothing."""
    error = [answer["error"]["code"]] if "error" in answer else []
    return {"", *error, *(finding["code"] for finding in answer.get("findings", []))}
