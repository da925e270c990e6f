"""`local.toml`: what this clone's user set, a flat file of strings."""

from __future__ import annotations

import os

from cli.files import small, write_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCAL = "local.toml"
_ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def read_local(store: str) -> dict[str, str]:
    """The strings in `local.toml`: flat `key = "value"` lines. What is not of this form is passed over.

    Read by hand because tomllib costs 24 ms at start.
    """
    found: dict[str, str] = {}
    for line in small(os.path.join(store, LOCAL)).decode("utf-8", "replace").split("\n"):
        if line.lstrip().startswith("["):
            break
        key, equals, value = line.partition("=")
        text = quoted(value.strip()) if equals else None
        if text is not None and not key.lstrip().startswith("#"):
            found[key.strip()] = text
    return found


def write_local(store: str, settings: Mapping[str, str]) -> None:
    """Replace `local.toml` by these settings. Raises Refusal `unwritable`, `disk-full`."""
    lines = [f"{key} = {_quote(value)}\n" for key, value in sorted(settings.items())]
    write_private(
        os.path.join(store, LOCAL), "# Settings of this clone's user. Not shared.\n" + "".join(lines)
    )


def _quote(text: str) -> str:
    letters = {char: f"\\{letter}" for letter, char in _ESCAPES.items()}
    letters |= {chr(code): f"\\u{code:04x}" for code in (*range(32), 127) if chr(code) not in letters}
    return f'"{"".join(letters.get(char, char) for char in text)}"'


def quoted(text: str) -> str | None:
    """The string that `text` begins with, in single or double quotes; None if there is none."""
    if text.startswith("'"):
        inner, quote, _ = text[1:].partition("'")
        return inner if quote else None
    if not text.startswith('"'):
        return None
    parts: list[str] = []
    chars = iter(text[1:])
    for char in chars:
        if char == '"':
            return "".join(parts)
        parts.append(_escaped(chars) if char == "\\" else char)
    return None


def _escaped(chars: Iterator[str]) -> str:
    letter = next(chars, "")
    digits = {"u": 4, "U": 8}.get(letter, 0)
    if not digits:
        return _ESCAPES.get(letter, letter)
    try:
        return chr(int("".join(next(chars, "") for _ in range(digits)), 16))
    except (ValueError, OverflowError):
        return "\ufffd"
