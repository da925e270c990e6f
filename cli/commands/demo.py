"""`demo`: see crewlog at work."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from domain.refusals import Refusal


@command("demo", "crewlog demo\ncrewlog demo tasks.jsonl --tasks 40 --keep")
def demo(
    call: Call,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASKS.jsonl]", help="Tasks as JSON lines, or a Beads export.", show_default=False
        ),
    ] = None,
    tasks: Annotated[int, typer.Option("--tasks", min=8, max=500, help="How many of them at most.")] = 24,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the scratch folder.", show_default=False)
    ] = False,
    worker: Annotated[str, typer.Option("--worker", hidden=True)] = "",
) -> None:
    """Watch a crew at work in a scratch folder. Several worker processes, a rejection, a failure, a kill -9.

    With --json what there is to watch goes to stderr, and the answer says what of it is as it should be.
    """
    if worker:
        from cli.demo.crew import Member
        from cli.demo.worker import work

        name, _, role = worker.partition(":")
        work(Member(name, call.shell.cwd, call.shell.environ), role)
        return
    import shutil
    import tempfile

    from cli.demo.show import Demo
    from cli.demo.tasks import read_tasks

    chosen = read_tasks(os.path.join(call.shell.cwd, file) if file else None, tasks)
    folder = os.path.realpath(tempfile.mkdtemp(prefix="crewlog-demo-"))
    try:
        stage = call.shell.stderr if call.options.json else call.shell.stdout
        played = Demo(call.shell, stage, folder, chosen).run()
    finally:
        if keep:
            call.shell.remark(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    wrong = [row["check"] for row in played["checks"] if not row["ok"]]
    if wrong:
        message = f"{len(wrong)} of these are not so"
        raise Refusal("internal", message, "Please report it; --keep keeps the folder.", wrong=wrong)
    call.answer(Answer(played, []))
