"""`checkpoint`: a few lines that prove later what was there now."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.call import Call
from cli.files import unwritable
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal


@command(
    "checkpoint",
    "crewlog checkpoint -o monday.json\ncrewlog checkpoint --sign ~/.ssh/id_ed25519 -o monday.json",
)
def checkpoint(
    call: Call,
    sign: Annotated[
        str | None,
        typer.Option("--sign", metavar="KEY", help="Sign it with this SSH key.", show_default=False),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where; default: standard output.", show_default=False
        ),
    ] = None,
) -> None:
    """Print how far each clone's chain is. Kept where this machine cannot reach it, it proves later what was there.

    `crewlog verify --checkpoint FILE` compares.
    """
    from export.checkpoint import make
    from export.signing import CHECKPOINT
    from export.signing import sign as signed

    made = make(call.store.log)
    text = made.text()
    if sign is not None:
        key = os.path.join(call.shell.cwd, os.path.expanduser(sign))
        text += signed(key, CHECKPOINT, text.encode(), call.shell.environ)
    path = os.path.join(call.shell.cwd, output) if output else None
    if path:
        _write(path, text)
    data = {
        "path": path,
        "at": made.at,
        "origin": made.origin,
        "events": made.events,
        "root": made.root,
        "ends": {replica: {"seq": seq, "id": event_id} for replica, (seq, event_id) in made.ends.items()},
        "signed": sign is not None,
        "text": text,
    }
    lines = (
        [f"{path}: {made.events:,} events, root {made.root[:12]}"] if path else text.rstrip("\n").split("\n")
    )
    call.answer(Answer(data, lines, [made.root]))


def _write(path: str, text: str) -> None:
    """A new file; one that is there may be a checkpoint that somebody needs."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Refusal("bad-value", f"{path} is there already", "Name another file.", path=path) from error
    except OSError as error:
        raise unwritable(error, path) from error
