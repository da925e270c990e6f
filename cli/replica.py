"""Which clone this is: an id for the chain of what is written here, and where the database lies that it belongs to.

Two stores must never write under one id: their chains would fork. So a database that was copied, moved to another
machine or put back from an old copy goes on under a new id. `.crewlog/replica` keeps the id, the place (machine,
device, inode), and the ids that were used before, whose last events this store still has to seal.
"""

from __future__ import annotations

import os

from cli.files import read_private, small, write_private
from cli.place import DATABASE, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

FILE = "replica"
MACHINE_ID = "/etc/machine-id"


class Replica(Value):
    """The id of this clone, where its database was when that was drawn ("" where nothing says it), earlier ids."""

    __slots__ = ("earlier", "id", "place")

    def __init__(self, id_: str, place: str, earlier: tuple[str, ...] = ()) -> None:
        self.id: Final = id_
        self.place: Final = place
        self.earlier: Final = earlier


def read_replica(folder: str) -> Replica | None:
    """What the file says; None where there is none, or where it says nothing that could be an id."""
    from domain.names import is_name

    lines = read_private(os.path.join(folder, FILE)).split("\n")
    ids = [line for line in lines if is_name(line)]
    places = [line.removeprefix("at ") for line in lines if line.startswith("at ")]
    return Replica(ids[0], places[0] if places else "", tuple(ids[1:])) if ids else None


def database_place(folder: str) -> str:
    """Machine, device and inode of the database."""
    try:
        found = os.stat(os.path.join(folder, DATABASE))
    except OSError:
        return ""
    machine = small(MACHINE_ID, follow=True).decode("ascii", "replace").strip()
    return f"{machine or '-'} {found.st_dev} {found.st_ino}"


def first_replica(folder: str, entropy: Callable[[int], bytes]) -> Replica:
    """The clone's id, drawn where there is none; of several processes that draw at once the first one's stays."""
    found = read_replica(folder)
    if found is None:
        drawn = Replica(_draw(entropy), database_place(folder))
        _write(folder, drawn, replace=False)
        found = read_replica(folder)
    if found is None:  # a file that says nothing
        found = drawn = Replica(_draw(entropy), database_place(folder))
        _write(folder, drawn, replace=True)
    return found


def new_replica(folder: str, entropy: Callable[[int], bytes]) -> Replica:
    """Go on under a new id; the old one is kept among the earlier ones."""
    before = read_replica(folder)
    earlier = (before.id, *before.earlier) if before else ()
    drawn = Replica(_draw(entropy), database_place(folder), earlier)
    _write(folder, drawn, replace=True)
    return drawn


def remember_place(folder: str, replica: Replica) -> None:
    """Write down where the database lies, for an id that was drawn before that was kept."""
    _write(folder, Replica(replica.id, database_place(folder), replica.earlier), replace=True)


def _draw(entropy: Callable[[int], bytes]) -> str:
    return "r-" + entropy(8).hex()


def _write(folder: str, replica: Replica, *, replace: bool) -> None:
    lines = [replica.id, f"at {replica.place}", *replica.earlier]
    write_private(os.path.join(folder, FILE), "\n".join(lines) + "\n", replace=replace)
