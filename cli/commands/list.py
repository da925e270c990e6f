"""`list`: tasks by state, holder, assignee, label."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import CursorOption, LabelsOption, LimitOption, values
from cli.call import Call
from cli.completion import complete_name
from cli.grammar import command
from cli.tables import page_answer
from domain.names import check_name
from domain.refusals import Refusal
from domain.task import STATES

OPEN = "open"


@command(
    "list",
    "crewlog list --state WORKING,IN_REVIEW\ncrewlog list --assignee ada --label type:bug --json",
    looks=True,
)
def list_(
    call: Call,
    state: Annotated[
        str,
        typer.Option(
            "--state", "-s", metavar="STATES", help="States with commas, or `open`.", show_default=False
        ),
    ] = "",
    holder: Annotated[
        str | None,
        typer.Option(
            "--holder", metavar="NAME", autocompletion=complete_name, help="Who holds it.", show_default=False
        ),
    ] = None,
    assignee: Annotated[
        str | None,
        typer.Option(
            "--assignee",
            metavar="NAME",
            autocompletion=complete_name,
            help="For whom it is; `anyone` for nobody's.",
            show_default=False,
        ),
    ] = None,
    label: LabelsOption = None,
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    fields: Annotated[
        str, typer.Option("--fields", metavar="A,B", help="Only these fields (JSON).", show_default=False)
    ] = "",
) -> None:
    """List tasks by priority and age. Filters go together: a task must pass all of them."""
    from projections.task_pages import TaskFilter, page

    wanted = TaskFilter(
        states=_states(state),
        holder=check_name(holder) if holder is not None else None,
        assignee="" if assignee == "anyone" else check_name(assignee) if assignee is not None else None,
        labels=tuple(values(label)),
    )
    views = call.store.views
    views.catch_up()
    found = page(views.connection, wanted, limit, cursor)
    answered = page_answer(call, found, [name for name in fields.split(",") if name])
    if assignee and not found.rows:
        from projections.task_pages import assignees_ending

        near = assignees_ending(views.connection, assignee)
        if near:
            told = f"names that end so: {', '.join(near)}"
            answered = answered._replace(remarks=[*answered.remarks, told])
    call.answer(answered)


def _states(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for word in (part.strip() for part in text.split(",")):
        if word.lower() == OPEN:
            names += [name for name in STATES if name not in ("COMPLETED", "CANCELLED")]
        elif word.upper().replace("-", "_") in STATES:
            names.append(word.upper().replace("-", "_"))
        elif word:
            raise Refusal(
                "bad-value", f"there is no state {word[:40]!r}", f"States: {', '.join(STATES)}; or `open`."
            )
    return tuple(dict.fromkeys(names))
