"""`demo`: see crewlog at work."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
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
    """Watch a crew at work in a scratch folder. Several worker processes, a rejection, a failure, a kill -9."""
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
        wrong = Demo(call.shell, folder, chosen).run()
    finally:
        if keep:
            call.shell.remark(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if wrong:
        raise Refusal(
            "internal", f"{wrong} of these are not so", "Please report it; --keep keeps the folder."
        )
