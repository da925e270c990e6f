"""From an issue to the command that takes it in: names, links, payloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from domain.commands import Import
from domain.draft import Draft
from domain.event import Json
from domain.secrets import find_secret
from export.foreign.issue import Entry, Issue, link_kind, printed_id, slug
from export.foreign.people import People
from export.foreign.record import digest


def wanted_import(issue: Issue, actor: str, people: People, targets: Sequence[str]) -> Import:
    """The command for an issue; `targets` are what its dependencies name here, one for each."""
    links = [
        {"kind": link_kind(link.kind), "to": target}
        for link, target in zip(issue.dependencies, targets, strict=True)
    ]
    entries = tuple(_draft(entry, people) for entry in issue.entries)
    said = [issue.digest, links, sorted(entry.digest for entry in issue.entries)]
    ending = issue.ending
    payload: Json = {
        "title": issue.title,
        "priority": issue.priority,
        "assignee": people.name(issue.assignee) if issue.assignee else None,
        "state": issue.state,
        "system": issue.system,
        "id": printed_id(issue.id),
        "slug": slug(issue.id),
        "status": issue.status,
        "digest": digest(said),
        **_given(
            body=issue.body,
            labels=list(issue.labels),
            links=links,
            created=issue.created,
            updated=issue.updated,
            assigned=issue.assignee,
            ended=ending.at if ending else "",
            ended_by=ending.by if ending else "",
            reason=ending.reason if ending else "",
            source=issue.origin,
            raw=issue.raw,
        ),
        **_who(issue.by, people),
    }
    return Import(actor, payload, entries)


def _draft(entry: Entry, people: People) -> Draft:
    payload = _given(text=entry.text, at=entry.at, source=entry.origin, raw=entry.raw, digest=entry.digest)
    payload |= _who(entry.by, people)
    if entry.kind == "comment":
        return Draft("task.noted", payload, {})
    return Draft("task.source-event", {"kind": entry.kind, **payload}, {})


def _who(original: str, people: People) -> Json:
    """Who it was: a name of ours, and what the source calls it where that is something else."""
    if not original:
        return {}
    name = people.name(original)
    return {"by": name} if name == original else {"by": name, "actor": original}


def _given(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value not in ("", [], {})}


def secret(thing: Issue | Entry) -> str:
    """The rule that finds a secret in an issue's own record, or in an entry; or ""."""
    texts = [thing.text] if isinstance(thing, Entry) else [thing.title, thing.body]
    texts.append(thing.raw or json.dumps(thing.origin, ensure_ascii=False))
    return next((found.rule for text in texts if (found := find_secret(text))), "")
