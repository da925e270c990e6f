"""Everything that `verify` looks at, in one place: the log, what is derived from it, what was exported."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cli.call import Call
from cli.progress import progress
from export.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.store import Store
    from export.verify import Verified


def verify_all(call: Call) -> tuple[Verified, list[Finding]]:
    """All checks of the store, or of the segments that `--from` names."""
    from export import verify

    store = call.store
    with progress(call.shell, "events") as step:
        looked = verify.verify_log(store.log, step, store.folder)
    found = list(looked.findings)
    parts: list[Callable[[], list[Finding]]] = [
        partial(_states, call),
        partial(verify.verify_blobs, store.log, store.folder, looked.blobs),
    ]
    if call.options.from_ is None:
        parts += [partial(_segments, call, looked), partial(_live, call, looked), partial(_views, call)]
    else:
        parts.append(partial(_read, store))
    parts.append(partial(_approvals, call))
    for part in parts:
        try:
            found += part()
        except (ValueError, TypeError, KeyError):
            if not looked.findings:
                raise
            # It stumbled over an event whose bytes somebody changed, which is among the findings.
    return looked, found


def _states(call: Call) -> list[Finding]:
    from export.verify import verify_states

    with progress(call.shell, "states") as step:
        return verify_states(call.store.log, step)


def _segments(call: Call, looked: Verified) -> list[Finding]:
    from export.verify import verify_segments

    with progress(call.shell, "segments") as step:
        return verify_segments(call.store.log, call.store.folder, step, looked.held)


def _live(call: Call, looked: Verified) -> list[Finding]:
    with progress(call.shell, "live.jsonl") as step:
        return call.store.live.compare(step, looked.live)


def _views(call: Call) -> list[Finding]:
    with progress(call.shell, "views") as step:
        compared = call.store.views.compare(step)
    if not compared or compared.same:
        return []
    path, hint = call.store.path("views.db"), "`crewlog rebuild` makes them anew."
    return [Finding("views-wrong", path, "the views are not what the log says", hint)]


def _read(store: Store) -> list[Finding]:
    """What was wrong with the segments that were read."""
    from cli.elsewhen import Borrowed

    return list(store.imported.findings) if isinstance(store, Borrowed) else []


def _approvals(call: Call) -> list[Finding]:
    """Signatures of approvals that are not good."""
    from cli.approvals import bad_signatures

    return bad_signatures(call)


def checkpoint_findings(call: Call, path: str, looked: Verified, name: str, signers: str) -> list[Finding]:
    """What keeps the log from being a continuation of a kept checkpoint."""
    from export.checkpoint import compare, read, signature_finding

    whole = os.path.join(call.shell.cwd, path)
    kept = read(whole)
    found = compare(call.store.log, kept, whole, looked.ends)
    wrong = signature_finding(kept, whole, name, signers, call.shell.environ)
    return [*found, wrong] if wrong else found
