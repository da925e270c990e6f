"""Lines that people and agents type by habit, and what they are here: for hints only, nothing of it is run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from domain.task import STATES

_OTHER_TOOLS = ("add",)  # as in `dep add A B`


def as_link(words: Sequence[str], *, other_waits: bool = False) -> list[str]:
    """`A B` as `link` takes it: A waits for B, or B for A; other words as they are."""
    tasks = words[1:] if words[:1] and words[0] in _OTHER_TOOLS else words
    if len(tasks) < 2 or any(word.startswith("-") for word in tasks[:2]):
        return [*words]
    return [tasks[0], "--blocks" if other_waits else "--after", *tasks[1:]]


def with_option(command: str, extra: str, arguments: Sequence[str]) -> str:
    """The line in which the word that the command does not take has its option; "" where nobody knows which."""
    option = _option_for(command, extra)
    if not option or extra not in arguments:
        return ""
    place = len(arguments) - 1 - arguments[::-1].index(extra)
    return shlex.join(["crewlog", *arguments[:place], option, *arguments[place:]])


def _option_for(command: str, extra: str) -> str:
    if command == "list" and (extra.lower() == "open" or extra.upper() in STATES):
        return "--state"
    return "--after" if command in ("link", "unlink") else ""
