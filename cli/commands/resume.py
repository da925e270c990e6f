"""`resume`: take over from another session of one's own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.arguments import PidOption, TaskArg
from cli.call import Call
from cli.commands.start import PrintOption, finish_claim
from cli.grammar import command
from domain.task import claim_of

if TYPE_CHECKING:
    from cli.git.beginning import Beginning


@command("resume", "crewlog resume t-3k9f --as ada", writes=True)
def resume(call: Call, task: TaskArg = None, print_: PrintOption = None, pid: PidOption = None) -> None:
    """Take your own task over with a new claim. After a crash, or in another session; the old claim becomes stale.

    The work goes on in the branch and the worktree that it has.
    """
    from cli.process import session_process
    from domain.commands import Resume

    name, process = call.task(task), session_process(pid, command=call.shell.command)
    beginning = where_it_was(call, name)
    written = call.write(name, Resume(call.actor, process.as_dict() if process else None))
    finish_claim(call, written, print_=print_, beginning=beginning)


def where_it_was(call: Call, task: str) -> Beginning | None:
    """The branch and the worktree that the task has already; None where it has none."""
    claim = claim_of(call.state_of(task)) if call.code else None
    if claim is None or claim.branch is None:
        return None
    from cli.git.beginning import Beginning

    return Beginning(call, None, None, None)
