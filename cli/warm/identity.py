"""Whom a server may stand for, and whether it still may."""

from __future__ import annotations

import os
import time

from cli.warm import wire
from cli.warm.confinement import Confinement, confinement
from cli.warm.requests import Errand

LOOK_SECONDS = 1.0


class Identity:
    """Whom a server may stand for: the same program, the same store, the same confinement."""

    def __init__(self, root: str, folder: str, ours: Confinement) -> None:
        self.root = root
        self._folder = folder
        self._program = wire.identity(root)
        self._store = wire.folder_identity(folder)
        self._confinement = ours
        self._sources = _newest(root)
        self._looked = time.monotonic()

    def fits(self, wanted: Errand, peer: int) -> bool:
        """True if this process may stand for the client's own."""
        if (wanted.identity, wanted.folder) != (self._program, self._store):
            return False
        try:
            return confinement(peer) == self._confinement
        except OSError:
            return False

    def is_outdated(self) -> bool:
        """True if the store or the program is no longer what the server was started on."""
        now = time.monotonic()
        try:
            if wire.folder_identity(self._folder) != self._store:
                return True
            if now - self._looked < LOOK_SECONDS:
                return False
            self._looked = now
            return _newest(self.root) != self._sources
        except OSError:
            return True


def _newest(root: str) -> tuple[int, int]:
    """How many source files the program has and when the last of them changed. Raises OSError."""
    times = [
        entry.stat().st_mtime_ns
        for top in ("cli", "domain", "export", "projections")
        for folder, _, _ in os.walk(os.path.join(root, top))
        if not folder.endswith("__pycache__")
        for entry in os.scandir(folder)
        if entry.name.endswith(".py")
    ]
    return len(times), max(times)
