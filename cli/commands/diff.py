"""`diff`: what a task's branch changes."""

from __future__ import annotations

from typing import Any

from cli.arguments import TaskArg
from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.text import safe, safe_line

LIMIT = 256 * 1024


@command("diff", "crewlog diff t-3k9f\ncrewlog diff t-3k9f --json")
def diff(call: Call, task: TaskArg = None) -> None:
    """Show what a task changes: as it was handed in, else what is committed on its branch. --full shows all of it."""
    from cli.git.repository import printable
    from cli.git.review import ends_of

    name = call.task(task)
    found, before, commit = ends_of(call, call.state_of(name))
    files = found.changed(before, commit)
    line = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--end-of-options")
    text = found.git.run(*line, before, commit).out.decode("utf-8", "replace")
    cut = len(text) > LIMIT and not call.options.full
    shown = text[:LIMIT] if cut else text
    rows: list[dict[str, Any]] = [
        {"path": printable(row.path), "added": row.added, "removed": row.removed} for row in files
    ]
    data = {"task": name, "from": before, "commit": commit, "files": rows, "diff": shown, "cut": cut}
    remarks = [f"{len(text):,} characters in all; --full shows them"] if cut else []
    lines = [safe(part) for part in shown.removesuffix("\n").split("\n")] if shown else []
    call.answer(Answer(data, lines, [safe_line(row["path"]) for row in rows], remarks))
