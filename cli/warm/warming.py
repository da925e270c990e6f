"""Load what commands load, by running some of them on a store that is thrown away."""

from __future__ import annotations

import importlib
import io
import os
import tempfile
from contextlib import suppress

from cli import app, grammar
from cli.shell import Shell

# One of each kind: what they import is what the hot commands import.
LINES = (
    "init --as zoe",
    "spawn warming --slug w --as zoe --json",
    "start w --as ada --json",
    "progress w --percent 5 --as ada",
    "heartbeat --as ada",
    "note w word --as ada",
    "send zoe word --as ada",
    "done w --as ada",
    "approve w --as zoe",
    "list",
    "ready",
    "show w",
    "log",
    "tail",
    "agents",
    "whoami --as ada",
    "inbox --as zoe",
    "prime --as zoe",
    "reap --as zoe",
    "list --json",
)


def warm_up(*, remote: bool = False) -> None:
    """Import every command, and all that the lines need. What they answer does not matter.

    `remote`: the log of the store is on a server of its own; no connection is made.
    """
    if remote:
        with suppress(ImportError):  # a command says what is missing
            importlib.import_module("domain.stores.postgres")
    for name in grammar.MODULES:
        grammar.load(name)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, ".crewlog"), 0o700)
        for line in LINES:
            shell = Shell(io.StringIO(), io.StringIO(), io.StringIO(), {}, folder)
            app.run([*line.split(), "--store", os.path.join(folder, ".crewlog")], shell)
