"""`channel`: who listens where."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer, Columns
from cli.writes import REPLAYED
from domain import channels
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.agent import Agent
    from domain.draft import Draft

Decide = Callable[[str, "Agent | None"], "tuple[Draft, ...]"]

ACTIONS: dict[str, tuple[str, Decide]] = {
    "join": ("Subscribe", channels.subscribe),
    "leave": ("Unsubscribe", channels.unsubscribe),
}


@command("channel", "crewlog channel join ops\ncrewlog channel list", writes=True)
def channel(
    call: Call,
    action: Annotated[
        Literal["join", "leave", "list"], typer.Argument(help="What to do.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The channel, like ops.", show_default=False)
    ] = None,
) -> None:
    """Listen to a channel, or no more, or list who does. A message to +NAME reaches who listens when it is sent."""
    wanted = channels.check_channel(name) if name is not None else None
    if action == "list":
        _list(call, wanted)
        return
    if wanted is None:
        raise Refusal("usage", f"{action} which channel?", f"Example: crewlog channel {action} ops")
    _write(call, action, wanted)


def _write(call: Call, action: str, name: str) -> None:
    kind, decide = ACTIONS[action]
    with call.writing() as transaction:
        written = transaction.append(
            f"agent/{call.actor}",
            call.actor,
            lambda seen: decide(name, seen.state),
            retry=call.retry(kind, channel=name),
        )
    remarks = call.store.after_write() if written.events and not written.replayed else []
    if not written.events:
        remarks.append("nothing to do: it is so already")
    if written.replayed:
        remarks.append(REPLAYED)
    listens = action == "join"
    data = {
        "channel": name,
        "listens": listens,
        "event": written.events[0].id if written.events else None,
        **({"replayed": True} if written.replayed else {}),
    }
    said = "listens to" if listens else "no more listens to"
    call.answer(Answer(data, [f"{call.actor} {said} +{name}"], [name], remarks))


def _list(call: Call, name: str | None) -> None:
    from projections import mail

    views = call.store.views
    views.catch_up()
    rows = mail.channels(views.connection)
    if name is not None:
        rows = [row for row in rows if row["channel"] == name]
        if not rows:
            raise Refusal("not-found", f"nobody listens to +{name}", f"`crewlog channel join {name}` does.")
    columns = Columns()
    for row in rows:
        columns.add(f"+{row['channel']}", " ".join(row["members"]))
    remarks = [] if rows else ["no channels yet: `crewlog channel join NAME` begins one"]
    call.answer(Answer({"channels": rows}, columns.lines(), [row["channel"] for row in rows], remarks))
