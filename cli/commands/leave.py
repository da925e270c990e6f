"""`leave`: say that a name is done here."""

from __future__ import annotations

from cli.arguments import ReasonOption, text_from
from cli.binding import clear_binding
from cli.call import Call
from cli.grammar import command
from cli.output import Answer


@command("leave", 'crewlog leave --as ada --reason "my shift is over"', writes=True)
def leave(call: Call, reason: ReasonOption = "") -> None:
    """Say that you are done here. Unbinds this worktree; tasks that you hold stay yours until they are given back."""
    from domain.draft import Draft
    from projections.tasks import held_by

    name, text = call.actor, text_from(call, reason, "reason")
    drafts = [Draft("agent.left", {"reason": text} if text else {}, {})]
    with call.writing([text]) as transaction:
        decided = call.marked(lambda _: drafts, [text])
        written = transaction.append(f"agent/{name}", name, decided, retry=call.retry("Leave"))
    unbound = _unbind(call, name)
    remarks = call.store.after_write()
    call.store.views.catch_up()
    holds = held_by(call.store.views.connection, name)
    remarks += [f"{row['id']} is {row['state']} and still yours{_way_out(row['state'])}" for row in holds]
    data = {"agent": name, "event": written.events[0].id, "unbound": unbound, "holds": holds}
    lines = [f"{name} left" + (f"; {unbound} is no longer bound" if unbound else "")]
    call.answer(Answer(data, lines, [name], remarks))


def _way_out(state: str) -> str:
    return ": `crewlog release` gives it back, `crewlog done` hands it in" if state == "WORKING" else ""


def _unbind(call: Call, name: str) -> str | None:
    """Forget what this worktree was bound to, if it was to this name; the worktree."""
    git, bound = call.git, call.binding
    if git is None or bound is None or bound.agent != name:
        return None
    clear_binding(git)
    return git.worktree
