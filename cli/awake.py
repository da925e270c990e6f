"""Whether this machine slept: in a suspend nobody can beat, and nobody is to be robbed for it afterwards.

The wall clock goes on in a suspend, and is set forward after a virtual machine stood still; the monotonic one knows of
neither. The last look is kept in `.crewlog/awake`: when the distance of the two has grown since then, the machine woke
in between, and that moment, as near as it is known, counts as a sign of life of everybody. The file is only a memory of
this machine; without it, one such grace may be missing.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from cli.files import read_private, write_private
from domain.agent import Awake, look
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.store import Store

FILE = "awake"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def woke(store: Store) -> float:
    """Seconds since this machine was seen to wake from a suspend; infinite where it was not. Remembers the look."""
    now = store.shell.clock()
    before = _read(store)
    seen = look(before, _boot(), store.shell.slept(), now)
    if seen != before:
        with suppress(Refusal):  # a store that cannot be written is only read: nobody is reaped there
            write_private(store.path(FILE), _text(seen))
    return max(0.0, (now - seen.woke) / 1_000_000) if seen.woke else math.inf


def _boot() -> str:
    with suppress(OSError), open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
    return ""


def _read(store: Store) -> Awake | None:
    import orjson

    try:
        found: object = orjson.loads(read_private(store.path(FILE)))
    except orjson.JSONDecodeError:
        return None
    match found:
        case {"boot": str(boot), "suspended": float() | int() as suspended, "woke": int(moment)}:
            return Awake(boot, cast("float", suspended), moment)
        case _:
            return None


def _text(seen: Awake) -> str:
    import orjson

    return orjson.dumps(seen._asdict()).decode() + "\n"
