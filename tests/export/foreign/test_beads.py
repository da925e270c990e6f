from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.task import ASSIGNED, CANCELLED, COMPLETED
from tests.support.foreign import Fields, bead, needs, one, read_all, write


def test_an_issue_keeps_its_title_texts_priority_people_and_times(tmp_path: Path) -> None:
    issue = one(
        "beads",
        tmp_path,
        bead(
            design="Two steps.",
            acceptance_criteria="It greets.",
            notes="Seen in CI.",
            priority=0,
            assignee="gastown/polecats/nux",
            created_by="Bryan Hirsch",
        ),
    )

    assert (issue.title, issue.priority, issue.assignee) == ("Issue 1", 0, "gastown/polecats/nux")
    assert (issue.by, issue.created) == ("Bryan Hirsch", "2025-11-03T05:58:07.295058Z")
    assert issue.updated == "2025-11-03T20:56:22.000000Z"
    assert issue.body == (
        "What is wrong.\n\n## Design\n\nTwo steps.\n\n## Acceptance criteria\n\nIt greets.\n\n## Notes\n\nSeen in CI."
    )


@pytest.mark.parametrize(
    ("status", "state", "label"),
    [
        ("open", ASSIGNED, ""),
        (None, ASSIGNED, ""),
        ("in_progress", ASSIGNED, "was:in_progress"),
        ("hooked", ASSIGNED, "was:in_progress"),
        ("closed", COMPLETED, ""),
        ("tombstone", CANCELLED, ""),
        ("duplicate", CANCELLED, ""),
        ("pinned", ASSIGNED, "hold"),
        ("paused", ASSIGNED, "hold"),
        ("deferred", ASSIGNED, "hold"),
        ("blocked", ASSIGNED, "hold"),
        ("in review, twice", ASSIGNED, "was:in review, twice"),
    ],
)
def test_every_status_has_its_state(tmp_path: Path, status: str | None, state: str, label: str) -> None:
    issue = one("beads", tmp_path, bead(status=status))

    assert issue.state == state
    assert set(issue.labels) == {label, "type:task"} - {""}
    unknown = status is not None and status.startswith("in review")
    assert [remark.code for remark in issue.remarks] == (["unknown-status"] if unknown else [])


def test_unknown_fields_stay_verbatim_and_nulls_too(tmp_path: Path) -> None:
    strange: Fields = {
        "wisp_type": "",
        "metadata": '{"a":1}',
        "quality": None,
        "bonded_from": [{"source_id": "x"}],
    }

    issue = one("beads", tmp_path, bead(**strange))

    assert {name: issue.origin[name] for name in strange} == strange
    assert issue.origin["created_at"] == "2025-11-02T21:58:07.295058123-08:00"
    assert issue.raw == ""


def test_what_does_not_fit_into_an_event_is_kept_as_the_line_it_was(tmp_path: Path) -> None:
    issue = one("beads", tmp_path, bead(score=0.85, waiters=["w" * 100] * 100))

    assert json.loads(issue.raw)["score"] == 0.85
    assert len(json.loads(issue.raw)["waiters"]) == 100
    assert issue.origin["score"] == "0.85"
    assert "waiters" not in issue.origin


def test_labels_keep_blanks_and_commas_and_only_what_is_too_long_is_cut(tmp_path: Path) -> None:
    long = "delivery-acked-by:" + "gastown/" * 10

    issue = one("beads", tmp_path, bead(labels=["needs review", "a,b", long, "two\nlines"]))

    assert issue.labels[:2] == ("needs review", "a,b")
    assert [remark.code for remark in issue.remarks] == ["label", "label"]
    assert max(map(len, issue.labels)) <= 64
    assert issue.origin["labels"][2] == long


def test_dependencies_of_every_kind_and_place_become_links(tmp_path: Path) -> None:
    kinds = (
        "blocks",
        "waits-for",
        "conditional-blocks",
        "parent-child",
        "related",
        "relates-to",
        "discovered-from",
    )
    inside = [needs(1, number, kind) for number, kind in enumerate(kinds, 2)]
    write(tmp_path / "dependencies.jsonl", [needs(1, 20), needs(1, 2), needs(21, 1, "tracks")])

    issues, told = read_all(
        "beads",
        write(tmp_path / "issues.jsonl", [bead(1, dependencies=inside, relates_to=["bd-30"], parent="bd-5")]),
    )

    links = set(issues["bd-1"].dependencies)
    after = {("after", f"bd-{number}") for number in (2, 3, 4, 20)}
    relates = {("relates", f"bd-{number}") for number in (6, 7, 30)}
    assert links == after | relates | {
        ("parent", "bd-5"),
        ("discovered-from", "bd-8"),
        ("inverse-tracks", "bd-21"),
    }
    assert told == []


def test_an_issue_that_depends_on_itself_or_on_nothing_is_told(tmp_path: Path) -> None:
    issue = one("beads", tmp_path, bead(1, dependencies=[needs(1, 1), {"type": "blocks"}, 7, None]))

    assert issue.dependencies == ()
    assert [(remark.code, remark.left_out) for remark in issue.remarks] == [
        ("self-dependency", False),
        ("bad-dependency", True),
        ("bad-dependency", True),
        ("bad-dependency", True),
    ]
    assert len(issue.origin["dependencies"]) == 4


