"""Notices: what is new for who gives this command, at most three lines, each told once.

How far a name was told is kept in `.crewlog/told/NAME`. It is only a memory of this machine: without it a notice is
told again, and nothing else is lost.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from cli.files import is_count, read_private, write_private
from cli.output import UNREAD
from cli.text import cut, safe_line
from domain.blobs import preview
from domain.named import NamedTuple

if TYPE_CHECKING:
    from cli.store import Store

LINES = 3
LOOKED_AT = 50  # of each kind
WIDTH = 80
FOLDER = "told"


class Told(NamedTuple):
    """Up to which position of the log a name was told, and how many unread messages it had then."""

    position: int
    unread: int


def news(store: Store, name: str, shown: Collection[str] = ()) -> list[str]:
    """What the name was not told yet, and is not `shown` by the answer itself; from now on it counts as told."""
    from projections.folding import checkpoint
    from projections.mail_pages import answers_for, delivered_since, unread_count
    from projections.notices import behind, lost

    try:
        store.views.catch_up(wait=False)
        connection = store.views.connection
        told = _told(store, name)
        lines = [notice.text for notice in behind(connection, name, told.position, store.session, LOOKED_AT)]
        answers = answers_for(connection, name, told.position, LOOKED_AT)
        lines += [_answered(row) for row in answers if row["id"] not in shown]
        lines += _all_lost(store, lost(connection, name, told.position, LOOKED_AT))
        came = [row for row in delivered_since(connection, name, told.position) if row["acked"] is None]
        unread = unread_count(connection, name) if came else told.unread
        if UNREAD not in shown and _matters(
            [row for row in came if row["id"] not in shown], unread, told.unread
        ):
            lines = [*_at_most(LINES - 1, lines), f"{unread} unread: `crewlog inbox`"]
        lines = _at_most(LINES, lines)
        if lines or (shown and (answers or came)):
            _tell(store, name, Told(checkpoint(connection).position, unread))
    except Exception:  # noqa: BLE001 - a command that is done must not fail for what it would have said beside its answer
        return []
    return lines


def _at_most(number: int, lines: list[str]) -> list[str]:
    """The newest ones; for those left out one that says so, since they are not told again."""
    if len(lines) <= number:
        return lines
    left = len(lines) - number + 1
    return [f"{left} more: `crewlog whoami` says what you hold, `crewlog log` what happened", *lines[left:]]


def _matters(came: list[dict[str, Any]], unread: int, told: int) -> bool:
    """True if mail that came is to be told.

    Somebody waits for it, there is twice as much as when it was told last, or the name has looked since. Else who listens
    to a busy channel would read of it with each command.
    """
    if not came:
        return False
    return any(row["question"] or row["needs_ack"] for row in came) or unread >= 2 * told or unread <= told


def _answered(row: dict[str, Any]) -> str:
    return f"{row['from']} answered {row['message']}: {cut(safe_line(preview(row['text'])), WIDTH)}"


def _all_lost(store: Store, found: list[tuple[str, list[str]]]) -> list[str]:
    """A line for each; of those that cannot be among the newest ones it will only be said how many they are."""
    unseen = ["" for _ in found[:-LINES]]
    return unseen + [_lost(store, task, conflicts) for task, conflicts in found[-LINES:]]


def _lost(store: Store, task: str, conflicts: list[str]) -> str:
    """Histories met, and another clone's came first: what the name did is kept, and there is a way out."""
    from domain.task import TAKING, claim_of

    state = store.log.state(f"task/{task}")
    types = {event.type for event in map(store.log.event, conflicts) if event}
    claim = claim_of(state) if state else None
    what = f"what you did to {task} ({', '.join(sorted(types))}) lost to another clone's work"
    if types & TAKING:
        what = f"your claim on {task} lost to another clone's: {f'{claim.holder} holds it' if claim else state.state}"
    return f"{what}; nothing is gone: `crewlog conflicts {task}`"


def _told(store: Store, name: str) -> Told:
    numbers = read_private(os.path.join(store.folder, FOLDER, name)).split()
    return Told(*map(int, numbers)) if len(numbers) == 2 and all(map(is_count, numbers)) else Told(0, 0)


def _tell(store: Store, name: str, told: Told) -> None:
    folder = os.path.join(store.folder, FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    write_private(os.path.join(folder, name), f"{told.position} {told.unread}\n")
