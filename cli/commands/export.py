"""`export`: bring live.jsonl up to the log."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal


@command("export", "crewlog export\ncrewlog export --rebuild")
def export(
    call: Call,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write live.jsonl anew, in place.", show_default=False)
    ] = False,
) -> None:
    """Bring live.jsonl up to the log. Every write does that by itself; --rebuild mends a file that was edited."""
    live = call.store.live
    fed = live.rebuild() if rebuild else live.feed()
    if fed.remark:
        wrong = fed.remark
        code = "corrupt" if wrong.code == "live-edited" else "unwritable"
        raise Refusal(code, wrong.message, wrong.hint, finding=wrong.as_dict())
    data = {"path": live.path, "written": fed.written, "events": call.store.log.position()}
    call.answer(Answer(data, [f"{live.path}: {fed.written:,} lines written"], [live.path]))
