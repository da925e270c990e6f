"""A shell command that is run to see whether work is good: `--check` of its holder, the gate of a merge."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

from cli.call import Call
from cli.signals import OFFSET
from domain.named import NamedTuple
from domain.refusals import Refusal

KEPT = 1024 * 1024  # bytes of output that are kept, the end of it
TIMED_OUT = 124  # as `timeout` says it


class Came(NamedTuple):
    """How the command ended: its exit code (128 + N: by signal N), the end of its output, after how long it was stopped."""

    command: str
    exit: int
    output: str
    stopped: float = 0  # seconds; 0: it ended by itself

    @property
    def ended(self) -> str:
        """How it ended, as words behind its name."""
        if self.stopped:
            return f"was stopped: it took longer than {self.stopped:g} s (exit {self.exit})"
        return f"exited with {self.exit}"

    def as_fields(self, name: str) -> dict[str, str | int]:
        """The fields of an event, whose names begin with this one."""
        said = {f"{name}_output": self.output} if self.output else {}
        return {name: self.command, f"{name}_exit": self.exit, **said}


def run_command(
    call: Call, command: str, folder: str, environ: Mapping[str, str] | None = None, *, seconds: float
) -> Came:
    """Run it by `sh` in a folder, without input, in a process group of its own that ends with it."""
    kept = {name: value for name, value in call.shell.environ.items() if not name.startswith("GIT_")}
    with TemporaryFile() as file:
        try:
            process = subprocess.Popen(
                ["sh", "-c", command],
                cwd=folder,
                env={**kept, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            raise Refusal("bad-value", f"cannot run sh: {error.strerror}", "Look at the PATH.") from error
        code = _wait(process, seconds)
        output = _without_secrets(_end_of(file, call.store.config.blob))
        if code is None:
            said = f"(stopped: it took longer than {seconds:g} s)"
            return Came(command, TIMED_OUT, f"{output}\n{said}".lstrip(), seconds)
        return Came(command, code, output)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Its exit code; None where it had to be stopped."""
    code: int | None = None
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return code if code is None or code >= 0 else OFFSET - code


def _end_of(file: IO[bytes], limit: int) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - min(KEPT, limit // 2)))
    return file.read().decode("utf-8", "replace").rstrip()


def _without_secrets(output: str) -> str:
    """The output; the log would refuse one that looks like it holds a secret."""
    from domain.secrets import find_secret

    found = find_secret(output) if output else None
    return f"(withheld: it looks like it holds a secret: {found.rule})" if found else output
