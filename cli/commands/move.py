"""`move`: take the log from a folder to a server, or back, or on."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli import place
from cli.call import Call
from cli.commands.init import make_folder
from cli.files import read_private, write_private
from cli.grammar import command
from cli.output import Answer
from cli.progress import progress
from cli.replica import read_replica, remember_place
from cli.store import CONFIG, DATABASE, Store
from domain.refusals import Refusal


@command(
    "move", "crewlog move --to 'postgresql://ada@db.example.org/crews?schema=crew_one'\ncrewlog move --to ."
)
def move(
    call: Call,
    to: Annotated[
        str, typer.Option("--to", metavar="URL|DIR", help="The server, or the folder.", show_default=False)
    ],
) -> None:
    """Take the log to a server, or back into a folder: event for event, compared at the end.

    Others may go on working meanwhile: what they write waits, and is then told where the log is. The old place is
    closed and kept as it was. On other machines of the crew the same line follows a log that was moved to a server.
    """
    target = _target(call, to)
    where = target.address or target.folder
    source = call.store
    if where == (source.address or source.folder):
        raise Refusal("bad-value", f"the log is at {where} already", "`crewlog where` says where it is.")
    try:
        if _is_moved_to(source, where):
            _check_follow(source, target)
        else:
            _copy(call, source, target, where)
        _switch(source, target)
        events, pulses = target.log.position(), target.log.newest_pulse()
    finally:
        target.close()
    data = {"from": source.address or source.folder, "to": where, "events": events, "pulses": pulses}
    said = f"{events:,} events, the same bytes at the same positions, are at {where}"
    call.answer(Answer(data, [said, f"{data['from']} is closed, and kept as it was"], [where]))


def _target(call: Call, to: str) -> Store:
    located = place.home_for_init(call.shell.cwd, {}, to)
    if located.url:
        return Store(call.located.path, call.shell, "", located.url, guarded=False)
    return Store(located.path, call.shell, "", guarded=False)


def _is_moved_to(source: Store, where: str) -> bool:
    """True if that was done before: the log is there, and only this folder does not know it yet."""
    try:
        source.log.position()
    except Refusal as refusal:
        if refusal.code != "moved" or refusal.details.get("to") != where:
            raise
        return True
    return False


def _check_follow(source: Store, target: Store) -> None:
    if not target.address and source.folder != target.folder:
        hint = f"Use it there: --store {target.folder}"
        raise Refusal("bad-value", f"the log is in {target.folder} already, for one machine only", hint)


def _copy(call: Call, source: Store, target: Store, where: str) -> None:
    if not target.address:
        _make_room(source, target)
    target.log.create()
    with progress(call.shell, "moving") as step:
        source.log.move_to(target.log, where, step)


def _make_room(source: Store, target: Store) -> None:
    """A new database in the folder. One that was moved away from there before is put aside; a living one stays."""
    make_folder(target.folder)
    known = place.address_in(target.folder)
    if known and target.folder != source.folder:
        raise Refusal("bad-value", f"{target.folder} has its log at {known}", "Name another folder.")
    database = target.path(DATABASE)
    if os.path.exists(database) and _is_closed(target):
        _put_aside(database)
    write_private(database, "", replace=False)
    write_private(target.path(CONFIG), read_private(source.path(CONFIG)), replace=False)


def _is_closed(target: Store) -> bool:
    old = Store(target.folder, target.shell, "")
    try:
        old.log.position()
    except Refusal as refusal:
        if refusal.code != "moved":
            raise
        return True
    finally:
        old.close()
    return False


def _put_aside(database: str) -> None:
    """Nobody writes to it any more, so its files keep what they hold under another name."""
    number = 1
    while os.path.exists(f"{database}.moved-{number}"):
        number += 1
    for suffix in ("-wal", "-shm", ""):
        if os.path.exists(database + suffix):
            os.rename(database + suffix, f"{database}.moved-{number}{suffix}")


def _switch(source: Store, target: Store) -> None:
    """From here on the folder's commands find the log at its new place."""
    if target.address:
        write_private(source.path(place.ADDRESS), target.address + "\n")
    elif source.folder == target.folder:
        known = read_replica(source.folder)
        if known:  # the chain goes on in the new database
            remember_place(source.folder, known)
        os.unlink(source.path(place.ADDRESS))
