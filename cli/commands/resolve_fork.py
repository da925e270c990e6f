"""`resolve --fork`: say that a chain which two stores wrote was dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.guarding import part_ways
from cli.output import Answer
from cli.progress import progress
from domain import journal
from domain.draft import Draft
from domain.refusals import Refusal
from export import forks
from export.verify import verify_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.call import Call
    from export.findings import Finding


def resolve_fork(call: Call, text: str, note: str) -> None:
    """Write down the ends of the branches that are here: what they cover is no damage any more, and stays visible."""
    log, actor, reason = call.store.log, call.actor, _reason(call, note)
    with progress(call.shell, "events") as step:
        found = verify_log(log, step).findings
    replica = _named(text, forks.forked(found))
    part_ways(call.store, {replica})
    with call.writing([reason]) as transaction:
        by = _said(forks.settle(log, found), replica)
        payload = {"replica": replica, "ends": forks.ends(log, replica, found), "reason": reason}
        drafts = [Draft(forks.SETTLED, payload, {})]
        written = None if by else transaction.append(journal.STREAM, actor, lambda _: drafts)
    remarks = call.store.after_write() if written else ["it was settled before"]
    event = written.events[0].id if written else by
    data: dict[str, Any] = {"replica": replica, "event": event, "ends": payload["ends"]}
    line = (
        f"{replica}: the fork is settled; `crewlog verify` goes on to name it, and is no longer alarmed by it"
    )
    call.answer(Answer(data, [line], [replica], remarks))


def _reason(call: Call, note: str) -> str:
    if call.options.key:
        raise Refusal(
            "usage", "resolve --fork takes no --key: doing it twice is harmless", "Leave --key out."
        )
    if note.strip():
        return note
    hint = 'Example: crewlog resolve --fork r-7d… --note "a machine image; both sides were looked through"'
    raise Refusal("usage", "resolve --fork needs --note: what came of looking into it", hint)


def _named(text: str, there: set[str]) -> str:
    """The forked chain that a prefix names. Raises Refusal `not-found`, `ambiguous`."""
    fits = sorted(replica for replica in there if replica.startswith(text))
    if text in there or len(fits) == 1:
        return text if text in there else fits[0]
    if fits:
        raise Refusal("ambiguous", f"{text[:80]!r} fits {', '.join(fits)}", "Type more of it.")
    known = f"Those that did: {', '.join(sorted(there))}." if there else "No chain here did."
    raise Refusal("not-found", f"no chain {text[:80]!r} has two events with one number", known)


def _said(findings: Sequence[Finding], replica: str) -> str:
    """The event that settled all of a chain's forks before, or ""."""
    return next((one.id for one in findings if (one.code, one.path) == ("fork-settled", replica)), "")
