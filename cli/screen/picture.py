"""What `top` shows, read in one go: attention, roster, pipeline, feed. No Textual here."""

from __future__ import annotations

from typing import Any

from cli.attention import attention, sentence, viewer_of
from cli.call import Call
from cli.events import event_cells
from cli.style import Style
from cli.text import age, safe_line
from domain.event import parse
from domain.named import NamedTuple
from domain.task import ASSIGNED, OPEN, STATES, WORKING

Json = dict[str, Any]

FEED = 50
PIPELINE = 200
# What moves comes first; what only waits to be started last.
ORDER = (
    WORKING,
    *(state for state in STATES if state in OPEN and state not in (WORKING, ASSIGNED)),
    ASSIGNED,
)


class Line(NamedTuple):
    """A row of a panel: what it is about, its cells, plain and safe, and what colours it. `on`: the submission that it shows."""

    about: str
    cells: tuple[str, ...]
    state: str = ""
    on: str = ""

    def has(self, text: str) -> bool:
        """True if the text occurs in it, whatever the case."""
        return not text or text.casefold() in " ".join(self.cells).casefold()


class Picture(NamedTuple):
    """All panels at one moment, for one name."""

    name: str
    counts: dict[str, int]
    ready: int
    attention: list[Line]
    roster: list[Line]
    pipeline: list[Line]
    feed: list[Line]


def take(call: Call) -> Picture:
    """Look at the store now."""
    from projections.tasks import counts, ready_count

    waiting = [_waiting(row) for row in attention(call)]
    connection = call.store.views.connection
    return Picture(
        viewer_of(call).name,
        counts(connection),
        ready_count(connection),
        waiting,
        _roster(call),
        _pipeline(call),
        _feed(call),
    )


def _waiting(row: Json) -> Line:
    said = ": ".join(part for part in (safe_line(row["title"]), safe_line(row["text"])) if part)
    cells = (f"{age(row['age']):>3}", row["kind"], row["id"], f"{safe_line(sentence(row))}: {said}")
    return Line(row["id"], cells, row["kind"], row["submission"] or "")


def _roster(call: Call) -> list[Line]:
    from cli.commands.agents import everybody

    found: list[Line] = []
    for row in everybody(call):
        seen = [seconds for seconds in (row["last_seen"], row["last_pulse"]) if seconds is not None]
        tasks = row["tasks"]
        doing = f"{tasks[0]['id']} {tasks[0]['state']}" if tasks else "-"
        progress = age(row["progress"]) if row["progress"] is not None else "-"
        cells = (row["name"], row["verdict"], f"{age(min(seen)):>3}", f"{progress:>3}", doing)
        found.append(Line(tasks[0]["id"] if tasks else "", cells, row["verdict"]))
    return sorted(found, key=lambda line: (not line.about, line.cells[0]))


def _pipeline(call: Call) -> list[Line]:
    from projections.task_pages import TaskFilter, page

    connection = call.store.views.connection
    found: list[Line] = []
    for state in ORDER:
        for row in page(connection, TaskFilter(states=(state,)), PIPELINE).rows:
            who = row["holder"] or (f"→{row['assignee']}" if row["assignee"] else "-")
            found.append(Line(row["id"], (row["id"], state, who, safe_line(row["title"])), state))
    return found


def _feed(call: Call) -> list[Line]:
    log = call.store.log
    newest = log.position()
    events = [parse(row.state) for row in log.lines(max(0, newest - FEED), FEED)]
    style = Style()
    found: list[Line] = []
    for event in reversed(events):
        when, _, who, kind, subject, said = event_cells(style, event)
        about = subject if event.kind == "task" else ""
        found.append(Line(about, (when[11:], who, kind, subject, said)))
    return found
