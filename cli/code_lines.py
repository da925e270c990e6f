"""What a task's code comes to, in lines for people: branch and commit, check, gate, merge.

Git is asked only for a task that has a branch; nothing here imports it for any other.
"""

from __future__ import annotations

from typing import Any

from cli.blobs import whole_text
from cli.call import Call
from cli.text import safe, safe_line
from domain.blobs import preview
from domain.refusals import Refusal
from domain.task import Completed, Task, claim_of, handed_in, merge_of

OUTPUT_LINES = 20


def code_line(shown: dict[str, Any]) -> str | None:
    """Branch, commit, and how far it is ahead of its base: `crew/t-… → main, 0123456789ab, 2 commits, 3 files, +10 -2`."""
    submission: dict[str, Any] = shown["submission"] or {}
    ahead: dict[str, Any] | None = shown.get("ahead") or submission.get("code")
    if not shown["branch"] and not shown["commit"]:
        return None
    parts = [f"{shown['branch'] or '?'} → {shown['base'] or '?'}"]
    commit: str | None = shown["commit"] or (ahead["commit"] if ahead else None)
    parts += [commit[:12]] if commit else []
    if ahead:
        parts += [f"{ahead['commits']} commit{'' if ahead['commits'] == 1 else 's'}"]
        parts += [f"{ahead['files']} files, +{ahead['added']} -{ahead['removed']}"]
    code: dict[str, Any] = submission.get("code") or {}
    left: int = code.get("uncommitted", 0)
    parts += [f"{left} uncommitted change{'' if left == 1 else 's'} left out"] if left else []
    parts += ["its branch has moved since"] if ahead and ahead.get("moved") else []
    return safe_line(", ".join(parts))


def gate_lines(call: Call, shown: dict[str, Any]) -> list[str]:
    """What the gate said that failed last: the end of it, with --full all that was kept."""
    event = call.store.log.event(shown["setback"]["id"]) if shown["setback"] else None
    output = event.payload.get("gate_output") if event else None
    told = safe(whole_text(call, output)).split("\n") if output else []
    cut = 0 if call.options.full else max(0, len(told) - OUTPUT_LINES)
    more = [f"    … {cut} lines before it; --full shows them"] if cut else []
    return ["  the gate's output:", *more, *(f"    {line}" for line in told[cut:])] if told else []


def ahead_of_base(call: Call, state: Task) -> dict[str, Any] | None:
    """How the branch stands to its base; git is asked only where the task has a branch."""
    claim, submission = claim_of(state), handed_in(state)
    if call.code is None or not ((claim and claim.branch) or (submission and submission.commit)):
        return None
    from cli.git.review import standing

    try:
        found = standing(call, state)
    except Refusal as refusal:  # a look at a task needs no git
        call.shell.remark(f"{refusal.message}; {refusal.hint}")
        return None
    return found._asdict() if found else None


def check_line(submission: dict[str, Any] | None) -> str | None:
    """What `done --check` ran, and how that ended."""
    check = submission["check"] if submission else None
    return f"`{preview(check['command'])}` exited with {check['exit']}" if check else None


def merge_that_completed(call: Call, state: Task) -> dict[str, Any] | None:
    """The merge that COMPLETED it, as its events say; None where there was none: no commit, or in the base already."""
    ended = call.store.log.event(state.end.id) if isinstance(state, Completed) else None
    begun = call.store.log.event(str(ended.on.get("merging", ""))) if ended else None
    return merge_of(begun)._asdict() if begun else None


def merge_line(merge: dict[str, Any] | None) -> str | None:
    """The merge commit, where it went, who merged."""
    return f"{merge['merge'][:12]} into {merge['base']} by {merge['by']}" if merge else None
