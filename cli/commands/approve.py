"""`approve`: accept someone else's work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import TasksArg, text_from, values
from cli.call import Call
from cli.each import each
from cli.grammar import command
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.log import Written


@command("approve", "crewlog approve t-3k9f t-8hq2 --as zoe", writes=True)
def approve(
    call: Call,
    tasks: TasksArg = None,
    submission: Annotated[
        str, typer.Option("--submission", metavar="ID", help="Only this submission.", show_default=False)
    ] = "",
    note: Annotated[str, typer.Option("--note", help="What you remark.", show_default=False)] = "",
    merge: Annotated[
        bool, typer.Option("--merge/--no-merge", help="Complete it at once; --no-merge leaves it APPROVED.")
    ] = True,
) -> None:
    """Accept work that is in review. Nobody approves what they worked on.

    A task without a commit is COMPLETED with it; with --no-merge that waits for `crewlog merge`.
    """
    from domain.commands import Approve

    text = text_from(call, note, "note")
    policy = call.store.config.review_by
    if policy == "person":
        _require_person(call)
    if submission and len(values(tasks)) > 1:
        raise Refusal("usage", "--submission goes with one task", "Approve the others without it.")

    def one(task: str) -> Written:
        return call.write(task, Approve(call.actor, policy, submission, text, merge), texts=[text])

    each(call, values(tasks) or [None], one)


def _require_person(call: Call) -> None:
    agent = call.store.log.state(f"agent/{call.actor}")
    if not (agent and agent.person):
        hint = f"The config says [review] by = person. If {call.actor} is one: `crewlog join {call.actor} --person`."
        raise Refusal("not-allowed", f"{call.actor} did not join as a person", hint)
