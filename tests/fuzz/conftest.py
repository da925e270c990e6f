from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import crewlog


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which a little has happened; a module's examples share it."""
    made = tmp_path_factory.mktemp("fuzz")
    for line in (
        ["init", "--as", "zoe"],
        ["spawn", "Greet by name", "--slug", "greet", "--body", "a needle", "--as", "zoe"],
        ["join", "--as", "ada"],
        ["send", "ada", "where is the haystack?", "--as", "zoe"],
        ["note", "greet", "straw", "--as", "ada"],
        ["export"],
    ):
        assert crewlog(str(made), *line)[0] == 0
    return made
