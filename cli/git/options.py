"""Options that say where the work of a claim happens; they cost no start anything."""

from __future__ import annotations

from typing import Annotated

import typer

HereOption = Annotated[
    bool,
    typer.Option("--here", help="Work in this worktree, on its branch.", show_default=False),
]
NoBranchOption = Annotated[
    bool,
    typer.Option("--no-branch", help="Work without code: no branch, no worktree.", show_default=False),
]
BaseOption = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="BRANCH",
        help="What the work goes into; default: the main worktree's branch.",
        show_default=False,
    ),
]
