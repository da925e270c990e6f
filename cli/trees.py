"""A graph of tasks as an indented tree, in which each task stands once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cli.call import Call
from cli.output import Columns
from cli.style import Style
from cli.tables import task_cells
from domain.task import COMPLETED

Node = dict[str, Any]

PART, THEN = "─ ", "▷ "


def tree(call: Call, nodes: Sequence[Node], chosen: str | None = None) -> list[str]:
    """The lines: parts under their epic, else a task under the first thing that it waits for."""
    style = call.style()
    columns = Columns(style.room)
    for node, lead in _walk(nodes):
        columns.add(*_cells(call, style, node, lead, chosen))
    return columns.lines()


def _walk(nodes: Sequence[Node]) -> Iterator[tuple[Node, str]]:
    """Each node once, with what is drawn before it. Without recursion: a chain may be longer than Python's stack."""
    by_id = {node["id"]: node for node in nodes}
    under: dict[str | None, list[Node]] = {}
    for node in nodes:
        under.setdefault(_place(node, by_id), []).append(node)
    drawn: set[str] = set()
    # What is in a circle hangs under no root: the nodes behind the roots.
    stack = [(node, "", "") for node in reversed([*under.get(None, ()), *nodes])]
    while stack:
        node, lead, indent = stack.pop()
        if node["id"] in drawn:
            continue
        drawn.add(node["id"])
        yield node, lead
        below = [child for child in under.get(node["id"], ()) if child["id"] not in drawn]
        for place, child in reversed([*enumerate(below, 1)]):
            last = place == len(below)
            mark = PART if child["parent"] == node["id"] else THEN
            stack.append((child, indent + ("└" if last else "├") + mark, indent + ("   " if last else "│  ")))


def _place(node: Node, by_id: dict[str, Node]) -> str | None:
    """What the node is drawn under."""
    if node["parent"] in by_id:
        return str(node["parent"])
    known = [other for other in node["after"] if other in by_id]
    return next((other for other in known if by_id[other]["state"] != COMPLETED), known[0] if known else None)


def _cells(call: Call, style: Style, node: Node, lead: str, chosen: str | None) -> tuple[str, ...]:
    name, *others, title = task_cells(call, style, node)
    after = f"  after {' '.join(node['after'])}" if node["after"] else ""
    mark = " ◀" if node["id"] == chosen else ""
    return f"{lead}{name}{mark}", *others, title + after
