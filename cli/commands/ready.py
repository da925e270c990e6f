"""`ready`: what can be started now."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import CursorOption, LimitOption
from cli.call import Call, Who
from cli.grammar import command
from cli.output import Answer, Columns
from cli.tables import named, page_answer
from cli.text import safe_line

if TYPE_CHECKING:
    import sqlite3

PAGE = 1_000


@command("ready", "crewlog ready --as ada", looks=True)
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
    from projections.task_pages import ready as free
    from projections.tasks import counts

    connection = call.store.views.connection
    found = [*islice(_waiting(connection, who), limit)]
    all_free = free(connection, who.name if who else None, 0).more
    more = counts(connection)["ASSIGNED"] - all_free - len(found)
    waiting = [{"id": row["id"], "title": row["title"], "why": why} for row, why in found]
    lines = [line for row, why in found for line in _told(call, row, why)]
    remarks = [f"{more} more are not ready: --limit {more + len(found)}"] if more else []
    data = {**answer.data, "waiting": waiting, "waiting_more": more}
    return Answer(data, [*answer.lines, *lines], answer.ids, [*answer.remarks, *remarks])


def _told(call: Call, row: dict[str, Any], why: list[str]) -> list[str]:
    """Which task it is, and below that why it is not ready."""
    columns = Columns(call.style().room)
    columns.add(row["id"], "not ready", named(row))
    return [*columns.lines(), *(f"    {safe_line(reason)}" for reason in why)]


def _waiting(connection: sqlite3.Connection, who: Who | None) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """The tasks that could be started if nothing were in the way, each with what is."""
    from projections.task_pages import TaskFilter, page
    from projections.tasks import why_not_ready

    cursor = ""
    while True:
        found = page(connection, TaskFilter(states=("ASSIGNED",)), PAGE, cursor)
        for row in found.rows:
            why = why_not_ready(connection, row["id"])
            if who and row["assignee"] not in (None, who.name):
                why.append(f"It is for {row['assignee']}.")
            if why:
                yield row, why + _circle(connection, row["id"])
        cursor = found.cursor
        if not cursor:
            return


def _circle(connection: sqlite3.Connection, task: str) -> list[str]:
    """What to do where a merge of clones made the task wait for itself."""
    from projections.graph import circle

    way = circle(connection, task)
    if not way:
        return []
    return [
        f"It waits for itself: {' → '.join(way)}; `crewlog unlink {way[0]} --after {way[1]}` opens the circle."
    ]
