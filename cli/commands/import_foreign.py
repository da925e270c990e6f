"""`import --from`: take over what another tool has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.importing import first_of_each
from cli.output import Answer
from cli.progress import progress
from domain.refusals import Exit, Refusal

if TYPE_CHECKING:
    from export.findings import Finding
    from export.foreign.importer import Importer, Report

_COUNTS = (
    "issues",
    "imported",
    "synced",
    "unchanged",
    "comments",
    "history",
    "labels",
    "dependencies",
    "outside",
)


def import_foreign(call: Call, tool: str, path: str, *, dry_run: bool) -> None:
    """Take over the issues of another tool; `tool` is its name as typed."""
    from export.foreign.files import SYSTEMS, find
    from export.foreign.importer import Importer
    from export.foreign.staging import staging
    from projections.sources import people

    if tool not in SYSTEMS:
        given = f"there is no tool {tool[:40]!r}" if tool else "say which tool wrote it"
        raise Refusal("usage", given, f"crewlog import --from {'|'.join(SYSTEMS)} {path}")
    if call.options.key:
        raise Refusal(
            "usage", "import takes no --key", "Run it again: what is there already is not written twice."
        )
    actor = call.actor
    files = find(tool, path, call.shell.cwd)
    call.store.views.catch_up()
    known = people(call.store.views.connection)
    with staging(tool, files) as source:
        importer = Importer(call.store.log, source, actor, known, allow_secret=call.options.allow_secret)
        _run(call, importer, dry_run=dry_run)
    about = {"from": tool, "path": files[0].name, "dry_run": dry_run}
    call.answer(_answer(importer.report, about, full=call.options.full))


def _run(call: Call, importer: Importer, *, dry_run: bool) -> None:
    with progress(call.shell, "reading") as step:
        importer.scan(step)
    with progress(call.shell, "comparing" if dry_run else "importing") as step:
        if dry_run:
            importer.compare(step)
        else:
            importer.write(step, call.store.after_write)


def _answer(report: Report, about: dict[str, Any], *, full: bool) -> Answer:
    counts = {name: report.counts[name] for name in _COUNTS}
    findings = [finding.as_dict() for finding in report.findings]
    data = {
        **about,
        **counts,
        "left_out": report.left_out,
        "findings": findings,
        "more": report.told.total() - len(findings),
    }
    would = "would be " if about["dry_run"] else ""
    said = {name: f"{number:,}" for name, number in counts.items()}
    lines = [
        f"{said['issues']} issues in {about['path']}",
        f"{would}imported: {said['imported']}, synced: {said['synced']}, unchanged: {said['unchanged']}",
        f"new of them: {said['comments']} comments, {said['history']} events of their history",
        f"in all: {said['labels']} labels, {said['dependencies']} dependencies, {said['outside']} of them to what is not here",
    ]
    if report.left_out:
        lines.append(f"left out: {report.left_out:,}; file, line and byte of each are on stderr")
    remarks = first_of_each(report.findings, _line, report.told, full=full)
    return Answer(data, lines, report.tasks, remarks, Exit.REFUSED if report.left_out else Exit.DONE)


def _line(finding: Finding) -> str:
    about = f"{finding.id}: " if finding.id else ""
    return f"{finding.path}:{finding.line} (byte {finding.offset}): {about}{finding.message} [{finding.code}]"
