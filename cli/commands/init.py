"""`init`: make a store."""

from __future__ import annotations

import os
import shlex
from typing import Annotated

import typer

from cli import place
from cli.call import Call
from cli.files import exclude, write_private
from cli.grammar import command
from cli.local import read_local, write_local
from cli.output import Answer
from cli.store import CONFIG, DATABASE, Store
from domain.config import template
from domain.names import check_name, near_name
from domain.refusals import Refusal


@command(
    "init",
    "crewlog init --as zoe\ncrewlog init --store 'postgresql://ada@db.example.org/crews?schema=crew_one'",
)
def init(
    call: Call,
    directory: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIR]",
            help="Where; default: here, or the repository's main worktree.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a store here. In a git repository it stands in the main worktree, kept out of your commits.

    With the address of a server as --store its log is in that database, for all folders and machines that name it.
    """
    home = _home(call, directory)
    stated = _stated(call)
    existed = place.holds_store(home.path)
    address = _address(home, existed=existed)
    make_folder(home.path)
    store = Store(home.path, call.shell, "", address)
    call._keep(store)  # noqa: SLF001 - the call closes it
    _make_files(store, home)
    if not existed:
        store.log.settle()  # where a database was lost: what its own files still say
    adopted = 0 if existed else _adopt(store)
    me = _me(call, store, stated)
    joined = _join_as_person(store, stated or me) if me else False
    remarks = [*store.warnings, *store.after_write()]
    data = {
        "store": home.path,
        "created": not existed,
        "replica": store.replica,
        "me": me or None,
        "why": home.why,
        "adopted": adopted,
        "server": address,
    }
    said = "there is a store already" if existed else "made a store"
    lines = [f"{said}: {home.path} ({home.why})"]
    lines += [f"its log is at {address}, and has {store.log.position():,} events"] if address else []
    lines += (
        [f"{adopted:,} events of other clones taken in; `crewlog sync` exchanges what is new"]
        if adopted
        else []
    )
    lines += [_named(call, me)]
    lines += [f"{stated} joined as a person"] if joined and stated not in ("", me) else []
    lines += [] if existed and not joined else ['next: crewlog spawn "What is to be done"']
    call.answer(Answer(data, lines, [home.path], remarks))


def _home(call: Call, directory: str | None) -> place.Located:
    folder = os.path.join(call.shell.cwd, directory) if directory else call.shell.cwd
    if directory and not os.path.isdir(folder):
        raise Refusal("not-found", f"there is no directory {directory}", "Make it first.", path=folder)
    option = call.options.store
    if directory and option is not None and not option.startswith(place.SCHEMES):
        raise Refusal("usage", "give DIR or --store, not both", f"crewlog init {directory}")
    return place.home_for_init(folder, {} if directory else call.shell.environ, option)


def _address(home: place.Located, *, existed: bool) -> str | None:
    """The server that has, or will have, the log of this folder. A folder keeps the log that it has."""
    known = place.address_in(home.path)
    if existed and home.url and home.url != known:
        message = f"{home.path} has its log {f'at {known}' if known else 'in that folder'} already"
        raise Refusal("bad-value", message, f"To take it there: crewlog move --to {shlex.quote(home.url)}")
    return known or home.url


def make_folder(path: str) -> None:
    """The store's folder, which only its owner may enter; one that is there must be safe to use."""
    from domain.stores.queue import unwritable

    place.check_path(path)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        place.guard(path)
    except FileNotFoundError as error:
        parent = os.path.dirname(path)
        raise Refusal(
            "not-found", f"there is no directory {parent}", "Make it first.", path=parent
        ) from error
    except OSError as error:
        raise unwritable(error, path) from error


def _make_files(store: Store, home: place.Located) -> None:
    """Each step is harmless where it was done before, so that an interrupted `init` is finished by the next one."""
    if not store.address:
        write_private(store.path(DATABASE), "", replace=False)
    store.log.create()
    if store.address:  # only now: before, there is nothing to be found there
        write_private(store.path(place.ADDRESS), store.address + "\n")
    write_private(store.path(CONFIG), template(), replace=False)
    git = place.find_git(os.path.dirname(home.path))
    if git and git.main_worktree and home.path.startswith(git.main_worktree + os.sep):
        exclude(git.common_dir, "/" + os.path.relpath(home.path, git.main_worktree) + "/")
    if git:
        _make_repository(store)


def _adopt(store: Store) -> int:
    """Take in what other clones wrote, if the clone of the code came with their branch; how many events."""
    from cli.git.sharing import Sharing
    from cli.importing import finding_lines
    from export.forks import settle
    from export.importing import import_from
    from export.sources import open_source

    try:
        around = place.find_git(os.path.dirname(store.folder))
        if around is None or not Sharing(store, "origin").adopt():
            return 0
        imported = import_from(store.log, open_source([store.folder]))
    except Refusal as refusal:
        store.warnings.append(f"what other clones wrote is not here yet: {refusal.message}; {refusal.hint}")
        return 0
    store.warnings += finding_lines(settle(store.log, imported.findings), full=False)
    return imported.events


def _make_repository(store: Store) -> None:
    """A repository of its own inside the code's; without a git that can do it the store works all the same."""
    from cli.git.storing import make_repository

    try:
        make_repository(store.folder, store.shell.environ)
    except Refusal as refusal:
        store.warnings.append(
            f"the store is no git repository of its own yet: {refusal.message}; {refusal.hint}"
        )


def _named(call: Call, me: str) -> str:
    if not me:
        return "nobody joined: `crewlog join NAME` says who you are"
    if call.shell.interactive:
        return f"you are {me} on this terminal"
    return f"who types on a terminal here is {me}; elsewhere --as NAME or CREWLOG_AGENT says who"


def _stated(call: Call) -> str:
    if call.options.as_ is not None:
        return check_name(call.options.as_)
    name = call.shell.environ.get("CREWLOG_AGENT", "")
    return check_name(name, "CREWLOG_AGENT") if name else ""


def _me(call: Call, store: Store, stated: str) -> str:
    """Who `me` is here: as it was, else as stated, else on a terminal the login name."""
    known = read_local(store.folder).get("me", "")
    if known:
        return known
    if not stated and call.shell.interactive:
        stated = near_name(call.shell.environ.get("USER", "") or call.shell.environ.get("LOGNAME", ""))
    if stated:
        write_local(store.folder, {"me": stated})
    return stated


def _join_as_person(store: Store, name: str) -> bool:
    """Record who ran `init`, once."""
    from domain.draft import Draft

    if store.log.state(f"agent/{name}"):
        return False
    store.log.write(f"agent/{name}", name, lambda _: [Draft("agent.joined", {"person": True}, {})])
    return True
