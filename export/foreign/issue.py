"""An issue of another tool, as the log can take it in: what every source is read into.

Everything here is pure. What had to be changed on the way (a label, a title, an id that is no slug) is said in
`remarks`; the original always stays in `origin` or in `raw`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from domain.event import Json
from domain.named import NamedTuple
from domain.names import LABEL_LIMIT, is_slug, is_task_id
from domain.registry import (
    LINE_TEXT_LIMIT,
    PRIORITY_DEFAULT,
    PRIORITY_LAST,
    TITLE_LIMIT,
)
from domain.task import ASSIGNED, CANCELLED, COMPLETED
from export.foreign.moments import moment
from export.foreign.record import Record, digest, inline, stored_size, text_of, well_formed
from export.foreign.rows import Row

HOLD = "hold"
WORKED_ON = "was:in_progress"

# Bytes for the record in one event. Title, body, reason and the beginning of the raw line need the rest.
_ORIGIN_ROOM = 4_000
_ORIGIN_ROOM_BESIDE_RAW = 2_000
_ORIGIN_FIELDS = 200
_REASON_ROOM = 1_000
_PERSON = 200
_LINK_KIND = 32
_LINK_TO = 64
_WORD = 64


class Remark(NamedTuple):
    """What had to be changed, or with `left_out` could not be taken in."""

    code: str
    message: str
    left_out: bool = False


class Dependency(NamedTuple):
    """A link to the issue `to` of the source. `kind` is `after`, `parent`, `relates`, or the source's word."""

    kind: str
    to: str


class Ending(NamedTuple):
    """How an issue came to rest. `at` and `by` may be ""."""

    at: str
    by: str
    reason: str


class Entry(NamedTuple):
    """A comment (`kind` "comment") or something that happened to an issue. `at` and `by` may be ""."""

    kind: str
    at: str
    by: str
    text: str
    origin: Json
    raw: str
    digest: str


class Issue(NamedTuple):
    """An issue with all that belongs to it. Times may be ""; `assignee` and `by` are as the source writes them.

    `origin` holds what no other field has, `raw` the whole line where `origin` cannot hold that verbatim.
    """

    system: str
    id: str
    title: str
    body: str
    priority: int
    assignee: str
    state: str
    status: str
    labels: tuple[str, ...]
    dependencies: tuple[Dependency, ...]
    by: str
    created: str
    updated: str
    ending: Ending | None
    digest: str
    entries: tuple[Entry, ...]
    remarks: tuple[Remark, ...]
    origin: Json
    raw: str


class Standing(NamedTuple):
    """What a status of the source is here; `known` is False for a word that no rule names."""

    state: str
    labels: tuple[str, ...] = ()
    known: bool = True


_STANDINGS = {
    "": Standing(ASSIGNED),
    "open": Standing(ASSIGNED),
    **dict.fromkeys(("in_progress", "hooked"), Standing(ASSIGNED, (WORKED_ON,))),
    "closed": Standing(COMPLETED),
    **dict.fromkeys(("tombstone", "duplicate"), Standing(CANCELLED)),
    **dict.fromkeys(("pinned", "paused", "deferred", "blocked"), Standing(ASSIGNED, (HOLD,))),
}


def standing(status: str) -> Standing:
    """State and labels for a status; a word that is not known becomes the label `was:WORD`."""
    return _STANDINGS.get(status) or Standing(ASSIGNED, (label(f"was:{status}"),), known=False)


def one_line(text: str, limit: int = LINE_TEXT_LIMIT) -> str:
    """The text without line breaks and control characters, shortened to the limit."""
    clean = well_formed(text)
    if not clean.isprintable():
        clean = " ".join("".join(c if c.isprintable() else " " for c in clean).split())
    clean = clean.strip()
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def distinct(text: str, limit: int) -> str:
    """The text, or where it is too long its beginning and a hash, so that two of them stay two."""
    return text if len(text) <= limit else f"{text[: limit - 13]}~{digest(text)[:12]}"


def printed_id(issue_id: str) -> str:
    """The id on one line: what cannot be printed is escaped, what is too long ends in a hash."""
    text = issue_id if issue_id.isprintable() else json.dumps(well_formed(issue_id))[1:-1]
    return distinct(text, LINE_TEXT_LIMIT)


def title(text: str, issue_id: str) -> str:
    """The title on one line; an issue without one is called by its id."""
    return one_line(text, TITLE_LIMIT) or printed_id(issue_id)


def slug(issue_id: str) -> str:
    """The id where it can be a slug, else the nearest one that can."""
    if is_task_id(issue_id):
        return f"imported-{issue_id}"
    if is_slug(issue_id):
        return issue_id
    near = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in issue_id)
    while ".." in near:
        near = near.replace("..", ".")
    near = distinct(near.lstrip("._-"), 64).replace("~", "-")
    return near or f"imported-{digest(issue_id)[:8]}"


