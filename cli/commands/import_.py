"""`import`: take in what another tool has."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command


@command(
    "import",
    "crewlog import --from beads .beads --dry-run --as zoe\n"
    "crewlog import --from tissue .tissue/issues.jsonl --as zoe",
    writes=True,
)
def import_(
    call: Call,
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="The tool's folder, or its file of issues.", show_default=False),
    ],
    from_: Annotated[
        str,
        typer.Option("--from", metavar="TOOL", help="What wrote it: beads or tissue.", show_default=False),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.", show_default=False)
    ] = False,
) -> None:
    """Take over the issues of Beads or Tissue, with comments, labels, dependencies and history.

    Ids stay as slugs. A second import adds what is new; what was changed here stays. Exit 4 when anything was left out.
    """
    from cli.commands.import_foreign import import_foreign

    import_foreign(call, from_, path, dry_run=dry_run)
