"""`log`: what happened."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import LimitOption
from cli.call import Call
from cli.completion import complete_task
from cli.events import event_line
from cli.grammar import command
from domain.event import Event, parse
from domain.refusals import Refusal


@command("log", "crewlog log t-3k9f\ncrewlog log -n 20 --json", looks=True)
def log(
    call: Call,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK]",
            help="Id, unique prefix or slug; without it the whole log.",
            autocompletion=complete_task,
            show_default=False,
        ),
    ] = None,
    limit: LimitOption = 50,
    after: Annotated[
        int | None,
        typer.Option("--after", min=0, help="The events behind this position.", show_default=False),
    ] = None,
) -> None:
    """Print what happened to a task, or in the whole log. Oldest first; with --json the events as stored."""
    events = _of_task(call, task, limit) if task is not None else _of_all(call, limit, after)
    print_events(call, events)


def print_events(call: Call, events: list[Event]) -> None:
    """One event a line: as stored, as an id, or for people."""
    for event in events:
        if call.options.json:
            print(event.line.decode(), file=call.shell.stdout)
        else:
            print(event.id if call.options.quiet else event_line(event), file=call.shell.stdout)


def _of_task(call: Call, task: str, limit: int) -> list[Event]:
    name = call.task(task)
    events = call.store.log.stream(f"task/{name}")
    if not events:
        raise Refusal("not-found", f"there is no task {name}", "`crewlog list` shows the tasks.", task=name)
    if len(events) > limit:
        call.shell.remark(f"the last {limit} of {len(events)} events; --limit {len(events)} shows all")
    return events[-limit:]


def _of_all(call: Call, limit: int, after: int | None) -> list[Event]:
    log = call.store.log
    newest = log.position()
    start = max(0, newest - limit) if after is None else after
    if after is None and newest > limit:
        call.shell.remark(f"the last {limit} of {newest:,} events; --limit and --after show others")
    return [parse(row.state) for row in log.lines(start, limit)]
