"""`note`: write something down about a task."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import text_from
from cli.call import Call
from cli.completion import complete_task
from cli.grammar import command
from cli.writes import answer
from domain.names import is_task_id
from domain.refusals import Refusal


@command(
    "note",
    'crewlog note t-3k9f "the fixture needs a clean clock"\ngit log -3 | crewlog note t-3k9f -',
    writes=True,
)
def note(
    call: Call,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK]",
            help="Id, unique prefix or slug; may be left out where the worktree says it.",
            autocompletion=complete_task,
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to write down; - reads stdin.", show_default=False),
    ] = None,
) -> None:
    """Write something down about a task, in any state."""
    from domain.commands import Note

    if task is None:
        raise Refusal("usage", "note what?", 'Example: crewlog note t-3k9f "what I found"')
    name, words = (call.task(task), text) if text is not None else (_own(call, task), task)
    content = text_from(call, words, "note")
    if not content.strip():
        raise Refusal("bad-value", "the note is empty", 'Example: crewlog note t-3k9f "what I found"')
    call.answer(answer(call, call.write(name, Note(call.actor, content), texts=[content])))


def _own(call: Call, word: str) -> str:
    """The task that the surroundings say; refused with what is missing beside the single word that was given."""
    try:
        return call.task(None)
    except Refusal as refusal:
        if refusal.code != "usage":
            raise
    if _is_task(call, word):
        hint = f'Example: crewlog note {word} "what I found"'
        raise Refusal("usage", f"note what about {word}? The text is missing", hint)
    import shlex

    hint = f"Name it before the text: crewlog note t-3k9f {shlex.quote(word)}"
    raise Refusal("usage", "which task? Only a text was given, and nothing here says it", hint)


def _is_task(call: Call, word: str) -> bool:
    try:
        return is_task_id(word) or bool(call.task(word))
    except Refusal as refusal:
        return refusal.code == "ambiguous"
