"""`report`: the crew's past as one HTML page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.moments import moment
from cli.output import Answer
from cli.progress import progress
from domain.event import format_time
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.event import Event
    from domain.log import Log


@command("report", "crewlog report report.html\ncrewlog report week.html --since 7d")
def report(
    call: Call,
    file: Annotated[str, typer.Argument(metavar="FILE.html", help="The page to write.", show_default=False)],
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Only what went on since: 7d, a date or a local time.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Draw what happened: agents through time, tasks and their states, throughput, waiting, messages.

    The page is one file that needs no network. It can be filtered, and is light or dark as its reader likes. Needs
    Plotly: pip install 'crewlog[report]'.
    """
    try:
        from cli.report.page import page
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("plotly"):
            raise
        hint = "pip install 'crewlog[report]'"
        raise Refusal(
            "not-installed", "a report is drawn with Plotly, which is not installed", hint
        ) from error
    from projections.timeline import timeline

    log = call.store.log
    total = log.position()
    now = call.shell.clock()
    after = moment(since, now) if since else 0
    with progress(call.shell, "reading") as step:
        past = timeline(_events(log), lambda done: step(done, total) if step else None, after, now)
    made = f"{format_time(now)[:16].replace('T', ' ')} UTC"
    path = os.path.join(call.shell.cwd, file)
    text = page(past, made)
    _write(path, text)
    size = len(text.encode())
    data = {"file": path, "tasks": len(past.titles), "events": past.events, "bytes": size}
    lines = [f"{file}: {len(past.titles):,} tasks, {past.events:,} events, {size / 1e6:.1f} MB"]
    call.answer(Answer(data, lines, [path]))


def _events(log: Log) -> Iterator[Event]:
    position = 0
    while rows := log.read(position):
        position = rows[-1].position
        yield from (row.event for row in rows)


def _write(path: str, text: str) -> None:
    """Write the page whole or not at all."""
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)
        raise Refusal(
            "unwritable", f"cannot write {path}: {error.strerror}", "Name another file.", path=path
        ) from error
