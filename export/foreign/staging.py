"""Where the lines of a source lie, by issue: so that a source of any size is read in little memory.

The first pass notes for every line which issue it is about; the second brings the lines of one issue together at a
time. The notes are in a temporary database that SQLite deletes by itself, and hold places, not contents.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from types import ModuleType
from typing import BinaryIO

from export.findings import Finding
from export.foreign.files import BYTE_ORDER_MARK, SYSTEMS, File, Line, lines, opened
from export.foreign.issue import Issue
from export.foreign.record import UnreadableError, glance, read
from export.foreign.rows import Place, Row

Step = Callable[[int, int], None] | None
Tell = Callable[[Finding], None]

_TABLES = """
CREATE TABLE issues (id TEXT PRIMARY KEY, first INTEGER NOT NULL, task TEXT) WITHOUT ROWID;
CREATE TABLE lines (
    seq INTEGER PRIMARY KEY, issue TEXT NOT NULL, what TEXT NOT NULL, other TEXT NOT NULL,
    file INTEGER NOT NULL, line INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL
);
CREATE TABLE people (name TEXT PRIMARY KEY, first INTEGER NOT NULL) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX lines_by_issue ON lines (issue);
CREATE INDEX issues_by_first ON issues (first);
CREATE INDEX issues_by_task ON issues (task) WHERE task IS NOT NULL;
"""
# A line is read as part of the issue that would rather have it, where that one is in the file.
_MINE = "(other = '' OR NOT EXISTS (SELECT 1 FROM issues o WHERE o.id = lines.other))"
# A line may belong to either of two issues: it is an orphan where neither is in the file.
_ORPHANS = """
SELECT file, line, offset, issue, max(EXISTS (SELECT 1 FROM issues i WHERE i.id = lines.issue)) AS found
FROM lines WHERE what != 'issue' GROUP BY file, offset HAVING found = 0 ORDER BY min(seq)
"""


class Staging:
    """The notes on one source, and the files to look things up in again."""

    def __init__(
        self, system: str, files: Sequence[File], streams: Sequence[BinaryIO], notes: sqlite3.Connection
    ) -> None:
        self.system = system
        self._rules: ModuleType = SYSTEMS[system]
        self._files = files
        self._streams = streams
        self._notes = notes
        notes.executescript(_TABLES)

    def scan(self, limit: int, tell: Tell, step: Step = None) -> int:
        """Note the place of every line up to `limit` bytes; what is no record is told. Returns how many issues."""
        sizes = [os.fstat(stream.fileno()).st_size for stream in self._streams]
        self._notes.execute("BEGIN")
        for number, (file, stream) in enumerate(zip(self._files, self._streams, strict=True)):
            for line in lines(stream, limit):
                problem = self._note(number, file, line, limit)
                if problem:
                    tell(_finding(problem, file, line))
                if step and not line.number % 1_000:
                    step(sum(sizes[:number]) + line.offset, sum(sizes))
        self._notes.execute("COMMIT")
        self._notes.executescript(_INDEXES)
        return int(self._notes.execute("SELECT count(*) FROM issues").fetchone()[0])

    def _note(self, number: int, file: File, line: Line, limit: int) -> str:
        """Note where the line belongs; what is wrong with it, or ""."""
        if line.data is None:
            return f"a line of over {limit:,} bytes"
        try:
            staged = list(self._rules.stage(file.what, glance(line.data)))
        except UnreadableError as error:
            return str(error)
        run = self._notes.execute
        for part in staged:
            found = run(
                "INSERT INTO lines (issue, what, other, file, line, offset, length) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (part.issue, part.what, part.other, number, line.number, line.offset, len(line.data)),
            )
            if part.what == "issue":
                run("INSERT OR IGNORE INTO issues (id, first) VALUES (?, ?)", (part.issue, found.lastrowid))
            for name in part.people:
                run("INSERT OR IGNORE INTO people VALUES (?, ?)", (name, found.lastrowid))
        return ""

    def people(self) -> Iterator[str]:
        """All actors that the records name, in the order of the file."""
        return (row[0] for row in self._notes.execute("SELECT name FROM people ORDER BY first"))

    def orphans(self) -> Iterator[Finding]:
        """The lines about issues that are in no file."""
        for number, line, offset, issue, _ in self._notes.execute(_ORPHANS):
            message = f"it is about {issue[:80]!r}, which is in no line of the issues"
            yield Finding("no-issue", self._files[number].name, message, "", line, offset, issue[:200])

    def has(self, issue: str) -> bool:
        """True for an issue that the file holds."""
        return self._notes.execute("SELECT 1 FROM issues WHERE id = ?", (issue,)).fetchone() is not None

    def task(self, issue: str) -> str:
        """The task id that was noted for an issue, or ""."""
        row = self._notes.execute("SELECT task FROM issues WHERE id = ?", (issue,)).fetchone()
        return row[0] or "" if row else ""

    def note_task(self, issue: str, task: str) -> bool:
        """Note the task id of an issue; False where another issue has it already."""
        taken = self._notes.execute(
            "SELECT 1 FROM issues WHERE task = ? AND id != ?", (task, issue)
        ).fetchone()
        if not taken:
            self._notes.execute("UPDATE issues SET task = ? WHERE id = ?", (task, issue))
        return not taken

    def issues(self, tell: Tell) -> Iterator[tuple[Issue, Place]]:
        """The issues in the order of the file, each with the place of its first line."""
        after = 0
        while row := self._notes.execute(
            "SELECT id, first FROM issues WHERE first > ? ORDER BY first LIMIT 1", (after,)
        ).fetchone():
            issue, after = row
            rows = list(self._rows(issue, tell))
            place = next((row.place for row in rows if row.what == "issue"), None)
            if place is not None:
                yield self._rules.assemble(rows), place

    def _rows(self, issue: str, tell: Tell) -> Iterator[Row]:
        statement = (
            f"SELECT what, file, line, offset, length FROM lines WHERE issue = ? AND {_MINE} ORDER BY seq"  # noqa: S608
        )
        found: list[tuple[str, int, int, int, int]] = self._notes.execute(statement, (issue,)).fetchall()
        for what, number, line, offset, length in found:
            file, stream = self._files[number], self._streams[number]
            data = os.pread(stream.fileno(), length + len(BYTE_ORDER_MARK), offset)
            place = Place(file.name, line, offset)
            try:
                text = data.removeprefix(BYTE_ORDER_MARK)[:length]
                yield Row(what, place, text.decode(), read(text))
            except (UnreadableError, UnicodeDecodeError) as error:
                tell(
                    Finding(
                        "changed",
                        file.name,
                        f"the file changed while it was read: {error}",
                        "",
                        line,
                        offset,
                        issue[:200],
                    )
                )


def _finding(problem: str, file: File, line: Line) -> Finding:
    return Finding("bad-line", file.name, problem, "", line.number, line.offset)


@contextmanager
def staging(system: str, files: Sequence[File]) -> Generator[Staging]:
    """Notes on a source, for as long as its files are open."""
    with ExitStack() as stack:
        streams = [stack.enter_context(opened(file)) for file in files]
        notes = stack.enter_context(closing(sqlite3.connect("", isolation_level=None)))
        yield Staging(system, files, streams, notes)
