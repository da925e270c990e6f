"""`log`: what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from cli.arguments import LimitOption, OptionalTaskArg, UtcOption
from cli.call import Call
from cli.events import event_cells, event_table
from cli.grammar import command
from domain.event import Event, parse
from domain.refusals import Refusal


@command("log", "crewlog log t-3k9f\ncrewlog log -n 20 --json", looks=True)
def log(
    call: Call,
    task: OptionalTaskArg = None,
    limit: LimitOption = 50,
    after: Annotated[
        int | None,
        typer.Option("--after", min=0, help="The events behind this position.", show_default=False),
    ] = None,
    utc: UtcOption = False,
) -> None:
    """Print what happened to a task, or in the whole log. Oldest first; with --json the events as stored."""
    events = _of_task(call, task, limit) if task is not None else _of_all(call, limit, after)
    if not events:
        call.shell.remark(_nothing(call, after))
    event_printer(call, utc=utc)(events)


def _nothing(call: Call, after: int | None) -> str:
    if after:
        return f"no events behind position {after:,}: the newest is {call.store.log.position():,}"
    return "no events yet" if call.options.at is None else "no events: nothing had happened by then"


def event_printer(call: Call, *, utc: bool) -> Callable[[Sequence[Event]], None]:
    """What prints events, one a line: as stored, as an id, or for people; later ones line up with earlier ones."""
    style = call.style(utc=utc)
    table = event_table(style)

    def lines(events: Sequence[Event]) -> list[str]:
        if call.options.json:
            return [event.line.decode() for event in events]
        if call.options.quiet:
            return [event.id for event in events]
        for event in events:
            table.add(*event_cells(style, event))
        return table.lines()

    def show(events: Sequence[Event]) -> None:
        for line in lines(events):
            print(line, file=call.shell.stdout)

    return show


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
