"""Tissue: one file of snapshots, comments and dependencies, each line whole.

Of an issue the highest `rev` wins, of equal ones the later `updated_at`, else the first line: Tissue's own rule.
Earlier snapshots are its history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from domain.event import Json
from domain.task import ASSIGNED
from export.foreign import issue as shared
from export.foreign.issue import Dependency, Ending, Entry, Issue
from export.foreign.moments import moment
from export.foreign.record import UnreadableError, digest, identity, objects, text_of
from export.foreign.rows import Row, Staged

SYSTEM = "tissue"
ISSUES = ("issues.jsonl",)
FOLDERS = ("", ".tissue")
BESIDE: dict[str, str] = {}

ACTIVE = "active"


def stage(what: str, fields: Json) -> Iterator[Staged]:
    """Which issues a line is about. Raises UnreadableError for a line that is about none."""
    del what
    match fields.get("type"):
        case "issue":
            yield Staged("issue", identity(fields, "id"))
        case "comment":
            yield Staged("comment", identity(fields, "issue_id"))
        case "dep":
            first, second = identity(fields, "src_id"), identity(fields, "dst_id")
            # `A blocks B` and `A is the parent of B` belong to B here; to A only where B is not in the file.
            yield Staged("dep", second, other="" if fields.get("kind") != "relates" else first)
            yield Staged("dep", first, other=second if fields.get("kind") != "relates" else "")
        case _:
            raise UnreadableError(f"a {text_of(fields, 'type')[:40] or 'record without type'}, not of Tissue")


def assemble(rows: Sequence[Row]) -> Issue:
    """The issue that all its lines make; `rows` hold at least one that is an issue."""
    snapshots = [row for row in rows if row.what == "issue"]
    main = max(snapshots, key=_rank)
    fields = main.record.fields
    words = _labels(fields)
    deps = _newest_deps([row for row in rows if row.what == "dep"])
    entries = _entries(rows, main, deps)
    found = shared.standing(text_of(fields, "status"))
    links = list(_links(identity(fields, "id"), deps))
    issue = Issue(
        system=SYSTEM,
        id=identity(fields, "id"),
        title=shared.title(text_of(fields, "title"), identity(fields, "id")),
        body=text_of(fields, "body"),
        priority=shared.priority(fields.get("priority")),
        assignee="",
        state=found.state,
        status=shared.one_line(text_of(fields, "status"), 64) or "open",
        labels=shared.labels(words, found.labels),
        dependencies=tuple(dict.fromkeys(links)),
        by="",
        created=moment(fields.get("created_at")),
        updated=moment(fields.get("updated_at")) or moment(fields.get("created_at")),
        ending=None if found.state == ASSIGNED else _ending(fields),
        digest=digest([fields, links, sorted(entry.digest for entry in entries)]),
        entries=entries,
        origin={},
        raw="",
        remarks=shared.remarks(fields, found, words),
    )
    return shared.with_origin(issue, main, _elsewhere(issue, words))


def _rank(row: Row) -> tuple[bytes, int, int]:
    fields = row.record.fields
    updated: Any = fields.get("updated_at")
    return text_of(fields, "rev").encode(), updated if isinstance(updated, int) else 0, -row.place.offset


def _elsewhere(issue: Issue, words: Sequence[str]) -> Json:
    same: Json = {"type": "issue", "id": issue.id, "title": issue.title, "body": issue.body}
    same |= {"status": issue.status, "priority": issue.priority}
    return same | ({"tags": list(words)} if all(word == shared.label(word) for word in words) else {})


def _labels(fields: Json) -> list[str]:
    return [item for item in objects(fields.get("tags")) if isinstance(item, str) and item]


def _newest_deps(rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Of each dependency the line that counts, and the lines that it replaced."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        fields = row.record.fields
        key = (identity(fields, "src_id"), identity(fields, "dst_id"), text_of(fields, "kind"))
        groups.setdefault(key, []).append(row)
    found: list[tuple[Row, list[Row]]] = []
    for group in groups.values():
        newest = max(group, key=lambda row: (text_of(row.record.fields, "rev").encode(), -row.place.offset))
        found.append((newest, [row for row in group if row is not newest]))
    return found


def _links(own: str, deps: Sequence[tuple[Row, list[Row]]]) -> Iterator[Dependency]:
    for newest, _ in deps:
        fields = newest.record.fields
        source, target = identity(fields, "src_id"), identity(fields, "dst_id")
        kind = text_of(fields, "kind") or "relates"
        if text_of(fields, "state") not in ("", ACTIVE) or source == target:
            continue
        if own == target and kind != "relates":
            yield Dependency({"blocks": "after"}.get(kind, kind), source)
        elif kind == "parent":
            yield Dependency("inverse-parent", target)
        else:
            yield Dependency(kind, target if own == source else source)


def _entries(rows: Sequence[Row], main: Row, deps: Sequence[tuple[Row, list[Row]]]) -> tuple[Entry, ...]:
    comments = [_comment(row) for row in rows if row.what == "comment"]
    snapshots = [_snapshot(row) for row in rows if row.what == "issue" and row is not main]
    changes = [_dep(row) for newest, replaced in deps for row in (newest, *replaced)]
    return shared.in_order([*comments, *snapshots, *changes])


def _comment(row: Row) -> Entry:
    fields = row.record.fields
    at, text = moment(fields.get("created_at")), text_of(fields, "body", "text") or "(empty)"
    by = text_of(fields, "author")
    return shared.entry("comment", at, by, text, row.record, row.line, ("type", "issue_id", "body", "author"))


def _snapshot(row: Row) -> Entry:
    fields = row.record.fields
    shown: Json = {name: fields[name] for name in ("status", "priority", "tags", "title") if name in fields}
    at = moment(fields.get("updated_at"))
    return shared.entry("snapshot", at, "", shared.summary(shown), row.record, row.line, ("type", "id"))


def _dep(row: Row) -> Entry:
    fields = row.record.fields
    source, kind, target = (
        shared.one_line(text_of(fields, name), 100) for name in ("src_id", "kind", "dst_id")
    )
    state = text_of(fields, "state") or ACTIVE
    text = f"{source} {kind} {target}: {shared.one_line(state, 40)}"
    return shared.entry(
        "dependency", moment(fields.get("created_at")), "", text, row.record, row.line, ("type",)
    )


def _ending(fields: Json) -> Ending:
    reason = "duplicate" if fields.get("status") == "duplicate" else ""
    return shared.ending(moment(fields.get("updated_at")), "", reason)
