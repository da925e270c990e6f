"""`agents`: who is here, and who is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.grammar import command
from cli.output import Answer, Columns
from cli.text import age

if TYPE_CHECKING:
    from domain.agent import ProcessState


@command("agents", "crewlog agents")
def agents(call: Call) -> None:
    """List everyone seen here. Who is alive, suspect or lost, the last sign of life, the tasks held."""
    from projections.agents import roster

    store = call.store
    store.views.catch_up()
    rows = roster(
        store.views.connection,
        call.shell.clock(),
        store.config.interval,
        store.config.quiet,
        _state_of,
    )
    columns = Columns()
    for row in rows:
        held = " ".join(task["id"] for task in row["tasks"]) or "-"
        kind = "person" if row["person"] else "agent"
        seen = min(seconds for seconds in (row["last_seen"], row["last_pulse"]) if seconds is not None)
        columns.add(row["name"], kind, row["verdict"], f"{age(seen)} ago", held)
    remarks = [] if rows else ["nobody yet"]
    call.answer(Answer({"agents": rows, "more": 0}, columns.lines(), [row["name"] for row in rows], remarks))


def _state_of(recorded: dict[str, Any]) -> ProcessState:
    from cli.process import process_state
    from domain.process import Process

    process = Process.from_dict(recorded)
    return process_state(process) if process else "unknown"
