"""`wait`: until something has happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.call import Call
from cli.follow import patiently, remaining, signal_of
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line
from domain.refusals import Refusal
from domain.task import CANCELLED, COMPLETED, FAILED, STATES

if TYPE_CHECKING:
    from domain.event import Json
    from domain.task import Task

RESTED = (COMPLETED, FAILED, CANCELLED)
# What makes a holder lost is that nothing comes, so it is looked for without a signal, too.
REAP_EVERY = 10.0

# Whether it has happened behind a position: what was got, or None.
Condition = Callable[[int], "Json | None"]


@command(
    "wait", "crewlog wait --message --timeout 100\ncrewlog wait --task t-3k9f --state COMPLETED --since 812"
)
def wait(
    call: Call,
    message: Annotated[
        bool, typer.Option("--message", help="A message for you that is not acked.", show_default=False)
    ] = False,
    reply: Annotated[
        str, typer.Option("--reply", metavar="ID", help="An answer to this message.", show_default=False)
    ] = "",
    ready: Annotated[
        bool, typer.Option("--ready", help="A task that you can start.", show_default=False)
    ] = False,
    task: Annotated[
        str, typer.Option("--task", metavar="TASK", help="A task in a state of --state.", show_default=False)
    ] = "",
    state: Annotated[
        str,
        typer.Option(
            "--state", metavar="A,B", help=f"Which states; default: {','.join(RESTED)}.", show_default=False
        ),
    ] = "",
    event: Annotated[
        str, typer.Option("--event", metavar="TYPE", help="An event of this type.", show_default=False)
    ] = "",
    since: Annotated[
        int | None,
        typer.Option(
            "--since", metavar="POS", min=0, help="Behind this position of the log.", show_default=False
        ),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="For how many seconds.")] = 100.0,
    no_reap: Annotated[
        bool, typer.Option("--no-reap", help="Do not look for lost holders.", show_default=False)
    ] = False,
) -> None:
    """Wait until something has happened. Exit 0: it has; 4: it no longer can; 8: not yet.

    The answer's `position` is what to give as --since to the next call: then nothing between two calls is missed, even
    if it has passed again. Without --since, what is so now counts; of --event, what comes from now on.
    Meanwhile who has a name takes back what lost holders hold (`crewlog reap`).
    """
    log = call.store.log
    start = log.position() if since is None and event else since
    condition = _condition(
        call, message=message, reply=reply, ready=ready, task=task, state=state, event=event
    )
    got, position = _until(call, condition, start, timeout, reap=not no_reap and call.who() is not None)
    if got is None:
        raise _not_yet(call, "" if event else task, timeout, position)
    call.answer(
        Answer({"got": got, "position": position}, [_line(got)], [str(got["id"])], tells=[str(got["id"])])
    )


def _until(
    call: Call, condition: Condition, since: int | None, timeout: float, *, reap: bool
) -> tuple[Json | None, int]:
    """What was got, and the position up to which was looked."""
    log, signal = call.store.log, signal_of(call.store)
    left = remaining(timeout)
    reaped = -REAP_EVERY

    def look() -> tuple[Json | None, int]:
        nonlocal reaped
        signal.wait(0)  # what comes from here on is seen by the next look
        position = log.position()
        if reap and time.monotonic() - reaped >= REAP_EVERY:
            _reap(call)
            reaped = time.monotonic()
        return condition(-1 if since is None else since), position

    while True:
        got, position = patiently(call.shell, left, look)
        if got is not None or left() <= 0:
            # Behind what was got there may be more of it: the next call begins right there.
            return got, (got or {}).get("position", position)
        signal.wait(min(left(), REAP_EVERY) if reap else left())


def _reap(call: Call) -> None:
    """Take back what lost holders hold. Where nobody may write now, there is still something to wait for."""
    from cli.reaping import reap_lost

    with suppress(Refusal):
        reap_lost(call)


def _condition(call: Call, **given: Any) -> Condition:
    named = [name for name in ("message", "reply", "ready", "event") if given[name]]
    if given["task"] and not given["event"]:
        named.append("task")
    if len(named) != 1:
        hint = "Example: crewlog wait --message --timeout 100"
        raise Refusal("usage", "wait for one thing: --message, --reply, --ready, --task or --event", hint)
    if given["state"] and named != ["task"]:
        raise Refusal(
            "usage", "--state goes with --task", "Example: crewlog wait --task t-3k9f --state COMPLETED"
        )
    match named[0]:
        case "message":
            return _message(call)
        case "reply":
            return _reply(call, given["reply"])
        case "ready":
            return _ready(call)
        case "event":
            return _event(call, given["event"], call.task(given["task"]) if given["task"] else None)
        case _:
            return _task(call, call.task(given["task"]), _states(given["state"]))


def _message(call: Call) -> Condition:
    from projections.mail_pages import delivered_since, inbox

    name = call.actor

    def look(since: int) -> Json | None:
        call.store.views.catch_up()
        connection = call.store.views.connection
        rows = inbox(connection, name, 1).rows if since < 0 else delivered_since(connection, name, since)
        return {**rows[0], "kind": "message"} if rows else None

    return look


def _reply(call: Call, text: str) -> Condition:
    from projections.mail_pages import answers_to, resolve_message

    call.store.views.catch_up()
    message = resolve_message(call.store.views.connection, text)

    def look(since: int) -> Json | None:
        call.store.views.catch_up()
        rows = answers_to(call.store.views.connection, message, since)
        return {**rows[0], "kind": "reply"} if rows else None

    return look


def _ready(call: Call) -> Condition:
    from projections.task_pages import ready

    name = call.actor

    def look(_since: int) -> Json | None:
        """Ready is what is so now: a task that was ready and is taken is of no use."""
        call.store.views.catch_up()
        rows = ready(call.store.views.connection, name, 1).rows
        return {**rows[0], "kind": "ready"} if rows else None

    return look


def _event(call: Call, kind: str, task: str | None) -> Condition:
    from domain.event import parse
    from domain.registry import EVENT_TYPES

    if kind not in EVENT_TYPES:
        raise Refusal(
            "bad-value", f"there is no event type {kind[:80]!r}", f"Types: {', '.join(EVENT_TYPES)}."
        )
    looked = -1

    def look(since: int) -> Json | None:
        nonlocal looked
        looked = max(looked, since)
        while rows := call.store.log.lines(looked):
            for row in rows:
                if row.type == kind and (task is None or row.stream == f"task/{task}"):
                    found = parse(row.state)
                    about = {"id": found.id, "type": found.type, "stream": found.stream}
                    return {"kind": "event", **about, "position": row.id}
            looked = rows[-1].id
        return None

    return look


def _states(text: str) -> tuple[str, ...]:
    states = tuple(part.strip().upper().replace("-", "_") for part in text.split(",") if part.strip())
    for name in states:
        if name not in STATES:
            raise Refusal("bad-value", f"there is no state {name[:40]!r}", f"States: {', '.join(STATES)}.")
    return states or RESTED


def _task(call: Call, task: str, states: tuple[str, ...]) -> Condition:
    call.state_of(task)

    def look(since: int) -> Json | None:
        reached, last = _reached(call, task, states, since)
        final = last is not None and last.state == COMPLETED
        if final and COMPLETED in states:
            return reached or {"kind": "task", "id": task, "state": COMPLETED, "event": None}
        if final and reached is None:
            message = f"{task} is COMPLETED and can no longer become {' or '.join(states)}"
            raise Refusal(
                "wrong-state", message, f"`crewlog log {task}` tells how.", task=task, state=COMPLETED
            )
        return reached

    return look


def _reached(call: Call, task: str, states: tuple[str, ...], since: int) -> tuple[Json | None, Task | None]:
    """The first moment behind `since` at which the task was in one of the states; without a since, its state now."""
    from domain.task import evolve

    log = call.store.log
    now: Task | None = None
    for event in log.stream(f"task/{task}"):
        now = evolve(now, event)
        position = log.position_of(event.id) if since >= 0 and now.state in states else 0
        if position > since >= 0:
            return {
                "kind": "task",
                "id": task,
                "state": now.state,
                "event": event.id,
                "position": position,
            }, now
    if since < 0 and now is not None and now.state in states:
        return {"kind": "task", "id": task, "state": now.state, "event": None}, now
    return None, now


def _not_yet(call: Call, task: str, timeout: float, position: int) -> Refusal:
    """It has not happened. Who waits for a task that was cancelled meanwhile shall not have to look that up."""
    hint, message = f"Call it again with --since {position}.", f"not yet, after {timeout:g} s"
    if not task:
        return Refusal("nothing-yet", message, hint, position=position)
    name = call.task(task)
    state, since = _standing(call, name)
    again = f", and only `crewlog retry {name}` begins it anew" if state in (CANCELLED, FAILED) else ""
    message += f": {name} is {state} since {since}{again}"
    return Refusal("nothing-yet", message, hint, position=position, task=name, state=state, since=since)


def _standing(call: Call, task: str) -> tuple[str, str]:
    """The task's state, and since when it is in it."""
    from domain.task import evolve

    now: Task | None = None
    state, since = "", ""
    for event in call.store.log.stream(f"task/{task}"):
        now = evolve(now, event)
        state, since = (state, since) if now.state == state else (now.state, event.ts)
    return state, since


def _line(got: Json) -> str:
    from domain.blobs import preview

    match got["kind"]:
        case "message":
            return f"{got['id']}  {got['from']}: {safe_line(preview(got['text']))}"
        case "reply":
            return safe_line(preview(got["text"]))
        case "ready":
            return f"{got['id']}  {safe_line(got['title'])}"
        case "event":
            return f"{got['id']}  {got['type']}  {got['stream']}"
        case _:
            return f"{got['id']}  {got['state']}"
