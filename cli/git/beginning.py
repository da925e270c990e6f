"""Where the work of a claim happens: a branch and a worktree made for it, the worktree one is in, or neither."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.binding import read_binding
from cli.call import Call
from cli.files import exclude, make_folder
from cli.git.repository import HEADS, INITIALIZING, Repository, repository
from cli.place import GitPlace, find_git
from domain.commands import Fork
from domain.refusals import Refusal
from domain.task import Claim, claim_of

if TYPE_CHECKING:
    from domain.log import Written


class Beginning:
    """Settled before the task is taken, carried out behind it: the branch is named after the claim."""

    def __init__(
        self, call: Call, fork: Fork | None, here: GitPlace | None, found: Repository | None
    ) -> None:
        self.call = call
        self.fork = fork
        self._here = here
        self._repository = found

    def carry_out(self, written: Written) -> GitPlace | None:
        """The worktree to work in, made where it is missing; None: wherever one is. Done twice it does nothing."""
        claim = claim_of(written.state)
        if claim is None or claim.branch is None or claim.id != written.events[0].id:
            return None
        found = self._repository or repository(self.call)
        if found is None:  # the same log, another machine
            return None
        if self._here and not written.replayed:
            return _attach(found, self._here, claim.branch)
        return worktree_for(found, written.state.card.id, claim)


def begin(call: Call, code: GitPlace, *, here: bool, base: str) -> Beginning:
    """Where a task that is about to be taken will be worked on. Raises Refusal before anything is written."""
    found = Repository(call, code)
    base = base or found.default_base
    tip = found.tip(base)
    if tip is None:
        return _without_commit(call, found, base)
    place = _here(call, found, base, asked=here)
    if place is None:
        return Beginning(call, Fork(base, tip), None, found)
    folder = place.worktree or ""
    head, branch = found.git.at(folder).line("rev-parse", "--verify", "HEAD"), found.branch_in(folder)
    fork = found.merge_base(head, tip) or tip
    return Beginning(call, Fork(base, fork, branch), place, found)


def _without_commit(call: Call, found: Repository, base: str) -> Beginning:
    if not found.is_unborn(base):
        message = f"there is no branch {base!r} to work from"
        raise Refusal(
            "not-a-branch", message, "Name one: --base main, or [git] base in config.toml.", base=base
        )
    call.shell.remark("the repository has no commit yet, so there is nothing to branch from: no branch")
    return Beginning(call, None, None, found)


def _here(call: Call, found: Repository, base: str, *, asked: bool) -> GitPlace | None:
    """The worktree that one is in, if it is to be used: asked for, or a linked one of one's own without a task."""
    git = call.git
    inside = git is not None and git.worktree is not None and git.common_dir == found.place.common_dir
    if not inside or git is None or git.worktree is None:
        if asked:
            raise Refusal("usage", "this is no worktree of the store's repository", "Leave --here out.")
        return None
    if not asked:
        bound = read_binding(git)
        ours = git.worktree.startswith(found.work + os.sep)
        if not git.linked or ours or (bound and bound.task):
            return None
    branch = found.branch_in(git.worktree)
    if branch != base:
        return git
    if asked:
        message = f"this worktree is on {base}, which the work is to go into"
        raise Refusal(
            "not-a-branch", message, "Switch to a branch of your own, or leave --here out.", branch=branch
        )
    return None


def _attach(found: Repository, here: GitPlace, branch: str) -> GitPlace:
    """A worktree without a branch gets the claim's; neither its files nor its index are touched."""
    folder = here.worktree or ""
    if not found.branch_in(folder):
        git = found.git.at(folder)
        head = git.line("rev-parse", "--verify", "HEAD")
        git.run("update-ref", "--end-of-options", HEADS + branch, head)
        git.run("symbolic-ref", "-m", "crewlog start", "HEAD", HEADS + branch)
    return here


def worktree_for(found: Repository, task: str, claim: Claim) -> GitPlace:
    """The worktree of the claim's branch; branch and worktree are made where they are missing."""
    branch = claim.branch or ""
    tree = found.worktree_of(branch)
    gone = tree is not None and not os.path.isdir(tree.path)
    path = tree.path if tree and not gone else _add(found, task, claim, again=gone)
    if (
        tree is None or gone or tree.lock == INITIALIZING
    ):  # the last: killed in here, so nobody has worked there yet
        found.git.at(path).run("reset", "--quiet", "--hard")
        found.worktree("unlock", "--", path)
    made = find_git(path)
    if made is None:
        raise Refusal("git", f"{path} is no worktree, though git lists it", "Look what it holds.")
    if os.path.exists(os.path.join(path, ".gitmodules")):
        found.call.shell.remark(
            f"submodules in {path} are not filled: `git submodule update --init` does that"
        )
    return made


def _add(found: Repository, task: str, claim: Claim, *, again: bool) -> str:
    """Make the worktree, empty, and the branch where there is none. `again`: git knows one whose folder was removed.

    It is locked until its files are there: they are written while others may make theirs.
    """
    branch, store = claim.branch or "", found.call.located.path
    make_folder(found.work)
    if found.place.main_worktree:  # a store may be older than the repository around it
        exclude(found.place.common_dir, "/" + os.path.relpath(store, found.place.main_worktree) + "/")
    names = (task, branch.replace("/", "-").removeprefix("crew-"))
    path = os.path.join(found.work, next(filter(_is_free(found.work), names), names[-1]))
    if os.path.lexists(path):
        raise Refusal("git", f"{path} is in the way", "Look what it holds.")
    options = [
        "--quiet",
        "--no-checkout",
        "--lock",
        "--reason",
        INITIALIZING,
        *(["--force"] if again else []),
    ]
    if found.tip(branch):
        found.worktree("add", *options, "--end-of-options", path, branch)
    else:
        found.worktree(
            "add", *options, "--no-track", "-b", branch, "--end-of-options", path, claim.fork or ""
        )
    return path


def _is_free(folder: str) -> Callable[[str], bool]:
    return lambda name: not os.path.lexists(os.path.join(folder, name))


def take_back(call: Call, written: Written, refusal: Refusal) -> None:
    """Give a task back whose worktree could not be made: nobody shall work in the wrong folder."""
    from domain.commands import Release

    claim = claim_of(written.state)
    if claim and not written.replayed:
        reason = f"no worktree could be made: {refusal.message}"
        call.write(written.state.card.id, Release(call.actor, claim.id, reason), keyed=False)
        call.store.after_write()
