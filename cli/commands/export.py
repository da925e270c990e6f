"""`export`: bring live.jsonl up to the log, and seal what is new for other clones."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.progress import progress
from domain.refusals import Refusal


@command("export", "crewlog export\ncrewlog export --rebuild")
def export(
    call: Call,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Write anew what differs from the log, own segments too.", show_default=False
        ),
    ] = False,
) -> None:
    """Bring live.jsonl up to the log, and seal what is new into a segment for other clones.

    Every write feeds live.jsonl by itself. A segment is never edited again: --rebuild mends live.jsonl, blobs and this
    clone's own segments where somebody else did.
    """
    call.store.log.settle()  # an older database takes in first what its files have
    live = call.store.live
    fed = live.rebuild() if rebuild else live.feed()
    if fed.remark:
        wrong = fed.remark
        code = "corrupt" if wrong.code == "live-edited" else "unwritable"
        raise Refusal(code, wrong.message, wrong.hint, finding=wrong.as_dict())
    mended = call.store.segments.mend() if rebuild else []
    with progress(call.shell, "sealing") as step:
        sealed = call.store.segments.seal(step)
    data = {
        "path": live.path,
        "written": fed.written,
        "events": call.store.log.position(),
        "segments": list(sealed.segments),
        "sealed": sealed.events,
        "mended": mended,
        "blobs": sealed.blobs,
    }
    lines = [f"{live.path}: {fed.written:,} lines written"]
    lines += [f"mended {call.store.path(path)}" for path in mended]
    lines += [f"sealed {call.store.path(path)}" for path in sealed.segments]
    call.answer(Answer(data, lines, [live.path, *sealed.segments]))
