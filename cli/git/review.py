"""What a reviewer looks at: how the work stands to its base, whether it would merge, whether its branch has moved."""

from __future__ import annotations

from cli.call import Call
from cli.git.repository import Repository, needed, printable, repository
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.task import Claim, Submission, Task, claim_of, handed_in, submission_of

FETCH = "`crewlog sync` gets the branches of the crew; they are pushed by the `crewlog sync` of where the work is."


class Prediction(NamedTuple):
    """What merging two commits would come to: the tree, or the files that conflict."""

    tree: str
    conflicts: tuple[str, ...]


def predict(found: Repository, base: str, commit: str) -> Prediction:
    """Merge two commits without an index and without a checkout. Raises Refusal `git` where git cannot."""
    line = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", "--end-of-options")
    done = found.git.run(*line, base, commit, codes=(0, 1))
    tree, *files = done.parts
    names = tuple(dict.fromkeys(printable(name) for name in files if name))
    return Prediction(tree, names if done.code else ())


def base_of(submission: Submission) -> str:
    """The branch that the work goes into."""
    return str((submission.code or {}).get("base", ""))


def check_unmoved(found: Repository, task: str, submission: Submission) -> None:
    """Refuse (`absent-commit`, `branch-moved`) work that is not here, or whose branch is no longer where it was."""
    commit, code = submission.commit or "", submission.code or {}
    if not found.has(commit):
        message = f"commit {commit[:12]} of {task} is not in this repository"
        raise Refusal("absent-commit", message, FETCH, task=task, commit=commit)
    branch = str(code.get("branch", ""))
    tip = found.tip(branch) if branch else None
    if tip and tip != commit:
        message = f"{branch} is at {tip[:12]}; handed in was {commit[:12]}"
        hint = f"Whoever holds {task} hands it in again: `crewlog done {task}`."
        raise Refusal("branch-moved", message, hint, task=task, commit=commit, tip=tip, branch=branch)


def check_reviewable(call: Call, state: Task) -> None:
    """Refuse to judge a commit that one could not have looked at."""
    submission = submission_of(state)
    if submission and submission.commit:
        check_unmoved(needed(call, f"judging {state.card.id}"), state.card.id, submission)


class Standing(NamedTuple):
    """How a task's branch stands to its base now."""

    commit: str | None
    commits: int
    files: int
    added: int
    removed: int
    moved: bool


def standing(call: Call, state: Task) -> Standing | None:
    """How far the branch is ahead of its base: as handed in, else as it is now. None where there is no branch."""
    submission, claim = handed_in(state), claim_of(state)
    if submission and submission.commit:
        code = submission.code or {}
        counts = (code.get("commits", 0), code.get("files", 0), code.get("added", 0), code.get("removed", 0))
        return Standing(submission.commit, *counts, moved=_has_moved(call, submission) if claim else False)
    if submission or claim is None or claim.branch is None:
        return None
    found = repository(call)
    return _working(found, claim) if found else None


def _has_moved(call: Call, submission: Submission) -> bool:
    found = repository(call)
    tip = found.tip(str((submission.code or {}).get("branch", ""))) if found else None
    return tip is not None and tip != submission.commit


def _working(found: Repository, claim: Claim) -> Standing | None:
    commit = found.tip(claim.branch or "")
    if commit is None:
        return None
    tip = found.tip(claim.base or "") or claim.fork or commit
    before = found.merge_base(commit, tip) or claim.fork or tip
    return Standing(commit, found.ahead(commit, tip), *found.size(before, commit), moved=False)


def ends_of(call: Call, state: Task) -> tuple[Repository, str, str]:
    """The repository and the two commits between which a task's work lies. Raises Refusal where there is none."""
    task, submission, claim = state.card.id, handed_in(state), claim_of(state)
    found = needed(call, f"the changes of {task}")
    if submission and submission.commit:
        commit = submission.commit
        before = str((submission.code or {}).get("base_commit", "")) or f"{commit}^"
    elif claim and claim.branch and not submission:
        commit = found.tip(claim.branch) or ""
        tip = found.tip(claim.base or "") or claim.fork or ""
        before = (found.merge_base(commit, tip) if commit and tip else None) or claim.fork or ""
    else:
        raise Refusal(
            "absent-commit", f"{task} has no branch and no commit", f"`crewlog show {task}` shows it."
        )
    if not commit or not found.has(commit):
        message = f"the work of {task} is not in this repository"
        raise Refusal("absent-commit", message, FETCH, task=task)
    return found, before, commit
