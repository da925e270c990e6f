"""The code repository as crewlog sees it: branches, commits, worktrees, and what keeps a commit from being lost."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import AbstractContextManager
from functools import cached_property

from cli.call import Call
from cli.place import GitPlace
from cli.store import Store
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import is_commit
from domain.stores.queue import turn
from export.git import Done, Git

HEADS = "refs/heads/"
KEPT = "refs/crewlog/"
INITIALIZING = "initializing"  # git's own reason for the lock of a worktree that it has not finished


class Worktree(NamedTuple):
    """A worktree: its folder, the commit and the branch that it is on, and why it is locked."""

    path: str
    head: str
    branch: str | None
    lock: str


class Size(NamedTuple):
    """How much changed between two commits."""

    files: int
    added: int
    removed: int


class Changed(NamedTuple):
    """A file that changed between two commits; lines are None for a binary file."""

    path: str
    added: int | None
    removed: int | None


class Repository:
    """One repository, for one command. Every method that takes a branch takes its short name."""

    def __init__(self, call: Call, code: GitPlace) -> None:
        self.call = call
        self.place = code
        self.git = Git(code.main_worktree or code.common_dir, call.shell.environ)
        self.git.check_version()

    # --- branches and commits

    def tip(self, branch: str) -> str | None:
        """The commit that a branch is at. `show-ref --verify` takes a name as it stands, never as an expression."""
        done = self.git.run("show-ref", "--verify", "--hash", "--", HEADS + branch, codes=(0, 1, 128))
        return done.line or None if done.code == 0 else None

    def has(self, commit: str) -> bool:
        """True if the commit is here; what is no hash names none."""
        if not is_commit(commit):
            return False
        return self.git.run("cat-file", "-e", f"{commit}^{{commit}}", codes=(0, 1, 128)).code == 0

    def is_ancestor(self, commit: str, of: str) -> bool:
        """True if `of` holds the commit already."""
        return self.git.says("merge-base", "--is-ancestor", "--end-of-options", commit, of)

    def merge_base(self, one: str, other: str) -> str | None:
        """The commit from which the two went apart; None where they have no past in common."""
        return self.git.run("merge-base", "--end-of-options", one, other, codes=(0, 1)).line or None

    def ahead(self, commit: str, base: str) -> int:
        """How many commits `commit` has that `base` has not."""
        return int(self.git.line("rev-list", "--count", "--end-of-options", f"{base}..{commit}"))

    def changed(self, before: str, after: str) -> list[Changed]:
        """The files that differ between two commits."""
        line = ("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--numstat", "--end-of-options")
        rows = [part.split("\t", 2) for part in self.git.run(*line, before, after).parts]
        return [Changed(path, _lines(added), _lines(removed)) for added, removed, path in rows]

    def size(self, before: str, after: str) -> Size:
        """How much changed."""
        rows = self.changed(before, after)
        return Size(len(rows), sum(row.added or 0 for row in rows), sum(row.removed or 0 for row in rows))

    def keep(self, task: str, commit: str) -> None:
        """Keep a commit from being collected, whatever becomes of its branch."""
        self.git.run("update-ref", "--end-of-options", f"{KEPT}{task}/{commit}", commit)

    @cached_property
    def default_base(self) -> str:
        """The branch that work goes into where none is named. Refused (`not-a-branch`) where nothing says it."""
        stated = self.call.store.config.base
        if stated:
            return stated
        branch = self.branch_in(self.git.folder)
        if not branch:
            message = "the main worktree is on no branch, so nothing says where the work shall go"
            raise Refusal("not-a-branch", message, "Name it: --base main, or [git] base in config.toml.")
        return branch

    def is_unborn(self, base: str) -> bool:
        """True if the base is what a repository without a commit begins with."""
        heads = self.git.run("for-each-ref", "--count=1", "--format=%(refname)", "refs/heads")
        return self.tip(base) is None and not heads.line

    # --- worktrees

    def worktrees(self) -> list[Worktree]:
        """All worktrees, the main one first."""
        entries = self.worktree("list", "--porcelain", "-z").line.split("\0\0")
        found = [_worktree(entry.split("\0")) for entry in entries if entry.strip("\0")]
        if found and self.place.main_worktree:  # git guesses it, wrongly for a submodule
            found[0] = found[0]._replace(path=self.place.main_worktree)
        return found

    def worktree(self, *arguments: str, codes: Collection[int] = (0,)) -> Done:
        """Run `git worktree`, one at a time: it fails on a worktree that another one is just making or removing."""
        with worktrees_turn(self.call.store):
            return self.git.run("worktree", *arguments, codes=codes)

    def worktree_of(self, branch: str) -> Worktree | None:
        """The worktree that has the branch checked out."""
        return next((tree for tree in self.worktrees() if tree.branch == branch), None)

    def branch_in(self, folder: str) -> str:
        """The branch that a worktree is on, "" for none."""
        return (
            self.git.at(folder).run("symbolic-ref", "--quiet", "HEAD", codes=(0, 1)).line.removeprefix(HEADS)
        )

    def changes_in(self, folder: str, *, untracked: bool) -> list[str]:
        """The paths with changes that are in no commit. Never refreshes the index."""
        which = "normal" if untracked else "no"
        line = ("status", "--porcelain=v1", "-z", "--no-renames", f"--untracked-files={which}")
        return [entry[3:] for entry in self.git.at(folder).run(*line).parts]

    @property
    def work(self) -> str:
        """The folder of the worktrees that crewlog makes."""
        return self.call.store.path("work")


def worktrees_turn(store: Store) -> AbstractContextManager[None]:
    """The turn of whoever makes or removes worktrees."""
    return turn(store.path("worktrees.lock"), store.config.wait)


def _lines(count: str) -> int | None:
    return None if count == "-" else int(count)


def pairs(lines: list[str], mark: str) -> dict[str, str]:
    """What stands before and behind the first mark of each line."""
    return {key: value for key, _, value in (line.partition(mark) for line in lines)}


def _worktree(lines: list[str]) -> Worktree:
    said = pairs(lines, " ")
    branch = said.get("branch", "")
    short = branch.removeprefix(HEADS) if branch.startswith(HEADS) else None
    return Worktree(os.path.realpath(said["worktree"]), said.get("HEAD", ""), short, said.get("locked", ""))


def repository(call: Call) -> Repository | None:
    """The code repository that the call's store belongs to, if any."""
    return Repository(call, call.code) if call.code else None


def needed(call: Call, why: str) -> Repository:
    """The code repository; refused (`git`) where the store belongs to none."""
    found = repository(call)
    if found is None:
        where = call.located.path if call.options.from_ is None else call.shell.cwd
        raise Refusal("git", f"{why} needs the git repository, and {where} belongs to none")
    return found


def printable(path: str) -> str:
    """A path as an event and an answer can hold it."""
    return os.fsencode(path).decode("utf-8", "replace")
