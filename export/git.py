"""Git as a program: argument lists only, none of the caller's GIT_* variables, no hooks, no prompts, a time limit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence

from domain.named import NamedTuple
from domain.refusals import Refusal

# 2.38 brought `merge-tree --write-tree`: a merge without an index and without a checkout.
LEAST = (2, 38)
PATIENCE = 600.0
SAID = 500

# A repository's settings may name programs; those that would run beside what was asked for are switched off.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "advice.detachedHead=false",
    "i18n.commitEncoding=UTF-8",
)
_BUSY = ("index.lock", ".lock': File exists", "Unable to create")


class Done(NamedTuple):
    """What a git command came to."""

    code: int
    out: bytes
    err: str

    @property
    def line(self) -> str:
        """What it printed, without the end of the line."""
        return os.fsdecode(self.out).rstrip("\n")

    @property
    def parts(self) -> list[str]:
        r"""What it printed with `-z`: texts that end with a NUL."""
        return os.fsdecode(self.out).split("\0")[:-1]


class Git:
    """Git in one folder."""

    def __init__(self, folder: str, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._environ = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
        self._environ |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}

    def at(self, folder: str) -> Git:
        """Git in another folder."""
        return Git(folder, self._environ)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        codes: Collection[int] = (0,),
        environ: Mapping[str, str] | None = None,
    ) -> Done:
        """Run one command. Raises Refusal `git`, `git-busy` where it ends with another code than these."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        done = self._run(["git", *settings, *arguments], stdin, {**self._environ, **(environ or {})})
        if done.code not in codes:
            raise _failed(arguments, done, self.folder)
        return done

    def line(self, *arguments: str, stdin: bytes = b"") -> str:
        """What a command prints, without the end of the line."""
        return self.run(*arguments, stdin=stdin).line

    def says(self, *arguments: str) -> bool:
        """True if a command that answers by its exit code says yes."""
        return self.run(*arguments, codes=(0, 1)).code == 0

    def check_version(self) -> None:
        """Refuse (`git`) a git that is missing or too old."""
        said = self._run(["git", "--version"], b"", self._environ).line
        version = _version(said)
        if version < LEAST:
            least = ".".join(map(str, LEAST))
            hint = (
                f"Install git {least} or newer; `--no-branch` works without, for work that needs no branch."
            )
            raise Refusal("git", f"{said or 'this git'} is too old: {least} is needed", hint, version=said)

    def _run(self, line: Sequence[str], stdin: bytes, environ: Mapping[str, str]) -> Done:
        try:
            done = subprocess.run(
                line,
                input=stdin,
                cwd=self.folder,
                env=dict(environ),
                capture_output=True,
                check=False,
                timeout=PATIENCE,
            )
        except FileNotFoundError as error:
            if not os.path.isdir(self.folder):
                raise Refusal("git", f"there is no folder {self.folder}", "Look who removed it.") from error
            raise Refusal("git", "git is not on the PATH", "Install git, or set the PATH.") from error
        except OSError as error:
            raise Refusal("git", f"git cannot be run: {error.strerror}", "Look at the PATH.") from error
        except subprocess.TimeoutExpired as error:
            message = f"git did not answer within {PATIENCE:.0f} s"
            raise Refusal("git", message, "Look what it waits for (`ps`), then run it again.") from error
        return Done(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def _version(said: str) -> tuple[int, ...]:
    """`git version 2.39.5 (Apple Git-154)` as (2, 39)."""
    words = said.removeprefix("git version ").split(" ")[0].split(".")
    return tuple(int(word) for word in words[:2] if word.isascii() and word.isdigit())


def _failed(arguments: Sequence[str], done: Done, folder: str) -> Refusal:
    said = " ".join(done.err.split())[:SAID] or f"exit code {done.code}"
    details = {"command": arguments[0], "folder": folder, "exit": done.code}
    if any(word in done.err for word in _BUSY):
        hint = (
            f"Another git command is at work in {folder}, or was killed there; `git status` there says more."
        )
        return Refusal("git-busy", f"git {arguments[0]}: {said}", hint, **details)
    hint = "`git` in that folder says more."
    if "dubious ownership" in done.err:
        hint = "The repository belongs to another user; git says how to trust it."
    return Refusal("git", f"git {arguments[0]}: {said}", hint, **details)
