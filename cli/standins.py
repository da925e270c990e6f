"""A few names of modules that are dear to load, for a start that asks for nothing else of them; see `cli.lean`.

Whoever asks for any other name of theirs gets the module itself. A function here that would have to say more than its
original loads that.
"""

from __future__ import annotations

import os
import sys
import typing
from types import FunctionType
from typing import Any

# What the recorders of eventsourcing take from its domain model, which crewlog has one of its own instead of: the base
# of their errors, and names for types.
TAggregateID = typing.TypeVar("TAggregateID")


class EventSourcingError(Exception):
    """The base of the errors of eventsourcing's recorders."""


class DomainEventProtocol:
    """For annotations only."""


class HasOriginatorIDVersion:
    """For its mapper only, which crewlog does without."""


def TypeVar(name: str, *constraints: Any, default: object = None, **settings: Any) -> Any:  # noqa: N802 - its name
    """That of `typing_extensions`, for eventsourcing: a default says something to type checkers only."""
    del default
    make: Any = typing.TypeVar
    return make(name, *constraints, **settings)


def isfunction(value: object) -> bool:
    """As `inspect.isfunction`, for eventsourcing."""
    return isinstance(value, FunctionType)


def system() -> str:
    """As `platform.system`, which `uuid` asks for when it is loaded."""
    return os.uname().sysname


class ParameterInfo:
    """What `typer.Option` or `typer.Argument` was told: all of it that `cli.building` reads, with Typer's defaults."""

    callback: Any = None
    metavar: str | None = None
    autocompletion: Any = None
    help: str | None = None
    hidden = False
    is_eager = False
    show_default = True
    show_envvar = True
    case_sensitive = True
    min: float | None = None
    max: float | None = None

    def __init__(self, default: Any = ..., *param_decls: str, **settings: Any) -> None:
        unknown = [name for name in settings if not hasattr(ParameterInfo, name)]
        if unknown:
            raise TypeError(f"{unknown} would be forgotten: say it here and in cli.building")
        self.default = default
        self.param_decls = param_decls
        self.__dict__ |= settings


class OptionInfo(ParameterInfo):
    """For `typer.Option`: what it returns, without the 1,800 lines of annotations around it."""


class ArgumentInfo(ParameterInfo):
    """For `typer.Argument`."""


Option = OptionInfo
Argument = ArgumentInfo


def parse_boolean_env_var(value: str | None, default: bool) -> bool:
    """That of `typer.utils`, whose other parts load `inspect`."""
    return (
        default if value is None else bool(_original("typer.utils", "parse_boolean_env_var")(value, default))
    )


def gettext(message: str) -> str:
    """That of `gettext`, for Typer's help."""
    return str(_original("gettext", "gettext")(message))


def get_close_matches(*given: Any, **more: Any) -> list[Any]:
    """That of `difflib`, for Typer's mistakes."""
    return [*_original("difflib", "get_close_matches")(*given, **more)]


def _original(module: str, name: str) -> Any:
    from cli import lean

    lean.load(module)
    return getattr(sys.modules[module], name)
