"""`report` of imported tasks: they stand where they were in their source, not at the moment of the import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.report import figures
from domain.event import format_time, parse_time
from projections.timeline import Mark, Timeline, timeline
from tests.cli.conftest import Crew
from tests.cli.test_import_real_files import DATA, records
from tests.cli.test_report import traces
from tests.support.foreign import Fields, bead, snapshot, write
from tests.support.stores import SqliteStore, all_events

NUX = "gastown/polecats/nux"


def past_of(crew: Crew, since: str = "") -> Timeline:
    """The timeline that a report of the crew's store draws."""
    log = SqliteStore(str(crew.folder / ".crewlog")).open()
    try:
        return timeline(all_events(log), since=micros(since) if since else 0)
    finally:
        log.close()


def micros(time: str) -> int:
    """A time without a zone as microseconds."""
    return parse_time(f"{time}.000000Z")


def lives(past: Timeline, title: str) -> list[tuple[str, str, str, str]]:
    """(state, holder, begin, end) of a task's spans, in order, times to the minute."""
    (name,) = (name for name, text in past.titles.items() if text == title)
    return [
        (
            span.state,
            span.holder,
            format_time(span.begin)[:16],
            format_time(span.end)[:16] if span.end else "",
        )
        for span in sorted(past.spans, key=lambda span: (span.begin, not span.end))
        if span.task == name
    ]


def changed(number: int, at: str, actor: str, new: str, kind: str = "status_changed") -> Fields:
    """An event of Beads' history."""
    return {
        "issue_id": f"bd-{number}",
        "event_type": kind,
        "actor": actor,
        "new_value": new,
        "old_value": "",
        "comment": None,
        "created_at": at,
        "id": int(at[8:10]) * 100 + int(at[11:13]),
    }


@pytest.fixture
def years(crew: Crew) -> Crew:
    """A crew whose tracker began in 2023: one issue closed after work on it, one closed without a word, one open."""
    closed = {"status": "closed", "created_at": "2023-01-10T08:00:00Z"}
    folder = crew.folder / ".beads"
    write(
        folder / "issues.jsonl",
        [
            bead(
                1, **closed, closed_at="2023-02-01T12:00:00Z", updated_at="2023-02-01T12:00:00Z", assignee=NUX
            ),
            bead(2, **closed, closed_at="2024-03-01T12:00:00Z", updated_at="2024-03-01T12:00:00Z"),
            bead(3, created_at="2024-05-01T08:00:00Z", updated_at="2024-05-02T08:00:00Z"),
        ],
    )
    write(
        folder / "events.jsonl",
        [
            changed(1, "2023-01-12T08:00:00Z", "mayor", f'{{"assignee": "{NUX}", "status": "hooked"}}'),
            changed(1, "2023-01-12T09:00:00Z", NUX, '{"status": "in_progress"}'),
            changed(1, "2023-01-13T08:00:00Z", NUX, '{"assignee": "", "status": "open"}'),
            changed(1, "2023-01-20T08:00:00Z", NUX, '{"status": "in_progress"}'),
            changed(1, "2023-02-01T12:00:00Z", "mayor", "done", kind="closed"),
        ],
    )
    crew.do("import --from beads .beads --as zoe")
    return crew


def test_imported_tasks_stand_at_the_times_of_their_source(years: Crew) -> None:
    past = past_of(years)

    assert lives(past, "Issue 2") == [
        ("ASSIGNED", "", "2023-01-10T08:00", "2024-03-01T12:00"),
        ("COMPLETED", "", "2024-03-01T12:00", ""),
    ]
    assert lives(past, "Issue 3") == [("ASSIGNED", "", "2024-05-01T08:00", "")]
    assert (past.begin, past.end) == (micros("2023-01-10T08:00:00"), micros("2024-05-02T08:00:00"))


def test_who_was_at_work_in_the_source_has_a_lane(years: Crew) -> None:
    past = past_of(years)
    nux = "gastown.polecats.nux"

    assert lives(past, "Issue 1") == [
        ("ASSIGNED", "", "2023-01-10T08:00", "2023-01-12T08:00"),
        ("WORKING", nux, "2023-01-12T08:00", "2023-01-13T08:00"),
        ("ASSIGNED", "", "2023-01-13T08:00", "2023-01-20T08:00"),
        ("WORKING", nux, "2023-01-20T08:00", "2023-02-01T12:00"),
        ("COMPLETED", "", "2023-02-01T12:00", ""),
    ]
    (name,) = (name for name, text in past.titles.items() if text == "Issue 1")
    assert past.marks == [Mark(name, "task.imported", "mayor", micros("2023-02-01T12:00:00"))]
    assert figures.lanes(past) == [nux, "mayor"]


