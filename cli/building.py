"""From a command's function to Typer's command, without `typer.main`: that alone costs a third of a start.

Typer's own classes parse the line and print the help. What is built here, for the kinds of parameters that commands
have, is what Typer builds of the same function; a test compares the two for every command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer._click import types
from typer._click.globals import get_current_context
from typer._types import TyperChoice
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from domain.named import NamedTuple

REQUIRED = ...


class Declared(NamedTuple):
    """A parameter: its name, `Annotated[type, typer.Option(…)]`, its default or REQUIRED."""

    name: str
    annotation: Any
    default: Any


class Definition(NamedTuple):
    """A command. `run` takes Typer's context and the parameters, by name."""

    name: str
    run: Callable[..., None]
    parameters: Sequence[Declared]
    help: str
    epilog: str | None


# A flag gets no type: then it becomes one that takes no value.
_TYPES: dict[Any, Any] = {str: types.STRING, bool: None, list[str]: types.STRING}
_NUMBERS: dict[Any, Any] = {int: (types.INT, types.IntRange), float: (types.FLOAT, types.FloatRange)}
HELP = "Show this message and exit."
SETTINGS = {"max_content_width": 110}


def declared(function: Callable[..., None]) -> list[Declared]:
    """What a function takes after its first parameter."""
    hints = get_type_hints(function, include_extras=True)
    code = function.__code__
    ordered = code.co_varnames[: code.co_argcount]
    stated = dict(zip(reversed(ordered), reversed(function.__defaults__ or ()), strict=False))
    stated |= function.__kwdefaults__ or {}
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return [Declared(name, hints[name], stated.get(name, REQUIRED)) for name in names]


def build(cls: type[TyperCommand | TyperGroup], definition: Definition, **more: Any) -> Any:
    """Typer's command."""
    lists = [parameter.name for parameter in definition.parameters if _kind(parameter) == list[str]]

    def callback(**arguments: Any) -> None:
        for name in lists:
            arguments[name] = [*arguments[name]] if arguments[name] else None
        definition.run(get_current_context(), **arguments)

    return cls(
        name=definition.name,
        callback=callback,
        params=[_built(parameter) for parameter in definition.parameters],
        help=_dedented(definition.help),
        epilog=definition.epilog,
        context_settings=SETTINGS,
        rich_markup_mode=None,
        **more,
    )


@cache
def help_option(show: Callable[..., None]) -> TyperOption:
    """The option `--help` of every command, as Typer makes it."""
    option = TyperOption(
        param_decls=["--help"], is_flag=True, expose_value=False, is_eager=True, callback=show
    )
    option.help = HELP
    return option


def _dedented(docstring: str) -> str:
    """What `inspect.cleandoc` makes of the docstring of a module's function. Loading `inspect` costs half a start."""
    return docstring.strip().replace("\n    ", "\n")


def _kind(parameter: Declared) -> Any:
    """Its type, without the None that it may be."""
    stated = get_args(parameter.annotation)[0]
    members = [member for member in get_args(stated) if member is not type(None)]
    return members[0] if type(None) in get_args(stated) and len(members) == 1 else stated


def _built(parameter: Declared) -> TyperArgument | TyperOption:
    info, kind = get_args(parameter.annotation)[1], _kind(parameter)
    several = kind == list[str]
    shared: dict[str, Any] = {
        "type": _type(kind, info),
        "required": parameter.default is REQUIRED,
        "default": None if parameter.default is REQUIRED else parameter.default,
        "metavar": info.metavar,
        "autocompletion": _completing(info.autocompletion),
        "hidden": info.hidden,
        "show_default": info.show_default,
        "show_envvar": info.show_envvar,
    }
    if type(info).__name__ == "ArgumentInfo":
        return TyperArgument(
            param_decls=[parameter.name], nargs=-1 if several else None, help=info.help, **shared
        )
    option = TyperOption(
        # In Annotated the first word of `typer.Option("--state", "-s")` stands where a default would.
        param_decls=[parameter.name, info.default, *(info.param_decls or ())],
        is_flag=True if kind is bool else None,
        multiple=several,
        is_eager=info.is_eager,
        callback=_called(info.callback),
        **shared,
    )
    option.help = info.help  # given to the constructor it would load `inspect`
    return option


def _type(kind: Any, info: Any) -> Any:
    if get_origin(kind) is Literal:
        return TyperChoice(get_args(kind), case_sensitive=info.case_sensitive)
    if kind not in _NUMBERS:
        return _TYPES[kind]
    plain, ranged = _NUMBERS[kind]
    return plain if (info.min, info.max) == (None, None) else ranged(min=info.min, max=info.max)


def _completing(complete: Callable[[str], Any] | None) -> Callable[..., Any] | None:
    def by_typer(_context: Any, _words: list[str], incomplete: str) -> Any:
        return complete(incomplete) if complete else []

    return by_typer if complete else None


def _called(callback: Callable[[Any, Any], None] | None) -> Callable[..., None] | None:
    def by_typer(context: Any, _parameter: Any, value: Any) -> None:
        if callback:
            callback(context, value)

    return by_typer if callback else None
