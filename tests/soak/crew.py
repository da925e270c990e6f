"""Two clones of one repository, with a bare remote between them, and what befalls them beside the agents' work."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from bench.imports import write_issues
from tests.cli.clones import bare
from tests.cli.repositories import git
from tests.soak.commands import Place, Record

NAMES = ("here", "there")
# Seconds: what one finds on real machines, and a day back. More than ten minutes ahead is a finding of its own.
SHIFTS = (0, 0, 0, 0, -86_400, -300, 120, 500)


class Clone:
    """A clone with its store; `operator` is who looks after it."""

    def __init__(self, remote: Path, name: str, record: Record, random: Random) -> None:
        self.folder = remote.parent / name
        git(remote.parent, "clone", "-q", "-b", "main", str(remote), str(self.folder))
        git(self.folder, "config", "user.name", "crew")
        git(self.folder, "config", "user.email", "crew@crew.invalid")
        self.operator = Place(self.folder, f"op-{name}", record, random)
        self.operator.do("init", kill=0)
        self.operator.do("join", "--person", kill=0)
        self.store = self.folder / ".crewlog"


class Trouble:
    """What happens to the two stores until `until`, one thing after another."""

    def __init__(self, clones: list[Clone], record: Record, random: Random, until: float) -> None:
        self.clones, self.record, self.random, self.until = clones, record, random, until
        self.issues = 20

    def work(self) -> None:
        """Something every second or two."""
        kinds, weights = zip(*self.kinds(), strict=True)
        while time.monotonic() < self.until:
            time.sleep(self.random.random() * 2)
            [kind] = self.random.choices(kinds, weights)
            kind(self.random.choice(self.clones))

    def kinds(self) -> list[tuple[Callable[[Clone], object], int]]:
        """What happens, and how often."""
        return [
            (self.sync, 6),
            (self.export, 3),
            (self.import_from_the_other, 2),
            (self.import_issues, 1),
            (self.serve, 3),
            (self.kill_server, 2),
            (self.stop_server, 1),
            (self.lose_views, 1),
            (self.rebuild, 1),
            (self.backup, 1),
            (self.verify, 1),
            (self.prune, 1),
            (self.cleanup, 1),
        ]

    def sync(self, clone: Clone) -> None:
        if clone.operator.do("sync"):
            self.record.fault("syncs through a remote")

    def export(self, clone: Clone) -> None:
        clone.operator.do("export", kill=0.3)

    def import_from_the_other(self, clone: Clone) -> None:
        other = next(other for other in self.clones if other is not clone)
        if clone.operator.do("import", str(other.store), kill=0.3):
            self.record.fault("imports of the other clone's segments")

    def import_issues(self, clone: Clone) -> None:
        self.issues += 5
        path = clone.folder.parent / "issues.jsonl"
        write_issues(str(path), self.issues)
        if clone.operator.do("import", "--from", "beads", str(path), kill=0.3):
            self.record.fault("imports of another tool's issues")

    def serve(self, clone: Clone) -> None:
        clone.operator.do("serve", "--background", kill=0)

    def _server(self, clone: Clone) -> int:
        answer = clone.operator.do("serve", "status", kill=0)
        return int(answer.get("pid") or 0)

    def kill_server(self, clone: Clone) -> None:
        if pid := self._server(clone):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.record.fault("resident processes killed with -9")

    def stop_server(self, clone: Clone) -> None:
        if pid := self._server(clone):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self.random.random() * 3)
                os.kill(pid, signal.SIGCONT)
                self.record.fault("resident processes stopped for a while")

    def lose_views(self, clone: Clone) -> None:
        for name in ("views.db", "search.db"):
            (clone.store / name).unlink(missing_ok=True)
        self.record.fault("views deleted")

    def rebuild(self, clone: Clone) -> None:
        clone.operator.do("rebuild", kill=0.3)

    def backup(self, clone: Clone) -> None:
        path = clone.folder.parent / f"{clone.folder.name}.backup"
        path.unlink(missing_ok=True)
        clone.operator.do("backup", str(path))

    def verify(self, clone: Clone) -> None:
        clone.operator.do("verify")

    def prune(self, clone: Clone) -> None:
        clone.operator.do("prune", "--pulses", "--older-than", "1h")

    def cleanup(self, clone: Clone) -> None:
        clone.operator.do("cleanup")


def two_clones(folder: Path, record: Record, random: Random) -> list[Clone]:
    """Two clones with a store each, that know of one another."""
    remote = bare(folder)
    clones = [Clone(remote, name, record, Random(random.random())) for name in NAMES]
    for clone in (*clones, *clones):
        clone.operator.do("sync", kill=0)
    return clones
