"""Several tasks in one command: each is judged alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.output import Answer
from cli.text import safe
from cli.writes import answer
from domain.refusals import Exit, Refusal

if TYPE_CHECKING:
    from domain.log import Written


def each(call: Call, tasks: Sequence[str | None], write: Callable[[str], Written]) -> None:
    """Answer for one task as any write does; for several with `{"results": […]}`, exit 4 if any was refused."""
    several(call, "task", tasks, lambda text: answer(call, write(call.task(text))))


def several(call: Call, what: str, texts: Sequence[str | None], do: Callable[[str | None], Answer]) -> None:
    """Answer for each thing that was named; `what` they are, `do` what is done to one of them."""
    texts = list(dict.fromkeys(texts))
    if len(texts) == 1:
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
            remarks.append(f"{text}: {safe(refusal.message)} [{refusal.code}]")
            hints |= {f"  hint: {safe(refusal.hint)}": None} if refusal.hint else {}
        else:
            results.append(one.data)
            lines += one.lines
            ids += one.ids
            remarks += one.remarks
    remarks += hints
    call.answer(Answer({"results": results}, lines, ids, remarks, Exit.REFUSED if refused else Exit.DONE))
