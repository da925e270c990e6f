"""`start`: take a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.arguments import PidOption
from cli.call import Call
from cli.commands.join import bind
from cli.completion import complete_task
from cli.grammar import command
from cli.writes import answer
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.decide import Start
    from domain.log import Written

CANDIDATES = 64
# A task that someone else took a moment ago, or gave to another: look at the next one.
PASSED_BY = frozenset({"held", "wrong-state", "not-assignee"})

PrintOption = Annotated[
    Literal["dir", "task", "claim"] | None,
    typer.Option("--print", help="Print only that.", show_default=False),
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
    pid: PidOption = None,
) -> None:
    """Take a task and print its claim. Without TASK the best one that is ready: yours first, then anyone's."""
    from cli.process import session_process
    from domain.decide import Start

    process = session_process(pid)
    wanted = Start(call.actor, process.as_dict() if process else None)
    written = call.write(call.task(task), wanted) if task is not None else _take_best(call, wanted)
    finish_claim(call, written, print_)


def finish_claim(call: Call, written: Written, print_: str | None) -> None:
    """Bind the worktree to the new claim and answer with it."""
    from cli.output import Answer

    claim = written.events[0].id
    worktree = bind(call, call.actor, written.state.card.id, claim)
    folder = worktree or call.shell.cwd
    answered = answer(call, written, said=[f"  claim {claim}"], claim=claim, dir=folder)
    if print_ and not call.options.json:
        value = {"dir": folder, "task": written.state.card.id, "claim": claim}[print_]
        answered = Answer(answered.data, [value], [value], answered.remarks)
    call.answer(answered)


def _take_best(call: Call, wanted: Start) -> Written:
    """The views propose, the log decides: the queue is held, so what they propose is current."""
    from projections.task_pages import candidates

    store = call.store
    with store.log.turn():
        earlier = _earlier(call)
        if earlier:
            return earlier
        store.views.catch_up()
        for task in candidates(store.views.connection, call.actor, CANDIDATES):
            try:
                return call.write(task, wanted)
            except Refusal as refusal:
                if refusal.code not in PASSED_BY:
                    raise
    raise Refusal(
        "nothing-yet", f"nothing is ready for {call.actor}", "`crewlog ready --explain` says what waits."
    )


def _earlier(call: Call) -> Written | None:
    """What a retry with the same key answers, whatever is ready now."""
    retry = call.retry("Start")
    if retry is None:
        return None
    with call.writing() as transaction:
        return transaction.replay(call.actor, retry)
