"""`schema`: the shapes of JSON answers."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from cli.call import Call
from cli.grammar import command
from domain.refusals import Refusal


@command("schema", "crewlog schema\ncrewlog schema spawn")
def schema(
    call: Call,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[COMMAND]", help="Only this command's answer.", show_default=False),
    ] = None,
) -> None:
    """Print the JSON Schema of what commands answer with --json."""
    from cli.schemas import document

    whole = document()
    if name and name not in whole["$defs"]:
        known = ", ".join(sorted(whole["$defs"]))
        raise Refusal("not-found", f"there is no answer {name[:40]!r}", f"Known: {known}.")
    chosen = {"$schema": whole["$schema"], **whole["$defs"][name]} if name else whole
    print(orjson.dumps(chosen, option=orjson.OPT_INDENT_2).decode(), file=call.shell.stdout)
