"""Merging approved work: predicted, tried by the gate, built, written down, and only then made the base.

Nothing is ever half done for good: what happens between two steps is found again by the next `merge`, from the event
`task.merging`, which says all that is needed to build the same merge commit to the byte.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.files import make_folder
from cli.git.moving import check_clean, move, place_of
from cli.git.repository import HEADS, Repository, needed, pairs
from cli.git.review import Prediction, base_of, check_unmoved, predict
from cli.git.running import Came, run_command
from domain.commands import BeginMerge, FailMerge, Merge
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.stores.queue import turn
from domain.task import Approved, Completed, Merging, Submission, Task, current, handed_in

if TYPE_CHECKING:
    from domain.commands import Command
    from domain.log import Written

# Where a merge can be stopped. Tests kill it at every one of them.
STEPS = ("checked", "built", "gated", "recorded", "spread", "moved", "merged")
TRIES = 3
NOWHERE = "crew.invalid"

Step = Callable[[str], None]


class Plan(NamedTuple):
    """What merging a task would do."""

    commit: str
    base: str
    base_commit: str
    prediction: Prediction
    found: bool  # the base has the commit already
    after: tuple[str, ...] = ()  # foretold only: the tasks that are merged before it


class Merger:
    """Merges tasks one after the other, under a lock of its own. `step` is told where it is."""

    def __init__(self, call: Call, step: Step = lambda _: None, *, keyed: bool = True) -> None:
        self._call = call
        self._step = step
        self._keyed = keyed
        self._foretold: dict[
            str, tuple[str, tuple[str, ...]]
        ] = {}  # base → where it would be, the tasks in it

    def merge(self, task: str) -> Written:
        """Bring one task in, or finish what a crash left. Raises Refusal; a failed merge is written down first."""
        state = self._call.state_of(task)
        if not isinstance(state, Merging) and not _commit_of(state):
            return self._call.write(task, Merge(self._call.actor), keyed=self._keyed)
        with turn(self._call.store.path("merge.lock"), self._call.store.config.wait):
            found = needed(self._call, f"merging {task}")
            for again in range(TRIES):
                try:
                    return self._once(found, task)
                except _MovedError as moved:
                    if again == TRIES - 1:
                        raise moved.refusal from moved
        raise AssertionError  # a loop that ends by itself has raised or returned

    def plan(self, task: str) -> Plan | None:
        """What `merge` would do behind those foretold before, without doing it; None for a task without a commit.

        Raises the Refusal that `merge` would.
        """
        state = self._call.state_of(task)
        submission = _approved(self._call, state)
        if submission is None or not submission.commit:
            return None
        found = needed(self._call, f"merging {task}")
        if isinstance(state, Completed):
            base = base_of(submission)
            return Plan(
                submission.commit, base, found.tip(base) or submission.commit, Prediction("", ()), found=True
            )
        base = base_of(submission) or found.default_base
        at, before = self._foretold.get(base, (None, ()))
        plan = _plan(found, task, submission, at)._replace(after=before)
        if isinstance(state, Approved) and not plan.found:
            check_base(found, plan)
        if plan.prediction.tree and not plan.prediction.conflicts:
            self._foretold[base] = (_trial(found, plan), (*before, task))
        return plan

    def _once(self, found: Repository, task: str) -> Written:
        state = self._call.state_of(task)
        if isinstance(state, Merging):
            return self._finish(found, state)
        if not isinstance(state, Approved):
            return self._write(task, Merge(self._call.actor))  # which says what is so
        plan = _plan(found, task, state.submission)
        if plan.found:
            return self._write(task, Merge(self._call.actor, found=plan.commit))
        check_base(found, plan)
        self._step("checked")
        if plan.prediction.conflicts:
            raise self._conflict(state, plan)
        about = self._built(found, state, plan)
        self._step("built")
        came = self._gate(found, state, plan, about["merge"])
        self._step("gated")
        fields = came.as_fields("gate") if came else {}
        submission = state.submission.id
        self._write(task, BeginMerge(self._call.actor, submission, {**about, **fields}))
        self._step("recorded")
        begun = self._call.state_of(task)
        if not isinstance(begun, Merging):
            raise Refusal("stale-review", f"{task} is {begun.state} now", f"`crewlog show {task}` shows it.")
        return self._finish(found, begun)

    def _finish(self, found: Repository, state: Merging) -> Written:
        """From `task.merging` to `task.merged`, wherever that was left."""
        merge, task = state.merge, state.card.id
        tip = found.tip(merge.base)
        if tip and found.has(merge.merge) and found.is_ancestor(merge.merge, tip):
            return self._merged(task, merge.id)
        if tip != merge.base_commit:
            at = tip[:12] if tip else "gone"
            raise self._moved(state, f"{merge.base} is at {at}, not at {merge.base_commit[:12]} any more")
        if merge.commit != state.submission.commit or _rebuild(found, state) != merge.merge:
            reason = f"{merge.merge[:12]} is not the merge of what was approved into {merge.base}"
            raise self._moved(state, reason)
        try:
            why = f"crewlog merge {task}"
            move(found, merge.base, merge.base_commit, merge.merge, why, lambda: self._step("spread"))
        except Refusal as refusal:
            if refusal.code != "branch-moved":
                raise
            raise self._moved(state, refusal.message) from refusal
        self._step("moved")
        return self._merged(task, merge.id)

    def _merged(self, task: str, merging: str) -> Written:
        written = self._write(task, Merge(self._call.actor, merging))
        self._step("merged")
        return written

    def _write(self, task: str, command: Command) -> Written:
        written = self._call.write(task, command, keyed=self._keyed and isinstance(command, Merge))
        self._call.store.after_write()
        return written

    # --- before the event

    def _built(self, found: Repository, state: Approved, plan: Plan) -> dict[str, Any]:
        """The merge commit, and what `task.merging` says of it."""
        about: dict[str, Any] = {
            "commit": plan.commit,
            "base": plan.base,
            "base_commit": plan.base_commit,
            "ident": _ident(found, self._call.actor),
            "when": self._call.shell.clock() // 1_000_000,
        }
        return {**about, "merge": _commit(found, state, plan.prediction.tree, about)}

    def _gate(self, found: Repository, state: Approved, plan: Plan, merge: str) -> Came | None:
        """Run the gate on the merged tree. A failure is written down and raised."""
        config = self._call.store.config
        if not config.gate:
            return None
        with _checkout(found, merge) as folder:
            environ = {"CREWLOG_TASK": state.card.id}
            came = run_command(self._call, config.gate, folder, environ, seconds=config.gate_timeout)
        if came.exit:
            reason = f"the gate {came.ended} on the merge with {plan.base}"
            fields = {"kind": "gate", "reason": reason, **came.as_fields("gate")}
            self._fail(state, {**fields, "base": plan.base, "base_commit": plan.base_commit})
            hint = (
                f"`crewlog show {state.card.id} --full` shows its output; whoever holds it mends the branch."
            )
            raise Refusal("gate-failed", reason, hint, task=state.card.id, exit=came.exit, gate=came.command)
        return came

    def _conflict(self, state: Approved, plan: Plan) -> Refusal:
        """Write a conflict down, unless that was done for the same two commits."""
        files = list(plan.prediction.conflicts)
        reason = f"conflicts with {plan.base} in {', '.join(files[:5])}" + (" …" if len(files) > 5 else "")
        before = state.setback
        known = before and (before.kind, before.base_commit) == ("conflict", plan.base_commit)
        if not known:
            fields = {"kind": "conflict", "reason": reason, "files": [name[:1_024] for name in files[:64]]}
            self._fail(state, {**fields, "base": plan.base, "base_commit": plan.base_commit})
        holder = state.claim.holder
        hint = f"{holder} merges {plan.base} into the branch, mends it, and hands it in again."
        return Refusal("merge-conflict", f"{state.card.id} {reason}", hint, task=state.card.id, files=files)

    def _moved(self, state: Merging, reason: str) -> _MovedError:
        """Close a merging that cannot come true any more; another one may."""
        merge = state.merge
        fields = {"kind": "base", "reason": reason, "base": merge.base, "base_commit": merge.base_commit}
        self._fail(state, fields)
        return _MovedError(Refusal("branch-moved", reason, "Run it again.", task=state.card.id))

    def _fail(self, state: Approved | Merging, about: dict[str, Any]) -> None:
        on = current(state, "merging") or state.submission.id
        self._write(state.card.id, FailMerge(self._call.actor, on, about))


class _MovedError(Exception):
    """The base moved between two looks: look again."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _commit_of(state: Task) -> str:
    submission = handed_in(state)
    return (submission.commit or "") if submission and isinstance(state, Approved | Merging) else ""


