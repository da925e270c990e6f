"""Work that lost to another clone's: its branch and commit, wherever in this repository they can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.named import NamedTuple
from domain.task import branch_of
from export.git import Git

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.event import Event


class Lost(NamedTuple):
    """What an event in conflict says of code. `commit` is "" where the branch has not come here yet."""

    branch: str
    commit: str


def lost_work(git: Git, event: Event) -> Lost | None:
    """The code of a claim or submission in conflict; None for an event that names no branch."""
    branch = _branch(event)
    if not branch:
        return None
    commit = event.payload.get("commit")
    return Lost(branch, commit if isinstance(commit, str) else _tip(git, branch))


def _tip(git: Git, branch: str) -> str:
    """The commit that a branch of this clone is at, or else that of a remote."""
    places = (f"refs/heads/{branch}", f"refs/remotes/*/{branch}")
    return git.line("for-each-ref", "--format=%(objectname)", *places).partition("\n")[0]


def branches(events: Iterable[Event | None]) -> list[str]:
    """The branches that these events name, each once, in their order."""
    names = (_branch(event) for event in events if event)
    return list(dict.fromkeys(name for name in names if name))


def _branch(event: Event) -> str | None:
    """The branch of a claim, or the one that was handed in."""
    stated = event.payload.get("branch")
    return stated if isinstance(stated, str) else branch_of(event)