def label(text: str) -> str:
    """The label on one line and within the limit; blanks and commas stay, so that it is found as it was."""
    return distinct(one_line(text, 10 * LABEL_LIMIT), LABEL_LIMIT)


def labels(words: Iterable[str], ours: Iterable[str]) -> tuple[str, ...]:
    """The source's labels and those that the import adds, each once."""
    return tuple(dict.fromkeys(found for found in (*map(label, words), *ours) if found))


def link_kind(word: str) -> str:
    """The kind of a link, fit for an event."""
    return distinct(one_line(word) or "relates", _LINK_KIND)


def foreign(issue_id: str) -> str:
    """What a link names whose other end is not here."""
    return distinct(printed_id(issue_id), _LINK_TO)


def priority(value: object) -> int:
    """The priority: as it is from 0 to 9, at the nearer end beyond that, the default where there is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    return min(max(value, 0), PRIORITY_LAST) if type(value) is int else PRIORITY_DEFAULT


def person(text: str) -> str:
    """An actor as the source writes it, on one line."""
    return one_line(text, _PERSON)


def ending(at: str, by: str, reason: str) -> Ending:
    """How it ended; a reason that is too long for the event is shortened (the record has it whole)."""
    fits = stored_size(reason) <= _REASON_ROOM
    return Ending(at, person(by), reason if fits else one_line(reason, _REASON_ROOM // 6))


def entry(
    kind: str, at: str, by: str, text: str, record: Record, line: str, elsewhere: Iterable[str]
) -> Entry:
    """A comment or an event of the source; the fields `elsewhere` are what `by`, `text` and the task say."""
    origin, raw = _origin(record, line, elsewhere)
    return Entry(one_line(kind, _WORD) or "event", at, person(by), text, origin, raw, digest(record.fields))


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries by time, each once; those without a time come first."""
    once = {entry.digest: entry for entry in entries}
    return tuple(sorted(once.values(), key=lambda entry: entry.at))


def summary(members: Json) -> str:
    """A few fields in one line: `status: open, assignee: ada`."""
    said = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in members.values()
    )
    parts = [
        f"{one_line(name, 40)}: {one_line(text, 80) or '-'}" for name, text in zip(members, said, strict=True)
    ]
    return one_line(", ".join(parts), LINE_TEXT_LIMIT)


def with_origin(issue: Issue, main: Row, elsewhere: Json) -> Issue:
    """The issue with the rest of its record: without the fields that it has already, unchanged, as `elsewhere` says."""
    same = [name for name, value in elsewhere.items() if main.record.fields.get(name) == value]
    origin, raw = _origin(main.record, main.line, same)
    return issue._replace(origin=origin, raw=raw)


def _origin(record: Record, line: str, elsewhere: Iterable[str]) -> tuple[Json, str]:
    same = set(elsewhere)
    found = inline(record.fields, same, _ORIGIN_ROOM, _ORIGIN_FIELDS)
    if found.whole and record.exact:
        return found.fields, ""
    return inline(record.fields, same, _ORIGIN_ROOM_BESIDE_RAW, _ORIGIN_FIELDS).fields, line


def remarks(fields: Json, found: Standing, words: Sequence[str]) -> tuple[Remark, ...]:
    """What of a record is not as it was: for whoever reads the report of the import."""
    said: list[Remark] = []
    status, name, issue_id = (text_of(fields, field) for field in ("status", "title", "id"))
    if not found.known:
        said.append(
            Remark("unknown-status", f"status {one_line(status, 40)!r} became the label {found.labels[0]!r}")
        )
    if name != title(name, issue_id):
        said.append(Remark("title", "the title was made to fit one line" if name else "it has no title"))
    if issue_id != slug(issue_id):
        said.append(
            Remark(
                "id", f"the id is no slug; the task is called {slug(issue_id)!r}, and found by the id, too"
            )
        )
    if fields.get("priority") not in (None, priority(fields.get("priority"))):
        said.append(
            Remark(
                "priority",
                f"priority {one_line(text_of(fields, 'priority'), 40)} became "
                f"{priority(fields.get('priority'))}",
            )
        )
    said += [
        Remark("label", f"label {one_line(word, 40)!r} became {label(word)!r}")
        for word in words
        if word != label(word)
    ]
    if fields.get("created_at") and not moment(fields["created_at"]):
        said.append(Remark("time", f"created_at {one_line(text_of(fields, 'created_at'), 40)!r} is no time"))
    return tuple(said)
