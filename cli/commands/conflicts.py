"""`conflicts`: what two clones did to a task at once, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.arguments import LimitOption, TaskArg, UtcOption
from cli.attention import viewer_of
from cli.call import Call
from cli.events import event_line
from cli.grammar import command
from cli.output import Answer
from cli.text import safe_line
from cli.writes import short
from domain.refusals import Refusal
from domain.task import BRANCHES, claim_of

if TYPE_CHECKING:
    from cli.git.repository import Repository
    from domain.event import Event
    from domain.task import Task


@command("conflicts", "crewlog conflicts\ncrewlog conflicts t-3k9f --json", looks=True)
def conflicts(call: Call, task: TaskArg = None, limit: LimitOption = 50, utc: UtcOption = False) -> None:
    """List events that another clone's history left no room for: nothing of them is lost, and nobody has settled them.

    `resolve` says that a task's conflicts were dealt with; before that, `approve` and `merge` refuse.
    """
    from projections.tasks import conflicts as unsettled

    name = call.task(task) if task else None
    call.store.views.catch_up()
    found, more = unsettled(call.store.views.connection, name, limit)
    code = _repository(call) if found else None
    suffix, style = viewer_of(call).suffix, call.style(utc=utc)._replace(colour=False)
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for task_id, event_ids in found.items():
        state = call.state_of(task_id)
        lines.append(f"{task_id}  {state.state}  {safe_line(state.card.title)}{_holder(state)}")
        for event_id in event_ids:
            event = call.store.log.event(event_id)
            if event:
                rows.append({**_row(state, event, suffix), **_code(code, event)})
                lines.append(f"  {event_line(style, event)}")
                lines += _code_lines(rows[-1])
        lines += [f"  next: {line}" for line in _way_out(task_id, suffix)]
    remarks = [] if rows else ["no conflicts"]
    call.answer(Answer({"conflicts": rows, "more": more}, lines, [row["event"] for row in rows], remarks))


def _holder(state: Task) -> str:
    claim = claim_of(state)
    return f"  held by {claim.holder}, claim {short(claim.id)}" if claim else ""


def _row(state: Task, event: Event, suffix: str) -> dict[str, Any]:
    claim = claim_of(state)
    return {
        "task": state.card.id,
        "state": state.state,
        "title": state.card.title,
        "holder": claim.holder if claim else None,
        "event": event.id,
        "type": event.type,
        "from": event.sender,
        "at": event.ts,
        "replica": event.replica,
        "next": _way_out(state.card.id, suffix),
    }


def _repository(call: Call) -> Repository | None:
    from cli.git.repository import repository

    try:
        return repository(call)
    except Refusal:
        return None  # without git the events can be listed all the same


def _code(code: Repository | None, event: Event) -> dict[str, Any]:
    """Branch and commit of the work that lost, for an event that names a branch."""
    if code is None:
        return {}
    from cli.git.losing import lost_work

    lost = lost_work(code.git, event)
    return {"branch": lost.branch, "commit": lost.commit or None} if lost else {}


def _code_lines(row: dict[str, Any]) -> list[str]:
    if "branch" not in row:
        return []
    where = f"at {(row['commit'] or '')[:12]}"
    if not row["commit"]:
        brings = "`crewlog sync`" if row["branch"].startswith(BRANCHES) else "`git push` of it"
        where = f"not here: {brings} where {row['from']} works"
    return [f"    branch {safe_line(row['branch'])} {where}"]


def _way_out(task_id: str, suffix: str) -> list[str]:
    """How to see what happened, and to settle it; the suffix says who does."""
    return [f"crewlog replay --task {task_id}", f'crewlog resolve {task_id} --note "…"{suffix}']
