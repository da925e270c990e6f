"""`completion`: the script for a shell."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer


@command("completion", "crewlog completion bash > ~/.local/share/bash-completion/completions/crewlog")
def completion(
    call: Call,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell", "pwsh"],
        typer.Argument(metavar="SHELL", help="bash, zsh, fish, powershell or pwsh."),
    ],
) -> None:
    """Print the completion script of a shell. It completes commands, options, task ids, names and labels."""
    from typer import _completion_shared  # the module that Typer's own completion takes it from

    script = _completion_shared.get_completion_script(
        prog_name="crewlog", complete_var="_CREWLOG_COMPLETE", shell=shell
    )
    call.answer(Answer({"shell": shell, "script": script}, [script]))
