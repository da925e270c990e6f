"""`restore`: bring a backup back."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from cli import place
from cli.call import Call
from cli.files import make_folder
from cli.grammar import command
from cli.importing import answer, finding_lines
from cli.output import Answer
from cli.place import DATABASE
from cli.progress import progress
from cli.store import Store


@command("restore", "crewlog restore /mnt/safe/crewlog-monday.db")
def restore(
    call: Call,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `backup` made.", show_default=False)],
) -> None:
    """Bring a backup back. It goes on under a new id, with what the store's own segments and live.jsonl say beside it.

    Where there is a store already nothing is replaced: the events of the backup that are absent are taken in.
    """
    from domain.stores.copies import check_copy

    path = os.path.join(call.shell.cwd, file)
    check_copy(path)
    home = place.home_for_init(call.shell.cwd, call.shell.environ, call.options.store)
    if place.holds_store(home.path):
        _into(call, path)
    else:
        _anew(call, path, home.path)


def _into(call: Call, path: str) -> None:
    """Take in what is absent."""
    from export.copies import Copy
    from export.importing import import_from

    with progress(call.shell, "restoring") as step:
        imported = import_from(call.store.log, Copy(path, call.store.log), step)
    call.answer(
        answer(call, imported, store=call.store.folder, replica=call.store.log.replica, restored=False)
    )


def _anew(call: Call, path: str, folder: str) -> None:
    """Put the backup in the place of a database that is lost."""
    from cli.replica import new_replica, read_replica
    from domain.stores.copies import back_up
    from export.importing import as_dict

    make_folder(folder)
    place.guard(folder)
    for left in (
        f"{DATABASE}-wal",
        f"{DATABASE}-shm",
    ):  # a log of the lost file must not be taken for the new one's
        if os.path.lexists(os.path.join(folder, left)):
            os.unlink(os.path.join(folder, left))
    with progress(call.shell, "restoring") as step:
        back_up(path, os.path.join(folder, DATABASE), step)
    before = read_replica(folder)
    new_replica(folder, call.shell.entropy)
    store = Store(folder, call.shell, "")
    call._keep(store)  # noqa: SLF001 - the call closes it
    store.log.settle()
    if before is None or before.id not in store.log.members():
        store.log.disown()  # not in the place of the store that was lost: that one may live on
    store.views.rebuild()  # those that are there are of the lost database
    imported = store.recovered
    remarks = [
        *finding_lines(imported.findings if imported else (), full=call.options.full),
        *store.after_write(),
    ]
    counts = as_dict(imported) if imported else _NOTHING
    data = {**counts, "store": folder, "replica": store.log.replica, "restored": True}
    lines = [f"restored {folder}, which goes on as {store.log.replica}"]
    lines += (
        [f"{counts['events']:,} events were newer than the backup, and were taken in"]
        if counts["events"]
        else []
    )
    call.answer(Answer(data, lines, [folder], remarks))


_NOTHING: dict[str, Any] = {
    "events": 0,
    "known": 0,
    "pending": 0,
    "streams": 0,
    "blobs": 0,
    "conflicts": [],
    "findings": [],
}
