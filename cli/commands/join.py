"""`join`: say who works here."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import PidOption
from cli.binding import Binding, read_binding, write_binding
from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.place import GitPlace
from domain.names import check_name


@command("join", "crewlog join ada\ncrewlog join zoe --person", writes=True)
def join(
    call: Call,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Who you are.", show_default=False)
    ] = None,
    person: Annotated[bool, typer.Option("--person", help="You are a human.", show_default=False)] = False,
    pid: PidOption = None,
) -> None:
    """Say who works here. Records your session's process, and binds this worktree to your name."""
    from cli.process import session_process
    from domain.draft import Draft

    who = check_name(name) if name else call.actor
    process = session_process(pid, command=call.shell.command)
    payload = {"person": person, **({"process": process.as_dict()} if process else {})}
    with call.writing() as transaction:
        written = transaction.append(
            f"agent/{who}",
            who,
            lambda _: [Draft("agent.joined", payload, {})],
            retry=call.retry("Join"),
        )
    bound = bind(call, who)
    remarks = call.store.after_write()
    data = {"agent": who, "event": written.events[0].id, "bound": bound, "process": payload.get("process")}
    lines = [f"{who} joined" + (f"; {bound} is bound to {who}" if bound else ""), "  next: crewlog ready"]
    call.answer(Answer(data, lines, [who], remarks))


def bind(
    call: Call,
    name: str,
    task: str | None = None,
    claim: str | None = None,
    worktree: GitPlace | None = None,
) -> str | None:
    """Write name, task and claim down for a worktree, by default this one; its path, or None outside git."""
    git = worktree or call.git
    if git is None or git.worktree is None:
        return None
    before = read_binding(git)
    store = call.located.path
    if task is None and before and before.agent == name and before.store == store:
        task, claim = before.task, before.claim
    if before and before.agent != name and before.task:
        call.shell.remark(f"this worktree was bound to {before.agent} and {before.task}; now it is {name}'s")
    if task and not git.linked and (before is None or before.agent != name):
        call.shell.remark(f"from now on a command in {git.worktree} is {name}'s, unless it says --as NAME")
    write_binding(git, Binding(name, task, claim, store))
    return git.worktree


def unbind(call: Call, task: str) -> None:
    """Forget task and claim for this worktree, where they are about this task."""
    git, bound = call.git, call.binding
    if git and bound and bound.task == task:
        write_binding(git, Binding(bound.agent, None, None, bound.store))
