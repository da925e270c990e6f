from __future__ import annotations

from pathlib import Path

from domain.task import CANCELLED
from tests.support.foreign import dep, one, read_all, snapshot, write


def test_the_highest_rev_wins_wherever_it_stands_and_the_others_are_history(tmp_path: Path) -> None:
    issue = one(
        "tissue",
        tmp_path,
        snapshot(rev="01B", status="in_progress"),
        snapshot(rev="01C", status="closed", tags=["ci", "needs review"]),
        snapshot(rev="01A"),
    )

    assert (issue.status, issue.labels) == ("closed", ("ci", "needs review"))
    assert [entry.origin["rev"] for entry in issue.entries] == ["01B", "01A"]
    assert {entry.kind for entry in issue.entries} == {"snapshot"}


def test_of_equal_revs_the_later_update_wins_and_else_the_first_line(tmp_path: Path) -> None:
    later = one("tissue", tmp_path, snapshot(title="a"), snapshot(title="b", updated_at=1_795_459_391_410))
    first = one("tissue", tmp_path, snapshot(title="a"), snapshot(title="b"))

    assert (later.title, first.title) == ("b", "a")


def test_comments_have_their_time_and_stay_with_their_issue(tmp_path: Path) -> None:
    comment = {
        "type": "comment",
        "id": "01M",
        "issue_id": "tz-aaaaaaaa",
        "body": "Root cause",
        "created_at": 1_795_459_391_424,
    }

    issue = one("tissue", tmp_path, comment, snapshot())

    [entry] = issue.entries
    assert (entry.kind, entry.text, entry.at) == ("comment", "Root cause", "2026-11-23T18:43:11.424000Z")
    assert entry.origin["id"] == "01M"


def test_a_blocks_b_makes_b_wait_and_what_was_removed_is_history_only(tmp_path: Path) -> None:
    names = ("aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd")
    records = [
        *(snapshot(name) for name in names),
        dep("aaaaaaaa", "bbbbbbbb"),
        dep("aaaaaaaa", "cccccccc", "parent"),
        dep("aaaaaaaa", "dddddddd", "relates"),
        dep("bbbbbbbb", "cccccccc", rev="01A"),
        dep("bbbbbbbb", "cccccccc", state="removed", rev="01B"),
        dep("cccccccc", "bbbbbbbb", state="removed", rev="01B"),
        dep("cccccccc", "bbbbbbbb", rev="01A"),
    ]

    issues, told = read_all("tissue", write(tmp_path / "issues.jsonl", records))

    links = {name: set(issues[f"tz-{name}"].dependencies) for name in names}
    assert links == {
        "aaaaaaaa": {("relates", "tz-dddddddd")},
        "bbbbbbbb": {("after", "tz-aaaaaaaa")},
        "cccccccc": {("parent", "tz-aaaaaaaa")},
        "dddddddd": set(),
    }
    said = [entry.text for entry in issues["tz-cccccccc"].entries]
    assert "tz-bbbbbbbb blocks tz-cccccccc: removed" in said
    assert told == []


def test_a_link_to_an_issue_outside_stays_with_the_one_inside(tmp_path: Path) -> None:
    records = [
        snapshot(),
        dep("aaaaaaaa", "zzzzzzzz"),
        dep("zzzzzzzz", "aaaaaaaa", "parent"),
        dep("yyyyyyyy", "zzzzzzzz"),
    ]

    issues, told = read_all("tissue", write(tmp_path / "issues.jsonl", records))

    assert set(issues["tz-aaaaaaaa"].dependencies) == {("blocks", "tz-zzzzzzzz"), ("parent", "tz-zzzzzzzz")}
    assert [(found.code, found.line) for found in told] == [("no-issue", 4)]


def test_a_duplicate_is_cancelled_and_says_so(tmp_path: Path) -> None:
    issue = one("tissue", tmp_path, snapshot(status="duplicate", updated_at=1_795_459_400_000))

    assert issue.state == CANCELLED
    assert issue.ending == ("2026-11-23T18:43:20.000000Z", "", "duplicate")


def test_a_record_of_no_known_type_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path / "issues.jsonl",
        [snapshot(), {"type": "lock"}, {"id": "tz-x"}, {"type": "comment", "body": "?"}],
    )

    _, told = read_all("tissue", path)

    assert [(found.line, found.code) for found in told] == [(2, "bad-line"), (3, "bad-line"), (4, "bad-line")]
