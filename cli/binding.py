"""What a worktree is bound to: `start` and `join` write it into the worktree's git directory, never into the worktree."""

from __future__ import annotations

import os

from cli.files import line_of, small, unwritable, write_private
from cli.place import GitPlace, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

BINDING = "crewlog.json"


class Binding(Value):
    """What `join` and `start` wrote down for a worktree: who works there, on which task, in which store."""

    __slots__ = ("agent", "claim", "store", "task")

    def __init__(
        self, agent: str, task: str | None = None, claim: str | None = None, store: str = ""
    ) -> None:
        self.agent: Final = agent
        self.task: Final = task
        self.claim: Final = claim
        self.store: Final = store


def read_binding(git: GitPlace) -> Binding | None:
    """What this worktree is bound to. A file that is damaged, or no plain file, counts as none."""
    return _binding_in(git.git_dir)


def bound_worktrees(git: GitPlace) -> Iterator[tuple[str, Binding]]:
    """The path of each worktree of the repository that is there and bound, and what it is bound to."""
    for git_dir, worktree in _worktrees(git):
        bound = _binding_in(git_dir)
        if bound:
            yield worktree, bound


def _worktrees(git: GitPlace) -> Iterator[tuple[str, str]]:
    """The git directory and the path of each worktree that is there."""
    main = git.main_worktree or (None if git.linked else git.worktree)
    if main:
        yield git.common_dir, main
    linked = os.path.join(git.common_dir, "worktrees")
    for name in sorted(os.listdir(linked)) if os.path.isdir(linked) else ():
        git_dir = os.path.join(linked, name)
        pointer = os.path.realpath(os.path.join(git_dir, line_of(os.path.join(git_dir, "gitdir"))))
        if os.path.isfile(pointer):
            yield git_dir, os.path.dirname(pointer)


def _binding_in(git_dir: str) -> Binding | None:
    import orjson

    from domain.names import is_name

    try:
        found: object = orjson.loads(small(os.path.join(git_dir, BINDING)))
    except orjson.JSONDecodeError:
        return None
    fields: dict[str, object] = dict(found) if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownArgumentType]
    agent, store = fields.get("agent"), fields.get("store", "")
    task, claim = fields.get("task"), fields.get("claim")
    if not (isinstance(agent, str) and is_name(agent) and isinstance(store, str)):
        return None
    if not (isinstance(task, str | None) and isinstance(claim, str | None)):
        return None
    return Binding(agent, task, claim, store)


def write_binding(git: GitPlace, binding: Binding) -> None:
    """Bind this worktree. Raises Refusal `unwritable`, `disk-full`."""
    import orjson

    fields = {"agent": binding.agent, "task": binding.task, "claim": binding.claim, "store": binding.store}
    write_private(os.path.join(git.git_dir, BINDING), orjson.dumps(fields).decode() + "\n")


def clear_binding(git: GitPlace) -> None:
    """Unbind this worktree; fine if it was not bound. Raises Refusal `unwritable`."""
    path = os.path.join(git.git_dir, BINDING)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(error, path) from error
