"""A store as it was (`--at`), or one made of segments for the length of a command (`--from`). Both are only read."""

from __future__ import annotations

import tempfile
from functools import cached_property
from typing import TYPE_CHECKING

from cli.files import write_private
from cli.moments import micros
from cli.place import DATABASE
from cli.progress import progress
from cli.shell import Shell
from cli.store import Store
from domain.event import parse_time
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.call import Call
    from domain.log import Log
    from export.importing import Imported
    from projections.views import Views

CHUNK = 1_000


class Borrowed(Store):
    """A store in a temporary folder, made of what somebody else's segments hold; gone when the command ends."""

    def __init__(self, call: Call, place: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="crewlog-")
        super().__init__(self._folder.name, call.shell, "")
        try:
            self.imported = self._fill(call, place)
        except BaseException:
            self.close()
            raise
        if self.imported.findings:
            number = len(self.imported.findings)
            self.warnings.append(
                f"{number} finding{'' if number == 1 else 's'} while reading {place};"
                f" `crewlog verify --from {place}` lists them"
            )

    def _fill(self, call: Call, place: str) -> Imported:
        from cli.source import any_source
        from export.importing import import_from
        from export.signing import SIGNERS

        write_private(self.path(DATABASE), "", replace=False)
        self.log.create()
        self.source = any_source(call, place)
        signers = self.source.signers()
        if signers is not None:
            write_private(self.path(SIGNERS), signers.decode("utf-8", "replace"))
        with progress(call.shell, "reading") as step:
            return import_from(self.log, self.source, step)

    def close(self) -> None:
        """Close what was opened, and remove the folder."""
        super().close()
        self._folder.cleanup()


class PastStore(Store):
    """A store as it was when the event at `position` had arrived."""

    def __init__(self, now: Store, shell: Shell, position: int, moment: int) -> None:
        super().__init__(now.folder, shell, now.session)
        self._now = now
        self._position = position
        self._moment = moment

    @cached_property
    def log(self) -> Log:
        """The log of then."""
        from domain.past import Past

        return Past(self._now.log, self._position, self._moment)

    @cached_property
    def views(self) -> Views:
        """The views of then, folded in memory."""
        from projections.views import views_in_memory

        return views_in_memory(self.log)

    def close(self) -> None:
        """Close both."""
        super().close()
        self._now.close()


def moment_of(call: Call, store: Store, text: str) -> tuple[int, int]:
    """The position and the time (µs) that `--at` names: a time, an age like 2h, or an event's id.

    A time is local unless it says otherwise, as with a Z. Raises Refusal `bad-value`, `not-found`, `ambiguous`.
    """
    moment = _time(call, text)
    if moment is None:
        return _event(store, text)
    return _position(store, moment), moment


def _position(store: Store, moment: int) -> int:
    """Where the log stood at a time: by arrival; in one that was read just now, by the times of its events."""
    if not isinstance(store, Borrowed):
        return store.log.position_at(moment)
    position = 0
    while rows := store.log.read(position, CHUNK):
        for row in rows:
            if parse_time(row.event.ts) > moment:
                return position
            position = row.position
    return position


def _time(call: Call, text: str) -> int | None:
    from datetime import datetime

    from domain.config import duration

    if text[-1:] in "smhd" and text[:-1].isdigit():
        return call.shell.clock() - int(duration(text, "--at") * 1_000_000)
    try:
        return micros(datetime.fromisoformat(text).astimezone()) if len(text) != 8 else None
    except (ValueError, OverflowError):
        return None


def _event(store: Store, text: str) -> tuple[int, int]:
    hint = "Examples: --at 2026-11-24T16:30, --at 2h, --at 9f2c1a7b (an event's id)."
    if len(text) < 8 or not all(char in "0123456789abcdef" for char in text):
        raise Refusal("bad-value", f"--at {text[:80]!r} is neither a time nor an event", hint)
    found = store.log.find(text, 2)
    if len(found) != 1:
        message = f"{text[:80]!r} fits {'several events' if found else 'no event'}"
        raise Refusal("ambiguous" if found else "not-found", message, hint)
    position = store.log.position_of(found[0])
    row = store.log.read(position - 1, 1)[0]
    return position, parse_time(row.event.ts) if isinstance(store, Borrowed) else row.arrived


def looked_at(call: Call) -> Store | None:
    """The store that `--from` and `--at` name; None where neither was given."""
    options = call.options
    if not options.looks_elsewhere:
        return None
    now = call.present if options.from_ is None else Borrowed(call, options.from_)
    if options.at is None:
        return now
    position, moment = moment_of(call, now, options.at)
    call.shell = call.shell._replace(clock=lambda: moment)
    return PastStore(now, call.shell, position, moment)
