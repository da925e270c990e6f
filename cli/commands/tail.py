"""`tail`: the newest events, and what comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from cli.arguments import UtcOption
from cli.call import Call
from cli.commands.log import event_printer
from cli.follow import Signal
from cli.grammar import command
from domain.event import Event, parse


@command("tail", "crewlog tail -f\ncrewlog tail -f --json -n 0")
def tail(
    call: Call,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as events come.", show_default=False)
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the newest.")] = 10,
    pulses: Annotated[
        bool, typer.Option("--pulses", help="Signs of life instead.", show_default=False)
    ] = False,
    utc: UtcOption = False,
) -> None:
    """Print the newest events. With -f also those that come, each once and in order."""
    log = call.store.log
    signal, show = Signal(call.store), event_printer(call, utc=utc)
    newest = log.newest_pulse() if pulses else log.position()
    position = max(0, newest - lines)
    position = _print_behind(call, position, show, pulses=pulses)
    try:
        while follow:
            call.shell.stdout.flush()
            signal.wait()
            position = _print_behind(call, position, show, pulses=pulses)
    except KeyboardInterrupt:  # how a person ends it
        call.finish(130)


def _print_behind(call: Call, position: int, show: Callable[[Sequence[Event]], None], *, pulses: bool) -> int:
    """Print all events behind the position and return the new one."""
    log = call.store.log
    while True:
        if pulses:
            stored = log.pulses(position)
            events, newest = [row.event for row in stored], stored[-1].position if stored else position
        else:
            rows = log.lines(position)
            events, newest = [parse(row.state) for row in rows], rows[-1].id if rows else position
        if not events:
            return position
        show(events)
        position = newest
