"""Moving a base to the commit that it is to become: nobody's files, index or commits are lost on the way."""

from __future__ import annotations

import os
from collections.abc import Callable

from cli.git.repository import HEADS, Repository, Worktree, printable
from cli.place import find_git
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import PATHS_LIMIT
from export.git import Git

_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
_GONE, _GITLINK, _SYMLINK = "000000", "160000", "120000"


class Entry(NamedTuple):
    """A path that two commits have differently: mode and object in the later one; mode 000000 where it is gone."""

    mode: str
    object: str
    path: str
    new: bool


def place_of(found: Repository, base: str) -> Worktree | None:
    """The worktree that has the base checked out, fit to be moved along. Refused (`dirty`, `git-busy`) if it is not."""
    every = found.worktrees()
    trees = [tree for tree in every if tree.branch == base]
    _check_rebases(every, base)
    if not trees:
        return None
    if len(trees) > 1:
        message = f"{base} is checked out in {len(trees)} worktrees"
        raise Refusal("dirty", message, "Switch all but one to another branch.", dirs=[t.path for t in trees])
    return trees[0]._replace(path=_folder(found, trees[0], base))


def _folder(found: Repository, tree: Worktree, base: str) -> str:
    """The folder of the worktree: git does not know it for a main worktree whose git directory lies apart."""
    if os.path.exists(os.path.join(tree.path, ".git")):
        return tree.path
    git = found.call.git
    if git and git.worktree and not git.linked and git.common_dir == found.place.common_dir:
        return git.worktree
    message = f"{base} is checked out in a worktree that git does not name"
    raise Refusal("git", message, "Run it inside that worktree.", base=base)


def _check_rebases(trees: list[Worktree], base: str) -> None:
    """Git's own rule: nobody moves a branch that is being rebased somewhere."""
    for tree in trees:
        place = find_git(tree.path)
        for name in ("rebase-merge", "rebase-apply"):
            head = os.path.join(place.git_dir, name, "head-name") if place else ""
            if head and os.path.isfile(head):
                with open(head, encoding="utf-8", errors="replace") as file:
                    rebased = file.read().strip()
                if rebased == HEADS + base:
                    raise Refusal("git-busy", f"{base} is being rebased in {tree.path}", "Finish that first.")


def check_clean(found: Repository, tree: Worktree, before: str, after: str) -> None:
    """Refuse (`dirty`, `git-busy`) a worktree whose files the move could lose. Touches nothing."""
    place = find_git(tree.path)
    for name, what in _UNDER_WAY.items():
        if place and os.path.exists(os.path.join(place.git_dir, name)):
            raise Refusal(
                "git-busy", f"{what} is under way in {tree.path}", "Finish it first.", dir=tree.path
            )
    changed = found.changes_in(tree.path, untracked=False)
    if changed:
        raise _dirty(tree, changed, "has changes in no commit")
    in_the_way = [
        entry.path
        for entry in _entries(found.git, before, after)
        if entry.new and os.path.lexists(os.path.join(tree.path, entry.path))
    ]
    if in_the_way:
        raise _dirty(tree, in_the_way, "has files of the same name as new ones")


def _dirty(tree: Worktree, paths: list[str], what: str) -> Refusal:
    names = ", ".join(printable(path) for path in paths[:3])
    message = f"{tree.path} has {tree.branch} checked out and {what}: {names}"
    hint = "Commit them or move them away; nothing was changed."
    return Refusal("dirty", message, hint, dir=tree.path, files=[printable(p) for p in paths[:PATHS_LIMIT]])


def move(found: Repository, base: str, before: str, after: str, why: str, spread: Callable[[], None]) -> None:
    """Move the base, with the worktree that has it checked out. Done twice, or after a crash within, it goes on.

    `spread` is called between files and branch. Raises Refusal `dirty` where a file is in the way, `branch-moved` where
    the base is not at `before`; then all is as it was.
    """
    tree = place_of(found, base)
    git = found.git.at(tree.path) if tree else found.git
    if tree:
        _spread(found, tree, before, after)
        spread()
    line = ("update-ref", "-m", why, "--end-of-options", HEADS + base, after, before)
    if git.run(*line, codes=(0, 128)).code:
        if tree:
            git.run("read-tree", "-m", "-u", after, before)
        message = f"{base} moved while the merge was made"
        raise Refusal("branch-moved", message, "Run it again.", base=base)


def _spread(found: Repository, tree: Worktree, before: str, after: str) -> None:
    """Bring files and index from one commit to the other, as `git merge --ff-only` would.

    Files that a crash left half-way are known by their content, so that nobody's change is ever taken for ours.
    """
    git = found.git.at(tree.path)
    git.run("update-index", "-q", "--refresh", codes=(0, 1, 128))  # a file that was only touched is no change
    if found.changes_in(tree.path, untracked=False):
        _acknowledge(git, tree, _entries(found.git, before, after))
    line = ("read-tree", "-m", "-u", before, after)
    done = git.run(*line, codes=(0, 128))
    if done.code:
        said = " ".join(done.err.split())
        if "index.lock" in said:
            raise Refusal("git-busy", said, f"Another git command is at work in {tree.path}.", dir=tree.path)
        message = f"something is in the way in {tree.path}: {said}"
        raise Refusal("dirty", message, "Commit it or move it away; nothing was changed.", dir=tree.path)
    git.run("update-index", "-q", "--refresh", codes=(0, 1))


def _acknowledge(git: Git, tree: Worktree, entries: list[Entry]) -> None:
    """Put files into the index that have the later commit's content already."""
    ours = [entry for entry in entries if _is_there(git, tree.path, entry)]
    lines = "".join(f"{entry.mode} {entry.object}\t{entry.path}\0" for entry in ours)
    if lines:
        git.run("update-index", "-z", "--index-info", stdin=os.fsencode(lines))


def _is_there(git: Git, folder: str, entry: Entry) -> bool:
    path = os.path.join(folder, entry.path)
    if entry.mode in (_GONE, _GITLINK) or not os.path.lexists(path):
        return False
    if entry.mode == _SYMLINK:
        if not os.path.islink(path):
            return False
        return git.line("hash-object", "--stdin", stdin=os.fsencode(os.readlink(path))) == entry.object
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    return git.line("hash-object", f"--path={entry.path}", "--", entry.path) == entry.object


def _entries(git: Git, before: str, after: str) -> list[Entry]:
    line = (
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--no-renames",
        "--no-abbrev",
        "--end-of-options",
        before,
        after,
    )
    parts = git.run(*line).parts
    found: list[Entry] = []
    for about, path in zip(parts[::2], parts[1::2], strict=True):
        _, mode, _, name, status = about.removeprefix(":").split(" ")
        found.append(Entry(mode, name, path, status == "A"))
    return found
