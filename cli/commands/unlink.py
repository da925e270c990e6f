"""`unlink`: take links off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.arguments import TaskArg
from cli.call import Call
from cli.grammar import command
from cli.linking import (
    AfterOption,
    BlocksOption,
    ParentOption,
    RelatesOption,
    Wanted,
    each_link,
    wanted_links,
)

if TYPE_CHECKING:
    from domain.log import Written


@command("unlink", "crewlog unlink t-3k9f --blocks t-8hq2 --as zoe", writes=True)
def unlink(
    call: Call,
    task: TaskArg = None,
    blocks: BlocksOption = None,
    after: AfterOption = None,
    parent: ParentOption = None,
    relates: RelatesOption = None,
) -> None:
    """Take links off. Only those that are there now: a link that another clone made meanwhile stays."""
    from domain.commands import Unbind

    def one(wanted: Wanted) -> Written:
        return call.write(wanted.task, Unbind(call.actor, wanted.kind, wanted.to))

    links = wanted_links(call, "unlink", task, blocks, after, parent, relates)
    each_link(call, links, one, done="unlinked", nothing="is not linked")
