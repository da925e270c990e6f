"""Which tasks the demonstration works on: those of a file, crewlog's own form or a Beads export, or a small set."""

from __future__ import annotations

from typing import Any, cast

import orjson

from domain.names import is_slug
from domain.refusals import Refusal
from domain.registry import PRIORITY_LAST, TITLE_LIMIT

Record = dict[str, Any]

SMALL_SET: tuple[Record, ...] = (
    {"title": "Parse the greeting's name", "slug": "parse", "priority": 0},
    {"title": "Greet by name", "slug": "greet", "priority": 1, "after": ["parse"]},
    {"title": "Say goodbye as well", "slug": "goodbye", "priority": 1, "after": ["parse"]},
    {"title": "Document both", "slug": "docs", "priority": 2, "after": ["greet", "goodbye"]},
    {"title": "Fix the flaky clock test", "slug": "flaky", "priority": 0, "labels": ["type:bug"]},
    {"title": "Add a caching layer", "slug": "cache", "priority": 2},
    {"title": "Translate to French", "slug": "french", "priority": 3, "after": ["greet"]},
    {"title": "Translate to Finnish", "slug": "finnish", "priority": 3, "after": ["greet"]},
    {"title": "Measure start-up time", "slug": "measure", "priority": 1},
    {"title": "Name the release", "slug": "release", "priority": 4, "after": ["docs"]},
    {"title": "Support Windows 95", "slug": "win95", "priority": 4},
    {"title": "Tidy the changelog", "slug": "changelog", "priority": 2},
)


def read_tasks(path: str | None, limit: int) -> list[Record]:
    """Up to `limit` tasks as `spawn --from` takes them, those that wait for each other preferred."""
    if path is None:
        return [dict(task) for task in SMALL_SET[:limit]]
    try:
        with open(path, "rb") as file:
            lines = [line for line in file.read().split(b"\n") if line.strip()]
    except OSError as error:
        raise Refusal(
            "not-found", f"cannot read {path}: {error.strerror}", "Name a file of JSON lines."
        ) from error
    tasks = [task for number, line in enumerate(lines, 1) if (task := _task(line, number))]
    if not tasks:
        raise Refusal("bad-value", f"{path} holds no task", "One JSON object a line, with a title.")
    return _chosen(tasks, limit)


def _task(line: bytes, number: int) -> Record | None:
    try:
        record: object = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Refusal(
            "bad-value", f"line {number} is not JSON: {error}", "One JSON object a line."
        ) from error
    if not isinstance(record, dict):
        return None
    fields = cast("Record", record)
    title = " ".join(str(fields.get("title") or "").split())[:TITLE_LIMIT]
    slug = fields.get("slug") or fields.get("id") or f"line-{number}"
    if not title or not is_slug(str(slug)):
        return None
    priority = fields.get("priority")
    return {
        "title": title,
        "slug": slug,
        "body": str(fields.get("body") or fields.get("description") or ""),
        "priority": min(max(priority, 0), PRIORITY_LAST) if type(priority) is int else 2,
        "labels": [f"type:{fields['issue_type']}"] if fields.get("issue_type") else [],
        "after": _blockers(fields),
    }


def _blockers(fields: Record) -> list[str]:
    """What the record waits for: our `after`, or Beads' dependencies of type `blocks`."""
    own: list[str] = list(fields.get("after") or ())
    dependencies = cast("list[Record]", fields.get("dependencies") or [])
    return own + [str(one.get("depends_on_id")) for one in dependencies if one.get("type") == "blocks"]


def _chosen(tasks: list[Record], limit: int) -> list[Record]:
    by_slug = {task["slug"]: task for task in tasks}
    linked = {name for task in tasks for name in (task["slug"], *task["after"]) if _is_linked(task, by_slug)}
    ordered = sorted(tasks, key=lambda task: task["slug"] not in linked)[:limit]
    names = {task["slug"] for task in ordered}
    for task in ordered:
        task["after"] = [
            name for name in dict.fromkeys(task["after"]) if name in names and name != task["slug"]
        ]
    return _without_circles(ordered)


def _is_linked(task: Record, by_slug: dict[str, Record]) -> bool:
    return any(name in by_slug for name in task["after"])


def _without_circles(tasks: list[Record]) -> list[Record]:
    """The tasks, each waiting only for what does not wait for it."""
    from graphlib import CycleError, TopologicalSorter

    graph = {task["slug"]: list(task["after"]) for task in tasks}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            waiting, blocker = error.args[1][1], error.args[1][0]
            graph[waiting].remove(blocker)
        else:
            return [{**task, "after": graph[task["slug"]]} for task in tasks]
