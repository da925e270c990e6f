"""A start that loads only what a command line needs: Typer piece by piece, some other modules when they are first used.

Typer's `__init__` imports all of it, two thirds of which no command touches (progress bars, completion scripts, the
shells' names, pretty tracebacks). Whatever is imported through this module behaves as ever, only later. `cli.launcher`
calls `prepare` before anything else is loaded; who imports `cli.app` without it gets the same, slower.
"""

from __future__ import annotations

import gc
import sys
from _thread import RLock
from importlib.util import find_spec, module_from_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

# Imported by what every start loads, used by hardly any.
LATER = ("ast", "hashlib", "linecache", "orjson", "tokenize")

# Which part of Typer has the names that commands use. Asked for any other name, Typer loads as a whole.
PARTS = {
    "Argument": "typer.params",
    "BadParameter": "typer._click.exceptions",
    "Context": "typer.models",
    "Exit": "typer.exceptions",
    "Option": "typer.params",
}

# Where the one name of a dear module is that is asked for when others load.
PLATFORM = {"system": "cli.standins"}

# The same of the domain model that eventsourcing comes with: crewlog has its own, and takes the recorders only.
MODEL = dict.fromkeys(
    ("DomainEventProtocol", "EventSourcingError", "HasOriginatorIDVersion", "TAggregateID"), "cli.standins"
)

# Modules and what a short command makes stay well below: there is nothing to collect before a command is long.
COLLECTED = 50_000

_loading = RLock()


def prepare() -> None:
    """From now on these modules load late, and the collector waits. Modules that are loaded already stay as they are."""
    gc.set_threshold(COLLECTED)
    for name in LATER:
        defer(name, {})
    defer("typer", PARTS)
    defer("platform", PLATFORM)


def prepare_to_write() -> None:
    """The same for what only who writes loads."""
    defer("eventsourcing.domain", MODEL)


def defer(name: str, parts: dict[str, str]) -> None:
    """Have a module load when one of its names is first asked for, but for those that a part of it has."""
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, module = spec.loader, module_from_spec(spec)
    begun: list[str] = []

    def load() -> None:
        with _loading:  # other threads wait until the names are there; the one that loads must not load again
            if not begun:
                begun.append(name)
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
            load()
        if attribute not in module.__dict__:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return module.__dict__[attribute]

    module.__dict__["__getattr__"] = find
    sys.modules[name] = module


def _in_part(part: str, attribute: str) -> object:
    """The name in that part; None where the part is not there, as in another release: then all of it loads."""
    try:
        return getattr(_imported(part), attribute, None) if part else None
    except ImportError:
        return None


def _imported(name: str) -> ModuleType:
    __import__(name)
    return sys.modules[name]
