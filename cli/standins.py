"""A few names of modules that are dear to load, for a start that asks for nothing else of them; see `cli.lean`.

Whoever asks for any other name of theirs gets the module itself.
"""

from __future__ import annotations

import os
from typing import TypeVar

# What the recorders of eventsourcing take from its domain model, which crewlog has one of its own instead of: the base
# of their errors, and names for types.
TAggregateID = TypeVar("TAggregateID")


class EventSourcingError(Exception):
    """The base of the errors of eventsourcing's recorders."""


class DomainEventProtocol:
    """For annotations only."""


class HasOriginatorIDVersion:
    """For its mapper only, which crewlog does without."""


def system() -> str:
    """As `platform.system`, which `uuid` asks for when it is loaded."""
    return os.uname().sysname
