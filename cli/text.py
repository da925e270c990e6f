"""Text from agents, made fit for a terminal: nothing that moves the cursor, reorders a line or hides (DESIGN §14)."""

from __future__ import annotations

# By Unicode category: control, format (bidi overrides, zero-width, tags, byte order mark), surrogate, line and
# paragraph separator.
UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
JOINERS = frozenset("\u200c\u200d")
FIRST_JOINED = "\u0600"
ELLIPSIS = "…"

_LINE = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_AGES = ((86_400, "d"), (3_600, "h"), (60, "m"))


def safe(text: str) -> str:
    r"""The text with everything unsafe but newline and tab made visible as `\xNN`, `\uNNNN` or `\UNNNNNNNN`.

    Zero-width joiners stay between two characters of scripts that need them (from Arabic on, and emoji): 👩‍💻.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _escaped(text, {"\n": "\n", "\t": "\t"})


def safe_line(text: str) -> str:
    r"""The text as `safe` has it, on one line: newline, tab and carriage return become `\n`, `\t` and `\r`."""
    return text if text.isprintable() else _escaped(text, _LINE)


def _escaped(text: str, known: dict[str, str]) -> str:
    from unicodedata import category

    parts: list[str] = []
    for place, char in enumerate(text):
        if char.isprintable():
            parts.append(char)
        elif char in known:
            parts.append(known[char])
        elif category(char) not in UNSAFE or (char in JOINERS and _joins(text, place)):
            parts.append(char)
        else:
            parts.append(_visible(ord(char)))
    return "".join(parts)


def _joins(text: str, place: int) -> bool:
    around = text[place - 1 : place] + text[place + 1 : place + 2]
    return len(around) == 2 and around.isprintable() and min(around) >= FIRST_JOINED


def _visible(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """How many columns the text takes on a terminal; at most, for emoji that are joined."""
    return len(text) if text.isascii() else sum(_widths(text))


def cut(text: str, columns: int) -> str:
    """One line shortened to at most so many columns; what was cut shows as an ellipsis."""
    if width(text) <= columns:
        return text
    if columns < 1:
        return ""
    if text.isascii():
        return text[: columns - 1] + ELLIPSIS
    room, end = columns - 1, 0
    for own in _widths(text):
        room -= own
        if room < 0:
            break
        end += 1
    return text[:end].rstrip("".join(JOINERS)) + ELLIPSIS


def _widths(text: str) -> list[int]:
    from unicodedata import category, east_asian_width

    widths: list[int] = []
    for char in text:
        if char == "\ufe0f":  # asks for the emoji form of the character before, which is wide
            widths.append(1 if widths and widths[-1] == 1 else 0)
        elif category(char) in ("Mn", "Me", "Cf"):
            widths.append(0)
        else:
            widths.append(2 if east_asian_width(char) in ("W", "F") else 1)
    return widths


def age(seconds: float) -> str:
    """A duration in its largest whole unit: `42s`, `3m`, `2h`, `5d`. A clock that went back gives `0s`."""
    for unit, letter in _AGES:
        if seconds >= unit:
            return f"{int(seconds // unit)}{letter}"
    return f"{max(0, int(seconds))}s"
