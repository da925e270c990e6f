"""What to write for an issue of another tool: all of it the first time, then only what changed there.

The rule of a later import is a three-way one, field by field, between what the source said last time, what it says
now, and what is true here. What only the source changed is taken in. What was changed here stays, and the event says
so in `kept`. Labels and links are merged one by one. A state follows only while the task is as the import left it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

from domain.blobs import digest_of
from domain.commands import Import
from domain.draft import Draft
from domain.event import LINE_LIMIT, Event, Json
from domain.imports import UNTOUCHED, origin
from domain.named import NamedTuple
from domain.names import LABEL_LIMIT
from domain.registry import LABELS_LIMIT, LINKS_LIMIT, PREVIEW, TEXT_INLINE
from domain.task import Task, current

FIELDS = ("title", "body", "priority", "assignee", "state")
# What the source says besides: kept in the events, and no part of the task.
ABOUT = ("status", "created", "by", "actor", "assigned", "ended", "ended_by", "reason")
# What an event of a task has beside its payload: parents, ids, names, with room to spare.
_ENVELOPE = 1_600
_HASH = 16


def take_in(command: Import, task: Task | None, history: Callable[[], Sequence[Event]]) -> tuple[Draft, ...]:
    """The events that bring the issue, or what is new of it; () where nothing is.

    `task` is what the issue became before, `history` that task's events.
    """
    if task is None:
        return _first(command)
    source = task.card.source or {}
    if source.get("digest") == command.payload["digest"]:
        return ()
    return _later(command, task, _base(history()))


def _first(command: Import) -> tuple[Draft, ...]:
    payload = dict(command.payload)
    labels, links = payload.pop("labels", []), payload.pop("links", [])
    first, *more = _shared(payload, {"labels": (labels, LABELS_LIMIT), "links": (links, LINKS_LIMIT)})
    on = {"attempt": origin(payload["system"], payload["id"])}
    rest = [_synced({**_added(part), "changed": sorted(part)}, payload["digest"], on) for part in more]
    return (Draft("task.imported", {**payload, **first}, {}), *rest, *command.entries)


def _added(part: Json) -> Json:
    return {f"add_{name}": items for name, items in part.items()}


def _synced(payload: Json, digest: str, on: Json) -> Draft:
    return Draft("task.synced", {**payload, "digest": digest}, on)


def _shared(payload: Json, lists: dict[str, tuple[Sequence[Any], int]]) -> list[Json]:
    """The lists, cut so that each part fits into an event: the first beside the payload, the others alone."""
    room = LINE_LIMIT - _ENVELOPE - sum(_size(name) + _size(value) + 2 for name, value in payload.items())
    parts: list[Json] = [{}]
    for name, (items, limit) in lists.items():
        for item in items:
            room -= _size(item) + 1
            if room < 0 or len(parts[-1].get(name, ())) == limit:
                parts.append({})
                room = LINE_LIMIT - _ENVELOPE - _size(item)
            parts[-1].setdefault(name, []).append(item)
    return parts


def _size(value: Any) -> int:
    """Bytes that a value takes in the line; a text that is too large leaves its beginning there."""
    size = len(json.dumps(value))
    if isinstance(value, str) and size > TEXT_INLINE:
        return len(json.dumps(value[:PREVIEW])) + 160
    return size


class _Base(NamedTuple):
    """What the source said up to now: a hash for each field, its labels, links and record, its entries."""

    fields: dict[str, str]
    assigned: str
    labels: set[str]
    links: set[tuple[str, str]]
    about: Json
    record: Json
    entries: set[str]


def _base(history: Sequence[Event]) -> _Base:
    base = _Base({}, "", set(), set(), {}, {}, set())
    for event in history:
        if event.type == "task.imported" and base.fields:
            continue  # another clone's import of the same issue
        if event.type in ("task.imported", "task.synced"):
            unsaid = {"body": ""} if event.type == "task.imported" else {}
            base = _said(base, {**unsaid, **event.payload})
        elif "digest" in event.payload:
            base.entries.add(event.payload["digest"])
    return base


def _said(base: _Base, payload: Json) -> _Base:
    fields = {name: _mark(payload[name]) for name in FIELDS if name in payload}
    labels = (base.labels - {*payload.get("remove_labels", ())}) | {*payload.get("labels", ())}
    links = (base.links - _pairs(payload.get("remove_links", ()))) | _pairs(payload.get("links", ()))
    return base._replace(
        fields={**base.fields, **fields, **payload.get("seen", {})},
        assigned=payload.get("assigned", "") if "status" in payload else base.assigned,
        labels=labels | {*payload.get("add_labels", ())},
        links=links | _pairs(payload.get("add_links", ())),
        about=_about(payload) if "status" in payload else base.about,
        record=payload.get("source", {}) if "status" in payload else base.record,
    )


def _about(payload: Json) -> Json:
    return {name: payload[name] for name in ABOUT if name in payload}


def _pairs(links: Iterable[Json]) -> set[tuple[str, str]]:
    return {(link["kind"], link["to"]) for link in links}


def _mark(value: Any) -> str:
    """A hash of a field's value; a text has the same one inline and as a blob."""
    if not isinstance(value, str) and (digest := digest_of(value)):
        return digest[:_HASH]
    text = value if isinstance(value, str) else f"\0{json.dumps(value)}"
    return sha256(text.encode()).hexdigest()[:_HASH]


