"""`resume`: take over from another session of one's own name."""

from __future__ import annotations

from cli.arguments import PidOption, TaskArg
from cli.call import Call
from cli.commands.start import PrintOption, finish_claim
from cli.grammar import command


@command("resume", "crewlog resume t-3k9f --as ada", writes=True)
def resume(call: Call, task: TaskArg = None, print_: PrintOption = None, pid: PidOption = None) -> None:
    """Take your own task over with a new claim. After a crash, or in another session; the old claim becomes stale."""
    from cli.process import session_process
    from domain.commands import Resume

    process = session_process(pid, command=call.shell.command)
    written = call.write(call.task(task), Resume(call.actor, process.as_dict() if process else None))
    finish_claim(call, written, print_=print_)
