"""Where a command reads events from, if not from a store: a folder, a file, or a branch that nobody checked out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cli import place
from cli.call import Call
from domain.refusals import Refusal

if TYPE_CHECKING:
    from export.sources import Source


def ref_source(call: Call, ref: str) -> Source:
    """A ref of the code repository here, which is what people name, else of the store's own. Raises Refusal `not-found`."""
    from export.git import Git
    from export.sources import Ref

    repositories = _repositories(call)
    first: Refusal | None = None
    for folder in repositories:
        try:
            return _with_segments(Ref(Git(folder, call.shell.environ), ref), folder, ref)
        except Refusal as refused:
            if refused.code != "not-found":
                raise
            first = first or refused
    raise first or Refusal("not-found", f"{call.shell.cwd} is in no git repository", "Name a folder instead.")


def _with_segments(source: Source, folder: str, ref: str) -> Source:
    """The source; refused where there is nothing in it, which whoever proves something by it must not overlook."""
    if source.files():
        return source
    hint = "In a clone the branch with segments is called origin/crewlog; `crewlog sync` writes it."
    raise Refusal("not-found", f"{ref} of {folder} holds no segments", hint, ref=ref)


def _repositories(call: Call) -> list[str]:
    found: list[str] = []
    if call.git:
        found.append(call.git.main_worktree or call.git.common_dir)
    try:
        store = place.locate_store(call.shell.cwd, call.shell.environ, call.options.store).path
    except Refusal:
        store = ""
    if store and os.path.isdir(os.path.join(store, ".git")):
        found.append(store)
    return found


def any_source(call: Call, name: str) -> Source:
    """What `--from` names: a folder or file that is there, else a ref."""
    from export.sources import open_source

    path = os.path.join(call.shell.cwd, name)
    return open_source([path]) if os.path.exists(path) else ref_source(call, name)
