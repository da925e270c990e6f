"""`rebuild`: make the views anew from the log."""

from __future__ import annotations

from cli.call import Call
from cli.grammar import command
from cli.output import Answer
from cli.progress import progress
from cli.writes import short


@command("rebuild", "crewlog rebuild")
def rebuild(call: Call) -> None:
    """Make the views anew from the log. Compares them with what was there; the log is not touched."""
    from domain.stores.apart import Apart

    with Apart() as apart, progress(call.shell, "rebuilding") as step:
        done = call.store.views.rebuild(step, apart)
    data = {
        "events": done.events,
        "hash_before": done.hash_before,
        "hash_after": done.hash_after,
        "same": done.same,
        "seconds": round(done.seconds, 3),
    }
    verdict = "the same as before" if done.same else "different from before: the old views were wrong"
    lines = [
        f"{done.events:,} events folded in {done.seconds:.2f} s",
        f"state {short(done.hash_after)}: {verdict}",
    ]
    call.answer(Answer(data, lines, [done.hash_after]))
