"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from cli.shell import Shell

Step = Callable[[int, int], None]


@contextmanager
def progress(shell: Shell, label: str) -> Generator[Step | None]:
    """A callback `(done, total)` that draws on stderr, or None where nobody watches."""
    if not shell.stderr.isatty():
        yield None
        return
    import typer

    with typer.progressbar(length=1, label=label, file=shell.stderr) as bar:

        def step(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield step
