"""What changed since a moment, or since one looked last: completed, failed and why, cancelled, spawned."""

from __future__ import annotations

import os
from typing import Any

from cli.call import Call
from cli.files import is_count, read_private, write_private
from cli.moments import moment
from domain.blobs import preview
from domain.refusals import Refusal
from domain.task import CANCELLED, COMPLETED, FAILED

FOLDER = "looked"
NOBODY = "_"
MOST = 50
_ENDS = {"task.merged": COMPLETED, "task.failed": FAILED, "task.expired": FAILED, "task.cancelled": CANCELLED}


def starting_point(call: Call, since: str) -> int:
    """The position behind which is new: of a time, or for `last` where this name looked last."""
    if since != "last":
        return call.store.log.position_at(moment(since, call.shell.clock()))
    text = read_private(_path(call)).strip()
    return int(text) if is_count(text) else 0


def looked(call: Call, position: int) -> None:
    """Remember how far this name has looked. Only a memory of this machine: where it cannot be kept, nothing is lost."""
    try:
        os.makedirs(call.store.path(FOLDER), mode=0o700, exist_ok=True)
        write_private(_path(call), f"{position}\n")
    except (OSError, Refusal):
        return


def _path(call: Call) -> str:
    who = call.who()
    return os.path.join(call.store.path(FOLDER), who.name if who else NOBODY)


def changes(call: Call, position: int) -> dict[str, Any]:
    """Tasks that were spawned or came to rest behind a position, and rest still: the newest of each, and how many."""
    from projections.graph import nodes

    spawned: dict[str, None] = {}
    imported: dict[str, None] = {}
    ended: dict[str, tuple[str, str, str]] = {}
    log = call.store.log
    behind = position
    while rows := log.read(behind):
        behind = rows[-1].position
        for event in (row.event for row in rows):
            if event.type == "task.imported":
                imported[event.subject] = None
            elif event.type == "task.spawned":
                spawned[event.subject] = None
            elif event.type in _ENDS:
                why = preview(event.payload.get("reason") or event.payload.get("why"))
                ended[event.subject] = (_ENDS[event.type], event.sender, why)
    connection = call.store.views.connection
    now = {row["id"]: row for row in nodes(connection, [*{**spawned, **imported, **ended}])}
    found: dict[str, Any] = {"position": position}
    for word, state in (("completed", COMPLETED), ("failed", FAILED), ("cancelled", CANCELLED)):
        ids = [
            task for task, end in ended.items() if end[0] == state and now.get(task, {}).get("state") == state
        ]
        found[word] = {"count": len(ids), "tasks": [_ended(now[task], ended[task]) for task in ids[-MOST:]]}
    ids = [task for task in spawned if task in now]
    found["spawned"] = {"count": len(ids), "tasks": [_brief(now[task]) for task in ids[-MOST:]]}
    at_rest = [task for task in imported if now.get(task, {}).get("state") == COMPLETED]
    found["imported"] = {"count": len(imported), "completed": len(at_rest)}
    return found


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "title", "state")}


def _ended(row: dict[str, Any], end: tuple[str, str, str]) -> dict[str, Any]:
    return {**_brief(row), "by": end[1], "reason": end[2]}
