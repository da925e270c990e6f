"""`merge`: bring approved work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.arguments import TasksArg, values
from cli.call import Call
from cli.each import each
from cli.grammar import command

if TYPE_CHECKING:
    from domain.log import Written


@command("merge", "crewlog merge t-3k9f --as zoe", writes=True)
def merge(call: Call, tasks: TasksArg = None) -> None:
    """Complete approved tasks. Merging one that is COMPLETED does nothing."""
    from domain.commands import Merge

    def one(task: str) -> Written:
        return call.write(task, Merge(call.actor))

    each(call, values(tasks) or [None], one)
