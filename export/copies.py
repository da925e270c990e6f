"""A backup as a source of events: its lines in log order, and its blobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from domain.log import Log as AnyLog
from domain.stores import sqlite
from export.sources import File, Line

if TYPE_CHECKING:
    from domain.log import Log

CHUNK = 1_000


class Copy:
    """The database that `backup` made."""

    def __init__(self, path: str, like: Log) -> None:
        self._path = path
        environment = sqlite.environment(path, "", read_only=True)
        self._log = AnyLog(environment, environment, like.replica)

    def files(self) -> list[File]:
        """One file: the log."""
        return [File(self._path, None, os.path.getsize(self._path))]

    def lines(self, file: File) -> Iterator[Line]:
        """Every event."""
        del file
        position, offset, number = 0, 0, 0
        while rows := self._log.lines(position, CHUNK):
            position = rows[-1].id
            for row in rows:
                number += 1
                yield Line(number, offset, row.state + b"\n")
                offset += len(row.state) + 1
        self._log.close()

    def blobs(self) -> list[str]:
        """The hashes of its blobs."""
        return [*self._log.blobs()]

    def blob(self, digest: str, limit: int) -> bytes | None:
        """The bytes of a blob."""
        data = self._log.find_blob(digest)
        return None if data is None else data[: limit + 1]

    def signers(self) -> bytes | None:
        """None: a backup is of the log alone."""
        return None
