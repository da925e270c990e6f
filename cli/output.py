"""How answers and refusals are printed: JSON for programs, ids for `--quiet`, text for people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from cli.shell import Shell
from cli.text import safe
from domain.refusals import Exit, Refusal

UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say: the JSON object, the ids for `--quiet`, the lines for people.

    `lines` are already safe to print: whoever builds them escapes what agents wrote (`cli.text`). `tells` are the ids of
    the messages and answers to messages that it shows, and UNREAD where it says how many there are: no news any more.
    """

    data: dict[str, Any]
    lines: Sequence[str]
    ids: Sequence[str] = ()
    remarks: Sequence[str] = ()
    exit: Exit = Exit.DONE
    tells: Collection[str] = ()


def json_text(value: Any) -> str:
    r"""One line of JSON for a program. What could move a terminal's cursor or reorder a line stands as `\uNNNN`."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # a path that is no UTF-8
        import json

        return json.dumps(value, separators=(",", ":"))
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json_escape(c) for c in text)


def json_escape(char: str) -> str:
    """The character as JSON writes it in ASCII."""
    import json

    return json.dumps(char)[1:-1]


def print_answer(shell: Shell, answer: Answer, *, as_json: bool, quiet: bool) -> None:
    """Print the answer on stdout, its remarks on stderr."""
    if as_json:
        print(json_text(answer.data), file=shell.stdout)
    else:
        for line in answer.ids if quiet else answer.lines:
            print(line, file=shell.stdout)
    for remark in answer.remarks:
        shell.remark(safe(remark))


def print_refusal(shell: Shell, refusal: Refusal, *, as_json: bool, news: Sequence[str] = ()) -> None:
    """With `--json` one object on stdout, else a sentence and a hint on stderr; and what is new for who was refused."""
    if as_json:
        notices = {"notices": [*news]} if news else {}
        print(json_text({"error": refusal.as_dict(), **notices}), file=shell.stdout)
        return
    shell.remark(f"crewlog: {safe(refusal.message)} [{refusal.code}]")
    for candidate in refusal.details.get("candidates", ())[:10]:
        shell.remark(safe(f"  {candidate['id']}  {candidate['state']:<9}  {candidate['title']}"))
    if refusal.hint:
        shell.remark(safe(f"  hint: {refusal.hint}"))
    for line in news:
        shell.remark(safe(f"! {line}"))


@dataclass(slots=True)
class Columns:
    """A table for people: each column as wide as its widest cell, the last one free."""

    rows: list[Sequence[str]] = field(default_factory=list[Sequence[str]])

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def lines(self) -> list[str]:
        """The rows, aligned."""
        widths = (
            [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]) - 1)] if self.rows else []
        )
        return [
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]
            ).rstrip()
            for row in self.rows
        ]
