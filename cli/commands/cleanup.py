"""`cleanup`: remove branches and worktrees that nobody needs any more."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line


@command("cleanup", "crewlog cleanup --dry-run\ncrewlog cleanup --abandoned --as zoe", writes=True)
def cleanup(
    call: Call,
    abandoned: Annotated[
        bool,
        typer.Option(
            "--abandoned",
            help="Also those of attempts that were given up; their commits stay findable.",
            show_default=False,
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go.", show_default=False)
    ] = False,
) -> None:
    """Remove branches and worktrees of finished tasks whose commit is in the base, and nothing else.

    Never what has uncommitted changes, never a worktree that crewlog did not make. With --abandoned a branch of a task at
    rest goes as well: its commits stay under refs/crewlog/TASK/, and the event task.cleaned names them.
    """
    from cli.git.cleaning import clean_all, look
    from cli.git.merging import gates

    actor = call.actor
    if dry_run:
        found, branches = look(call, abandoned=abandoned)
        left = gates(found)
    else:
        branches, left = clean_all(call, abandoned=abandoned)
    remarks = [] if dry_run else call.store.after_write()
    rows = [
        {
            "branch": one.branch,
            "task": one.task,
            "commit": one.commit,
            "abandoned": one.abandoned,
            "why": one.why,
        }
        for one in branches
    ]
    gone = [row for row, one in zip(rows, branches, strict=True) if one.goes]
    kept = [row for row, one in zip(rows, branches, strict=True) if not one.goes]
    verb = "would go" if dry_run else "removed"
    lines = [safe_line(f"{verb}  {row['branch']}  {str(row['commit'])[:12]}  {row['why']}") for row in gone]
    lines += [safe_line(f"{verb}  {path}  the checkout of a merge that did not end") for path in left]
    lines += [safe_line(f"kept  {row['branch']}  {row['why']}") for row in kept]
    data = {"by": actor, "removed": gone, "kept": kept, "checkouts": left, "dry_run": dry_run}
    call.answer(Answer(data, lines or ["nothing to clean up"], [str(row["branch"]) for row in gone], remarks))
