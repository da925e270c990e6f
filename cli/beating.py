"""What whoever beats for a claim must know: how often, and whether the claim is still the one to beat for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.call import Call
from domain.agent import ALIVE_INTERVALS
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.log import Log
    from domain.process import Process

Standing = Literal["held", "settled", "lost"]

EveryOption = Annotated[
    str,
    typer.Option(
        "--every", metavar="SECONDS", help="How often; like 10, 10s, 1m [default: the store's interval]."
    ),
]

_GIVEN_UP = frozenset({"task.failed", "task.released"})


def interval(call: Call, every: str) -> float:
    """Seconds between two beats. Refused (`bad-value`) where one who beats so seldom would look suspect."""
    from domain.config import duration

    config = call.store.config
    seconds = duration(every, "--every") if every else config.interval
    if seconds > ALIVE_INTERVALS * config.interval:
        hint = "Beat more often, or raise `[liveness] interval` in config.toml."
        most = f"{ALIVE_INTERVALS * config.interval:g} s"
        raise Refusal("bad-value", f"--every {every} is too long: after {most} one looks suspect", hint)
    return seconds


def standing(log: Log, task: str, claim: str, actor: str) -> Standing:
    """How a claim stands: held, settled by its holder (given up, or completed), or lost to somebody else."""
    from domain.task import Completed, claim_of

    state = log.state(f"task/{task}")
    current = state.claim if isinstance(state, Completed) else claim_of(state) if state else None
    if current and current.id.startswith(claim):
        return "settled" if isinstance(state, Completed) else "held"
    for event in reversed(log.stream(f"task/{task}")):
        if event.on.get("claim", "").startswith(claim) and event.type in _GIVEN_UP:
            return "settled" if event.sender == actor else "lost"
    return "lost"


def is_stopped(process: Process) -> bool:
    """True for a process that somebody stopped: what it does not do nobody beats for."""
    from cli.process import process_state

    return process_state(process) == "stopped"
