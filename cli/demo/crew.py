"""Running `crewlog` commands as processes of their own, as agents do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
_IN_TREE = os.path.join(_ROOT, "cli", "launcher.py")
LAUNCHER = _IN_TREE if os.path.exists(_IN_TREE) else os.path.join(_ROOT, "__init__.py")  # in the wheel


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to."""

    code: int
    data: dict[str, Any]

    @property
    def error(self) -> str:
        """The refusal's code, or ""."""
        return str(self.data.get("error", {}).get("code", ""))


def command_line(*words: str) -> list[str]:
    """The words that run this crewlog, whichever way it was installed."""
    return [sys.executable, LAUNCHER, *words]


def environment(environ: Mapping[str, str], store: str) -> dict[str, str]:
    """The environment of the crew: this store, and nobody's name, task or claim."""
    kept = {name: value for name, value in environ.items() if not name.startswith("CREWLOG_")}
    return {**kept, "CREWLOG_STORE": store}


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the crew: a name, a place, and commands given in that name."""

    name: str
    folder: str
    environ: Mapping[str, str]

    def run(self, *words: str, stdin: bytes = b"") -> Outcome:
        """Run one command as a process with `--json`."""
        line = command_line(*words, "--as", self.name, "--json")
        done = subprocess.run(
            line, input=stdin, cwd=self.folder, env=dict(self.environ), capture_output=True, check=False
        )
        try:
            data = orjson.loads(done.stdout or b"{}")
        except orjson.JSONDecodeError:
            data = {
                "error": {"code": "internal", "message": (done.stdout + done.stderr).decode(errors="replace")}
            }
        return Outcome(done.returncode, data)
