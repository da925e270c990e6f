"""The commands that are built without `typer.main` are those that Typer builds itself."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cli import building, grammar

# Functions that wrap the same callback, each time anew; what they do is tested where they are used.
WRAPPED = {"callback", "_custom_shell_complete", "params"}


def told(built: Any) -> dict[str, Any]:
    """All that Click and Typer keep of a command or of a parameter."""
    every = cast("dict[str, Any]", vars(built))
    kept = {name: value for name, value in every.items() if name not in WRAPPED}
    kind = kept.pop("type", None)
    wrapped = {name: getattr(built, name, None) is not None for name in WRAPPED}
    return {"class": type(built), "type": type(kind), "range": vars(kind) if kind else {}, **wrapped, **kept}


@pytest.mark.parametrize("name", grammar.MODULES)
def test_a_command_is_the_one_that_typer_builds(name: str) -> None:
    definition = grammar.define(name)

    ours = building.build(grammar.Command, definition)
    typers = building.build_by_typer(grammar.Command, definition)

    assert told(ours) == told(typers)
    assert [told(parameter) for parameter in ours.params] == [told(parameter) for parameter in typers.params]
    assert len(ours.params) >= len(grammar.COMMON)


def test_what_a_repeated_option_gathers_is_a_list_or_none() -> None:
    heard: list[dict[str, Any]] = []

    def listen(_context: object, **given: Any) -> None:
        heard.append(given)

    listening = grammar.define("list")._replace(run=listen)
    for make in (building.build, building.build_by_typer):
        built = make(grammar.Command, listening)
        for words in (["--label", "a", "--label", "b"], []):
            with built.make_context("list", [*words]) as context:
                built.invoke(context)

    assert [given["label"] for given in heard] == [["a", "b"], None] * 2
    assert heard[:2] == heard[2:]
