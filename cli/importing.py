"""What every import says at its end: what came in, what is in conflict since, what was wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.output import Answer
from cli.text import safe, safe_line
from domain.refusals import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from export.findings import Finding
    from export.importing import Imported

SHOWN = 20
OF_EACH = 3
# What leaves something out, or shows that two stores wrote under one id; a gap is told, and all was taken in.
DAMAGE = frozenset({"bad-line", "bad-blob", "cut-segment", "fork"})


def answer(call: Call, imported: Imported, **more: Any) -> Answer:
    """The answer of an import; exit 7 where something of it could not be read, or forks a chain."""
    from cli.guarding import part_ways
    from export.forks import forked, settle
    from export.importing import as_dict

    part_ways(call.store, forked(imported.findings))
    imported = imported._replace(findings=tuple(settle(call.store.log, imported.findings)))
    # Also where nothing came: another machine, or a command that was killed, may have taken it in.
    remarks = call.store.after_write()
    remarks += finding_lines(imported.findings, full=call.options.full)
    damaged = any(finding.code in DAMAGE for finding in imported.findings)
    return Answer(
        {**as_dict(imported), **more}, lines(imported), (), remarks, Exit.CORRUPT if damaged else Exit.DONE
    )


def lines(imported: Imported) -> list[str]:
    """What came in, for people."""
    found = [f"{imported.events:,} events taken in, {imported.known:,} were here; {imported.blobs:,} blobs"]
    if imported.pending:
        found.append(f"{imported.pending:,} events wait for one that is not here yet")
    for item in imported.conflicts[:SHOWN]:
        task = item.stream.partition("/")[2]
        found.append(f"conflict: {item.type} of {item.sender} on {task}; `crewlog conflicts {task}`")
    if len(imported.conflicts) > SHOWN:
        found.append(f"… and {len(imported.conflicts) - SHOWN:,} more conflicts: `crewlog conflicts`")
    return found


def finding_lines(findings: Sequence[Finding], *, full: bool) -> list[str]:
    """What was wrong, for people: code, place, sentence, what to do. Not `full`: the first of each kind."""
    codes = Counter(found.code for found in findings)
    shown = first_of_each(findings, finding_line, codes, full=full, where="`crewlog verify`")
    return [*shown, *hint_lines(findings)]


def hint_lines(findings: Sequence[Finding]) -> list[str]:
    """What to do about them, each thing once."""
    return [f"  hint: {safe(hint)}" for hint in dict.fromkeys(found.hint for found in findings) if hint]


def first_of_each(
    findings: Sequence[Finding],
    line: Callable[[Finding], str],
    told: Mapping[str, int],
    *,
    full: bool,
    where: str = "--full",
) -> list[str]:
    """A line for each finding, or for the first of each kind, and how many more there are; `told` counts by code.

    `where` shows them all.

    One kind that comes ten thousand times must not hide another that came once.
    """
    shown: Counter[str] = Counter()
    lines: list[str] = []
    for finding in findings:
        if full or shown[finding.code] < OF_EACH:
            shown[finding.code] += 1
            lines.append(line(finding))
    suffix = "" if full else f" ({where})"
    more = {code: number - shown[code] for code, number in told.items()}
    return lines + [f"… and {number:,} more: {code}{suffix}" for code, number in more.items() if number]


def finding_line(finding: Finding) -> str:
    """One finding: `bad-line  log/r-1/…jsonl:12 (byte 4,711)  bytes do not hash to the id`."""
    where = safe_line(finding.path)
    where += f":{finding.line}" if finding.line >= 0 else ""
    where += f" (byte {finding.offset:,})" if finding.offset >= 0 else ""
    return f"{finding.code}  {where}  {safe(finding.message)}"


def joined(one: Imported, other: Imported) -> Imported:
    """Two imports, one after the other, as one."""
    conflicts = {item.event: item for item in (*one.conflicts, *other.conflicts)}
    findings = {(item.code, item.id or item.path): item for item in (*one.findings, *other.findings)}
    return other._replace(
        events=one.events + other.events,
        streams=max(one.streams, other.streams),
        blobs=one.blobs + other.blobs,
        conflicts=tuple(conflicts.values()),
        findings=tuple(findings.values()),
    )