def _approved(call: Call, state: Task) -> Submission | None:
    from domain.decide import decide

    if not isinstance(state, Merging | Approved):
        decide(Merge(call.actor), state)  # raises, but for what is COMPLETED
    return handed_in(state)


def _plan(found: Repository, task: str, submission: Submission, at: str | None = None) -> Plan:
    """The plan for the base as it is, or as it would be `at` a commit."""
    base = base_of(submission) or found.default_base
    check_unmoved(found, task, submission)
    return plan_into(found, task, submission, base, at)


def plan_into(found: Repository, task: str, submission: Submission, base: str, at: str | None = None) -> Plan:
    """What merging what was handed in into a base would do. Refused (`not-a-branch`) where the base is gone."""
    commit, tip = submission.commit or "", at or found.tip(base)
    if tip is None:
        began = str((submission.code or {}).get("base_commit", commit))
        hint = f"`git branch {shlex.quote(base)} {began[:12]}` makes it anew where the work began."
        raise Refusal("not-a-branch", f"{task} goes into {base}, which is not here", hint, base=base)
    if found.is_ancestor(commit, tip):
        return Plan(commit, base, tip, Prediction("", ()), found=True)
    return Plan(commit, base, tip, predict(found, tip, commit), found=False)


def _trial(found: Repository, plan: Plan) -> str:
    """A merge commit that nothing will ever hold, for those that come behind it to be foretold on."""
    who = {f"GIT_{role}_{part}": NOWHERE for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    parents = ("-p", plan.base_commit, "-p", plan.commit)
    line = ("commit-tree", plan.prediction.tree, *parents, "-m", "a trial")
    return found.git.run(*line, environ=who).line


def check_base(found: Repository, plan: Plan) -> None:
    """Refuse what would lose something or build on what is old. Nothing is written for it: it is nobody's fault."""
    upstream = found.git.line("for-each-ref", "--format=%(upstream)", HEADS + plan.base)
    if upstream and found.git.run("rev-parse", "-q", "--verify", upstream, codes=(0, 1, 128)).code == 0:
        behind = found.ahead(upstream, plan.base_commit)
        if behind:
            short = upstream.removeprefix("refs/remotes/")
            message = f"{short} has {behind} commit{'s' if behind > 1 else ''} that {plan.base} has not"
            raise Refusal(
                "base-behind", message, f"Bring {plan.base} up to date first: `git pull`.", base=plan.base
            )
    tree = place_of(found, plan.base)
    if tree and plan.prediction.tree and not plan.prediction.conflicts:
        check_clean(found, tree, plan.base_commit, plan.prediction.tree)


def _ident(found: Repository, actor: str) -> str:
    """Who the merge commit is by: as git is set up, else the actor."""
    line = ("config", "-z", "--get-regexp", r"^user\.(name|email)$")
    said = pairs(found.git.run(*line, codes=(0, 1)).parts, "\n")
    name, email = said.get("user.name") or actor, said.get("user.email") or f"{actor}@{NOWHERE}"
    return "".join(c for c in f"{name} <{email}>" if c.isprintable())[:500]


def _commit(found: Repository, state: Approved | Merging, tree: str, about: dict[str, Any]) -> str:
    """Write the merge commit; the same input makes the same commit."""
    name, _, email = str(about["ident"]).rpartition(" <")
    who = {"NAME": name, "EMAIL": email.removesuffix(">"), "DATE": f"@{about['when']} +0000"}
    environ = {
        f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in who.items()
    }
    message = (
        f"Merge {state.card.id}: {state.card.title}\n\n"
        f"Crewlog-Task: {state.card.id}\nCrewlog-Event: {state.approval.id}\n"
    )
    parents = ("-p", str(about["base_commit"]), "-p", str(about["commit"]))
    return found.git.run(
        "commit-tree", tree, *parents, "-F", "-", stdin=message.encode(), environ=environ
    ).line


def _rebuild(found: Repository, state: Merging) -> str:
    """The merge commit as the event says it, written again: also what another clone's event says is looked at."""
    merge = state.merge
    tree = predict(found, merge.base_commit, merge.commit).tree
    about = {
        "commit": merge.commit,
        "base_commit": merge.base_commit,
        "ident": merge.ident,
        "when": merge.when,
    }
    return _commit(found, state, tree, about)


@contextmanager
def _checkout(found: Repository, merge: str) -> Generator[str]:
    """The merged tree in a worktree of its own, which is gone afterwards. One that a crash left is made anew."""
    path = os.path.join(found.work, f"gate-{merge[:12]}")
    make_folder(found.work)
    _remove(found, path)
    found.worktree("add", "--quiet", "--detach", "--no-checkout", "--end-of-options", path, merge)
    found.git.at(path).run("reset", "--quiet", "--hard")
    try:
        yield path
    finally:
        _remove(found, path)


def gates(found: Repository) -> list[str]:
    """The checkouts of merged trees: of a gate that runs, or left by a merge that was killed."""
    names = os.listdir(found.work) if os.path.isdir(found.work) else ()
    return [os.path.join(found.work, name) for name in sorted(names) if name.startswith("gate-")]


def remove_gates(found: Repository) -> list[str]:
    """Remove the checkouts that a killed merge left; which they were. Only while nobody merges."""
    left = gates(found)
    for path in left:
        _remove(found, path)
    return left


def _remove(found: Repository, path: str) -> None:
    # Locked where git was killed while it made it, dirty with what the gate has built, or not there at all.
    found.worktree("remove", "--force", "--force", "--", path, codes=(0, 128))
    if os.path.lexists(path):  # git had not come to know it yet
        import shutil

        shutil.rmtree(path, ignore_errors=True)


def in_order(call: Call) -> list[str]:
    """The tasks that wait for a merge: those left half-way first, then in the order of their approval."""
    from projections.task_pages import TaskFilter, page

    call.store.views.catch_up()
    rows = page(call.store.views.connection, TaskFilter(states=("APPROVED", "MERGING")), 100_000).rows
    states = [call.state_of(row["id"]) for row in rows]
    waiting = [state for state in states if isinstance(state, Approved | Merging)]
    waiting.sort(key=lambda state: (isinstance(state, Approved), state.approval.at, state.approval.id))
    return [state.card.id for state in waiting]
