"""Everything that `verify` looks at, in one place: the log, what is derived from it, what was exported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cli.call import Call
from cli.progress import progress
from export.findings import Finding

if TYPE_CHECKING:
    from cli.store import Store
    from export.verify import Verified


def verify_all(call: Call) -> tuple[Verified, list[Finding]]:
    """All checks of the store, or of the segments that `--from` names."""
    from export import verify

    store = call.store
    with progress(call.shell, "events") as step:
        looked = verify.verify_log(store.log, step)
    found = list(looked.findings)
    with progress(call.shell, "states") as step:
        found += verify.verify_states(store.log, step)
    found += verify.verify_blobs(store.log, store.folder, looked.blobs)
    if call.options.from_ is None:
        found += _beside(call, store, looked)
    else:
        found += _read(store)
    found += _approvals(call)
    return looked, found


def _beside(call: Call, store: Store, looked: Verified) -> list[Finding]:
    """What lies beside the log: segments, live.jsonl, views."""
    from export.verify import verify_segments

    with progress(call.shell, "segments") as step:
        found = verify_segments(store.log, store.folder, step, looked.sums)
    with progress(call.shell, "live.jsonl") as step:
        found += store.live.compare(step)
    with progress(call.shell, "views") as step:
        compared = store.views.compare(step)
    if compared and not compared.same:
        hint = "`crewlog rebuild` makes them anew."
        found.append(
            Finding("views-wrong", store.path("views.db"), "the views are not what the log says", hint)
        )
    return found


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
