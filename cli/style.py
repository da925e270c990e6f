"""How text looks to who reads it: colour by state and by name, the room there is, local time.

Plain where no person looks: in a pipe, with NO_COLOR (https://no-color.org), on a terminal that cannot.
"""

from __future__ import annotations

import os
import time
from binascii import crc32

from cli.shell import Shell
from domain.event import parse_time
from domain.named import NamedTuple

START, END = "\x1b[", "\x1b[0m"
BOLD, DIM = "1", "2"
_STATES = {
    "ASSIGNED": "34",
    "WORKING": "33",
    "IN_REVIEW": "35",
    "APPROVED": "36",
    "MERGING": "36",
    "COMPLETED": "32",
    "CANCELLED": DIM,
    "FAILED": "31",
}
# Of the 256 colours those that can be read on white and on black.
_NAMES = ("32", "37", "64", "130", "133", "161", "69", "166")
LEAST_ROOM = 20


class Style(NamedTuple):
    """`colour` or not; `room`: how many columns there are, 0 for nobody's; `utc`: times as stored."""

    colour: bool = False
    room: int = 0
    utc: bool = False

    def paint(self, text: str, code: str) -> str:
        """The text in a colour; as it is where there is none."""
        return f"{START}{code}m{text}{END}" if self.colour and text else text

    def state(self, state: str) -> str:
        """A state in its colour."""
        return self.paint(state, _STATES.get(state, ""))

    def name(self, name: str, shown: str = "") -> str:
        """A name, or what is shown for it, in the colour that it has everywhere."""
        return self.paint(shown or name, f"38;5;{_NAMES[crc32(name.encode()) % len(_NAMES)]}")

    def when(self, ts: str) -> str:
        """A time of an event: `2026-11-23 17:31:05` as the clock on the wall has it; in UTC with a Z."""
        if self.utc:
            return f"{ts[:10]} {ts[11:19]}Z"
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(parse_time(ts) // 1_000_000))


PLAIN = Style()


def style_for(shell: Shell, *, whole: bool = False, utc: bool = False) -> Style:
    """The style for who reads stdout; `whole`: nothing is shortened to the room there is."""
    if not shell.stdout.isatty():
        return Style(utc=utc)
    dull = shell.environ.get("NO_COLOR") or shell.environ.get("TERM") == "dumb"
    return Style(not dull, 0 if whole else _room(shell), utc)


def _room(shell: Shell) -> int:
    stated = shell.environ.get("COLUMNS", "")
    if stated.isascii() and stated.isdigit():
        return max(LEAST_ROOM, int(stated))
    try:
        return max(LEAST_ROOM, os.get_terminal_size(shell.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 80


def plain(text: str) -> str:
    """The text without colours. Safe texts hold no other escape."""
    if START not in text:
        return text
    first, *others = text.split(START)
    return first + "".join(part.partition("m")[2] for part in others)
