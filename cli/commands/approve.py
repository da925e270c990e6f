"""`approve`: accept someone else's work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import TasksArg, text_from, values
from cli.call import Call
from cli.commands.merge import merge_one, merged
from cli.each import each
from cli.grammar import command
from domain.commands import Approve
from domain.refusals import Refusal
from domain.task import APPROVED, submission_of

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
    sign: Annotated[
        str | None,
        typer.Option("--sign", metavar="KEY", help="Sign it with this SSH key.", show_default=False),
    ] = None,
    merge: Annotated[
        bool | None,
        typer.Option(
            "--merge/--no-merge",
            help="Bring it in at once, or leave it APPROVED; default: at once where there is no commit.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Accept work that is in review. Nobody approves what they worked on.

    It is the submission and its commit that are approved: a branch that moved since is refused, here and by `merge`. A
    task without a commit is COMPLETED with it, unless --no-merge.
    """
    call.tell_who()
    text = text_from(call, note, "note")
    policy = call.store.config.review_by
    if policy == "person":
        _require_person(call)
    if submission and len(values(tasks)) > 1:
        raise Refusal("usage", "--submission goes with one task", "Approve the others without it.")

    def one(task: str) -> Written:
        looked_at = _looked_at(call, task, submission)
        wanted = Approve(call.actor, policy, looked_at, text, merge is not False)
        if sign is not None or policy == "signed":
            wanted = _signed(call, task, wanted, sign)
        written = call.write(task, wanted, texts=[text])
        if merge and written.state.state == APPROVED:
            call.store.after_write()
            return _brought_in(call, task)
        return written

    each(call, values(tasks) or [None], one, facts=merged)


def _brought_in(call: Call, task: str) -> Written:
    """Merge what was just approved; a refusal says what the task is now: the approval stands."""
    try:
        return merge_one(call, task, keyed=False)
    except Refusal as refusal:
        message = f"{refusal.message}; {task} is {call.state_of(task).state}"
        raise Refusal(refusal.code, message, refusal.hint, **refusal.details) from refusal


def _signed(call: Call, task: str, wanted: Approve, key: str | None) -> Approve:
    """The approval with its signature; it names the submission that was signed."""
    from cli.approvals import signature
    from domain.decide import decide

    state = call.state_of(task)
    if call.replayed("Approve"):
        return wanted
    decide(wanted, state)  # whoever may not approve it signs nothing
    submission = submission_of(state)
    signed = signature(call, state, key, wanted.policy)
    return wanted._replace(signature=signed, submission=submission.id if submission else wanted.submission)


def _looked_at(call: Call, task: str, given: str) -> str:
    """The submission that is judged. One with a commit is settled before the log decides, and its branch looked at."""
    from domain.decide import decide

    if call.replayed("Approve"):
        return given
    state = call.state_of(task)
    submission = submission_of(state)
    if submission is None or submission.commit is None:
        return given
    decide(Approve(call.actor, "", given), state)  # whoever may not approve it is told so first
    from cli.git.review import check_reviewable

    check_reviewable(call, state)
    return submission.id


def _require_person(call: Call) -> None:
    agent = call.store.log.state(f"agent/{call.actor}")
    if not (agent and agent.person):
        hint = f"The config says [review] by = person. If {call.actor} is one: `crewlog join {call.actor} --person`."
        raise Refusal("not-allowed", f"{call.actor} did not join as a person", hint)
