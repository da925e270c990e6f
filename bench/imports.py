"""What an import costs: issues a second beside plain appends, and the peak of its memory at two sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

from bench.append import EVENTS, make_store, open_log
from domain.commands import Spawn
from domain.decide import spawn

SMALL, LARGE = 1_000, 100_000
SCRIPT = os.path.join(os.path.dirname(sys.executable), "crewlog")
# The peak of a child, from /proc: ru_maxrss begins at the size of the process that started it.
CHILD = """
import io, os, sys
from cli.app import run
from cli.shell import Shell
words = ["import", "--from", "beads", "issues.jsonl", "--as", "zoe", "--json"]
code = run(words, Shell(io.StringIO(), sys.stdout, io.StringIO(), {}, os.getcwd()))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]))
sys.exit(code)
"""


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


def imported(number: int) -> tuple[float, int]:
    """Seconds and peak memory in KiB of importing so many issues into an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        write_issues(os.path.join(folder, "issues.jsonl"), number)
        subprocess.run([SCRIPT, "init", "--as", "zoe"], cwd=folder, check=True, capture_output=True)
        begin = time.perf_counter()
        child = [sys.executable, "-c", CHILD]
        environ = {**os.environ, "PYTHONPATH": os.getcwd()}
        done = subprocess.run(child, cwd=folder, env=environ, check=True, capture_output=True, text=True)
        answer, peak = done.stdout.splitlines()
        assert json.loads(answer)["imported"] == number
        return time.perf_counter() - begin, int(peak)


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


def main() -> None:
    """Print rates and peaks; an issue here is two events, and its views and live.jsonl are written, too."""
    each = plain()
    print(f"  a plain event           {each * 1000:7.2f} ms")
    for number in (SMALL, LARGE):
        seconds, peak = imported(number)
        cost = seconds / number
        print(
            f"  {number:>7,} issues         {cost * 1000:7.2f} ms each, {cost / each / 2:.1f} x an event; peak {peak / 1024:.0f} MiB"
        )


if __name__ == "__main__":
    main()
