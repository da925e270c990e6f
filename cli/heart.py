"""The heart of `run`: a thread that beats for a claim, whatever the command does, and tells progress by its output.

It has a store of its own: recorders are not shared between threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.beating import Standing, standing
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import LINE_TEXT_LIMIT

if TYPE_CHECKING:
    from cli.store import Store

PROGRESS_INTERVALS = 3


class Claimed(NamedTuple):
    """What is beaten for."""

    agent: str
    task: str
    claim: str


class Heart(threading.Thread):
    """Beats at once and then every `every` seconds until `stop`, or until the claim is no longer held.

    `how` says how the claim stood last; `wake` is called when that has changed. `paused` says that the command was
    stopped: nobody beats for what does not run.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        claimed: Claimed,
        every: float,
        output: Callable[[], tuple[int, str]],
        paused: Callable[[], bool],
        wake: Callable[[], None],
    ) -> None:
        super().__init__(name="heart", daemon=True)
        self._open_store = open_store
        self._claimed = claimed
        self._every = every
        self._output = output
        self._paused = paused
        self._wake = wake
        self._stop_wanted = threading.Event()
        self._told = 0
        self._told_at = time.monotonic()
        self.how: Standing = "held"
        self.trouble = ""

    def stop(self) -> None:
        """End after the beat that is under way."""
        self._stop_wanted.set()
        self.join()

    def run(self) -> None:
        """Beat; trouble with the store is remembered, and tried again."""
        store = self._open_store()
        try:
            while self.how == "held":
                try:
                    self._beat(store)
                except Exception as error:  # noqa: BLE001 - a heart that stops for one bad moment gets its task taken
                    self.trouble = str(error)
                if self._stop_wanted.wait(self._every):
                    return
            self._wake()
        finally:
            store.close()

    def _beat(self, store: Store) -> None:
        agent, task, claim = self._claimed
        self.how = standing(store.log, task, claim, agent)
        if self.how != "held":
            self._wake()
            return
        if not self._paused():
            store.log.pulse(agent, {"task": task, "claim": claim})
            self._tell_progress(store)

    def _tell_progress(self, store: Store) -> None:
        """A progress event where the output has grown, at most once in three intervals."""
        now, (written, text) = time.monotonic(), self._output()
        if written == self._told or now - self._told_at < PROGRESS_INTERVALS * self._every:
            return
        self._told, self._told_at = written, now
        _record_progress(store, self._claimed, _last_line(text))


def _record_progress(store: Store, claimed: Claimed, text: str) -> None:
    from domain.commands import Progress
    from domain.decide import decide

    command = Progress(claimed.agent, claimed.claim, text)
    try:
        store.log.write(f"task/{claimed.task}", claimed.agent, lambda seen: decide(command, seen.state))
    except Refusal as refusal:
        if refusal.code not in ("wrong-state", "stale-claim"):  # handed in, or lost: the next look tells
            raise
        return
    store.after_write()


def _last_line(text: str) -> str:
    """The last line that says something; "" for one that looks like it holds a secret."""
    from domain.secrets import find_secret

    lines = [line.strip() for line in text.split("\n") if line.strip()]
    last = lines[-1][-LINE_TEXT_LIMIT:] if lines else ""
    return "" if find_secret(last) else last
