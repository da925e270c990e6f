"""Beads: issues.jsonl, and beside it events, dependencies, comments and labels, as its backups have them.

Every version's fields are read: labels, comments and dependencies inside the issue or beside it, links that were
fields of their own once, tombstones. What is not known stays in `origin`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

from domain.event import Json
from domain.named import NamedTuple
from domain.task import ASSIGNED, CANCELLED
from export.foreign import issue as shared
from export.foreign.issue import Dependency, Ending, Entry, Issue, Remark
from export.foreign.moments import moment
from export.foreign.record import Record, UnreadableError, digest, identity, objects, text_of
from export.foreign.rows import Row, Staged

SYSTEM = "beads"
ISSUES = ("issues.jsonl", "beads.jsonl")
FOLDERS = ("", ".beads", "backup", ".beads/backup")
BESIDE = {
    "event": "events.jsonl",
    "dependency": "dependencies.jsonl",
    "comment": "comments.jsonl",
    "label": "labels.jsonl",
}

_SECTIONS = {"design": "Design", "acceptance_criteria": "Acceptance criteria", "notes": "Notes"}
# Kinds after which Beads holds an issue back until the other one is closed.
_KINDS = {
    **dict.fromkeys(("blocks", "waits-for", "conditional-blocks"), "after"),
    "parent-child": "parent",
    **dict.fromkeys(("related", "relates-to", "relates_to"), "relates"),
}
# Links that were fields of the issue in some version.
_LINK_FIELDS = {
    "parent": "parent-child",
    "relates_to": "relates-to",
    "replies_to": "replies-to",
    "duplicate_of": "duplicates",
    "superseded_by": "superseded-by",
    "depends_on": "blocks",
}


def stage(what: str, fields: Json) -> Iterator[Staged]:
    """Which issues a line is about. Raises UnreadableError for a line that is about none."""
    if what == "issue":
        if fields.get("_type", "issue") != "issue":
            raise UnreadableError(f"a {text_of(fields, '_type')[:40]}, not an issue")
        yield Staged("issue", identity(fields, "id"), people=_people(fields))
        return
    own = identity(fields, "issue_id")
    yield Staged(what, own, people=_people(fields))
    if what == "dependency":
        yield Staged("dependent", identity(fields, "depends_on_id"), other=own)


def _people(fields: Json) -> tuple[str, ...]:
    authors = (item.get("author") for item in _embedded(fields))
    named = (fields.get(name) for name in ("assignee", "created_by", "actor", "author"))
    return tuple(shared.person(name) for name in (*named, *authors) if isinstance(name, str) and name)


def _embedded(fields: Json) -> list[Json]:
    """The comments inside an issue; one of mere text is a comment, too."""
    items = objects(fields.get("comments"))
    return [cast("Json", item) if isinstance(item, dict) else {"text": item} for item in items]


def assemble(rows: Sequence[Row]) -> Issue:
    """The issue that all its lines make; `rows` hold at least one that is an issue."""
    # The newest wins, and of equally new ones the last: so a file that git merged reads as Beads reads it.
    *older, main = sorted(
        (row for row in rows if row.what == "issue"),
        key=lambda row: (moment(row.record.fields.get("updated_at")), row.place),
    )
    fields = main.record.fields
    words, links = _labels(fields, rows), _links(main, rows)
    entries = _entries(main, rows, older)
    found = shared.standing(text_of(fields, "status"))
    issue = Issue(
        system=SYSTEM,
        id=identity(fields, "id"),
        title=shared.title(text_of(fields, "title"), identity(fields, "id")),
        body=_body(fields),
        priority=shared.priority(fields.get("priority")),
        assignee=shared.person(text_of(fields, "assignee")),
        state=found.state,
        status=shared.one_line(text_of(fields, "status"), 64) or "open",
        labels=shared.labels(words, (*found.labels, *_our_labels(fields))),
        dependencies=tuple(dict.fromkeys(links.found)),
        by=shared.person(text_of(fields, "created_by", "sender")),
        created=moment(fields.get("created_at")),
        updated=moment(fields.get("updated_at")) or moment(fields.get("created_at")),
        ending=None if found.state == ASSIGNED else _ending(fields, rows),
        digest=digest([fields, words, links.found, sorted(entry.digest for entry in entries)]),
        entries=entries,
        origin={},
        raw="",
        remarks=(*shared.remarks(fields, found, words), *links.remarks),
    )
    return shared.with_origin(issue, main, _elsewhere(issue, fields, words))


def _elsewhere(issue: Issue, fields: Json, words: Sequence[str]) -> Json:
    """What the issue has of the record outside of `origin`: a field that equals it need not stand there again."""
    same: Json = {"id": issue.id, "title": issue.title, "status": issue.status, "priority": issue.priority}
    same |= {"assignee": issue.assignee, "created_by": issue.by}
    same |= {name: text_of(fields, name) for name in ("description", *_SECTIONS)}
    if issue.ending:
        same["delete_reason" if issue.state == CANCELLED else "close_reason"] = issue.ending.reason
    if all(word == shared.label(word) for word in words):
        same["labels"] = list(words)
    same["comments"] = objects(fields.get("comments"))
    return same


def _body(fields: Json) -> str:
    """The description and, under headings, the other long texts: who takes the task must see all of them."""
    parts = [text_of(fields, "description")]
    parts += [f"## {title}\n\n{text}" for name, title in _SECTIONS.items() if (text := text_of(fields, name))]
    return "\n\n".join(part for part in parts if part)


def _labels(fields: Json, rows: Sequence[Row]) -> list[str]:
    inside = [item if isinstance(item, str) else json.dumps(item) for item in objects(fields.get("labels"))]
    beside = [text_of(row.record.fields, "label") for row in rows if row.what == "label"]
    return list(dict.fromkeys(word for word in (*inside, *beside) if word))


def _our_labels(fields: Json) -> list[str]:
    kind = text_of(fields, "issue_type", "original_type")
    flags = [name for name in ("pinned", "ephemeral", "is_template") if fields.get(name) in (True, 1)]
    hold = [shared.HOLD] if "pinned" in flags or "is_template" in flags else []
    return [*([shared.label(f"type:{kind}")] if kind else []), *hold, *flags]


class _Links(NamedTuple):
    found: list[Dependency]
    remarks: list[Remark]


def _links(main: Row, rows: Sequence[Row]) -> _Links:
    links = _Links([], [])
    own = identity(main.record.fields, "id")
    for item in objects(main.record.fields.get("dependencies")):
        _link(links, own, {"depends_on_id": item} if isinstance(item, str) else item)
    for name, kind in _LINK_FIELDS.items():
        value = main.record.fields.get(name)
        for to in objects(value) or (value,):
            if isinstance(to, str) and to:
                _link(links, own, {"depends_on_id": to, "type": kind})
    for row in rows:
        if row.what == "dependency":
            _link(links, own, row.record.fields)
        elif row.what == "dependent":  # the issue that has this dependency is not in the file
            kind, to = text_of(row.record.fields, "type") or "blocks", identity(row.record.fields, "issue_id")
            inverse = "blocks" if kind == "blocks" else f"inverse-{kind}"
            links.found.append(Dependency(inverse, to))
    return links


def _link(links: _Links, own: str, item: Any) -> None:
    try:
        fields = cast("Json", item if isinstance(item, dict) else {})
        to = identity(fields, "depends_on_id")
    except UnreadableError as error:
        links.remarks.append(Remark("bad-dependency", f"a dependency has {error}", left_out=True))
        return
    if to == own:
        links.remarks.append(Remark("self-dependency", "it depends on itself; no link was made"))
        return
    kind = text_of(fields, "type", "dependency_type") or "blocks"
    links.found.append(Dependency(_KINDS.get(kind, kind), to))


def _entries(main: Row, rows: Sequence[Row], older: Sequence[Row]) -> tuple[Entry, ...]:
    comments = [
        _comment(Record(item, main.record.exact), json.dumps(item)) for item in _embedded(main.record.fields)
    ]
    inside = {(entry.by, entry.text) for entry in comments}
    beside = [_comment(row.record, row.line) for row in rows if row.what == "comment"]
    comments += [entry for entry in beside if (entry.by, entry.text) not in inside]
    events = [_event(row) for row in rows if row.what == "event"]
    return shared.in_order([*comments, *events, *(_snapshot(row) for row in older)])


def _comment(record: Record, line: str) -> Entry:
    fields = record.fields
    text, by = text_of(fields, "text", "body", "content"), text_of(fields, "author", "created_by")
    at = moment(fields.get("created_at"))
    return shared.entry("comment", at, by, text or "(empty)", record, line, ("text", "author", "issue_id"))


def _event(row: Row) -> Entry:
    fields = row.record.fields
    kind, by = text_of(fields, "event_type") or "event", text_of(fields, "actor")
    said = [_changes(text_of(fields, "new_value")), shared.one_line(text_of(fields, "comment"))]
    text = " ".join(part for part in said if part)
    at = moment(fields.get("created_at"))
    return shared.entry(kind, at, by, text, row.record, row.line, ("event_type", "actor", "issue_id"))


def _changes(text: str) -> str:
    """What an event changed, in one line: Beads writes the changed fields as JSON inside a string."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return shared.one_line(text)
    return shared.summary(cast("Json", value)) if isinstance(value, dict) else shared.one_line(text)


def _snapshot(row: Row) -> Entry:
    fields = row.record.fields
    text = shared.summary({name: fields[name] for name in ("status", "title") if name in fields})
    return shared.entry("snapshot", moment(fields.get("updated_at")), "", text, row.record, row.line, ("id",))


def _ending(fields: Json, rows: Sequence[Row]) -> Ending:
    if fields.get("deleted_at") or fields.get("status") == "tombstone":
        at = moment(fields.get("deleted_at")) or moment(fields.get("updated_at"))
        return shared.ending(at, text_of(fields, "deleted_by"), text_of(fields, "delete_reason") or "deleted")
    closing = [
        row.record.fields
        for row in rows
        if row.what == "event" and row.record.fields.get("event_type") == "closed"
    ]
    by = text_of(max(closing, key=lambda found: moment(found.get("created_at"))), "actor") if closing else ""
    at = moment(fields.get("closed_at")) or moment(fields.get("updated_at"))
    return shared.ending(at, by, text_of(fields, "close_reason") or _duplicate(fields))


def _duplicate(fields: Json) -> str:
    return "duplicate" if fields.get("status") == "duplicate" else ""
