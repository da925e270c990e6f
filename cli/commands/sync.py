"""`sync`: exchange what was written with the other clones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.call import Call
from cli.grammar import command
from cli.importing import answer, joined
from cli.output import Answer
from cli.progress import progress
from cli.text import safe_line
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.git.sharing import Sharing
    from export.importing import Imported


@command("sync", "crewlog sync\ncrewlog sync --dry-run")
def sync(
    call: Call,
    remote: Annotated[
        str, typer.Option("--remote", metavar="NAME", help="Which remote of the code repository.")
    ] = "origin",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go and come.", show_default=False)
    ] = False,
) -> None:
    """Seal and commit what is new here, take in what other clones wrote, push: branch `crewlog` of the remote.

    The branches of tasks under review go along, and those whose work lost to another clone's. Two clones that push at once
    both succeed.
    """
    from cli.git.keeping import protect
    from cli.git.sharing import Sharing

    sharing = Sharing(call.store, remote)
    sharing.check()
    if dry_run:
        call.answer(_would(call, sharing))
        return
    call.store.log.settle()
    kept = protect(call.store, sharing.store)
    call.store.segments.seal()
    sharing.commit()
    imported, settled, sent = _exchange(call, sharing)
    sharing.fetch_branches()
    branches = sharing.outgoing_branches()
    refused = sharing.push_branches(branches)
    more: dict[str, Any] = {
        "remote": remote,
        "pushed": True,
        "sent": sent,
        "branches": [name for name in branches if not any(text.startswith(f"{name}:") for text in refused)],
        "state": call.store.log.state_hash(),
    }
    done = answer(call, imported, **more)
    remarks = [*kept, *settled, *(f"not pushed: {text}" for text in refused)]
    lines = [
        *done.lines,
        f"{sent:,} events pushed",
        *(f"pushed {safe_line(name)}" for name in more["branches"]),
    ]
    call.answer(Answer(done.data, lines, done.ids, [*done.remarks, *remarks], done.exit))


def _exchange(call: Call, sharing: Sharing) -> tuple[Imported, list[str], int]:
    """Fetch, merge, import and push, again where somebody else pushed meanwhile; how many events went."""
    from cli.git.sharing import TRIES

    settled: list[str] = []
    imported: Imported | None = None
    for _ in range(TRIES):
        if sharing.fetch():
            for found in _part(call, sharing, settled):
                imported = found if imported is None else joined(imported, found)
            settled += sharing.merge()
        found = _take_in(call)
        imported = found if imported is None else joined(imported, found)
        sent = sharing.outgoing()
        if sharing.is_pushed() or sharing.push():
            return imported, settled, sent
    message = f"{TRIES} times another clone pushed first"
    raise Refusal("git-busy", message, "All that came was taken in; run it again.")


def _part(call: Call, sharing: Sharing, settled: list[str]) -> Iterator[Imported]:
    """Take in what another store wrote under this one's id, and make way for its files, before git meets them.

    In this order, so that whoever is stopped between two steps does the rest with the next sync.
    """
    from cli.git.sharing import FETCHED
    from cli.guarding import part_ways
    from export.importing import import_from
    from export.sources import Ref

    paths = sharing.parted()
    if paths:
        part_ways(call.store, {path.split("/")[1] for path in paths})
        found = import_from(call.store.log, Ref(sharing.store, FETCHED))
        settled += sharing.make_way(paths)
        yield found


def _take_in(call: Call) -> Imported:
    from export.importing import import_from
    from export.sources import open_source

    with progress(call.shell, "importing") as step:
        return import_from(call.store.log, open_source([call.store.folder]), step)


def _would(call: Call, sharing: Sharing) -> Answer:
    """What would go and come. The remote's branch is fetched, and nothing else changes."""
    from cli.git.sharing import FETCHED
    from export.sources import Ref

    unsealed = call.store.segments.unsealed()
    incoming = 0
    if sharing.fetch():
        known = call.store.log
        source = Ref(sharing.store, FETCHED)
        ends = {replica: end[0] for replica, end in known.chains().items()}
        for file in source.files():
            if file.span:
                incoming += max(0, file.span.last - max(ends.get(file.span.replica, 0), file.span.first - 1))
    branches, outgoing = sharing.outgoing_branches(), sharing.would_send()
    data = {
        "remote": sharing.remote,
        "pushed": False,
        "sealed": unsealed,
        "outgoing": outgoing,
        "incoming": incoming,
        "branches": branches,
    }
    lines = [f"{outgoing:,} events would go, {incoming:,} would come"]
    return Answer(data, [*lines, *(f"would push {name}" for name in branches)])
