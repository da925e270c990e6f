"""How answers and refusals are printed: JSON for programs, ids for `--quiet`, text for people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from cli.shell import Shell
from cli.style import plain
from cli.text import cut, safe, width
from domain.named import NamedTuple
from domain.refusals import Exit, Refusal

UNREAD = "unread"


class Answer(NamedTuple):
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


def print_exactly(shell: Shell, data: bytes) -> None:
    """Print bytes as they are, for a pipe or a file: a terminal would obey what is in them."""
    shell.stdout.flush()
    raw = getattr(shell.stdout, "buffer", None)
    if raw is None:
        shell.stdout.write(data.decode("utf-8", "replace"))
    else:
        raw.write(data)
        raw.flush()


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


LEAST_LAST = 24
INDENT = "    "


class Columns:
    """A table for people: each column as wide as its widest cell so far, the last one free.

    `room` is how wide the terminal is, 0 for what is no terminal: the last cell is cut to it, and stands on a line of
    its own where too little is left.
    """

    __slots__ = ("room", "rows", "widths")

    def __init__(self, room: int = 0, widths: Sequence[int] = ()) -> None:
        self.room = room
        self.rows: list[Sequence[str]] = []
        self.widths = list(widths)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def lines(self) -> list[str]:
        """The rows that were added since the last time, aligned with those before."""
        rows, self.rows = self.rows, []
        for row in rows:
            self.widths += [0] * (len(row) - 1 - len(self.widths))
            for place, cell in enumerate(row[:-1]):
                self.widths[place] = max(self.widths[place], _width(cell))
        return [line for row in rows for line in self._lines(row)]

    def _lines(self, row: Sequence[str]) -> list[str]:
        *cells, last = row
        first = "".join(
            cell + " " * (width_ - _width(cell) + 2) for cell, width_ in zip(cells, self.widths, strict=False)
        )
        if not self.room:
            return [(first + last).rstrip()]
        left = self.room - _width(first)
        if left >= min(LEAST_LAST, _width(last)):
            return [(first + _cut(last, left)).rstrip()]
        return self._folded(row)

    def _folded(self, row: Sequence[str]) -> list[str]:
        """The row on several lines, the last cell on one of its own."""
        lines: list[str] = [""]
        *cells, last = row
        for cell, width_ in zip(cells, self.widths, strict=False):
            padded = cell + " " * (width_ - _width(cell))
            if lines[-1] and _width(lines[-1]) + _width(cell) + 2 > self.room:
                lines.append(INDENT + padded)
            else:
                lines[-1] += ("  " if lines[-1] else "") + padded
        lines += [INDENT + last] if last else []
        return [_cut(line.rstrip(), self.room) for line in lines]


def _width(cell: str) -> int:
    return width(plain(cell))


def _cut(text: str, columns: int) -> str:
    """Cut what is too wide; then without colours, since a cut could part them from what ends them."""
    return text if _width(text) <= columns else cut(plain(text), columns)