def _later(command: Import, task: Task, base: _Base) -> tuple[Draft, ...]:
    wanted = command.payload
    scalars = _scalars(wanted, task, base)
    lists = _lists(wanted, base)
    entries = tuple(draft for draft in command.entries if draft.payload["digest"] not in base.entries)
    names = [*scalars.changed, *(name.partition("_")[2] for name in lists)]
    names += sorted("comments" if draft.type == "task.noted" else "history" for draft in entries)
    names += _differing(base.about, _about(wanted)) + _differing(base.record, wanted.get("source", {}))
    changed = [name[:LABEL_LIMIT] for name in dict.fromkeys(names)]
    payload: Json = {
        "changed": changed[:LABELS_LIMIT] or ["record"],
        **scalars.taken,
        **({"kept": sorted(scalars.seen), "seen": scalars.seen} if scalars.seen else {}),
        **{name: wanted[name] for name in (*ABOUT, "updated", "source", "raw") if name in wanted},
    }
    on = {"attempt": current(task, "attempt")}
    first, *more = _shared(payload, {name: (items, LABELS_LIMIT) for name, items in lists.items()})
    rest = [_synced({**part, "changed": sorted(part)}, wanted["digest"], on) for part in more]
    return (_synced({**payload, **first}, wanted["digest"], on), *rest, *entries)


class _Scalars(NamedTuple):
    """Which fields the source changed; of them those to take, and for those that stay a hash of the source's value."""

    changed: list[str]
    taken: Json
    seen: Json


def _scalars(wanted: Json, task: Task, base: _Base) -> _Scalars:
    found = _Scalars([], {}, {})
    for name in FIELDS:
        theirs = wanted.get(name, "")
        before, ours = base.fields.get(name), _ours(name, task)
        # Names are ours: the same actor may have got another one meanwhile.
        same = wanted.get("assigned", "") == base.assigned if name == "assignee" else _mark(theirs) == before
        if same:
            continue
        found.changed.append(name)
        if (ours == before and (name != "state" or task.state in UNTOUCHED)) or ours == _mark(theirs):
            found.taken[name] = theirs
        else:
            found.seen[name] = _mark(theirs)
    return found


def _ours(name: str, task: Task) -> str:
    return _mark(task.state if name == "state" else getattr(task.card, name))


def _lists(wanted: Json, base: _Base) -> dict[str, Sequence[Any]]:
    labels, links = wanted.get("labels", ()), wanted.get("links", ())
    pairs = _pairs(links)
    found: dict[str, Sequence[Any]] = {
        "add_labels": [label for label in labels if label not in base.labels],
        "remove_labels": sorted(base.labels - {*labels}),
        "add_links": [link for link in links if (link["kind"], link["to"]) not in base.links],
        "remove_links": [{"kind": kind, "to": to} for kind, to in sorted(base.links - pairs)],
    }
    return {name: items for name, items in found.items() if items}


def _differing(before: Json, now: Json) -> list[str]:
    names = sorted({*before, *now})
    return [name for name in names if before.get(name) != now.get(name)]
