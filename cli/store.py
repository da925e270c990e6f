"""The composition root: from a store's folder to its log, its views and its live file."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from cli.files import read_private
from cli.place import ADDRESS
from cli.shell import Shell
from domain.config import Config, load
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.log import Log
    from export.importing import Imported
    from export.live import LiveFile
    from export.segments import Segments
    from projections.views import Views

DATABASE = "crewlog.db"
CONFIG = "config.toml"
# Seconds that a reader waits for whoever feeds live.jsonl right now: most often that is all there was to do.
_BRIEFLY = 0.5


class Store:
    """One open store. Everything is opened when it is first asked for, and closed by `close`."""

    def __init__(
        self,
        folder: str,
        shell: Shell,
        session: str | Callable[[], str],
        address: str | None = None,
        *,
        guarded: bool = True,
    ) -> None:
        """`session`: what tells the caller's session apart, or how to find it out, which only a write needs.

        `address`: the server that has the log, None where it lies in the folder.

        `guarded`: before the first write look whether the database is the one that the id belongs to.
        """
        self._guarded = guarded
        self.folder = folder
        self.address = address
        self.shell = shell
        self._session = session
        self.warnings: list[str] = []
        self.recovered: Imported | None = None  # what the database had forgotten, and its own files had not

    def path(self, name: str) -> str:
        """A file of the store."""
        return os.path.join(self.folder, name)

    @cached_property
    def config(self) -> Config:
        """The settings in force."""
        text = read_private(self.path(CONFIG))
        # tomllib costs 24 ms at start: a file of comments only needs no parser.
        if not any(line.strip() and not line.lstrip().startswith("#") for line in text.split("\n")):
            return Config()
        import tomllib

        try:
            config, warnings = load(tomllib.loads(text))
        except (ValueError, RecursionError) as error:  # tomllib has no limits of its own: digits, nesting
            raise Refusal("bad-value", f"config.toml: {error}", f"Mend {self.path(CONFIG)}.") from error
        self.warnings += warnings
        return config

    @cached_property
    def session(self) -> str:
        """What tells the caller's session apart from others of its name, or ""."""
        return self._session if isinstance(self._session, str) else self._session()

    @cached_property
    def log(self) -> Log:
        """The event log."""
        from domain.log import Log

        return Log(
            self._engine(read_only=False),
            self._engine(read_only=True),
            self.replica,
            clock=self.shell.clock,
            entropy=self.shell.entropy,
            find_session=self._before_first_write,
            blob_limit=self.config.blob,
            before_writing=self._secure if self._guarded else None,
        )

    def _before_first_write(self) -> str:
        """The session; what a write loads is looked to here, since a read does without."""
        from cli.lean import prepare_to_write

        prepare_to_write()
        return self.session

    def _secure(self, log: Log) -> None:
        from cli.guarding import secure

        secure(self, log)

    def _engine(self, *, read_only: bool) -> dict[str, str]:
        """The configuration of the engine that has the log."""
        if self.address:
            return self._server(self.address, read_only=read_only)
        from domain.stores import sqlite

        queue = self.path("queue.lock") if self.config.queue else ""
        return sqlite.environment(self.path(DATABASE), queue, read_only=read_only, wait=self.config.wait)

    def _server(self, address: str, *, read_only: bool) -> dict[str, str]:
        from domain.stores.address import parse

        try:
            from domain.stores import postgres
        except ImportError as error:
            message = f"a log on a server needs psycopg, which is not here ({error})"
            raise Refusal("missing-extra", message, "pip install 'crewlog[postgres]'") from error
        return postgres.environment(
            parse(address, self.path(ADDRESS)),
            self.shell.environ,
            read_only=read_only,
            queue=self.config.queue,
            wait=self.config.wait,
        )

    @cached_property
    def views(self) -> Views:
        """The read models, as they were when last caught up."""
        from projections.views import open_views

        return open_views(self.folder, self.log, before_fold=self._finish)

    def _finish(self) -> None:
        """Events that no view has: whoever wrote them may have been killed before live.jsonl had them either."""
        self.live.feed(wait=_BRIEFLY)  # its remark is for those who write

    @cached_property
    def live(self) -> LiveFile:
        """The file that people tail."""
        from export.live import LiveFile

        return LiveFile(self.folder, self.log)

    @cached_property
    def replica(self) -> str:
        """This clone's id: drawn once, kept in a file of the store."""
        from cli.replica import first_replica

        return first_replica(self.folder, self.shell.entropy).id

    @property
    def segments(self) -> Segments:
        """The sealed files of what was written here."""
        from cli.replica import read_replica
        from export.segments import Segments

        known = read_replica(self.folder)
        return Segments(self.folder, self.log, (known.id, *known.earlier) if known else (self.replica,))

    def after_write(self) -> list[str]:
        """What follows an acknowledged event: live.jsonl, then the views. Returns remarks.

        Never raises: the event is committed, and an exit code other than 0 would say that it is not.
        """
        remarks: list[str] = []
        try:
            fed = self.live.feed()
            if fed.remark:
                remarks.append(f"{fed.remark.message}; {fed.remark.hint}")
            self.views.catch_up(wait=False)
        except Exception as error:
            if self.shell.environ.get("CREWLOG_DEBUG"):
                raise
            remarks.append(f"written, but what follows it has to wait for the next command: {error}")
        return remarks

    def close(self) -> None:
        """Close what was opened. The writer's connection closes in the queue; see `domain.log`."""
        for name in ("views", "log"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                with suppress(Refusal):  # no turn, no access: the command's own answer has said so
                    opened.close()
