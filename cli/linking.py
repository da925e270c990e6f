"""Linking and unlinking: which option means which link, the search for circles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.call import Call
from cli.completion import complete_task
from cli.each import several
from cli.output import Answer
from cli.writes import answer
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.task import AFTER, PARENT, RELATES

if TYPE_CHECKING:
    from domain.log import Written

BlocksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--blocks",
        metavar="TASK",
        help="The other one waits for this one; may be repeated.",
        autocompletion=complete_task,
        show_default=False,
    ),
]
AfterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        metavar="TASK",
        help="This one waits for the other; may be repeated.",
        autocompletion=complete_task,
        show_default=False,
    ),
]
ParentOption = Annotated[
    str | None,
    typer.Option(
        "--parent",
        metavar="TASK",
        help="This one is a part of the other.",
        autocompletion=complete_task,
        show_default=False,
    ),
]
RelatesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--relates",
        metavar="TASK",
        help="They have to do with each other; may be repeated.",
        autocompletion=complete_task,
        show_default=False,
    ),
]


class Wanted(NamedTuple):
    """A link that is asked for: `task` is the one that has it."""

    task: str
    kind: str
    to: str

    def __str__(self) -> str:
        return f"{self.task} {self.kind} {self.to}"


def wanted_links(
    call: Call,
    command: str,
    task: str | None,
    blocks: Sequence[str] | None,
    after: Sequence[str] | None,
    parent: str | None,
    relates: Sequence[str] | None,
) -> list[Wanted]:
    """What the options ask for; refused (`usage`) where that is nothing."""
    given = [(AFTER, text) for text in after or ()]
    given += [(PARENT, parent)] if parent is not None else []
    given += [(RELATES, text) for text in relates or ()]
    if not blocks and not given:
        raise Refusal("usage", "which link?", f"Example: crewlog {command} t-3k9f --after t-8hq2")
    name = call.task(task)
    found = [Wanted(call.task(text), AFTER, name) for text in blocks or ()]
    return found + [Wanted(name, kind, _other_end(call, name, text)) for kind, text in given]


def _other_end(call: Call, task: str, text: str) -> str:
    """The task that is meant; or, of a link that an import made, the id of something that is not here."""
    try:
        return call.task(text)
    except Refusal:
        state = call.store.log.state(f"task/{task}")
        if state and any(link.to == text for link in state.card.links):
            return text
        raise


def each_link(
    call: Call, links: Sequence[Wanted], write: Callable[[Wanted], Written], *, done: str, nothing: str
) -> None:
    """Write for every link, each judged alone, and answer: what was `done` to it, or why there was `nothing` to do."""
    by_name = {str(link): link for link in links}

    def one(text: str | None) -> Answer:
        written = write(by_name[text or ""])
        said = [f"  {done}: {text}"] if written.events else []
        return answer(call, written, said=said, nothing=f"nothing to do: {text} {nothing}")

    several(call, "task", list(by_name), one)


def check_link(call: Call, link: Wanted) -> None:
    """Under the writers' turn: refuse a link to a task that is not here, and one that would close a circle.

    Nothing that the views say can be stale here: nobody else writes while the turn is held.
    """
    call.state_of(link.to)
    if link.kind == RELATES or link.task == link.to:
        return
    from projections.graph import path, waits

    views = call.store.views
    views.catch_up()
    way = path(views.connection, link.to, link.task, link.kind)
    if way:
        raise _circle(link.task, way, " waits for " if link.kind == AFTER else " is part of ")
    # An epic waits for its parts, so that a part that waits for its epic would wait for ever.
    late, early = (link.task, link.to) if link.kind == AFTER else (link.to, link.task)
    way = waits(views.connection, early, late)
    if way:
        raise _circle(late, way, " waits for ")


def check_part(call: Call, epic: str, after: Sequence[str]) -> None:
    """Refuse a new part that would wait for its own epic, which waits for its parts."""
    from projections.graph import waits

    views = call.store.views
    views.catch_up()
    for other in after:
        way = waits(views.connection, other, epic)
        if way:
            raise _circle(f"{epic} waits for this part", way, " waits for ")


def _circle(first: str, way: Sequence[str], word: str) -> Refusal:
    hint = f"`crewlog graph {way[0]}` shows how they hang together."
    return Refusal("circle", f"that closes a circle: {word.join([first, *way])}", hint, path=way)
