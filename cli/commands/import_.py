"""`import`: take in what other clones wrote, or what another tool has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import values
from cli.call import Call
from cli.grammar import command
from cli.importing import answer
from cli.progress import progress
from domain.refusals import Refusal

if TYPE_CHECKING:
    from export.sources import Source


@command(
    "import",
    "crewlog import ../other/.crewlog\n"
    "crewlog import --ref origin/crewlog\n"
    "crewlog import --from beads .beads --dry-run --as zoe\n"
    "crewlog import --from tissue .tissue/issues.jsonl --as zoe",
    writes=True,
)
def import_(
    call: Call,
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE]...",
            help="Folders with segments, or .jsonl files; with --from the tool's folder, or its file of issues.",
            show_default=False,
        ),
    ] = None,
    ref: Annotated[
        str,
        typer.Option(
            "--ref", metavar="REF", help="A branch with segments, not checked out.", show_default=False
        ),
    ] = "",
    from_: Annotated[
        str,
        typer.Option("--from", metavar="TOOL", help="Another tool: beads or tissue.", show_default=False),
    ] = "",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="With --from: say what would be done; write nothing.", show_default=False
        ),
    ] = False,
) -> None:
    """Take in what is absent of the events in segments; without PLACE, of this store's own folder.

    Every line is checked: bytes, id, chain, parents. A bad line ends its file, and the rest goes on. Prints which events
    became conflicts.

    With --from, take over the issues of Beads or Tissue, with comments, labels, dependencies and history. Ids stay as
    slugs. A second import adds what is new; what was changed here stays. Exit 4 when anything was left out.
    """
    if from_ or dry_run:
        _foreign(call, from_, values(places), ref, dry_run=dry_run)
        return
    if call.options.key or call.options.allow_secret:
        raise Refusal("usage", "segments take no --key and no --allow-secret", "crewlog import PLACE")
    from export.importing import import_from

    source = _source(call, values(places), ref)
    with progress(call.shell, "importing") as step:
        imported = import_from(call.store.log, source, step)
    call.answer(answer(call, imported))


def _foreign(call: Call, tool: str, places: list[str], ref: str, *, dry_run: bool) -> None:
    from cli.commands.import_foreign import import_foreign

    if len(places) != 1 or ref:
        raise Refusal("usage", "--from takes one PLACE and no --ref", "crewlog import --from beads .beads")
    import_foreign(call, tool, places[0], dry_run=dry_run)


def _source(call: Call, places: list[str], ref: str) -> Source:
    from export.sources import open_source

    if ref and places:
        raise Refusal("usage", "give PLACE or --ref, not both", f"crewlog import --ref {ref}")
    if ref:
        from cli.source import ref_source

        return ref_source(call, ref)
    return open_source([os.path.join(call.shell.cwd, place) for place in places] or [call.store.folder])
