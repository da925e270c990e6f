"""Real files of Beads and Tissue, where they lie beside the project: all that they hold is found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Crew

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
KINDS = {
    "blocks": "after",
    "waits-for": "after",
    "conditional-blocks": "after",
    "parent-child": "parent",
    "related": "relates",
}
STATES = {"closed": "COMPLETED", "tombstone": "CANCELLED", "duplicate": "CANCELLED"}
HOLD = ("pinned", "paused", "deferred", "blocked")

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="no real files of Beads and Tissue beside the project"
)


def records(path: Path) -> list[Any]:
    """The records of a file; none where there is no such file."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line] if path.exists() else []


def imported(crew: Crew, system: str, folder: str) -> dict[str, Any]:
    """Import a folder, twice, and return the tasks by their slugs."""
    answer = crew.do(f"import --from {system} {DATA / folder} --as zoe")
    again = crew.do(f"import --from {system} {DATA / folder} --as zoe")
    assert answer["left_out"] == 0
    assert (again["imported"], again["synced"], again["unchanged"]) == (0, 0, answer["issues"])
    assert crew.do("rebuild")["same"]
    return {task["slug"]: task for task in crew.do("list --limit 100000 --full")["tasks"]}


@pytest.mark.parametrize("folder", ["beads", "gastown"])
def test_every_issue_of_beads_is_found_with_all_that_it_has(crew: Crew, folder: str) -> None:
    tasks = imported(crew, "beads", folder)

    issues = {issue["id"]: issue for issue in records(DATA / folder / "issues.jsonl")}
    assert set(tasks) == set(issues)
    for name, issue in issues.items():
        task = tasks[name]
        assert task["title"] == issue["title"]
        assert task["priority"] == issue["priority"]
        assert task["state"] == STATES.get(issue["status"], "ASSIGNED")
        assert ("hold" in task["labels"]) >= (issue["status"] in HOLD)
        assert (issue["status"] in ("in_progress", "hooked")) == ("was:in_progress" in task["labels"])
        assert {*issue.get("labels", ()), f"type:{issue['issue_type']}"} <= {*task["labels"]}
        assert (task["source"]["assigned"] or None) == (issue.get("assignee") or None)
        assert task["created"] <= task["updated"]
    assert_links(tasks, [dep for issue in issues.values() for dep in issue.get("dependencies", ())])
    assert_links(tasks, records(DATA / folder / "dependencies.jsonl"))
    for label in records(DATA / folder / "labels.jsonl"):
        assert label["label"] in tasks[label["issue_id"]]["labels"]


def assert_links(tasks: dict[str, Any], dependencies: list[Any]) -> None:
    """Each dependency is a link: to a task where that is here, else to the id of the source."""
    for dependency in dependencies:
        to = dependency["depends_on_id"]
        kind = KINDS.get(dependency["type"], dependency["type"])
        links = {(link["kind"], link["to"]) for link in tasks[dependency["issue_id"]]["links"]}
        assert (kind, tasks[to]["id"] if to in tasks else to) in links


def test_every_event_of_beads_is_in_the_history_of_its_task(crew: Crew) -> None:
    crew.do(f"import --from beads {DATA / 'gastown'} --as zoe")
    names = {"event_type", "actor", "issue_id"}

    kept: dict[str, list[Any]] = {}
    for event in records(DATA / "gastown" / "events.jsonl"):
        issue = event["issue_id"]
        if issue not in kept:
            shown = crew.do(f"show {issue} --full")["events"]
            kept[issue] = [item["payload"] for item in shown if item["type"] == "task.source-event"]
        [found] = [payload for payload in kept[issue] if same(payload, event, names)]
        assert found["kind"] == event["event_type"]
        assert (found.get("actor") or found["by"]) == event["actor"]


def same(payload: Any, event: Any, elsewhere: set[str]) -> bool:
    """True for the history entry that this event became, whole in it or as the line that it was."""
    if "raw" in payload:
        return bool(json.loads(payload["raw"]) == event)
    return bool(payload["source"] == {name: value for name, value in event.items() if name not in elsewhere})


def test_every_issue_comment_tag_and_dependency_of_tissue_is_found(crew: Crew) -> None:
    tasks = imported(crew, "tissue", "tissue")

    newest: dict[str, Any] = {}
    for record in records(DATA / "tissue" / "issues.jsonl"):
        if record["type"] == "issue" and record["rev"] > newest.get(record["id"], {"rev": ""})["rev"]:
            newest[record["id"]] = record
        if record["type"] == "comment":
            said = [
                event["payload"].get("text")
                for event in crew.do(f"show {record['issue_id']} --full")["events"]
            ]
            assert record["body"] in said
    assert set(tasks) == set(newest)
    for name, issue in newest.items():
        task = tasks[name]
        assert (task["title"], task["body"], task["priority"]) == (
            issue["title"],
            issue["body"],
            issue["priority"],
        )
        assert {*issue["tags"]} <= {*task["labels"]}
        assert task["state"] == STATES.get(issue["status"], "ASSIGNED")
    assert {"kind": "after", "to": tasks["tz-7nwrooce"]["id"]}.items() <= tasks["tz-0zjp3a0m"]["links"][
        0
    ].items()
