"""Removing branches and worktrees of tasks that are at rest: nothing goes that cannot be found again."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager

from cli.call import Call
from cli.git.merging import remove_gates
from cli.git.repository import HEADS, KEPT, Repository, Worktree, needed
from domain.commands import Clean
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.stores.queue import turn
from domain.task import BRANCHES, CANCELLED, COMPLETED, FAILED, Task, handed_in

_NAME = re.compile(rf"{BRANCHES}(t-[a-z2-9]{{8}})-[0-9a-f]{{8}}")
AT_REST = frozenset({COMPLETED, CANCELLED, FAILED})


class Branch(NamedTuple):
    """A branch that was made for a claim, and why it goes or stays."""

    branch: str
    task: str
    commit: str
    goes: bool
    abandoned: bool
    why: str


def look(call: Call, *, abandoned: bool) -> tuple[Repository, list[Branch]]:
    """What `cleanup` would do, branch by branch."""
    found = needed(call, "cleanup")
    trees = {tree.branch: tree for tree in found.worktrees() if tree.branch}
    line = ("for-each-ref", "--format=%(objectname) %(refname)", f"{HEADS}{BRANCHES}")
    rows = [row.split(" ", 1) for row in found.git.line(*line).split("\n") if row]
    branches: list[Branch] = []
    for commit, ref in rows:
        name = ref.removeprefix(HEADS)
        match = _NAME.fullmatch(name)
        if match:
            branches.append(_judged(found, name, match[1], commit, trees.get(name), abandoned=abandoned))
    return found, branches


def _judged(
    found: Repository, name: str, task: str, commit: str, tree: Worktree | None, *, abandoned: bool
) -> Branch:
    state: Task | None = found.call.store.log.state(f"task/{task}")

    def stays(why: str) -> Branch:
        return Branch(name, task, commit, goes=False, abandoned=False, why=why)

    if state is None:
        return stays("no such task here")
    if state.state not in AT_REST:
        return stays(f"its task is {state.state}")
    if tree and not tree.path.startswith(found.work + os.sep):
        return stays(f"checked out in {tree.path}")
    if tree and found.changes_in(tree.path, untracked=True):
        return stays(f"{tree.path} has changes in no commit")
    base = _base(found, state)
    if base and found.is_ancestor(commit, f"{HEADS}{base}"):
        return Branch(name, task, commit, goes=True, abandoned=False, why=f"in {base}")
    if abandoned:
        return Branch(name, task, commit, goes=True, abandoned=True, why="given up; its commits are kept")
    return stays(f"not in {base or 'any base'}; --abandoned keeps its commits under {KEPT}{task}/")


def _base(found: Repository, state: Task) -> str | None:
    submission = handed_in(state)
    stated = (submission.code or {}).get("base") if submission else None
    try:
        base = stated or found.default_base
    except Refusal:
        return None
    return base if found.tip(base) else None


@contextmanager
def quiet(call: Call) -> Generator[None]:
    """Nobody merges meanwhile, so that no gate is running."""
    with turn(call.store.path("merge.lock"), call.store.config.wait):
        yield


def clean(found: Repository, branch: Branch) -> Branch:
    """Remove one branch and its worktree; as it was, with the reason, where git refuses."""
    if branch.abandoned:
        for commit in _ever_at(found, branch.branch):
            found.keep(branch.task, commit)
    tree = found.worktree_of(branch.branch)
    try:
        if tree:
            found.worktree("remove", "--", tree.path)
    except Refusal as refusal:  # it got changes meanwhile, is locked, or holds submodules
        return branch._replace(goes=False, abandoned=False, why=refusal.message)
    if branch.abandoned:
        wanted = Clean(found.call.actor, branch.branch, branch.commit)
        found.call.write(branch.task, wanted, keyed=False)
    line = ("update-ref", "-d", "--end-of-options", HEADS + branch.branch, branch.commit)
    if found.git.run(*line, codes=(0, 128)).code:
        return branch._replace(goes=False, abandoned=False, why="it moved meanwhile")
    if not branch.abandoned:
        _forget(found, branch.task, branch.commit)
    return branch


def _ever_at(found: Repository, branch: str) -> list[str]:
    """The commits that the branch was ever at, as far as its reflog knows: also what was amended away."""
    logged = found.git.run("reflog", "show", "--format=%H", HEADS + branch, "--", codes=(0, 128))
    return list(dict.fromkeys([*logged.line.split(), *filter(None, [found.tip(branch)])]))


def _forget(found: Repository, task: str, merged: str) -> None:
    """Commits of the task that the merged branch holds are kept by the base."""
    kept = found.git.line("for-each-ref", "--format=%(objectname) %(refname)", f"{KEPT}{task}/")
    for commit, ref in (row.split(" ", 1) for row in kept.split("\n") if row):
        if found.is_ancestor(commit, merged):
            found.git.run("update-ref", "-d", "--end-of-options", ref, commit)


def clean_all(call: Call, *, abandoned: bool) -> tuple[list[Branch], list[str]]:
    """Remove what may go; every branch with what became of it, and the checkouts that a killed merge had left."""
    with quiet(call):
        found, branches = look(call, abandoned=abandoned)
        left = remove_gates(found)
        return [clean(found, branch) if branch.goes else branch for branch in branches], left
