"""Records as Beads and Tissue write them, and what was read of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from export.findings import Finding
from export.foreign import beads, tissue
from export.foreign.files import find
from export.foreign.issue import Issue
from export.foreign.staging import staging

Fields = dict[str, Any]
LIMIT = 10 * 1024 * 1024


def bead(number: int = 1, **more: Any) -> Fields:
    """An issue of Beads."""
    return {
        "id": f"bd-{number}",
        "title": f"Issue {number}",
        "description": "What is wrong.",
        "status": "open",
        "priority": 2,
        "issue_type": "task",
        "created_at": "2025-11-02T21:58:07.295058123-08:00",
        "updated_at": "2025-11-03T20:56:22Z",
        **more,
    }


def needs(number: int, other: int | str, kind: str = "blocks") -> Fields:
    """A dependency of Beads: issue `number` depends on another one."""
    target = other if isinstance(other, str) else f"bd-{other}"
    return {
        "issue_id": f"bd-{number}",
        "depends_on_id": target,
        "type": kind,
        "created_at": "2025-11-02T22:23:49-08:00",
        "created_by": "stevey",
        "metadata": "{}",
    }


def snapshot(name: str = "aaaaaaaa", rev: str = "01A", **more: Any) -> Fields:
    """An issue of Tissue, as it was at one moment."""
    return {
        "type": "issue",
        "id": f"tz-{name}",
        "rev": rev,
        "title": "Fix flaky tests",
        "body": "",
        "status": "open",
        "priority": 1,
        "tags": [],
        "created_at": 1_795_459_391_409,
        "updated_at": 1_795_459_391_409,
        **more,
    }


def dep(source: str, target: str, kind: str = "blocks", state: str = "active", rev: str = "01A") -> Fields:
    """A dependency of Tissue."""
    return {
        "type": "dep",
        "src_id": f"tz-{source}",
        "dst_id": f"tz-{target}",
        "kind": kind,
        "state": state,
        "created_at": 1_795_459_391_421,
        "rev": rev,
    }


def write(path: Path, records: Iterable[Fields | bytes | str]) -> Path:
    """A file of JSON lines; what is no record stands there as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        item if isinstance(item, bytes) else (item if isinstance(item, str) else json.dumps(item)).encode()
        for item in records
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def read_all(system: str, path: Path) -> tuple[dict[str, Issue], list[Finding]]:
    """All issues of a source by their ids, and what there was to find fault with."""
    told: list[Finding] = []
    with staging(system, find(system, str(path), "/")) as source:
        source.scan(LIMIT, told.append)
        told += source.orphans()
        issues = {issue.id: issue for issue, _ in source.issues(told.append)}
    return issues, told


def one(system: str, path: Path, *records: Fields) -> Issue:
    """The first issue of a file with these records."""
    name = (beads if system == "beads" else tissue).ISSUES[0]
    issues, told = read_all(system, write(path / name, records))
    assert told == []
    return next(iter(issues.values()))
