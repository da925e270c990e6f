"""What an import of another tool's issues costs, beside plain appends, and the peak of its memory at two sizes."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from statistics import median

from bench.append import EVENTS, make_store, open_log
from bench.cold import SCRIPT, call
from bench.figures import Figure
from bench.stores import Spent, alone
from domain.commands import Spawn
from domain.decide import spawn

SMALL, LARGE = 1_000, 100_000


def write_issues(path: str, number: int) -> None:
    """Issues as Beads writes them: a description, two labels, a dependency, a comment."""
    with open(path, "w", encoding="utf-8") as file:
        for count in range(number):
            name = f"bd-{count:x}"
            depends = (
                [{"issue_id": name, "depends_on_id": f"bd-{count // 2:x}", "type": "blocks"}] if count else []
            )
            issue = {
                "id": name,
                "title": f"Issue {count}",
                "description": "What is wrong, and how to see it. " * 12,
                "status": ("open", "closed", "in_progress")[count % 3],
                "priority": count % 5,
                "issue_type": "task",
                "created_at": "2025-11-02T21:58:07.295058-08:00",
                "updated_at": "2025-11-03T20:56:22Z",
                "labels": ["backend", f"area:{count % 7}"],
                "dependencies": depends,
                "comments": [{"id": count, "author": "Bryan Hirsch", "text": "Seen in CI."}],
            }
            file.write(json.dumps(issue) + "\n")


def imported(number: int) -> Spent:
    """What importing so many issues into an empty store takes."""
    with tempfile.TemporaryDirectory() as folder:
        write_issues(os.path.join(folder, "issues.jsonl"), number)
        call((SCRIPT, "init", "--as", "zoe"), folder)
        return alone(folder, ["import", "--from", "beads", "issues.jsonl", "--as", "zoe"])


def plain() -> float:
    """Seconds that an event costs in one large transaction of plain spawns."""
    with tempfile.TemporaryDirectory() as folder:
        make_store(folder)
        log = open_log(folder)
        begin = time.perf_counter()
        with log.transaction() as transaction:
            for _ in range(EVENTS):
                transaction.append(None, "ada", lambda _: spawn(Spawn("ada", "a task", 2)))
        seconds = (time.perf_counter() - begin) / EVENTS
        log.close()
        return seconds


def figures() -> Iterator[Figure]:
    """An issue here is two events; its views and live.jsonl are written, too."""
    each = [plain() for _ in range(3)]
    beside = f"a plain event: {1000 * median(each):.2f} ms"
    yield Figure("a plain event in one large transaction", [1000 * seconds for seconds in each], "ms")
    for number in (SMALL, LARGE):
        taken = imported(number)
        cost = taken.seconds / number
        yield Figure(
            f"import of {number:,} Beads issues, each event", [cost / median(each) / 2], beside=beside
        )
        yield Figure(f"import of {number:,} Beads issues, peak", [taken.peak], "MiB", most=128)
