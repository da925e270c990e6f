"""Before something is written again from the log: whether it says what the log does not say any more, or never said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain.event import id_of, stated_id
from domain.refusals import Refusal
from export.segments import batches

if TYPE_CHECKING:
    from domain.log import Log

CHUNK = 1_000


def check_log(log: Log, path: str) -> None:
    """Refuse (`corrupt`) where somebody changed an event in the log: the file may be all that has it as it was."""
    position = 0
    while rows := log.lines(position, CHUNK):
        position = rows[-1].id
        for row in rows:
            if id_of(row.state) != stated_id(row.state):
                message = f"position {row.id} of the log does not hash to its id; {path} was left as it is"
                hint = "Its lines may be what stood in the log: keep both. `crewlog verify` says more."
                raise Refusal("corrupt", message, hint, path=path)


def check_lines(log: Log, path: str, lines: Iterable[tuple[int, bytes]]) -> None:
    """Refuse (`corrupt`) where one of these lines, each with its offset, is a sound event that the log does not have."""
    for chunk in batches(lines, CHUNK):
        sound = {stated: offset for offset, line in chunk if (stated := _sound(line.rstrip(b"\n")))}
        lost = sound.keys() - log.positions(list(sound)).keys()
        if lost:
            first = min(lost, key=sound.__getitem__)
            message = f"event {first[:12]}, at byte {sound[first]:,} of {path}, is not in the log; it was left as it is"
            raise Refusal("corrupt", message, f"`crewlog import {path}` takes it in.", path=path)


def _sound(line: bytes) -> str:
    """The id of an event that is what it says, or ""."""
    stated = stated_id(line)
    return stated if stated and id_of(line) == stated else ""
