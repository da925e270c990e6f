"""`ready`: what can be started now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.arguments import CursorOption, LimitOption
from cli.call import Call, Who
from cli.grammar import command
from cli.output import Answer
from cli.tables import page_answer
from cli.text import safe_line


@command("ready", "crewlog ready --as ada")
def ready(
    call: Call,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say of every waiting task why it is not ready.", show_default=False),
    ] = False,
    limit: LimitOption = 50,
    cursor: CursorOption = "",
) -> None:
    """List the tasks that can be started, best first. Yours and anyone's; all of them where nobody asks by name."""
    from projections import task_pages

    views = call.store.views
    views.catch_up()
    who = call.who()
    found = task_pages.ready(views.connection, who.name if who else None, limit, cursor)
    answer = page_answer(call, found)
    call.answer(_explained(call, answer, who, limit) if explain else answer)


def _explained(call: Call, answer: Answer, who: Who | None, limit: int) -> Answer:
    from projections.task_pages import TaskFilter, page
    from projections.tasks import why_not_ready

    connection = call.store.views.connection
    waiting: list[dict[str, Any]] = []
    for row in page(connection, TaskFilter(states=("ASSIGNED",)), limit).rows:
        why = why_not_ready(connection, row["id"])
        if who and row["assignee"] not in (None, who.name):
            why.append(f"It is for {row['assignee']}.")
        if why:
            waiting.append({"id": row["id"], "title": row["title"], "why": why})
    lines = [f"{row['id']}  not ready: {safe_line(' '.join(row['why']))}" for row in waiting]
    return Answer({**answer.data, "waiting": waiting}, [*answer.lines, *lines], answer.ids, answer.remarks)
