"""`spawn --from`: many tasks from JSON lines, together or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson

from cli.arguments import anyone_or_name, checked_priority, checked_title
from cli.call import Call
from cli.commands.spawn import checked_labels
from cli.linking import check_part
from cli.output import Answer, json_text
from cli.text import safe_line
from cli.writes import REPLAYED, outcome
from domain.commands import Spawn
from domain.decide import spawn
from domain.draft import Draft
from domain.names import check_slug
from domain.refusals import Refusal
from domain.registry import PRIORITY_DEFAULT

if TYPE_CHECKING:
    from domain.log import Written

KNOWN = ("title", "body", "priority", "to", "labels", "slug", "after", "parent")
FILE_LIMIT = 64 * 1024 * 1024
EXAMPLE = 'A line looks like {"title": "Greet by name", "priority": 1, "slug": "greet", "after": ["parse"]}'


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: where it stands, and the task that it asks for; others are named there as typed."""

    number: int
    wanted: Spawn

    @property
    def others(self) -> tuple[str, ...]:
        """The tasks that it names, as typed."""
        return (*self.wanted.after, *([self.wanted.parent] if self.wanted.parent else []))


def spawn_many(call: Call, path: str) -> None:
    """Create the tasks of the file in one transaction, blockers first."""
    lines = _in_order(_parse(call, _read(call, path)))
    ids: dict[str, str] = {}
    done: dict[int, Written] = {}
    outside = _outside(call, lines)
    with call.writing() as transaction:
        for line in lines:
            wanted = _resolved(line.wanted, {**outside, **ids})

            def decided(_: object, wanted: Spawn = wanted) -> Sequence[Draft]:
                return spawn(wanted)

            retry = call.retry("Spawn", title=wanted.title)
            if retry:
                retry = retry._replace(key=f"{retry.key}/{line.number}")
            with _on_line(line.number):
                marked = call.marked(decided, [wanted.title, wanted.body])
                one = transaction.append(None, wanted.actor, marked, retry=retry)
            if wanted.slug:
                ids[wanted.slug] = one.state.card.id
            done[line.number] = one
    written = [done[number] for number in sorted(done)]
    new = [one for one in written if not one.replayed]
    results = [outcome(call, one) for one in written]
    shown = [
        f"{one.state.card.id}  {one.state.state:<9}  {safe_line(one.state.card.title)}" for one in written
    ]
    remarks = call.store.after_write() if new else [REPLAYED]
    call.answer(Answer({"results": results}, shown, [row["task"] for row in results], remarks))


def _resolved(wanted: Spawn, ids: dict[str, str]) -> Spawn:
    return wanted._replace(
        after=tuple(ids[name] for name in wanted.after), parent=ids[wanted.parent] if wanted.parent else None
    )


def _read(call: Call, path: str) -> bytes:
    data = _read_bytes(call, path)
    if len(data) > FILE_LIMIT:
        raise Refusal(
            "too-large", f"the tasks are over {FILE_LIMIT:,} bytes", "Split them, or shorten their bodies."
        )
    return data


def _read_bytes(call: Call, path: str) -> bytes:
    if path == "-":
        return call.shell.stdin.read(FILE_LIMIT + 1).encode("utf-8", "surrogateescape")
    try:
        with open(os.path.join(call.shell.cwd, path), "rb") as file:
            return file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise Refusal(
            "not-found", f"cannot read {path}: {error.strerror}", "Name a file of JSON lines."
        ) from error


def _parse(call: Call, data: bytes) -> list[Line]:
    lines = [
        _line(call, number, text) for number, text in enumerate(data.split(b"\n"), 1) if text.strip()
    ]  # not splitlines: that breaks at U+2028 as well
    if not lines:
        raise Refusal("bad-value", "the file holds no task", EXAMPLE)
    first: dict[str, int] = {}
    for line in lines:
        slug = line.wanted.slug
        if slug and first.setdefault(slug, line.number) != line.number:
            message = f"line {line.number}: slug {slug!r} stands in line {first[slug]} already"
            raise Refusal("bad-value", message, "Each line needs a slug of its own.", line=line.number)
    return lines


def _line(call: Call, number: int, text: bytes) -> Line:
    try:
        record: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal("bad-value", f"line {number}: not JSON: {error}", EXAMPLE, line=number) from error
    with _on_line(number):
        if not isinstance(record, dict):
            raise Refusal("bad-value", "not a JSON object", EXAMPLE)
        wanted = _wanted(call, cast("dict[str, Any]", record))
        call.secret([wanted.title, wanted.body])
        return Line(number, wanted)


def _outside(call: Call, lines: Sequence[Line]) -> dict[str, str]:
    """The blockers that stand in no line of the file: name as typed → id."""
    local = {line.wanted.slug for line in lines}
    found: dict[str, str] = {}
    for line in lines:
        for name in line.others:
            if name not in local and name not in found:
                with _on_line(line.number):
                    found[name] = call.task(name)
                    call.state_of(found[name])
        if line.wanted.parent in found and line.wanted.after:
            with _on_line(line.number):
                after = [found[name] for name in line.wanted.after if name in found]
                check_part(call, found[line.wanted.parent], after)
    return found


@contextmanager
def _on_line(number: int) -> Generator[None]:
    try:
        yield
    except Refusal as refusal:
        raise Refusal(
            refusal.code,
            f"line {number}: {refusal.message}",
            refusal.hint,
            **{**refusal.details, "line": number},
        ) from refusal


def _wanted(call: Call, fields: dict[str, Any]) -> Spawn:
    unknown = [name for name in fields if name not in KNOWN]
    if unknown:
        raise Refusal("bad-value", f"unknown field {unknown[0][:40]!r}", f"Known: {', '.join(KNOWN)}.")
    priority = fields.get("priority", PRIORITY_DEFAULT)
    if type(priority) is not int:
        raise Refusal("bad-value", f"priority {json_text(priority)} is no integer", EXAMPLE)
    slug = _text(fields, "slug")
    return Spawn(
        actor=call.actor,
        title=checked_title(_text(fields, "title")),
        priority=checked_priority(priority),
        body=_text(fields, "body"),
        assignee=anyone_or_name(_text(fields, "to") or None),
        labels=checked_labels(_texts(fields, "labels")),
        slug=check_slug(slug) if slug else None,
        after=tuple(dict.fromkeys(_texts(fields, "after"))),
        parent=_text(fields, "parent") or None,
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise Refusal("bad-value", f"{name} must be text", EXAMPLE)


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    value: object = fields.get(name) or []
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value)):
        return cast("list[str]", value)
    raise Refusal("bad-value", f"{name} must be a list of texts", EXAMPLE)


def _in_order(lines: list[Line]) -> list[Line]:
    """The lines so that blockers come before what waits for them; a circle is refused."""
    from graphlib import CycleError, TopologicalSorter

    by_slug = {line.wanted.slug: line for line in lines if line.wanted.slug}
    graph = {line.number: [by_slug[name].number for name in line.others if name in by_slug] for line in lines}
    # An epic waits for its parts.
    waits = {
        line.number: {by_slug[name].number for name in line.wanted.after if name in by_slug} for line in lines
    }
    for line in lines:
        if line.wanted.parent in by_slug:
            waits[by_slug[line.wanted.parent].number].add(line.number)
    try:
        TopologicalSorter(waits).prepare()
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " → ".join(f"line {number}" for number in error.args[1])
        raise Refusal(
            "bad-value", f"these wait for each other: {circle}", "Take one `after` or `parent` out."
        ) from error
    by_number = {line.number: line for line in lines}
    return [by_number[number] for number in order]
