"""`agents`: who is here, and who is alive."""

from __future__ import annotations

from typing import Any

from cli.call import Call
from cli.grammar import command
from cli.output import Answer, Columns
from cli.style import Style
from cli.text import age

VERDICTS = {"alive": "32", "suspect": "33", "lost": "31", "left": "2"}


@command("agents", "crewlog agents", looks=True)
def agents(call: Call) -> None:
    """List everyone seen here. Name, kind, alive or not, last sign of life, last progress, tasks held, host and pid.

    `suspect`: two beats are missing. `lost`: `crewlog reap` takes what it holds. `left` said so; `remote` works through
    another clone. A hung command beats on: its progress gets old.
    """
    rows = everybody(call)
    style = call.style()
    columns = Columns(style.room)
    for row in rows:
        columns.add(*_cells(style, row))
    remarks = [_elsewhere(row) for row in rows if _works_elsewhere(row)] if rows else ["nobody yet"]
    call.answer(Answer({"agents": rows, "more": 0}, columns.lines(), [row["name"] for row in rows], remarks))


def everybody(call: Call) -> list[dict[str, Any]]:
    """Everyone seen here, by name, as `agents` answers it."""
    from cli.reaping import judge_all, rule
    from projections.agents import roster

    store = call.store
    claims = {judged.held.task: judged.verdict for judged in judge_all(call)}
    by = rule(call)
    return roster(
        store.views.connection,
        by.now,
        by.interval,
        by.quiet,
        by.process_state,
        woke=by.woke,
        members=store.log.members(),
        claims=claims,
    )


def _works_elsewhere(row: dict[str, Any]) -> bool:
    return row["verdict"] == "remote" and any(task["verdict"] == "lost" for task in row["tasks"])


def _elsewhere(row: dict[str, Any]) -> str:
    from cli.reaping import elsewhere_line

    task = next(task["id"] for task in row["tasks"] if task["verdict"] == "lost")
    return f"{row['name']} gave no sign here, and `reap` leaves {task} alone. {elsewhere_line(task)}"


def _cells(style: Style, row: dict[str, Any]) -> tuple[str, ...]:
    kind = "person" if row["person"] else "agent"
    signs = [seconds for seconds in (row["last_seen"], row["last_pulse"]) if seconds is not None]
    progress = f"progress {age(row['progress'])} ago" if row["progress"] is not None else "-"
    held = " ".join(_task(task) for task in row["tasks"]) or "-"
    more = f" and {row['more_tasks']} more" if row["more_tasks"] else ""
    where = f"{row['host'] or ''}:{row['pid']}" if row["pid"] else "-"
    verdict = style.paint(row["verdict"], VERDICTS.get(row["verdict"], ""))
    return style.name(row["name"]), kind, verdict, f"{age(min(signs))} ago", progress, where, held + more


def _task(task: dict[str, Any]) -> str:
    doubt = f" ({task['verdict']})" if task["verdict"] not in (None, "alive") else ""
    return f"{task['id']} {task['state']}{doubt}"
