"""How events of an import fold: a task that began in another tool, and what changed there since.

Two clones may import the same file before they meet. So what later events act on (the attempt, the links) is named by
the source's id and not by the event that brought it, and the same issue or comment, met twice, counts once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from domain.event import Event, IllegalEventError, Json
from domain.task import (
    ASSIGNED,
    CANCELLED,
    Assigned,
    Cancelled,
    Card,
    Completed,
    End,
    Failed,
    Link,
    Task,
    with_card,
)

# A state that needs no claim of ours can be imported; what can still be changed by the source is at rest here.
UNTOUCHED = (ASSIGNED, CANCELLED)
_MARK = 16


def origin(system: str, issue: str) -> str:
    """What stands for an issue of another tool wherever an id is needed: the same in every clone."""
    return hashlib.sha256(f"crewlog.import\0{system}\0{issue}".encode()).hexdigest()


def comes_from(card: Card, system: str, issue: str) -> bool:
    """True for the task that this issue became."""
    source = card.source
    return source is not None and (source["system"], source["id"]) == (system, issue)


def imported(task: Task | None, event: Event) -> Task:
    """The task that an issue becomes; no change where another clone had imported it first."""
    payload = event.payload
    if task is not None:
        if comes_from(task.card, payload["system"], payload["id"]):
            return task
        raise IllegalEventError(event.id)
    return _in_state(payload["state"], _card(event), event)


def _card(event: Event) -> Card:
    payload = event.payload
    mark = origin(payload["system"], payload["id"])
    created = payload.get("created") or event.ts
    return Card(
        id=event.subject,
        title=payload["title"],
        body=payload.get("body", ""),
        priority=payload["priority"],
        assignee=payload["assignee"],
        labels=tuple(payload.get("labels", ())),
        slug=payload.get("slug"),
        links=_links(mark, payload.get("links", ())),
        spawner=event.sender,
        created=created,
        updated=payload.get("updated") or created,
        attempt=mark,
        attempts=1,
        strikes=0,
        holders=(),
        notes=0,
        progress=None,
        source={
            "system": payload["system"],
            "id": payload["id"],
            "by": payload.get("actor") or payload.get("by") or "",
            "imported": event.ts,
            "comments": [],
            **_source_state(payload),
        },
    )


def _source_state(payload: Json) -> Json:
    whose = {"assigned": payload.get("assigned", "")} if "status" in payload else {}
    return {**whose, **{name: payload[name] for name in ("status", "digest") if name in payload}}


def _links(mark: str, links: Sequence[Json]) -> tuple[Link, ...]:
    return tuple(Link(mark, link["kind"], link["to"]) for link in links)


def _in_state(state: str, card: Card, event: Event) -> Task:
    end = _end(card, event)
    match state:
        case "ASSIGNED":
            return Assigned(card)
        case "COMPLETED":
            return Completed(card, None, None, None, end)
        case "CANCELLED":
            return Cancelled(card, end)
        case "FAILED":
            return Failed(card, end)
        case _:
            raise IllegalEventError(event.id)


def _end(card: Card, event: Event) -> End:
    payload = event.payload
    at = payload.get("ended") or card.updated
    return End(event.id, payload.get("ended_by", ""), at, payload.get("reason", ""))


def later(task: Task, event: Event) -> Task:
    """The task after a comment, an event or a change of its source."""
    if event.type == "task.synced":
        return synced(task, event)
    return with_card(task, commented(task.card, event)) if event.type == "task.noted" else task


def commented(card: Card, event: Event) -> Card:
    """The card with a comment of the source, which is as old as it was there."""
    mark = event.payload["digest"][:_MARK]
    if card.source is None:
        return card._replace(notes=card.notes + 1)
    known = card.source["comments"]
    if mark in known:
        return card
    return card._replace(notes=card.notes + 1, source={**card.source, "comments": [*known, mark]})


def synced(task: Task, event: Event) -> Task:
    """The task with what changed in its source. Its state follows only while nobody has taken it up here."""
    payload = event.payload
    if task.card.source is None:
        raise IllegalEventError(event.id)
    card = _changed(task.card, payload)
    state = payload.get("state") or task.state
    if state == task.state:
        return with_card(task, card)
    if task.state not in UNTOUCHED:
        raise IllegalEventError(event.id)
    if state == ASSIGNED:  # it was cancelled, and is not any more
        card = card._replace(attempt=event.id, attempts=card.attempts + 1)
    return _in_state(state, card, event)


def _changed(card: Card, payload: Json) -> Card:
    source = {**(card.source or {}), **_source_state(payload)}
    fields = {name: payload[name] for name in ("title", "body", "priority", "assignee") if name in payload}
    return card._replace(
        **fields,
        labels=_merged(card.labels, payload.get("remove_labels", ()), payload.get("add_labels", ())),
        links=_relinked(card, payload, origin(source["system"], source["id"])),
        updated=max(card.updated, payload.get("updated") or ""),
        source=source,
    )


def _merged(had: Sequence[str], gone: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(item for item in had if item not in gone), *new)))


def _relinked(card: Card, payload: Json, mark: str) -> tuple[Link, ...]:
    """Links that people made here have other ids, and stay."""
    gone = set(_links(mark, payload.get("remove_links", ())))
    new = _links(mark, payload.get("add_links", ()))
    return tuple(dict.fromkeys((*(link for link in card.links if link not in gone), *new)))
