"""`serve`: a resident process that answers this store's commands without a start of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.text import age
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.warm.control import About


@command("serve", "crewlog serve --background\ncrewlog serve status\ncrewlog serve stop")
def serve(
    call: Call,
    action: Annotated[
        Literal["status", "stop"] | None,
        typer.Argument(metavar="[status|stop]", help="Ask after it, or end it.", show_default=False),
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Return as soon as it is ready.", show_default=False)
    ] = False,
    idle: Annotated[
        str, typer.Option("--idle", metavar="TIME", help="End after so long without a command; like 90s, 2h.")
    ] = "15m",
) -> None:
    """Answer this store's commands from a process that has everything loaded: a command is then several times quicker.

    Nothing depends on it. Where it is missing, was killed, or cannot stand for a command (another version, a sandbox), the
    command runs by itself; CREWLOG_SERVE=0 always does that.
    """
    from cli.warm import control
    from domain.config import duration

    seconds = duration(idle, "--idle")
    folder = call.located.path
    _ = call.store.config  # refuses a folder that is no store of ours
    if action == "status":
        call.answer(_status(folder, control.about(folder)))
    elif action == "stop":
        call.answer(_stopped(folder, control.stop(folder)))
    elif background:
        call.answer(_started(folder, *control.start(folder, idle)))
    else:
        control.serve(folder, seconds, lambda: call.shell.remark(f"serving {folder}; Ctrl-C ends it"))
        call.answer(Answer({"store": folder, "running": False}, ["ended"]))


def _status(folder: str, about: About | None) -> Answer:
    if about is None:
        hint = "`crewlog serve --background` starts one; commands work without it."
        raise Refusal("not-found", f"no server answers for {folder}", hint, store=folder, running=False)
    return _answer(folder, about, "serves")


def _started(folder: str, about: About, existed: bool) -> Answer:
    return _answer(folder, about, "serves already" if existed else "serves")


def _stopped(folder: str, about: About | None) -> Answer:
    if about is None:
        return Answer({"store": folder, "running": False}, [f"no server answers for {folder}"])
    lines = [f"process {about['pid']} ended, after {about['served']} commands"]
    return Answer({"store": folder, **about, "running": False}, lines, [str(about["pid"])])


def _answer(folder: str, about: About, does: str) -> Answer:
    said = (
        f"process {about['pid']} {does} {folder}: version {about['version']}, up {age(about['up_seconds'])}, "
        f"{about['served']} commands; ends after {age(about['idle_seconds'])} without one"
    )
    data: dict[str, Any] = {"store": folder, **about, "running": True}
    return Answer(data, [said], [str(about["pid"])])
