"""`start`: take a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.arguments import PidOption
from cli.call import Call
from cli.commands.join import bind
from cli.completion import complete_task
from cli.git.options import BaseOption, HereOption, NoBranchOption
from cli.grammar import command
from cli.output import Answer
from cli.place import GitPlace
from cli.text import safe_line
from cli.writes import answer, blockers
from domain.refusals import Refusal
from domain.task import WORKING, claim_of

if TYPE_CHECKING:
    from cli.git.beginning import Beginning
    from domain.log import Written

REMARKED = 3

PrintOption = Annotated[
    Literal["dir", "task", "claim"] | None,
    typer.Option("--print", help="Print only that.", show_default=False),
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0, help="Wait that long for a task.", show_default=False),
]
NoReapOption = Annotated[
    bool, typer.Option("--no-reap", help="Leave lost holders what they hold.", show_default=False)
]


@command("start", 'crewlog start t-3k9f --as ada\ncd "$(crewlog start --as ada --print dir)"', writes=True)
def start(
    call: Call,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK]",
            help="Id, unique prefix or slug; without it the best one that is ready.",
            autocompletion=complete_task,
            show_default=False,
        ),
    ] = None,
    print_: PrintOption = None,
    here: HereOption = False,
    no_branch: NoBranchOption = False,
    base: BaseOption = "",
    pid: PidOption = None,
    wait: WaitOption = 0.0,
    no_reap: NoReapOption = False,
) -> None:
    """Take a task and print its claim. Without TASK the best one that is ready: yours first, then anyone's.

    In a git repository it makes a branch from the base and a worktree in .crewlog/work, and answers with its folder.
    In a linked worktree of your own that has no task yet, --here is the default. Without TASK it first takes back what
    lost holders hold (`crewlog reap`). Nothing ready is exit 8.
    """
    from cli.awake import woke
    from cli.process import session_process
    from cli.taking import take_best
    from domain.commands import Start

    process = session_process(pid, command=call.shell.command)
    beginning = where_to_work(call, here=here, no_branch=no_branch, base=base)
    wanted = Start(call.actor, process.as_dict() if process else None, beginning.fork if beginning else None)
    woke(call.store)  # what is known now tells a later suspend from an earlier one
    if task is None:
        finish_claim(
            call, *take_best(call, wanted, wait, reap=not no_reap), print_=print_, beginning=beginning
        )
        return
    if wait:
        raise Refusal("usage", "--wait goes without TASK", "crewlog start --wait 100")
    finish_claim(call, call.write(call.task(task), wanted), print_=print_, beginning=beginning)


def where_to_work(
    call: Call, *, here: bool = False, no_branch: bool = False, base: str = ""
) -> Beginning | None:
    """Where the task will be worked on, settled before it is taken; None where no git is needed for that."""
    if no_branch and (here or base):
        raise Refusal("usage", "--no-branch goes without --here and --base", "crewlog start --no-branch")
    if no_branch:
        return None
    if call.code is None:
        if here or base:
            message = f"{call.located.path} belongs to no git repository"
            raise Refusal("usage", message, "Leave --here and --base out.")
        return None
    from cli.git.beginning import begin

    return begin(call, call.code, here=here, base=base)


def go_to_work(call: Call, written: Written, beginning: Beginning | None) -> GitPlace | None:
    """Make the worktree of a new claim and bind it; the place, None where one works wherever one is."""
    if beginning is None:
        return None
    from cli.git.beginning import take_back

    try:
        made = beginning.carry_out(written)
    except Refusal as refusal:
        take_back(call, written, refusal)
        raise
    if made:
        bind(call, call.actor, written.state.card.id, written.events[0].id, made)
    return made


def finish_claim(
    call: Call,
    written: Written,
    reaped: Sequence[str] = (),
    *,
    print_: str | None = None,
    beginning: Beginning | None = None,
) -> None:
    """Bind the worktree to the new claim and answer with it, and with who held the task before."""
    import shlex

    from cli.taking import previous, previous_line

    claim = written.events[0].id
    made = go_to_work(call, written, beginning)
    worktree = made.worktree if made else bind(call, call.actor, written.state.card.id, claim)
    folder = worktree or call.shell.cwd
    before = previous(call, written)
    held = claim_of(written.state)
    said = [f"  claim {claim}", *([previous_line(written.state.card.id, before)] if before else [])]
    extra: dict[str, Any] = {"previous": before} if before else {}
    extra |= {"reaped": list(reaped)} if reaped else {}
    if made and held and held.branch:
        extra |= {"branch": held.branch, "base": held.base}
        said = [f"  branch {safe_line(held.branch)}", *said]
        if call.git is None or call.git.worktree != folder:
            extra["first"] = [f"cd {shlex.quote(folder)}"]
    answered = answer(call, written, said=said, claim=claim, dir=folder, **extra)
    answered = _with_session(call, written, answered)
    if print_ and not call.options.json:
        value = {"dir": folder, "task": written.state.card.id, "claim": claim}[print_]
        answered = Answer(answered.data, [value], [value], answered.remarks)
    call.answer(answered)


def _with_session(call: Call, written: Written, answered: Answer) -> Answer:
    """The answer with the process whose end ends the claim; remarks on what it waits for, on what else is worked on."""
    from cli.holding import held

    task, claim = written.state.card.id, claim_of(written.state)
    others = held(call, call.actor, lambda row: row["state"] == WORKING and row["id"] != task)
    waits = blockers(call, written.state)
    data = {**answered.data, "process": claim.process if claim else None}
    if others:
        data["also_holds"] = [row["id"] for row in others]
    if waits:
        data["blocked_by"] = waits
    remarks = [f"it waits for {' '.join(waits)}, not COMPLETED yet: `crewlog graph {task}`"] if waits else []
    remarks += [_still(row) for row in others[:REMARKED]]
    if len(others) > REMARKED:
        remarks.append(f"and {len(others) - REMARKED} more: `crewlog whoami --as {call.actor}`")
    return answered._replace(data=data, remarks=[*answered.remarks, *remarks])


def _still(row: dict[str, Any]) -> str:
    folder = f" in {row['dir']}" if row["dir"] else ""
    return f"you still work on {row['id']}{folder}, too: hand it in, or give it back with `crewlog release`"
