"""Bring a source into the log: the issues in the order of the file, a thousand events a transaction.

An issue is always written whole. So whatever stops an import, the next one finds what is there already (each task
remembers a hash of what its source said) and goes on behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from domain.commands import Import
from domain.draft import Draft
from domain.event import Event
from domain.importing import take_in
from domain.imports import comes_from
from domain.log import CHUNK, Log, Seen
from domain.named import NamedTuple
from domain.refusals import Exit, Refusal
from domain.task import Task
from export.findings import Finding
from export.foreign.issue import Issue
from export.foreign.people import People
from export.foreign.record import stored_size
from export.foreign.rows import Place
from export.foreign.staging import Staging, Step
from export.foreign.streams import Streams
from export.foreign.wanted import secret, wanted_import

# What an import can have to say of a record; `docs/moving.md` explains each.
REMARKS = {
    "bad-line": "the line holds no record",
    "no-issue": "a comment, label, event or dependency of an issue that is not in the file",
    "changed": "the file changed while it was read",
    "secret": "the text looks like it holds a key or a password",
    "bad-dependency": "a dependency names no issue",
    "outside": "a dependency names an issue that is not in the file; the link is kept",
    "kept": "the source changed what had been changed here, too; it stays as it is here",
    "self-dependency": "an issue depends on itself; no link is made",
    "unknown-status": "a status that no rule names became a label",
    "title": "the title was missing, too long, or of several lines",
    "id": "the id is no slug; the task has the nearest one, and is found by the id",
    "priority": "the priority was not 0 to 9",
    "label": "a label was too long, or of several lines",
    "time": "a time could not be read",
}
FINDING_LIMIT = 1_000
_CHUNK_BYTES = 8 << 20
_IMPORTED, _SYNCED, _COMMENT, _HISTORY = "task.imported", "task.synced", "task.noted", "task.source-event"


class Report:
    """What an import came to: counts, the tasks that changed, and the first findings.

    `left_out` counts what is not in the log.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.tasks: list[str] = []
        self.told: Counter[str] = Counter()  # code → how many, also of those that are not kept
        self.left_out = 0
        self._left_out: list[Finding] = []
        self._remarks: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """What was left out, then what else there is to say."""
        return (self._left_out + self._remarks)[:FINDING_LIMIT]

    def leave_out(self, finding: Finding) -> None:
        """Tell of something that cannot be taken in."""
        self.told[finding.code] += 1
        self.left_out += 1
        if len(self._left_out) < FINDING_LIMIT:
            self._left_out.append(finding)

    def tell(self, finding: Finding) -> None:
        """Tell of something that a reader should know."""
        self.told[finding.code] += 1
        if len(self._remarks) < FINDING_LIMIT:
            self._remarks.append(finding)

    def count(self, written: Sequence[Draft | Event]) -> None:
        """Count the events of one issue."""
        types = Counter(one.type for one in written)
        self.counts["imported"] += types[_IMPORTED]
        self.counts["synced"] += bool(types[_SYNCED] and not types[_IMPORTED])
        self.counts["unchanged"] += not written
        self.counts["comments"] += types[_COMMENT]
        self.counts["history"] += types[_HISTORY]


class _Wanted(NamedTuple):
    """An issue on its way into its stream: what to decide on, and where its record stands."""

    stream: str
    command: Import
    place: Place


