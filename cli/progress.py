"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from cli.shell import Shell

Step = Callable[[int, int], None]


@contextmanager
def progress(shell: Shell, label: str) -> Generator[Step | None]:
    """A callback `(done, total)` that draws on stderr, or None where nobody watches."""
    if not shell.stderr.isatty():
        yield None
        return
    with ExitStack() as drawn:
        bars: list[Any] = []

        def step(done: int, total: int) -> None:
            if not bars:  # nothing is drawn for what is quick
                import typer

                bars.append(drawn.enter_context(typer.progressbar(length=1, label=label, file=shell.stderr)))
            bars[0].length = max(total, 1)
            bars[0].update(done - bars[0].pos)

        yield step
