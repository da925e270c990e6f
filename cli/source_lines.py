"""What another tool says of an imported task, in lines for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cli.style import Style
from domain.task import AFTER, PARENT, RELATES


def source_line(style: Style, shown: dict[str, Any]) -> str | None:
    """`beads bd-dgp, closed; made 2026-02-28T03:42:10Z by mayor` for a task that began in another tool."""
    source = shown["source"]
    if not source:
        return None
    by = f" by {source['by']}" if source["by"] else ""
    made = f"made {style.when(shown['created'])}{by}, changed {style.when(shown['updated'])}"
    taken = f"imported {style.when(source['imported'])} by {shown['spawner']}"
    return f"{source['system']} {source['id']}, {source['status']}; {made}; {taken}"


def assignee_line(shown: dict[str, Any]) -> str:
    """For whom it is, and what its source calls them where that is no name of ours."""
    assignee = shown["assignee"] or "anyone"
    original = shown["source"]["assigned"] if shown["source"] else ""
    return f"{assignee}, in the source {original}" if original and original != assignee else assignee


def other_links_line(shown: dict[str, Any], named: Callable[[Sequence[str]], str]) -> str:
    """Links of a source for which there is no word of ours: `tracks bd-1`."""
    others = [link for link in shown["links"] if link["kind"] not in (AFTER, PARENT, RELATES)]
    return ", ".join(f"{link['kind']} {named([link['to']])}" for link in others)
