"""`heartbeat`: a sign of life, or one after the other beside a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.beating import EveryOption, Standing, interval, is_stopped, standing
from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal
from domain.registry import LINE_TEXT_LIMIT

if TYPE_CHECKING:
    from cli.signals import Stops
    from domain.process import Process

# How soon it is seen that the watched process is gone.
GLANCE = 1.0


@command(
    "heartbeat", "crewlog heartbeat --as ada\ncrewlog heartbeat --every 10 --while-pid $PPID &", writes=False
)
def heartbeat(
    call: Call,
    note: Annotated[
        str, typer.Option("--note", help="What you are doing, in one line.", show_default=False)
    ] = "",
    every: EveryOption = "",
    while_pid: Annotated[
        int | None,
        typer.Option("--while-pid", metavar="PID", help="Beat as long as it is there.", show_default=False),
    ] = None,
) -> None:
    """Give one sign of life; with --every go on beside your session. Pulses are a table of their own, beside the log.

    It ends when the process of --while-pid is gone, on SIGTERM or SIGINT, and when the task is completed, or you failed
    or released it. When the claim is no longer current, the task being taken or cancelled, it ends with exit 5.

    While the task is in review it beats on: a reject makes you work on it again, under the same claim, and whoever has
    beaten and then fell silent would be lost at once. While the process of --while-pid is stopped it does not beat.
    """
    if len(note) > LINE_TEXT_LIMIT or not note.isprintable():
        raise Refusal(
            "bad-value", f"--note is one line of at most {LINE_TEXT_LIMIT} characters", "Say it shorter."
        )
    call.secret([note])
    if not every and while_pid is None:
        _beat_once(call, note)
        return
    from cli.process import session_process
    from cli.signals import Stops

    seconds = interval(call, every)
    process = session_process(while_pid) if while_pid is not None else None
    if process:
        _record(call, process)
    with Stops() as stops:
        pulses, ended = _beat_on(call, stops, seconds, note, process)
    data = {"agent": call.actor, "pulses": pulses, "ended": ended}
    call.answer(Answer(data, [f"{call.actor} beat {pulses} times, until: {ended}"]))


def _beat_once(call: Call, note: str) -> None:
    bound = call.binding
    mine = bound if bound and bound.agent == call.actor else None
    environ = call.shell.environ
    task = environ.get("CREWLOG_TASK") or (mine.task if mine else None)
    claim = environ.get("CREWLOG_CLAIM") or (mine.claim if mine else None)
    pulse = call.store.log.pulse(call.actor, _facts(task, claim, note))
    data = {"agent": call.actor, "event": pulse.id, "ts": pulse.ts}
    call.answer(Answer(data, [f"{call.actor} beats at {pulse.ts}"], [pulse.id]))


def _facts(task: str | None, claim: str | None, note: str, process: Process | None = None) -> dict[str, Any]:
    facts = {
        "task": task,
        "claim": claim,
        "note": note,
        "process": process.as_dict() if process else None,
    }
    return {name: value for name, value in facts.items() if value}


def _record(call: Call, process: Process) -> None:
    """Let the log know the session's process, unless it does: the roster judges by it."""
    from domain.draft import Draft
    from projections.agents import one

    store, name = call.store, call.actor
    store.views.catch_up()
    known = one(store.views.connection, name)
    if known and known["process"] == process.as_dict():
        return
    draft = Draft("agent.joined", {"process": process.as_dict()}, {})
    with call.writing() as transaction:
        transaction.append(f"agent/{name}", name, lambda _: [draft])
    store.after_write()


def _beat_on(call: Call, stops: Stops, seconds: float, note: str, process: Process | None) -> tuple[int, str]:
    """How many beats there were, and what ended them."""
    task, claim = _beats_for(call)
    facts = _facts(task, claim, note, process)
    pulses = 0
    while True:
        how, given = _beat(call, facts, task, claim, paused=bool(process and is_stopped(process)))
        pulses += given
        if how == "lost":
            raise _stale(call, task, claim)
        ended = how if how == "settled" else _rest(stops, seconds, process)
        if ended:
            return pulses, ended


def _beats_for(call: Call) -> tuple[str, str]:
    """The task and claim of this session, as far as its surroundings say them."""
    bound = call.binding
    mine = bound.task if bound and bound.agent == call.actor else None
    stated = call.shell.environ.get("CREWLOG_TASK") or mine
    if not stated:
        return "", ""
    task = call.task(stated)
    return task, call.claim(task, "")


def _beat(call: Call, facts: dict[str, Any], task: str, claim: str, *, paused: bool) -> tuple[Standing, int]:
    """How the claim stands, and how many beats were given for it; a store that is locked or full ends nothing."""
    log = call.store.log
    try:
        how: Standing = standing(log, task, claim, call.actor) if claim else "held"
        if how != "held" or paused:
            return how, 0
        log.pulse(call.actor, facts)
    except Refusal as refusal:
        if not refusal.retryable:
            raise
        call.shell.remark(f"no beat: {refusal.message}")
        return "held", 0
    return how, 1


def _rest(stops: Stops, seconds: float, process: Process | None) -> str:
    """Wait until the next beat; what ended it before, or ""."""
    from cli.follow import remaining
    from cli.process import process_state

    left = remaining(seconds)
    while True:
        if process and process_state(process) == "gone":
            return "process"
        if stops.wait(min(GLANCE, left()) if process else left()):
            return "signal"
        if left() <= 0:
            return ""


def _stale(call: Call, task: str, claim: str) -> Refusal:
    from domain.decide import stale_claim

    return stale_claim(call.state_of(task), claim)
