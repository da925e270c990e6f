"""Before the first write of a command: whether this database is the one that its id belongs to, and not an old one.

A database that was put back from an old copy has forgotten what its segments and live.jsonl still say; other clones may
have got that. It takes in what it forgot, and goes on under a new id, or one number would be given twice.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cli.replica import database_place, new_replica, read_replica, remember_place
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cli.replica import Replica
    from cli.store import Store
    from domain.log import Log


def secure(store: Store, log: Log) -> None:
    """Under the writers' queue: go on under a new id where the old one is another database's, or ahead of this one."""
    now = read_replica(store.folder)
    if now is None:
        return
    ends = log.chains()
    forgotten = _take_forgotten(store, log, now, ends)
    if forgotten:
        store.warnings.append(forgotten)
    ahead = forgotten and log.chains().get(now.id) != ends.get(now.id)
    why = "it goes on under a new id" if ahead else _where(store, now)
    if why:
        _go_on(store, log, why)
        return
    log.replica = now.id  # another process may have drawn it while this one waited
    if not now.place and not store.address:
        remember_place(store.folder, now)


def _go_on(store: Store, log: Log, why: str) -> None:
    """Under a new id from here."""
    drawn = new_replica(store.folder, store.shell.entropy)
    log.disown()
    log.replica = drawn.id
    store.warnings.append(f"{why}: this store goes on as {drawn.id}")


def part_ways(store: Store, forked: Collection[str]) -> None:
    """Go on under a new id where this store's is among those that another store wrote under too."""
    log = store.log
    if log.replica in forked:
        with log.turn():
            _go_on(store, log, "another store wrote under its id")


def _where(store: Store, now: Replica) -> str:
    """Why the id is another database's, or ""; on a server the chains of all folders are in one place."""
    if now.place and not store.address and now.place != database_place(store.folder):
        return "the database was copied or moved"
    return ""


def _take_forgotten(store: Store, log: Log, now: Replica, ends: Mapping[str, tuple[int, str]]) -> str:
    """Take in what the segments and live.jsonl hold of this clone and the database does not; what was found, or "".

    `ends` are those of the chains in the database.
    """
    sealed = _sealed(store, now)
    behind = [replica for replica, last in sealed.items() if last > ends.get(replica, (0, ""))[0]]
    live = _unknown_live(store)
    if not behind and not live:
        return ""
    from functools import reduce

    from cli.importing import joined
    from export.importing import import_from
    from export.sources import open_source

    store.views.catch_up()  # views of the newer database are made anew now: after the import they would seem to fit
    # live.jsonl first: it has everything in the order in which it came, and is right again by that.
    places = [*([live] if live else []), *([store.folder] if behind else [])]
    found = reduce(joined, [import_from(log, open_source([place])) for place in places])
    store.recovered = found
    if live and not behind and not found.events:
        return ""  # an edited line: the live file's own business
    return f"the database was older than its own files; {found.events:,} events were taken in from there"


def _sealed(store: Store, now: Replica) -> dict[str, int]:
    """How far the segments of this clone's ids go; only names are looked at."""
    found: dict[str, int] = {}
    for replica in (now.id, *now.earlier):
        folder = os.path.join(store.folder, "log", replica)
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        ends = [name[11:21] for name in names if len(name) == 27 and name[11:21].isdigit()]
        found[replica] = max(map(int, ends), default=0)
    return found


def _unknown_live(store: Store) -> str:
    """The path of live.jsonl where its last line is an event that the log does not know; else ""."""
    try:
        return store.live.path if store.live.is_ahead() else ""
    except Refusal:
        return ""
