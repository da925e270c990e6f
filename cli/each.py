"""Several tasks in one command: each is judged alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.output import Answer
from cli.text import safe, safe_line
from cli.writes import answer
from domain.refusals import Exit, Refusal

if TYPE_CHECKING:
    from domain.log import Written


def _no_facts(_: Written) -> dict[str, Any]:
    return {}


def each(
    call: Call,
    tasks: Sequence[str | None],
    write: Callable[[str], Written],
    *,
    facts: Callable[[Written], dict[str, Any]] = _no_facts,
    listed: bool = False,
) -> None:
    """Answer for one task as any write does; for several with `{"results": […]}`, exit 4 if any was refused.

    `facts` are told besides; `listed` answers with a list also for one.
    """

    def one(text: str | None) -> Answer:
        written = write(call.task(text))
        told = facts(written)
        said = [f"  {name} {safe_line(str(value))}" for name, value in told.items()]
        return answer(call, written, said=said, **told)

    several(call, "task", tasks, one, listed=listed)


def several(
    call: Call,
    what: str,
    texts: Sequence[str | None],
    do: Callable[[str | None], Answer],
    *,
    listed: bool = False,
) -> None:
    """Answer for each thing that was named; `what` they are, `do` what is done to one of them."""
    texts = list(dict.fromkeys(texts))
    if len(texts) == 1 and not listed:
        call.answer(do(texts[0]))
        return
    if call.options.key:
        raise Refusal(
            "usage", f"--key goes with one {what}", f"Give each {what} a command and a key of its own."
        )
    results: list[dict[str, Any]] = []
    lines: list[str] = []
    ids: list[str] = []
    remarks: list[str] = []
    hints: dict[str, None] = {}  # each once, in order
    refused = False
    for call.part, text in enumerate(texts):
        try:
            one = do(text)
        except Refusal as refusal:
            refused = True
            results.append({what: text, "error": refusal.as_dict()})
            named = f"{text} " if refusal.message.startswith(f"{text} ") else f"{text}: "
            remarks.append(f"{named}{safe(refusal.message.removeprefix(named))} [{refusal.code}]")
            hints |= {f"  hint: {safe(refusal.hint)}": None} if refusal.hint else {}
        else:
            results.append(one.data)
            lines += one.lines
            ids += one.ids
            remarks += one.remarks
    remarks += hints
    call.answer(Answer({"results": results}, lines, ids, remarks, Exit.REFUSED if refused else Exit.DONE))
