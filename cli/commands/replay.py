"""`replay`: what happened, with the state before and after each event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.arguments import UtcOption
from cli.call import Call
from cli.completion import complete_name, complete_task
from cli.events import event_line
from cli.grammar import command
from cli.output import json_text
from domain.names import check_name
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.style import Style
    from domain.event import Event
    from domain.log import Log
    from domain.task import Task

CHUNK = 1_000


@command("replay", "crewlog replay --task t-3k9f\ncrewlog replay --agent ada --json", looks=True)
def replay(
    call: Call,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="TASK", help="Only this one.", autocompletion=complete_task, show_default=False
        ),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            "--agent", metavar="NAME", help="Only hers.", autocompletion=complete_name, show_default=False
        ),
    ] = None,
    step: Annotated[
        bool, typer.Option("--step", help="Wait for Enter after each event.", show_default=False)
    ] = False,
    utc: UtcOption = False,
) -> None:
    """Print what happened to tasks, with the state before and after each event, in the order that every clone folds.

    An event that another clone's history left no room for is marked `conflict`, and changes nothing.
    """
    name = check_name(agent) if agent is not None else None
    log = call.store.log
    streams = [f"task/{call.task(task)}"] if task is not None else _streams(log)
    shown, style = 0, call.style(utc=utc)._replace(colour=False)
    for row in (row for stream in streams for row in _rows(log, stream)):
        if name is not None and row["event"].sender != name:
            continue
        _print(call, style, row)
        shown += 1
        if step:
            call.shell.stdin.readline()
    if not shown:
        if task is not None and agent is None:
            raise Refusal("not-found", f"there is no task {task}", "`crewlog list` shows the tasks.")
        call.shell.remark("nothing happened")


def _streams(log: Log) -> Iterator[str]:
    """The tasks, in the order in which they came."""
    position, seen = 0, set[str]()
    while rows := log.lines(position, CHUNK):
        position = rows[-1].id
        for row in rows:
            stream = str(row.stream)
            if stream.startswith("task/") and stream not in seen:
                seen.add(stream)
                yield stream


def _rows(log: Log, stream: str) -> Iterator[dict[str, Any]]:
    from domain.history import step
    from domain.log import FOLDS

    folded, state = log.history(stream), None
    for event in folded.order:
        before = state
        state, _ = step(FOLDS["task"], state, event)
        yield {
            "event": event,
            "disposition": folded.dispositions[event.id],
            "before": _said(before),
            "after": _said(state),
        }


def _said(state: Task | None) -> dict[str, Any] | None:
    """A state, as short as one can say it."""
    from domain.task import claim_of

    if state is None:
        return None
    claim = claim_of(state)
    return {"state": state.state, "holder": claim.holder if claim else None, "assignee": state.card.assignee}


def _print(call: Call, style: Style, row: dict[str, Any]) -> None:
    event: Event = row["event"]
    if call.options.json:
        print(json_text({**row, "event": orjson.loads(event.line)}), file=call.shell.stdout)
    elif call.options.quiet:
        print(event.id, file=call.shell.stdout)
    else:
        print(event_line(style, event), file=call.shell.stdout)
        before, after = _short(row["before"]), _short(row["after"])
        change = f"{before} → {after}" if before != after else f"{after}, unchanged"
        mark = "" if row["disposition"] == "applied" else f"  [{row['disposition']}]"
        print(f"    {change}{mark}", file=call.shell.stdout)


def _short(said: dict[str, Any] | None) -> str:
    if said is None:
        return "(none)"
    holder = f" by {said['holder']}" if said["holder"] else ""
    return f"{said['state']}{holder}"
