"""`done`: hand work in, or take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import ClaimOption, ReasonOption, TaskArg, text_from
from cli.call import Call
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal
from domain.task import claim_of

if TYPE_CHECKING:
    from domain.commands import Submit
    from domain.task import Task


@command(
    "done",
    'crewlog done t-3k9f --claim 9f2c1a7b --evidence "all 31 tests pass"\ncrewlog done --check "make test"',
    writes=True,
)
def done(
    call: Call,
    task: TaskArg = None,
    claim: ClaimOption = "",
    evidence: Annotated[
        str,
        typer.Option("--evidence", "-e", help="Why one may believe it; - reads stdin.", show_default=False),
    ] = "",
    check: Annotated[
        str,
        typer.Option(
            "--check", metavar="CMD", help="Run this; keep exit code and output.", show_default=False
        ),
    ] = "",
    ran: Annotated[
        str, typer.Option("--ran", metavar="TEXT", help="What you ran; kept as stated.", show_default=False)
    ] = "",
    allow_dirty: Annotated[
        bool,
        typer.Option("--allow-dirty", help="Leave uncommitted changes out, and note it.", show_default=False),
    ] = False,
    no_commit: Annotated[
        bool, typer.Option("--no-commit", help="Hand in work that has no commit.", show_default=False)
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take it back instead.", show_default=False)
    ] = False,
    reason: ReasonOption = "",
) -> None:
    """Hand your work in for review. Again, to replace what you handed in; --withdraw takes it back.

    What is handed in is the commit that your branch is at. Uncommitted changes and a branch without a commit of its own
    are refused.
    """
    from domain.commands import Withdraw

    name = call.task(task)
    shown = call.claim(name, claim)
    if not withdraw:
        if reason:
            raise Refusal("usage", "--reason goes with --withdraw", "What speaks for the work is --evidence.")
        text = text_from(call, evidence, "evidence")
        wanted = submission(
            call, name, shown, text, allow_dirty=allow_dirty, no_commit=no_commit, check=check, ran=ran
        )
        said = {"commit": wanted.commit} if wanted.commit else {}
        written = call.write(name, wanted, texts=[text, check, ran])
        call.answer(answer(call, written, **said))
        return
    text = text_from(call, reason, "reason")
    call.answer(answer(call, call.write(name, Withdraw(call.actor, shown, text), texts=[text])))


def submission(
    call: Call,
    task: str,
    claim: str,
    evidence: str,
    *,
    allow_dirty: bool = False,
    no_commit: bool = False,
    check: str = "",
    ran: str = "",
) -> Submit:
    """What `done` writes: with the commit of the claim's branch, where it has one."""
    from domain.commands import Submit
    from domain.decide import decide

    plain = Submit(call.actor, claim, evidence)
    state = call.state_of(task)
    if call.replayed("Submit") or not (check or ran or _has_branch(state)):
        return plain
    decide(plain, state)  # whoever may not hand it in is told so first
    from cli.git.handing_in import Asked, hand_in

    handed_in = hand_in(call, state, Asked(allow_dirty, no_commit, check, ran))
    return plain._replace(commit=handed_in.commit, about=handed_in.about)


def _has_branch(state: Task) -> bool:
    claim = claim_of(state)
    return claim is not None and claim.branch is not None
