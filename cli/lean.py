"""A start that loads only what a command line needs: Typer piece by piece, some other modules when they are first used.

Typer's `__init__` imports all of it, two thirds of which no command touches (progress bars, completion scripts, the
shells' names, pretty tracebacks). What is left takes a name each of `inspect`, `gettext`, `difflib`, which together cost
as much as the bare interpreter; `cli.standins` has those. Whatever is imported through this module behaves as ever, only
later. `cli.launcher` calls `prepare` before anything else is loaded; who imports `cli.app` without it gets the same,
slower.
"""

from __future__ import annotations

import gc
import sys
from _thread import RLock
from importlib.util import find_spec, module_from_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

# Imported by what every start loads, used by hardly any. Beside a module stands what is asked for nevertheless, and
# where that can be had without loading the module.
LATER: dict[str, dict[str, str]] = {
    "ast": {},
    "difflib": {"get_close_matches": "cli.standins"},
    "gettext": {"gettext": "cli.standins"},
    "hashlib": {},
    "inspect": {"isfunction": "cli.standins"},
    "linecache": {},
    "orjson": {},
    "platform": {"system": "cli.standins"},
    "tokenize": {},
    "typer": {
        "Argument": "cli.standins",
        "BadParameter": "typer._click.exceptions",
        "Context": "typer._click.core",
        "Exit": "typer.exceptions",
        "Option": "cli.standins",
    },
    "typer.utils": {"parse_boolean_env_var": "cli.standins"},
}

# The same of the domain model that eventsourcing comes with: crewlog has its own, and takes the recorders only.
MODEL: dict[str, str] = dict.fromkeys(
    ("DomainEventProtocol", "EventSourcingError", "HasOriginatorIDVersion", "TAggregateID"), "cli.standins"
)

# Modules and what a short command makes stay well below: there is nothing to collect before a command is long.
COLLECTED = 50_000

_loading = RLock()
# How those are loaded that are still to be.
_waiting: dict[str, Callable[[], None]] = {}


def prepare() -> None:
    """From now on these modules load late, and the collector waits. Modules that are loaded already stay as they are."""
    gc.set_threshold(COLLECTED)
    for name, parts in LATER.items():
        defer(name, parts)


def prepare_to_write() -> None:
    """The same for what only who writes loads."""
    defer("eventsourcing.domain", MODEL)
    defer("typing_extensions", {"TypeVar": "cli.standins"})


def defer(name: str, parts: dict[str, str]) -> None:
    """Have a module load when one of its names is first asked for, but for those that a part of it has."""
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, module = spec.loader, module_from_spec(spec)

    def loading() -> None:
        loader.exec_module(module)
        if module.__dict__.get("__getattr__") is find:
            del module.__dict__["__getattr__"]

    def find(attribute: str) -> object:
        # Private names are submodules here, or asked for by the import system, which goes on to look for them.
        if not attribute.startswith("_"):
            found = _in_part(parts.get(attribute, ""), attribute)
            if found is not None:
                setattr(module, attribute, found)
                return found
            load(name)
        if attribute not in module.__dict__:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return module.__dict__[attribute]

    module.__dict__["__getattr__"] = find
    _waiting[name] = loading
    sys.modules[name] = module
    package, _, part = name.rpartition(".")
    if package:
        setattr(sys.modules[package], part, module)  # as the import of a submodule does


def load(name: str) -> None:
    """Load the module if it is one that waits for it."""
    with _loading:  # other threads wait until the names are there; the one that loads must not load again
        loading = _waiting.pop(name, None)
        if loading:
            loading()


def waiting() -> frozenset[str]:
    """The modules that are not loaded so far."""
    return frozenset(_waiting)


def _in_part(part: str, attribute: str) -> object:
    """The name in that part; None where the part is not there, as in another release: then all of it loads."""
    try:
        return getattr(_imported(part), attribute, None) if part else None
    except ImportError:
        return None


def _imported(name: str) -> ModuleType:
    __import__(name)
    return sys.modules[name]
