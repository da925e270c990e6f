"""`doctor`: what this store stands on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.call import Call
from cli.grammar import command
from cli.importing import finding_line, hint_lines
from cli.output import Answer
from domain.refusals import Exit

SIZES = frozenset({"database", "views", "live"})


@command("doctor", "crewlog doctor\ncrewlog doctor --repair")
def doctor(
    call: Call,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Make anew what is derived, where it is wrong.", show_default=False),
    ] = False,
) -> None:
    """Look at SQLite, file system, permissions, sizes, locks, git and derived files; say what to do about each finding.

    --repair makes anew only what is folded or copied from the log; the log itself is never touched. Where that was altered
    nothing is: what was made of it may be all that still says what stood there. Exit 7 where something is damaged.
    """
    from cli.diagnosis import ALTERED, Diagnosis
    from export.findings import is_damage

    found = Diagnosis(call)
    findings = found.findings()
    repaired = found.repair(findings) if repair else []
    altered = ALTERED & {finding.code for finding in findings} if repair else set[str]()
    left = [finding for finding in findings if finding.code not in repaired]
    facts = found.facts()
    data: dict[str, Any] = {
        "facts": facts,
        "findings": [finding.as_dict() for finding in left],
        "repaired": repaired,
    }
    lines = [_fact(name, value) for name, value in facts.items()]
    lines += [f"repaired: {code}" for code in repaired]
    for finding in left:
        lines += [finding_line(finding), *hint_lines([finding])]
    lines += [] if left else ["nothing is wrong"]
    code = Exit.CORRUPT if any(map(is_damage, left)) else Exit.DONE
    remarks = ["nothing was repaired: the log itself was altered"] if altered else []
    call.answer(Answer(data, lines, [finding.code for finding in left], remarks, code))


def _fact(name: str, value: Any) -> str:
    shown = f"{value:,}" if isinstance(value, int) else value
    return f"{name}: {shown}{' bytes' if name in SIZES else ''}"
