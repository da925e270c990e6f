"""`edit`: change what a task says."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import LabelsOption, TaskArg, checked_priority, checked_title, text_from, values
from cli.call import Call
from cli.commands.spawn import checked_labels
from cli.grammar import command
from cli.writes import answer
from domain.names import check_slug
from domain.refusals import Refusal


@command("edit", "crewlog edit t-3k9f -p 0 --label urgent --remove-label later --as zoe", writes=True)
def edit(
    call: Call,
    task: TaskArg = None,
    title: Annotated[str | None, typer.Option("--title", help="The new title.", show_default=False)] = None,
    body: Annotated[
        str | None, typer.Option("--body", "-b", help="The new body; - reads stdin.", show_default=False)
    ] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", "-p", help="0 (first) to 9.", show_default=False)
    ] = None,
    slug: Annotated[str | None, typer.Option("--slug", help="The new alias.", show_default=False)] = None,
    label: LabelsOption = None,
    remove_label: Annotated[
        list[str] | None,
        typer.Option("--remove-label", metavar="LABEL", help="Take a label off.", show_default=False),
    ] = None,
) -> None:
    """Change title, body, priority, slug or labels. What you leave out stays."""
    from domain.commands import Edit

    if all(value in (None, []) for value in (title, body, priority, slug, label, remove_label)):
        raise Refusal("usage", "edit what?", "Example: crewlog edit t-3k9f -p 0 --label urgent")
    name = call.task(task)
    wanted = Edit(
        call.actor,
        title=checked_title(title) if title is not None else None,
        body=text_from(call, body, "body") if body is not None else None,
        priority=checked_priority(priority) if priority is not None else None,
        slug=check_slug(slug) if slug is not None else None,
        add_labels=checked_labels(values(label)),
        remove_labels=tuple(values(remove_label)),
    )
    texts = [title, wanted.body if isinstance(wanted.body, str) else None]
    call.answer(answer(call, call.write(name, wanted, texts=texts)))
