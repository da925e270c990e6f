"""Everything that `verify` looks at, in one place: the log, what is derived from it, what was exported."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from cli.call import Call
from cli.progress import progress
from domain.named import NamedTuple
from domain.refusals import Refusal
from export.findings import Finding, is_damage
from projections import database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.store import Store
    from domain.log import Log
    from domain.stores.apart import Apart
    from export.looking import Looked
    from projections.views import Comparison


class Verified(NamedTuple):
    """What all checks came to. `state`: the log's state hash, where it was asked for and can be known, else ""."""

    looked: Looked
    findings: list[Finding]
    state: str = ""


def verify_all(call: Call, *, hashed: bool = False) -> Verified:
    """All checks of the store, or of the segments that `--from` names; `hashed`: and the state hash."""
    try:
        return _verify_all(call, hashed=hashed)
    except STUMBLING as error:
        looked = stumbled_over(call.store.log, error)
        return Verified(looked, looked.findings, _state_hash(call, looked) if hashed else "")


def _verify_all(call: Call, *, hashed: bool) -> Verified:
    from domain.stores.apart import Apart

    with Apart() as apart, ExitStack() as held:
        comparison = stumbled = None
        if call.options.from_ is None:
            try:
                comparison = held.enter_context(call.store.views.comparing(apart))
            except STUMBLING as error:
                stumbled = error
        viewed = call.options.from_ is None and not stumbled
        verified = _verify(call, apart, comparison, held, viewed=viewed, hashed=hashed)
    if stumbled and not verified.looked.findings:
        raise stumbled
    return verified


# What is raised over an event whose bytes somebody changed, which is among the findings.
STUMBLING = (*database.STUMBLING, sqlite3.ProgrammingError)


def stumbled_over(log: Log, error: Exception) -> Looked:
    """What is wrong with the rows of a log that could not be read to its end; the error, where that is a fault of ours."""
    from export.verify import look_at_lines

    looked = look_at_lines(log)
    if not looked.findings:
        raise error
    return looked


def _verify(
    call: Call,
    apart: Apart,
    comparison: Comparison | None,
    held: ExitStack,
    *,
    viewed: bool,
    hashed: bool,
) -> Verified:
    """`held` is the comparison's: to be closed once it is done, since others wait for the views meanwhile.

    `viewed`: whether there should be a `comparison`; it is None also where nothing can be written.
    """
    from export import verify
    from export.forks import settle

    store = call.store
    if comparison:
        apart.number -= 1  # somebody is at work already
    with progress(call.shell, "events") as step:
        take = comparison.take if comparison else None
        looked = verify.verify_log(store.log, step, store.folder, apart, take)
    state = _state_hash(call, looked) if hashed else ""  # while somebody else may be at work still
    early = _early_states(call, looked, comparison)
    found = list(looked.findings)
    parts: list[Callable[[], list[Finding]]] = [
        *([partial(_views, call, comparison)] if viewed else []),
        partial(_states, call, looked, comparison, early),
        partial(_closed, held),
        partial(verify.verify_blobs, store.log, store.folder, looked.blobs),
    ]
    if call.options.from_ is None:
        parts += [partial(_segments, call, looked), partial(_live, call, looked)]
    else:
        parts.append(partial(_read, store))
    parts.append(partial(_approvals, call, looked))
    for part in parts:
        try:
            found += part()
        except STUMBLING:
            if not looked.findings:
                raise
    return Verified(looked, settle(store.log, found), state)


def _state_hash(call: Call, looked: Looked) -> str:
    try:
        return call.store.log.state_hash()
    except STUMBLING:
        if not looked.findings:
            raise
        return ""


def _views(call: Call, comparison: Comparison | None) -> list[Finding]:
    with progress(call.shell, "views") as step:
        same = comparison.finish(step) if comparison else None
    if same:
        return []
    path, hint = call.store.path("views.db"), "`crewlog rebuild` makes them anew."
    if same is None:
        message = "the views were not compared with the log: nothing can be written beside them"
        return [Finding("views-unchecked", path, message)]
    return [Finding("views-wrong", path, "the views are not what the log says", hint)]


def _early_states(call: Call, looked: Looked, comparison: Comparison | None) -> list[Finding] | None:
    """What `_states` says if the live views are right, which may still be in the making; None where they can't be read."""
    if comparison is None or comparison.live is None:
        return None
    try:
        return _compared(call, looked, comparison.live)
    except (*STUMBLING, sqlite3.DatabaseError, Refusal):
        # Looked at again, without the views. Read beside the log, what is damaged in them is told as if the log were it.
        return None


def _states(
    call: Call, looked: Looked, comparison: Comparison | None, early: list[Finding] | None
) -> list[Finding]:
    if early is not None and comparison and comparison.same:
        return early
    return _compared(
        call, looked, comparison.connection if comparison and comparison.same is not None else None
    )


def _compared(call: Call, looked: Looked, views: sqlite3.Connection | None) -> list[Finding]:
    from export.verify import verify_states
    from projections.tasks import states

    with progress(call.shell, "states") as step:
        return verify_states(call.store.log, step, states(views) if views else (), looked.streams)


def _closed(held: ExitStack) -> list[Finding]:
    held.close()
    return []


def _segments(call: Call, looked: Looked) -> list[Finding]:
    from export.verify import verify_segments

    with progress(call.shell, "segments") as step:
        return verify_segments(call.store.log, call.store.folder, step, looked.held)


def _live(call: Call, looked: Looked) -> list[Finding]:
    with progress(call.shell, "live.jsonl") as step:
        return call.store.live.compare(step, looked.live)


def _read(store: Store) -> list[Finding]:
    """What was wrong with the segments that were read."""
    from cli.elsewhen import Borrowed

    return list(store.imported.findings) if isinstance(store, Borrowed) else []


def _approvals(call: Call, looked: Looked) -> list[Finding]:
    """Signatures of approvals that are not good."""
    from cli.approvals import bad_signatures

    return bad_signatures(call, looked.signed)


def checkpoint_findings(call: Call, path: str, looked: Looked, name: str, signers: str) -> list[Finding]:
    """What keeps the log from being a continuation of a kept checkpoint."""
    from export.checkpoint import compare, read, signature_finding

    whole = os.path.join(call.shell.cwd, path)
    kept = read(whole)
    found = compare(call.store.log, kept, whole, looked.ends)
    wrong = signature_finding(kept, whole, name, signers, call.shell.environ)
    return [*found, wrong] if wrong else found


def verdict(findings: Sequence[Finding]) -> str:
    """What the findings come to, in a sentence."""
    damage = sum(map(is_damage, findings))
    if damage:
        return f"not as the log says: {damage:,} finding{'' if damage == 1 else 's'} of damage"
    remarks = len(findings)
    return (
        f"no corruption; {remarks} remark{'' if remarks == 1 else 's'}"
        if remarks
        else "all is as the log says"
    )
