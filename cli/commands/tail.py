"""`tail`: the newest events, and what comes."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from cli.arguments import UtcOption
from cli.call import Call
from cli.commands.log import event_printer
from cli.follow import patiently, signal_of
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
    signal = signal_of(call.store, pulses=pulses)
    newest = log.newest_pulse() if pulses else log.position()
    printed = _Printed(call, max(0, newest - lines), pulses=pulses, utc=utc)
    printed.go_on()
    try:
        while follow:
            call.shell.stdout.flush()
            signal.wait()
            patiently(call.shell, lambda: math.inf, printed.go_on)
    except KeyboardInterrupt:  # how a person ends it
        call.finish(130)


class _Printed:
    """What was printed, up to a position: each event once, whatever breaks in between."""

    def __init__(self, call: Call, position: int, *, pulses: bool, utc: bool) -> None:
        self._call = call
        self._position = position
        self._show = event_printer(call, utc=utc)
        self._read = self._pulses if pulses else self._events

    def go_on(self) -> None:
        """Print all events behind the position."""
        while found := self._read():
            self._position = found[-1][0]
            self._show([event for _, event in found])

    def _pulses(self) -> list[tuple[int, Event]]:
        return [(row.position, row.event) for row in self._call.store.log.pulses(self._position)]

    def _events(self) -> list[tuple[int, Event]]:
        return [(row.id, parse(row.state)) for row in self._call.store.log.lines(self._position)]
