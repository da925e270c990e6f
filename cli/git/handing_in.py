"""What is handed in: the commit that the claim's branch is at, how much it changes, and what was run on it."""

from __future__ import annotations

from typing import Any

from cli.call import Call
from cli.git.repository import Repository, needed, printable
from cli.git.running import run_command
from domain.event import Json
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import PATHS_LIMIT
from domain.task import Claim, Task, claim_of

CHECK_SECONDS = 3_600.0


class Asked(NamedTuple):
    """What the command line says about handing in."""

    allow_dirty: bool = False
    no_commit: bool = False
    check: str = ""
    ran: str = ""


class HandedIn(NamedTuple):
    """The commit, if there is one, and the fields of the event that are about it."""

    commit: str | None
    about: Json


def hand_in(call: Call, task: Task, asked: Asked) -> HandedIn:
    """Look at the branch, run the check, look again. Raises Refusal `dirty`, `empty-branch`, `branch-moved`."""
    claim = claim_of(task)
    ran: dict[str, Any] = {"ran": asked.ran} if asked.ran else {}
    if claim is None or claim.branch is None:
        return HandedIn(None, {**_check(call, asked, task, call.shell.cwd), **ran})
    found = needed(call, f"handing {task.card.id} in")
    tree = found.worktree_of(claim.branch)
    if tree is None and not asked.no_commit:
        _check_here(call, claim)
    about = _uncommitted(found, tree.path, asked) if tree else {}
    commit = None if asked.no_commit else found.tip(claim.branch)
    if not asked.no_commit:
        about |= _described(found, task, claim, commit)
    about |= _check(call, asked, task, tree.path if tree else call.shell.cwd)
    if commit and asked.check and found.tip(claim.branch) != commit:
        message = f"{claim.branch} moved while the check ran"
        raise Refusal(
            "branch-moved", message, "Hand it in again: what was checked must be what is handed in."
        )
    if commit:
        found.keep(task.card.id, commit)
    return HandedIn(commit, {**about, **ran})


def _check_here(call: Call, claim: Claim) -> None:
    """Refuse to hand in an older commit from the middle of a rebase, or from another branch."""
    bound = call.binding
    if bound and bound.claim == claim.id and call.git and call.git.worktree:
        message = f"{call.git.worktree} is not on {claim.branch} now"
        raise Refusal(
            "dirty", message, "Finish what is under way, or switch back to it.", dir=call.git.worktree
        )


def _uncommitted(found: Repository, folder: str, asked: Asked) -> Json:
    paths = found.changes_in(folder, untracked=True)
    if not paths:
        return {}
    if asked.allow_dirty or asked.no_commit:
        return {"uncommitted": len(paths)}
    named = ", ".join(printable(path) for path in paths[:3])
    message = f"{len(paths)} change{'s' if len(paths) > 1 else ''} in {folder} in no commit: {named}"
    hint = "Commit what belongs to the work; --allow-dirty hands in what is committed and notes the rest."
    raise Refusal("dirty", message, hint, files=[printable(path) for path in paths[:PATHS_LIMIT]], dir=folder)


def _described(found: Repository, task: Task, claim: Claim, commit: str | None) -> Json:
    """Where the commit is and how much it changes. Refused where it is nothing that the base has not."""
    branch, base = claim.branch or "", claim.base or ""
    if commit is None:
        message = f"branch {branch} of {task.card.id} is not in this repository"
        raise Refusal("absent-commit", message, "Fetch it, or hand in where it is.", branch=branch)
    tip = found.tip(base) or claim.fork or ""
    commits = found.ahead(commit, tip)
    if commits == 0:
        message = f"{branch} has no commit that {base} has not"
        hint = "Commit the work there; --no-commit is for work without code."
        raise Refusal("empty-branch", message, hint, branch=branch, base=base)
    before = found.merge_base(commit, tip) or claim.fork or tip
    size = found.size(before, commit)
    return {"branch": branch, "base": base, "base_commit": before, "commits": commits, **size._asdict()}


def _check(call: Call, asked: Asked, task: Task, folder: str) -> Json:
    if not asked.check:
        return {}
    environ = {"CREWLOG_TASK": task.card.id}
    came = run_command(call, asked.check, folder, environ, seconds=CHECK_SECONDS)
    if came.exit:
        call.shell.remark(f"the check {came.ended}; that is written down")
    return dict(came.as_fields("check"))
