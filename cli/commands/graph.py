"""`graph`: how tasks hang together, as a tree."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import OptionalTaskArg
from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line
from domain.task import AFTER, PARENT


@command("graph", "crewlog graph\ncrewlog graph t-3k9f --json", looks=True)
def graph(
    call: Call,
    task: OptionalTaskArg = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="How many at most.")] = 200,
) -> None:
    """Draw what waits for what and what is part of what: all that is open, or all around one task.

    Parts stand under their epic, else a task stands under what it waits for. Circles, which only a merge of clones
    can make, are named.
    """
    from cli.trees import tree
    from projections import graph as view

    views = call.store.views
    name = call.task(task) if task is not None else None
    views.catch_up()
    connection = views.connection
    if name:
        call.state_of(name)
    ids = view.around(connection, name, limit + 1) if name else view.hanging(connection, limit + 1)
    nodes = view.nodes(connection, ids[:limit])
    circles = view.circles(connection, AFTER) + view.circles(connection, PARENT)
    more = int(len(ids) > limit)
    remarks = [f"a circle: {safe_line(' → '.join(way))}; `crewlog unlink` opens it" for way in circles]
    if more:
        remarks.append(f"there are more: --limit {limit * 10}")
    if not nodes:
        remarks.append("nothing hangs together")
    data = {"tasks": nodes, "circles": circles, "more": more}
    call.answer(Answer(data, tree(call, nodes, name), [node["id"] for node in nodes], remarks))