def test_comments_inside_and_beside_are_found_once_in_their_order(tmp_path: Path) -> None:
    first = {
        "id": 1,
        "issue_id": "bd-1",
        "author": "Ada L",
        "text": "later",
        "created_at": "2025-12-02T00:00:00Z",
    }
    second = {
        "id": "u-2",
        "issue_id": "bd-1",
        "author": "bob",
        "text": "earlier",
        "created_at": "2025-12-01T00:00:00Z",
    }
    write(tmp_path / "comments.jsonl", [first, second])

    issues, _ = read_all("beads", write(tmp_path / "issues.jsonl", [bead(1, comments=[first, "bare"])]))

    entries = issues["bd-1"].entries
    assert [(entry.by, entry.text) for entry in entries] == [
        ("", "bare"),
        ("bob", "earlier"),
        ("Ada L", "later"),
    ]
    assert {entry.kind for entry in entries} == {"comment"}
    assert entries[2].origin == {"id": 1, "created_at": "2025-12-02T00:00:00Z"}


def test_events_beside_the_issues_are_their_history(tmp_path: Path) -> None:
    changed = {
        "actor": "mayor",
        "comment": None,
        "created_at": "2026-02-26T17:10:51Z",
        "event_type": "status_changed",
        "id": 23,
        "issue_id": "bd-1",
        "new_value": '{"assignee":"","status":"hooked"}',
        "old_value": "{}",
    }
    closed = {
        **changed,
        "event_type": "closed",
        "actor": "gastown/witness",
        "id": 24,
        "new_value": "Fixed",
        "created_at": "2026-02-27T17:10:51Z",
    }
    write(tmp_path / "events.jsonl", [closed, changed, closed])

    issues, _ = read_all(
        "beads", write(tmp_path / "issues.jsonl", [bead(status="closed", closed_at="2026-02-27T17:10:50Z")])
    )

    issue = issues["bd-1"]
    assert [(entry.kind, entry.by, entry.text) for entry in issue.entries] == [
        ("status_changed", "mayor", "assignee: -, status: hooked"),
        ("closed", "gastown/witness", "Fixed"),
    ]
    assert issue.entries[0].origin["old_value"] == "{}"
    assert issue.ending is not None
    assert (issue.ending.at, issue.ending.by) == ("2026-02-27T17:10:50.000000Z", "gastown/witness")


def test_a_tombstone_says_who_deleted_it_when_and_why(tmp_path: Path) -> None:
    issue = one(
        "beads",
        tmp_path,
        bead(
            status="tombstone",
            deleted_at="2025-12-02T05:05:53Z",
            deleted_by="stevey",
            delete_reason="batch delete",
            original_type="bug",
            issue_type="",
        ),
    )

    assert issue.ending == ("2025-12-02T05:05:53.000000Z", "stevey", "batch delete")
    assert "type:bug" in issue.labels


def test_of_two_lines_with_one_id_the_newer_counts_and_the_older_is_history(tmp_path: Path) -> None:
    newer, older = bead(title="new", updated_at="2025-12-01T00:00:00Z"), bead(title="old")

    issue = one("beads", tmp_path, newer, older)

    assert issue.title == "new"
    assert [(entry.kind, entry.text) for entry in issue.entries] == [("snapshot", "status: open, title: old")]


@pytest.mark.parametrize(
    ("given", "title", "code"),
    [
        ("x" * 700, "x" * 499 + "…", "title"),
        ("two\nlines\u2028and more", "two lines and more", "title"),
        ("", "bd-1", "title"),
        (None, "bd-1", "title"),
    ],
)
def test_a_title_fits_one_line(tmp_path: Path, given: str | None, title: str, code: str) -> None:
    issue = one("beads", tmp_path, bead(title=given))

    assert issue.title == title
    assert [remark.code for remark in issue.remarks] == [code]


@pytest.mark.parametrize(
    ("given", "priority"), [(0, 0), (9, 9), (12, 9), (-1, 0), ("3", 3), (None, 2), ([], 2), ("high", 2)]
)
def test_a_priority_stays_between_0_and_9(tmp_path: Path, given: object, priority: int) -> None:
    assert one("beads", tmp_path, bead(priority=given)).priority == priority


def test_lines_that_are_no_issue_are_told_with_line_and_byte(tmp_path: Path) -> None:
    path = write(
        tmp_path / "issues.jsonl",
        [
            b"\xef\xbb\xbf" + json.dumps(bead(1)).encode() + b"\r",
            "",
            "<<<<<<< HEAD",
            bead(2),
            {"title": "no id"},
            {"_type": "memory", "key": "k", "value": "v"},
            {**bead(3), "_type": "issue"},
            '{"id": "bd-4", "title":',
        ],
    )

    issues, told = read_all("beads", path)

    assert set(issues) == {"bd-1", "bd-2", "bd-3"}
    data = path.read_bytes()
    assert [(found.line, data[found.offset :].split(b"\n")[0][:10]) for found in told] == [
        (3, b"<<<<<<< HE"),
        (5, b'{"title": '),
        (6, b'{"_type": '),
        (8, b'{"id": "bd'),
    ]


def test_what_belongs_to_no_issue_of_the_file_is_told(tmp_path: Path) -> None:
    write(tmp_path / "labels.jsonl", [{"issue_id": "bd-1", "label": "x"}, {"issue_id": "bd-9", "label": "y"}])
    write(tmp_path / "dependencies.jsonl", [needs(8, 9), needs(1, 9), needs(9, 1)])

    issues, told = read_all("beads", write(tmp_path / "issues.jsonl", [bead(1)]))

    assert "x" in issues["bd-1"].labels
    assert set(issues["bd-1"].dependencies) == {("after", "bd-9"), ("blocks", "bd-9")}
    assert sorted((Path(found.path).name, found.line) for found in told) == [
        ("dependencies.jsonl", 1),
        ("labels.jsonl", 2),
    ]
