"""Channels: who listens to which. What may happen is decided on the agent's state; `domain.agent` folds it."""

from __future__ import annotations

from domain.agent import Agent
from domain.draft import Draft
from domain.names import check_name
from domain.refusals import Refusal

PEOPLE = "people"


def check_channel(text: str) -> str:
    """The channel's name without its sign, typed as `ops`, `+ops` or `#ops`. Refused (`bad-name`) where it is none."""
    name = check_name(text.removeprefix("#").removeprefix("+"), "channel")
    if name == PEOPLE:
        hint = "Who ran `crewlog init` or `crewlog join NAME --person` is in it."
        raise Refusal("bad-name", "`people` is every person, not a channel to join or leave", hint)
    return name


def subscribe(channel: str, agent: Agent | None) -> tuple[Draft, ...]:
    """The event that makes a name listen; () where it does already."""
    if agent and channel in agent.channels:
        return ()
    return (Draft("agent.subscribed", {"channel": channel}, {}),)


def unsubscribe(channel: str, agent: Agent | None) -> tuple[Draft, ...]:
    """The event that ends it; () where it does not listen."""
    if agent is None or channel not in agent.channels:
        return ()
    return (Draft("agent.unsubscribed", {"channel": channel}, {}),)
