"""`link`: bind tasks to each other."""

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
    check_link,
    each_link,
    wanted_links,
)

if TYPE_CHECKING:
    from domain.log import Written


@command(
    "link", "crewlog link t-3k9f --blocks t-8hq2\ncrewlog link t-8hq2 --parent t-5rel --as zoe", writes=True
)
def link(
    call: Call,
    task: TaskArg = None,
    blocks: BlocksOption = None,
    after: AfterOption = None,
    parent: ParentOption = None,
    relates: RelatesOption = None,
) -> None:
    """Say that a task waits for another one, is a part of it, or has to do with it.

    `ready` leaves out what waits. What would wait for itself is refused. A new parent takes the place of the old one.
    """
    from domain.commands import Bind

    def one(wanted: Wanted) -> Written:
        with call.store.log.turn():
            check_link(call, wanted)
            return call.write(wanted.task, Bind(call.actor, wanted.kind, wanted.to))

    links = wanted_links(call, "link", task, blocks, after, parent, relates)
    each_link(call, links, one, done="linked", nothing="is linked already")
