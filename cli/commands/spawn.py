"""`spawn`: create tasks."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import LabelsOption, anyone_or_name, checked_priority, checked_title, text_from, values
from cli.call import Call
from cli.completion import complete_name, complete_task
from cli.grammar import command
from cli.writes import answer
from domain.names import check_label, check_slug
from domain.refusals import Refusal
from domain.registry import LABELS_LIMIT, PRIORITY_DEFAULT


@command(
    "spawn",
    'crewlog spawn "Greet by name" -p 1 --to ada --label type:feature\ncrewlog spawn --from tasks.jsonl',
    writes=True,
)
def spawn(
    call: Call,
    title: Annotated[
        str | None,
        typer.Argument(metavar="[TITLE]", help="What is to be done, in one line.", show_default=False),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option(
            "--body", "-b", help="All that the worker must know; - reads stdin.", show_default=False
        ),
    ] = None,
    priority: Annotated[int, typer.Option("--priority", "-p", help="0 (first) to 9.")] = PRIORITY_DEFAULT,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NAME", help="For whom.", autocompletion=complete_name, show_default="anyone"
        ),
    ] = None,
    label: LabelsOption = None,
    slug: Annotated[str | None, typer.Option("--slug", help="An alias to type.", show_default=False)] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(
            "--after",
            metavar="TASK",
            help="A task that must be completed first; may be repeated.",
            autocompletion=complete_task,
            show_default=False,
        ),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(
            "--parent",
            metavar="TASK",
            help="The task that it is a part of.",
            autocompletion=complete_task,
            show_default=False,
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="Many tasks as JSON lines; - reads stdin.", show_default=False
        ),
    ] = None,
) -> None:
    """Create a task for a name or for anyone. No process is started.

    With --from FILE each line is an object: title, and if wanted body, priority, to, labels, slug, after, parent.
    `after` and `parent` name slugs of lines in the file, or tasks that exist. All are created together, or none.
    """
    from domain.commands import Spawn
    from domain.decide import spawn as decided

    if from_ is not None:
        from cli.commands.spawn_many import spawn_many

        if title is not None or priority != PRIORITY_DEFAULT or any((body, to, label, slug, after, parent)):
            raise Refusal(
                "usage", "with --from everything stands in the file", "crewlog spawn --from tasks.jsonl"
            )
        spawn_many(call, from_)
        return
    if title is None:
        raise Refusal("usage", "a task needs a title", 'Example: crewlog spawn "Greet by name" -p 1')
    wanted = Spawn(
        actor=call.actor,
        title=checked_title(title),
        priority=checked_priority(priority),
        body=text_from(call, body, "body"),
        assignee=anyone_or_name(to),
        labels=checked_labels(values(label)),
        slug=check_slug(slug) if slug is not None else None,
        after=tuple(call.task(text) for text in values(after)),
        parent=call.task(parent) if parent is not None else None,
    )
    texts = (wanted.title, wanted.body)
    with call.writing(texts) as transaction:
        for other in (*wanted.after, *([wanted.parent] if wanted.parent else [])):
            call.state_of(other)
        if wanted.parent and wanted.after:
            from cli.linking import check_part

            check_part(call, wanted.parent, wanted.after)
        written = transaction.append(
            None,
            wanted.actor,
            call.marked(lambda _: decided(wanted), texts),
            retry=call.retry("Spawn", title=wanted.title),
        )
    call.answer(answer(call, written))


def checked_labels(labels: list[str]) -> tuple[str, ...]:
    """The labels without repetition; refused where one is none, or where there are too many."""
    unique = tuple(dict.fromkeys(check_label(label) for label in labels))
    if len(unique) > LABELS_LIMIT:
        raise Refusal(
            "bad-value", f"{len(unique)} labels; the limit is {LABELS_LIMIT}", "Fewer labels say more."
        )
    return unique
