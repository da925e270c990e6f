"""`import`: take in what other clones wrote."""

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


@command("import", "crewlog import ../other/.crewlog\ncrewlog import --ref origin/crewlog")
def import_(
    call: Call,
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE]...", help="Folders with segments, or .jsonl files.", show_default=False
        ),
    ] = None,
    ref: Annotated[
        str,
        typer.Option(
            "--ref", metavar="REF", help="A branch with segments, not checked out.", show_default=False
        ),
    ] = "",
) -> None:
    """Take in what is absent of the events in segments; without PLACE, of this store's own folder.

    Every line is checked: bytes, id, chain, parents. A bad line ends its file, and the rest goes on. Prints which events
    became conflicts.
    """
    from export.importing import import_from

    source = _source(call, values(places), ref)
    with progress(call.shell, "importing") as step:
        imported = import_from(call.store.log, source, step)
    call.answer(answer(call, imported))


def _source(call: Call, places: list[str], ref: str) -> Source:
    from export.sources import open_source

    if ref and places:
        raise Refusal("usage", "give PLACE or --ref, not both", f"crewlog import --ref {ref}")
    if ref:
        from cli.source import ref_source

        return ref_source(call, ref)
    return open_source([os.path.join(call.shell.cwd, place) for place in places] or [call.store.folder])
