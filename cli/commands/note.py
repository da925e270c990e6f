"""`note`: write something down about a task."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import text_from
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal


@command(
    "note",
    'crewlog note t-3k9f "the fixture needs a clean clock"\ngit log -3 | crewlog note t-3k9f -',
    writes=True,
)
def note(
    call: Call,
    task: Annotated[str, typer.Argument(metavar="[TASK]", help="Which task.", show_default=False)],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What; - reads stdin.", show_default=False)
    ] = None,
) -> None:
    """Write something down about a task, in any state. Inside a bound worktree the task may be left out."""
    from domain.decide import Note

    name, words = (call.task(task), text) if text is not None else (call.task(None), task)
    content = text_from(call.shell, words, "note")
    if not content.strip():
        raise Refusal("bad-value", "the note is empty", 'Example: crewlog note t-3k9f "what I found"')
    call.answer(answer(call, call.write(name, Note(call.actor, content), texts=[content])))
