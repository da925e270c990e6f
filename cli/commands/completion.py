"""`completion`: the script for a shell."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.call import Call
from cli.grammar import command


@command("completion", "crewlog completion bash > ~/.local/share/bash-completion/completions/crewlog")
def completion(
    call: Call,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell", "pwsh"], typer.Argument(help="Which shell.")
    ],
) -> None:
    """Print the completion script of a shell; it completes commands, options, task ids, names and labels."""
    from typer import _completion_shared  # the module that Typer's own completion takes it from

    script = _completion_shared.get_completion_script(
        prog_name="crewlog", complete_var="_CREWLOG_COMPLETE", shell=shell
    )
    print(script, file=call.shell.stdout)
