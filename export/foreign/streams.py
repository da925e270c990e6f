"""Which task an issue is: the same in every clone, so that two clones which import one file have one task, not twins."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from domain.imports import comes_from
from domain.log import Log
from domain.names import task_id
from export.foreign.issue import foreign, printed_id
from export.foreign.staging import Staging


class Streams:
    """The tasks of one source's issues. An id that another task has already is drawn again, in a fixed order."""

    def __init__(self, log: Log, source: Staging) -> None:
        self._log = log
        self._source = source

    def task(self, issue: str) -> str:
        """The id of the task that an issue of the file is, or will be."""
        noted = self._source.task(issue)
        if noted:
            return noted
        for drawn in self._draws(issue):
            state = self._log.state(f"task/{drawn}")
            if (state is None or self._is(state, issue)) and self._source.note_task(issue, drawn):
                return drawn
        raise AssertionError  # the draws have no end

    def target(self, issue: str) -> str:
        """What a link to an issue names: a task id, or the issue's own id where no task is here for it."""
        return self.task(issue) if self._source.has(issue) else self._imported(issue) or foreign(issue)

    def is_here(self, issue: str) -> bool:
        """True for an issue that is in the file, or was imported before."""
        return self._source.has(issue) or bool(self._imported(issue))

    def _imported(self, issue: str) -> str:
        for drawn in self._draws(issue):
            state = self._log.state(f"task/{drawn}")
            if state is None:
                return ""
            if self._is(state, issue):
                return drawn
        raise AssertionError

    def _is(self, state: object, issue: str) -> bool:
        card = getattr(state, "card", None)
        return card is not None and comes_from(card, self._source.system, printed_id(issue))

    def _draws(self, issue: str) -> Iterator[str]:
        number = 0
        while True:
            text = "\0".join(("crewlog.import", self._source.system, printed_id(issue), str(number)))
            yield task_id(sha256(text.encode()).digest())
            number += 1
