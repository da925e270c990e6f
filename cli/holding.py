"""What a name has here: the tasks that it holds, the folder that each is worked on in, the mail that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cli.binding import bound_worktrees
from cli.call import Call

Row = dict[str, Any]


def held(call: Call, name: str, wanted: Callable[[Row], bool] = bool) -> list[Row]:
    """The tasks that the name holds, WORKING first, each with `dir`: its worktree, None where none is bound to its claim.

    Found from any directory: the bindings lie in the repository, not in the worktrees. `wanted` chooses among the tasks.
    """
    from projections.tasks import held_by

    call.store.views.catch_up()
    rows = [row for row in held_by(call.store.views.connection, name) if wanted(row)]
    folders = _folders(call) if rows else {}
    return [{**row, "dir": folders.get(row["claim"])} for row in rows]


def _folders(call: Call) -> dict[str, str]:
    """The worktree that each claim is bound to: in the repository of the store, and in the one around, if another."""
    places = {git.common_dir: git for git in (call.git, call.code) if git}
    return {
        bound.claim: worktree
        for git in places.values()
        for worktree, bound in bound_worktrees(git)
        if bound.claim and bound.store in ("", call.located.path)
    }


def unread(call: Call, name: str, limit: int) -> tuple[list[Row], int]:
    """The oldest messages to the name that it has not acked, and how many there are in all; as of `held`, asked before."""
    from projections.mail_pages import inbox

    found = inbox(call.store.views.connection, name, limit)
    return found.rows, len(found.rows) + found.more