class Importer:
    """Takes the issues of one source into one log. `known` are the names that earlier imports gave to actors."""

    def __init__(
        self, log: Log, source: Staging, actor: str, known: Mapping[str, str], *, allow_secret: bool = False
    ) -> None:
        self._log = log
        self._source = source
        self._actor = actor
        self._known = known
        self._allow_secret = allow_secret
        self._streams = Streams(log, source)
        self.report = Report()

    def scan(self, step: Step = None) -> int:
        """Read the source once and note where everything is; how many issues there are."""
        issues = self._source.scan(self._log.blob_limit, self.report.leave_out, step)
        for orphan in self._source.orphans():
            self.report.leave_out(orphan)
        self.report.counts["issues"] = issues
        return issues

    def compare(self, step: Step = None) -> None:
        """Count what an import would do, and write nothing."""
        for wanted in self._wanted(step):
            state = self._log.state(wanted.stream)
            self._count(wanted, take_in(wanted.command, state, partial(self._log.stream, wanted.stream)))

    def write(self, step: Step = None, after: Callable[[], object] = lambda: None) -> None:
        """Write what is new; `after` is called behind every transaction."""
        chunk: list[_Wanted] = []
        events = size = 0
        for wanted in self._wanted(step):
            if self._is_known(wanted):
                self._count(wanted, ())
                continue
            chunk.append(wanted)
            events += 1 + len(wanted.command.entries)
            size += _size(wanted.command)
            if events >= CHUNK or size >= _CHUNK_BYTES:
                self._write(chunk)
                after()
                chunk, events, size = [], 0, 0
        if chunk:
            self._write(chunk)
            after()

    def _wanted(self, step: Step) -> Iterator[_Wanted]:
        people = People(self._known, self._source.people())
        total = self.report.counts["issues"]
        for number, (issue, place) in enumerate(self._source.issues(self.report.leave_out), 1):
            if step and not number % 100:
                step(number, total)
            safe = issue if self._allow_secret else self._without_secrets(issue, place)
            if safe is None:
                continue
            self._tell(safe, place)
            targets = [self._streams.target(link.to) for link in safe.dependencies]
            command = wanted_import(safe, self._actor, people, targets)
            yield _Wanted(f"task/{self._streams.task(safe.id)}", command, place)

    def _without_secrets(self, issue: Issue, place: Place) -> Issue | None:
        """The issue without the entries that look like they hold a key; None where its own record does."""
        found = secret(issue)
        if found:
            self.report.leave_out(
                _finding("secret", f"it looks like it holds a secret ({found})", place, issue.id)
            )
            return None
        kept = tuple(entry for entry in issue.entries if not secret(entry))
        for _ in range(len(issue.entries) - len(kept)):
            self.report.leave_out(
                _finding("secret", "a comment or event looks like it holds a secret", place, issue.id)
            )
        return issue._replace(entries=kept)

    def _tell(self, issue: Issue, place: Place) -> None:
        for remark in issue.remarks:
            tell = self.report.leave_out if remark.left_out else self.report.tell
            tell(_finding(remark.code, remark.message, place, issue.id))
        self.report.counts["labels"] += len(issue.labels)
        self.report.counts["dependencies"] += len(issue.dependencies)
        for link in issue.dependencies:
            if not self._streams.is_here(link.to):
                self.report.counts["outside"] += 1
                message = f"{link.kind} {link.to[:80]}, which is not in the file; the link is kept"
                self.report.tell(_finding("outside", message, place, issue.id))

    def _is_known(self, wanted: _Wanted) -> bool:
        """True where the log has the issue as it is: then nothing needs the write lock."""
        state: Task | None = self._log.state(wanted.stream)
        source = state.card.source if state else None
        return source is not None and source.get("digest") == wanted.command.payload["digest"]

    def _write(self, chunk: Sequence[_Wanted]) -> None:
        try:
            with self._log.transaction() as transaction:
                done = [
                    transaction.append(one.stream, self._actor, partial(_decide, one)).events for one in chunk
                ]
        except Refusal as refusal:
            if refusal.exit not in (Exit.USAGE, Exit.REFUSED):
                raise  # it is about the store, not about an issue
            self._write_apart(chunk, refusal)
            return
        for wanted, events in zip(chunk, done, strict=True):
            self._count(wanted, events)

    def _write_apart(self, chunk: Sequence[_Wanted], refusal: Refusal) -> None:
        """One issue was refused, and the transaction with it: each by itself, then."""
        if len(chunk) == 1:
            finding = _finding(refusal.code, refusal.message, chunk[0].place, chunk[0].command.payload["id"])
            self.report.leave_out(finding)
            return
        for wanted in chunk:
            self._write([wanted])

    def _count(self, wanted: _Wanted, written: Sequence[Draft | Event]) -> None:
        self.report.count(written)
        if written:
            self.report.tasks.append(wanted.stream.removeprefix("task/"))
        for one in written:
            if one.payload.get("kept"):
                message = f"{', '.join(one.payload['kept'])}: changed here as well, and kept as it is here"
                self.report.tell(_finding("kept", message, wanted.place, wanted.command.payload["id"]))


def _decide(wanted: _Wanted, seen: Seen) -> Sequence[Draft]:
    payload = wanted.command.payload
    if seen.state is not None and not comes_from(seen.state.card, payload["system"], payload["id"]):
        raise Refusal("bad-value", "another task has got its id meanwhile", "Import it again.")
    return take_in(wanted.command, seen.state, seen.history)


def _size(command: Import) -> int:
    payloads = (command.payload, *(draft.payload for draft in command.entries))
    return sum(stored_size(payload) for payload in payloads)


def _finding(code: str, message: str, place: Place, issue: str) -> Finding:
    return Finding(code, place.file, message, "", place.line, place.offset, issue[:200])
