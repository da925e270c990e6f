"""`audit`: how complete the log is, and who approved what."""

from __future__ import annotations

from typing import Any

from cli.call import Call
from cli.grammar import command
from cli.importing import finding_lines
from cli.output import Answer, Columns
from cli.text import safe_line
from domain.refusals import Exit


@command("audit", "crewlog audit\ncrewlog audit --from origin/crewlog", proves=True)
def audit(call: Call) -> None:
    """Say how far each clone's chain is whole, and of every task that was handed in who did, approved and merged what.

    With --from a git clone is all that one needs. Merges into a base without an event are found where there is a repository.
    """
    from cli.auditing import code_findings, tasks
    from cli.verifying import verdict, verify_all
    from export.findings import is_damage

    verified = verify_all(call)
    looked, found = verified.looked, verified.findings + code_findings(call)
    rows = tasks(call)
    replicas = [{"replica": name, "seq": end.seq, "id": end.id} for name, end in looked.ends.items()]
    damaged = any(map(is_damage, found))
    data = {
        "ok": not damaged,
        "events": looked.events,
        "replicas": replicas,
        "tasks": rows,
        "findings": [finding.as_dict() for finding in found],
    }
    lines = [f"{row['replica']}: whole up to {row['seq']:,}; later cannot be known" for row in replicas]
    lines += [*_table(rows), verdict(found)]
    remarks = finding_lines(found, full=call.options.full)
    code = Exit.CORRUPT if damaged else Exit.DONE
    call.answer(Answer(data, lines, [row["task"] for row in rows], remarks, code))


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = Columns()
    for row in rows:
        commit, merge = ((row[name] or "-")[:12] for name in ("commit", "merge"))
        approved = row["note"]
        if row["approver"]:
            approved = f"{row['approver']}, {row['signature']}, policy {row['policy']}"
        cells = (
            row["task"],
            row["state"],
            commit,
            row["submitter"] or "-",
            approved,
            merge,
            row["gate"] or "-",
        )
        columns.add(*(safe_line(str(cell)) for cell in cells), safe_line(row["title"])[:60])
    return columns.lines()
