"""`verify`: whether what is stored agrees with itself."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line
from domain.refusals import Exit, Refusal


@command("verify", "crewlog verify --git\ncrewlog verify --git --json")
def verify(
    call: Call,
    git: Annotated[
        bool,
        typer.Option("--git", help="Every commit that the log names, in the repository.", show_default=False),
    ] = False,
) -> None:
    """Look whether what is stored agrees with itself. Exit 7 where it does not; each finding names its place.

    --git: every commit that the log names exists and is in its branch or base, none was handed in for two tasks, and no
    merge into a base is without its event.
    """
    if not git:
        raise Refusal("usage", "say what to look at", "crewlog verify --git")
    from cli.git.auditing import findings
    from cli.git.repository import needed

    found = findings(needed(call, "verify --git"))
    rows = [finding.as_dict() for finding in found]
    lines = [safe_line(f"{row['code']}  {row['message']}") for row in rows] or ["all is as the log says"]
    ids = [finding.id or finding.code for finding in found]
    call.answer(Answer({"findings": rows}, lines, ids, exit=Exit.CORRUPT if rows else Exit.DONE))
