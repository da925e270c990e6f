"""What of the remote's branch may come into a store: settings, segments and blobs, as regular files, and nothing else.

Whoever can push could leave there a link that leads out of the store, or a file that means something to this clone
only, like the address of a server. Such things are left out, and this clone's own file stays in their place.
"""

from __future__ import annotations

import os

from cli.git.storing import SETTINGS, WHO
from domain.named import NamedTuple
from export.git import Git
from export.segments import BLOBS, LOG

FOLDERS = (LOG, BLOBS)
_KINDS = {"120000": "a symbolic link", "160000": "another repository"}
_INDEX = "incoming.index"


class Entry(NamedTuple):
    """A file in a tree; `line` is what `ls-tree` says of it."""

    mode: str
    path: str
    line: str


class Cleansed(NamedTuple):
    """A commit that may be merged, and what had to be left out of it."""

    commit: str
    remarks: list[str]


def cleansed(store: Git, fetched: str) -> Cleansed:
    """The commit that was fetched, or one behind it without what does not belong into a store."""
    entries = _entries(store, fetched)
    odd = [entry for entry in entries if not _belongs(entry)]
    if not odd:
        return Cleansed(fetched, [])
    places = [entry.path for entry in odd]
    sound = [entry for entry in entries if _belongs(entry)]
    here = {entry.path for entry in sound}
    mine = [
        entry for entry in _entries(store, "HEAD") if entry.path not in here and _is_at(entry.path, places)
    ]
    tree = _tree(store, [*sound, *mine])
    made = store.run(
        "commit-tree", tree, "-p", fetched, "-m", "without what is no file of a store", environ=WHO
    )
    return Cleansed(made.line, [_remark(entry) for entry in odd])


def _entries(store: Git, commit: str) -> list[Entry]:
    parts = store.run("ls-tree", "-r", "-z", "--full-tree", commit).parts
    return [Entry(part[:6], part.partition("\t")[2], part) for part in parts]


def _belongs(entry: Entry) -> bool:
    top, _, below = entry.path.partition("/")
    return entry.mode.startswith("100") and ((top in FOLDERS and bool(below)) or entry.path in SETTINGS)


def _is_at(path: str, places: list[str]) -> bool:
    """True for a file in one of these places, above or below it."""
    return any(
        path == place or path.startswith(f"{place}/") or place.startswith(f"{path}/") for place in places
    )


def _tree(store: Git, entries: list[Entry]) -> str:
    """A tree of these files, made beside the store's own index."""
    index = os.path.join(store.folder, ".git", _INDEX)
    about = {"GIT_INDEX_FILE": index}
    try:
        store.run("read-tree", "--empty", environ=about)
        lines = "".join(f"{entry.line}\0" for entry in entries)
        store.run("update-index", "-z", "--index-info", stdin=os.fsencode(lines), environ=about)
        return store.run("write-tree", environ=about).line
    finally:
        if os.path.lexists(index):
            os.unlink(index)


def _remark(entry: Entry) -> str:
    what = _KINDS.get(entry.mode, "no file of a store")
    return f"{entry.path}: on the remote it is {what}; it was left out, and this clone's own stays"