def test_work_here_goes_on_from_the_life_in_the_source(years: Crew) -> None:
    years.do("start bd-3 --as ada")
    past = past_of(years)

    (assigned, working) = lives(past, "Issue 3")
    assert assigned[:3] == ("ASSIGNED", "", "2024-05-01T08:00")
    assert working == ("WORKING", "ada", assigned[3], "")
    assert assigned[3] > "2026"


def test_since_keeps_what_was_open_then_and_begins_there(years: Crew) -> None:
    past = past_of(years, since="2024-01-01T00:00:00")

    assert sorted(past.titles.values()) == ["Issue 2", "Issue 3"]
    assert lives(past, "Issue 2")[0] == ("ASSIGNED", "", "2024-01-01T00:00", "2024-03-01T12:00")
    assert past.begin == micros("2024-01-01T00:00:00")
    spawned = traces(figures.throughput_figure(past))[-1]
    assert sum(spawned.y) == 1  # only Issue 3 was made since
    assert years.do("report r.html --since 2024-04-01")["tasks"] == 1


def test_an_issue_that_was_closed_meanwhile_ends_when_its_source_says(years: Crew) -> None:
    write(
        years.folder / "later" / "issues.jsonl",
        [
            bead(
                3,
                status="closed",
                created_at="2024-05-01T08:00:00Z",
                closed_at="2024-06-01T08:00:00Z",
                updated_at="2024-06-01T08:00:00Z",
            )
        ],
    )
    years.do("import --from beads later --as zoe")

    assert lives(past_of(years), "Issue 3") == [
        ("ASSIGNED", "", "2024-05-01T08:00", "2024-06-01T08:00"),
        ("COMPLETED", "", "2024-06-01T08:00", ""),
    ]


def test_times_that_cannot_be_are_kept_within_what_can(crew: Crew) -> None:
    """An issue that ends before it begins, and one of a tracker whose clock is a century ahead."""
    closed = {"status": "closed", "created_at": "2024-05-01T08:00:00Z", "updated_at": "2024-05-01T08:00:00Z"}
    write(
        crew.folder / ".beads" / "issues.jsonl",
        [
            bead(1, **closed, closed_at="2020-01-01T00:00:00Z"),
            bead(2, **closed, closed_at="2120-01-01T00:00:00Z"),
        ],
    )
    crew.do("import --from beads .beads --as zoe")
    past = past_of(crew)

    assert lives(past, "Issue 1") == [("COMPLETED", "", "2024-05-01T08:00", "")]
    assert format_time(past.end) < "2100"
    assert all(span.end == 0 or span.begin <= span.end for span in past.spans)


def test_tissue_has_its_times_too(crew: Crew) -> None:
    made = 1_695_459_391_409
    write(
        crew.folder / ".tissue" / "issues.jsonl",
        [snapshot(created_at=made, updated_at=made + 60_000, title="Old")],
    )
    crew.do("import --from tissue .tissue --as zoe")

    assert lives(past_of(crew), "Old")[0][:3] == ("ASSIGNED", "", "2023-09-23T08:56")


@pytest.mark.skipif(not DATA.is_dir(), reason="no real files of Beads and Tissue beside the project")
@pytest.mark.parametrize("folder", ["beads", "gastown"])
def test_the_history_of_a_real_tracker_is_drawn_whole(crew: Crew, folder: str) -> None:
    crew.do(f"import --from beads {DATA / folder} --as zoe")
    issues: list[Any] = records(DATA / folder / "issues.jsonl")
    past = past_of(crew)

    first = min(issue["created_at"] for issue in issues)
    assert format_time(past.begin)[:19] <= first[:19]
    closed = sorted(issue["closed_at"][:16] for issue in issues if issue["status"] == "closed")
    assert sorted(format_time(span.begin)[:16] for span in past.spans if span.state == "COMPLETED") == closed
    assert Path(crew.do("report r.html")["file"]).stat().st_size < 6_000_000
