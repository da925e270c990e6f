"""The commands that are built without `typer.main` are those that Typer builds itself."""

from __future__ import annotations

import subprocess
import sys
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, cast

import pytest
from typer._click.exceptions import NoSuchOption
from typer.core import TyperCommand
from typer.main import get_command_from_info
from typer.models import CommandInfo, Context

from cli import building, grammar
from cli.building import Declared, Definition
from tests.packaging.shell import inherited

PROJECT = Path(__file__).resolve().parents[2]

# Functions that wrap the same callback, each time anew; what they do is tested where they are used.
WRAPPED = {"callback", "_custom_shell_complete", "params"}


def told(built: Any) -> dict[str, Any]:
    """All that Click and Typer keep of a command or of a parameter."""
    every = cast("dict[str, Any]", vars(built))
    kept = {name: value for name, value in every.items() if name not in WRAPPED}
    kind = kept.pop("type", None)
    wrapped = {name: getattr(built, name, None) is not None for name in WRAPPED}
    return {"class": type(built), "type": type(kind), "range": vars(kind) if kind else {}, **wrapped, **kept}


def build_by_typer(definition: Definition) -> Any:
    """The command as Typer itself builds it."""

    def callback(ctx: Context, **arguments: Any) -> None:
        definition.run(ctx, **arguments)

    context = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=Context)
    parameters = [context, *map(_signed, definition.parameters)]
    callback.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # what functions may have
    callback.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    info = CommandInfo(
        name=definition.name,
        cls=grammar.Command,
        callback=callback,
        help=definition.help,
        epilog=definition.epilog,
        context_settings=building.SETTINGS,
    )
    return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)


def _signed(parameter: Declared) -> Parameter:
    default = Parameter.empty if parameter.default is building.REQUIRED else parameter.default
    return Parameter(parameter.name, Parameter.KEYWORD_ONLY, default=default, annotation=parameter.annotation)


@pytest.mark.parametrize("name", grammar.MODULES)
def test_a_command_is_the_one_that_typer_builds(name: str) -> None:
    definition = grammar.define(name)

    ours = building.build(grammar.Command, definition)
    typers = build_by_typer(definition)

    assert told(ours) == told(typers)
    assert [told(parameter) for parameter in ours.params] == [told(parameter) for parameter in typers.params]
    assert len(ours.params) >= len(grammar.COMMON)


@pytest.mark.parametrize("name", ["list", "spawn"])
def test_the_help_option_is_the_one_that_typer_builds(name: str) -> None:
    built = building.build(grammar.Command, grammar.define(name))

    with built.make_context(name, [], resilient_parsing=True) as context:
        ours = built.get_help_option(context)
        typers = TyperCommand.get_help_option(built, context)

    assert told(ours) == told(typers)


# What a lean start builds of every command; loading the original first would put its names in place of the substitutes.
BUILT = """
import sys
if sys.argv[1:]:
    from cli import lean
    lean.prepare()
from cli import building, grammar
every = [building.build(grammar.Command, grammar.define(name)) for name in grammar.MODULES]
loaded = {"typer.params", "typer.models"} & {*sys.modules}
from tests.cli.test_building import told
print(not loaded)
for command in every:
    print([sorted(told(each).items()) for each in (command, *command.params)])
"""


def test_a_lean_start_builds_the_same_commands() -> None:
    lean, whole = (
        subprocess.run(
            [sys.executable, "-c", BUILT, *words],
            cwd=PROJECT,
            env=inherited(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for words in (["lean"], [])
    )

    assert (lean[0], whole[0]) == ("True", "False")
    assert lean[1:] == whole[1:]
    assert len(lean) == 1 + len(grammar.MODULES)


def test_what_a_repeated_option_gathers_is_a_list_or_none() -> None:
    heard: list[dict[str, Any]] = []

    def listen(_context: object, **given: Any) -> None:
        heard.append(given)

    listening = grammar.define("list")._replace(run=listen)
    for built in (building.build(grammar.Command, listening), build_by_typer(listening)):
        for words in (["--label", "a", "--label", "b"], []):
            with built.make_context("list", [*words]) as context:
                built.invoke(context)

    assert [given["label"] for given in heard] == [["a", "b"], None] * 2
    assert heard[:2] == heard[2:]


def test_a_line_leaves_nothing_behind_for_the_next_line_of_the_same_command() -> None:
    built = building.build(grammar.Command, grammar.define("list"))
    given: list[dict[str, Any]] = []

    for words in (["--label", "a", "--limit", "3"], ["--no-such"], []):
        try:
            with built.make_context(words[0] if words else "bare", [*words]) as context:
                given.append({name: context.params[name] for name in ("label", "limit")})
        except NoSuchOption as error:
            given.append({"wrong in": error.ctx.info_name if error.ctx else None})

    assert given == [{"label": ("a",), "limit": 3}, {"wrong in": "--no-such"}, {"label": (), "limit": 50}]
