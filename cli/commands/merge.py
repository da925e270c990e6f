"""`merge`: bring approved work in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import TasksArg, values
from cli.call import Call
from cli.each import each, several
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.git.merging import Merger
    from domain.log import Written


@command("merge", "crewlog merge t-3k9f --as zoe\ncrewlog merge --all --as zoe", writes=True)
def merge(
    call: Call,
    tasks: TasksArg = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="All that is approved, in the order of approval.", show_default=False),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would conflict; runs no gate.", show_default=False),
    ] = False,
) -> None:
    """Bring approved work into its base. Killed anywhere, the next `merge` finishes it; a COMPLETED task stays as it is.

    Builds the merge commit beside every checkout, runs the gate of config.toml on it, and moves the base only if nobody
    else has; a clean worktree that has the base checked out goes along. A conflict or a failed gate is written down.
    """
    if all_ and tasks:
        raise Refusal("usage", "give TASK or --all, not both", "crewlog merge --all")
    names: list[str | None] = list(values(tasks)) or [None]
    if all_:
        from cli.git.merging import in_order

        names = list(in_order(call))
        if not names:
            raise Refusal(
                "nothing-yet", "nothing is approved", "`crewlog list --state IN_REVIEW` waits for that."
            )
    if dry_run:
        from cli.git.merging import Merger

        merger = Merger(call)
        several(call, "task", names, lambda text: _predicted(call, merger, call.task(text)), listed=all_)
        return
    call.tell_who()
    each(call, names, lambda task: merge_one(call, task), facts=merged, listed=all_)


def merged(written: Written) -> dict[str, Any]:
    """What an answer says of a merge, beside the task's state."""
    payload = (
        written.events[-1].payload if written.events and written.events[-1].type == "task.merged" else {}
    )
    return {name: payload[name] for name in ("commit", "base", "merge") if name in payload}


def merge_one(call: Call, task: str, *, keyed: bool = True) -> Written:
    """Merge one task; without git where there is no commit."""
    from domain.commands import Merge
    from domain.task import handed_in

    submission = handed_in(call.state_of(task))
    if submission is None or submission.commit is None:
        return call.write(task, Merge(call.actor), keyed=keyed)
    from cli.git.merging import Merger

    return Merger(call, keyed=keyed).merge(task)


def _predicted(call: Call, merger: Merger, task: str) -> Answer:
    plan = merger.plan(task)
    state = call.state_of(task).state
    if plan is None:
        return Answer(
            {"task": task, "state": state, "commit": None, "conflicts": []}, [f"{task}  no commit"], [task]
        )
    files = list(plan.prediction.conflicts)
    said = f"conflicts in {safe_line(', '.join(files))}" if files else "merges cleanly"
    said = "is in already" if plan.found else said
    data = {"task": task, "state": state, "commit": plan.commit, "base": plan.base, "conflicts": files}
    at = f"with {', '.join(plan.after)} in it" if plan.after else plan.base_commit[:12]
    return Answer(data, [f"{task}  {said} ({safe_line(plan.base)} {at})"], [task])
