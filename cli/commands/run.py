"""`run`: a command that works on a task, with a heart beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.beating import EveryOption, interval
from cli.call import Call
from cli.commands.start import NoReapOption, go_to_work, where_to_work
from cli.git.options import BaseOption, HereOption, NoBranchOption
from cli.grammar import command
from cli.output import Answer
from cli.text import age, safe_line
from cli.writes import short
from domain.named import NamedTuple
from domain.refusals import Exit, Refusal

if TYPE_CHECKING:
    from cli.session import Plan
    from cli.settling import Ran
    from cli.signals import Stops
    from domain.log import Written

# A command that cannot work would fail every task there is.
FAILURES_IN_A_ROW = 3


class Way(NamedTuple):
    """How tasks are taken."""

    here: bool
    no_branch: bool
    base: str
    reap: bool


@command(
    "run",
    "crewlog run --as ada -- make fix\ncrewlog run t-3k9f --prompt --as ada -- claude -p\n"
    "crewlog run --loop --as ada -- ./worker.sh",
)
def run(
    call: Call,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TASK] -- CMD...", help="What to run; without TASK for the best ready one."),
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Take the next task after each, until none is ready.")
    ] = False,
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Feed the task's text to the command's standard input.")
    ] = False,
    on_success: Annotated[
        Literal["done", "leave"],
        typer.Option("--on-success", help="Hand the task in, or leave that to the command."),
    ] = "done",
    every: EveryOption = "",
    here: HereOption = False,
    no_branch: NoBranchOption = False,
    base: BaseOption = "",
    no_reap: NoReapOption = False,
) -> None:
    """Take a task, run a command for it with a heart beside it, and settle the task by how the command ends.

    The command gets CREWLOG_AGENT, _TASK, _CLAIM and _STORE, in the worktree that `start` would make. stdout is the
    command's; with --json it goes to stderr.

    Exit 0 hands in the commit that the branch is at, and fails a task whose work is not committed; any other exit fails it
    with the end of the output. What the command settled itself stays so. With --on-success leave, exit 0 leaves the task
    as it is and nobody beats for it: `crewlog reap` takes it back, unless `crewlog done` hands it in or `crewlog resume`
    takes it over before.

    SIGINT, SIGTERM and SIGHUP go to the command, and the task is given back. If the claim is lost meanwhile the command
    gets one SIGTERM. A command that hangs beats on, one that is stopped does not. A run that is killed with -9 leaves its
    command running, and the task to `crewlog reap`.

    Exit: the command's own, 128 + N after signal N, 8 nothing ready, 5 claim lost, 4 nothing to hand in. With --loop 0 if
    anything ran, and it ends after 3 failures in a row.
    """
    from cli.session import Plan
    from cli.signals import Stops

    task, line = _split(call, words or [])
    plan = Plan(line, interval(call, every), prompt=prompt, submit=on_success == "done")
    with Stops() as stops:
        ran = _run_all(call, stops, plan, task, Way(here, no_branch, base, reap=not no_reap), loop=loop)
    if ran[-1].outcome == "lost" and not loop and not stops.signals:
        from domain.decide import stale_claim

        raise stale_claim(call.state_of(ran[-1].task), ran[-1].claim)
    call.answer(Answer({"runs": [one.as_dict() for one in ran]}, []))
    call.finish(_exit(ran, stops, loop=loop))


def _split(call: Call, words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The task before `--`, if any, and the command behind it."""
    typed = call.words
    line = typed[typed.index("--") + 1 :] if "--" in typed else ()
    before = words[: len(words) - len(line)]
    if not line or len(before) > 1:
        message = "run takes at most one task, then --, then the command"
        raise Refusal("usage", message, "Example: crewlog run t-3k9f -- make test")
    return (before[0] if before else None), tuple(line)


def _run_all(call: Call, stops: Stops, plan: Plan, task: str | None, way: Way, *, loop: bool) -> list[Ran]:
    from cli.session import run_task

    ran: list[Ran] = []
    while True:
        try:
            written, folder = _claim(call, task, way)
        except Refusal as refusal:
            if ran and refusal.code == "nothing-yet":
                return ran
            raise
        _tell(call, f"{written.state.card.id} is yours: {safe_line(written.state.card.title)}")
        ran.append(run_task(call, stops, written, plan, folder))
        _tell(call, _sentence(ran[-1], call.actor))
        if stops.signals or not loop or _hopeless(ran):
            return ran
        task = None


def _claim(call: Call, task: str | None, way: Way) -> tuple[Written, str]:
    """Take the task with this very process as the session: when it is gone, so is whoever holds the task.

    Also the folder to work in.
    """
    from cli.awake import woke
    from cli.process import session_process
    from cli.taking import take_best
    from domain.commands import Start

    process = session_process(os.getpid())
    beginning = where_to_work(call, here=way.here, no_branch=way.no_branch, base=way.base)
    wanted = Start(call.actor, process.as_dict() if process else None, beginning.fork if beginning else None)
    woke(call.store)
    if task is None:
        written, _ = take_best(call, wanted, 0.0, reap=way.reap)
    else:
        written = call.write(call.task(task), wanted)
    call.store.after_write()
    made = go_to_work(call, written, beginning)
    return written, (made.worktree if made else None) or call.shell.cwd


def _hopeless(ran: Sequence[Ran]) -> bool:
    last = ran[-FAILURES_IN_A_ROW:]
    return len(last) == FAILURES_IN_A_ROW and all(one.outcome == "failed" for one in last)


def _tell(call: Call, sentence: str) -> None:
    if not call.options.quiet:
        call.shell.remark(f"crewlog: {sentence}")


def _sentence(one: Ran, agent: str) -> str:
    how = {
        "done": "handed in",
        "left": f"left as it is, and nobody beats for it: {_way_on(one, agent)}",
        "settled": "settled by the command itself",
        "failed": f"failed: the command exited with {one.exit}"
        + ("" if one.exit else f", but its work cannot be handed in: `crewlog show {one.task}`"),
        "released": "given back",
        "lost": "no longer yours: nothing was written",
    }[one.outcome]
    return f"{one.task} is {one.state} after {age(one.seconds)}, {how}"


def _way_on(one: Ran, agent: str) -> str:
    """What keeps a task that was left from being taken back: the session that held it ends with this program."""
    done = f"crewlog done {one.task} --as {agent} --claim {short(one.claim)}"
    return f"the next reap takes it back, unless `{done}` or `crewlog resume {one.task} --as {agent}` comes before"


def _exit(ran: Sequence[Ran], stops: Stops, *, loop: bool) -> int:
    """The exit code of the whole."""
    from cli.signals import OFFSET

    if stops.signals:
        return OFFSET + stops.signals[0]
    if loop and not _hopeless(ran):
        return int(Exit.DONE)
    if ran[-1].outcome == "failed":
        return ran[-1].exit or int(Exit.REFUSED)  # the command meant well, but nothing could be handed in
    return ran[-1].exit
