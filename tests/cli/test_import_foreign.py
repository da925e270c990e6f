from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from export.foreign.importer import REMARKS
from tests.cli.conftest import Crew, Terminal, why
from tests.support.foreign import bead, dep, needs, snapshot, write


def beads(crew: Crew, *records: Any) -> Path:
    """A folder of Beads beside the store, with these issues."""
    return write(crew.folder / ".beads" / "issues.jsonl", records)


def take_in(crew: Crew, more: str = "") -> Any:
    """Import the folder as zoe; nothing may be left out."""
    return crew.do(f"import --from beads .beads --as zoe {more}")


def test_issues_are_found_by_their_ids_with_state_labels_links_and_comments(crew: Crew) -> None:
    said = {"id": 7, "author": "Bryan Hirsch", "text": "Seen in CI.", "created_at": "2026-03-06T11:17:11Z"}
    beads(
        crew,
        bead(1, status="closed", closed_at="2025-12-01T00:00:00Z", close_reason="Fixed", created_by="stevey"),
        bead(2, status="in_progress", assignee="gastown/polecats/nux", labels=["ci"], comments=[said]),
        bead(3, dependencies=[needs(3, 1), needs(3, 2), needs(3, "external:rig:x-1"), needs(3, 1, "tracks")]),
    )

    answer = take_in(crew)

    counts = {
        name: answer[name] for name in ("issues", "imported", "comments", "labels", "dependencies", "outside")
    }
    assert counts == {"issues": 3, "imported": 3, "comments": 1, "labels": 5, "dependencies": 4, "outside": 1}
    first, second, third = (crew.do(f"show bd-{number}")["task"] for number in (1, 2, 3))
    assert (first["state"], first["end"]["reason"], first["end"]["at"]) == (
        "COMPLETED",
        "Fixed",
        "2025-12-01T00:00:00.000000Z",
    )
    assert (second["assignee"], second["labels"]) == (
        "gastown.polecats.nux",
        ["ci", "was:in_progress", "type:task"],
    )
    assert (second["notes"], second["source"]["assigned"]) == (1, "gastown/polecats/nux")
    assert third["after"] == [first["id"], second["id"], "external:rig:x-1"]
    assert sorted(third["blocked_by"]) == sorted([second["id"], "external:rig:x-1"])
    assert {"kind": "tracks", "to": first["id"]}.items() <= third["links"][-1].items()
    assert crew.do("ready --as gastown.polecats.nux")["tasks"][0]["slug"] == "bd-2"


def test_what_people_see_reads_as_in_the_source(crew: Crew) -> None:
    said = {"author": "Bryan Hirsch", "text": "Seen in CI.", "created_at": "2026-03-06T11:17:11Z"}
    beads(
        crew,
        bead(1, created_by="stevey", assignee="Ada L", labels=["needs review"], comments=[said]),
        bead(2, dependencies=[needs(2, 1)]),
    )
    take_in(crew)

    shown, waiting = crew.run("show", "bd-1").out, crew.run("show", "bd-2").out

    assert (
        "source    beads bd-1, open; made 2025-11-03 05:58:07 by stevey, changed 2025-11-03 20:56:22" in shown
    )
    assert "for       ada.l, in the source Ada L" in shown
    assert 'labels    "needs review" type:task' in shown
    assert "2026-03-06 11:17:11 Bryan Hirsch Seen in CI." in shown
    assert "(bd-1)" in waiting
    assert "bd-1: Issue 1" in crew.run("list").out
    assert "2026-03-06 11:17:11 Bryan Hirsch Seen in CI." in crew.run("log", "bd-1").out
    assert crew.do("list --label 'needs review'")["tasks"][0]["slug"] == "bd-1"


def test_a_second_import_adds_nothing_and_a_changed_source_is_synced(crew: Crew) -> None:
    beads(crew, bead(1), bead(2))
    take_in(crew)
    before = crew.do("export")["events"]

    again = take_in(crew)
    assert (again["imported"], again["synced"], again["unchanged"]) == (0, 0, 2)
    assert crew.do("export")["events"] == before

    beads(crew, bead(1, status="closed", close_reason="Fixed"), bead(2), bead(3))
    changed = take_in(crew)
    assert (changed["imported"], changed["synced"], changed["unchanged"]) == (1, 1, 1)
    assert crew.state("bd-1") == "COMPLETED"
    assert "changed: state, ended, reason, status" in crew.run("log", "bd-1").out


def test_what_was_changed_here_is_not_overwritten_and_that_is_said(crew: Crew) -> None:
    beads(crew, bead(1))
    take_in(crew)
    crew.do("edit bd-1 --title 'Our title' --as ada")

    beads(crew, bead(1, title="Their title", priority=0))
    answer = take_in(crew)

    [finding] = answer["findings"]
    assert (finding["code"], finding["id"], finding["line"]) == ("kept", "bd-1", 1)
    task = crew.do("show bd-1")["task"]
    assert (task["title"], task["priority"]) == ("Our title", 0)


def test_a_dependency_finds_its_issue_once_that_is_imported_too(crew: Crew) -> None:
    beads(crew, bead(1, dependencies=[needs(1, 2)]))
    assert take_in(crew)["outside"] == 1
    assert crew.do("show bd-1")["task"]["after"] == ["bd-2"]

    beads(crew, bead(2))
    take_in(crew)
    beads(crew, bead(1, dependencies=[needs(1, 2)]))
    assert take_in(crew)["outside"] == 0

    assert crew.do("show bd-1")["task"]["after"] == [crew.do("show bd-2")["task"]["id"]]


def test_two_stores_that_import_one_file_have_the_same_tasks(crew: Crew) -> None:
    other = Crew(crew.folder / "other")
    other.folder.mkdir()
    other.do("init --as bob")
    beads(crew, *(bead(number, dependencies=[needs(number, number - 1)]) for number in range(1, 20)))

    here = crew.run("import", "--from", "beads", ".beads", "--as", "zoe", "--quiet").out.split()
    there = other.run("import", "--from", "beads", "../.beads", "--as", "bob", "--quiet").out.split()

    assert len(here) == 19
    assert here == there
    tasks = [store.do("list --full --limit 99")["tasks"] for store in (crew, other)]
    assert [[task["links"] for task in store] for store in tasks] == [
        [task["links"] for task in tasks[0]]
    ] * 2


def test_a_link_to_what_is_not_here_can_be_taken_off(crew: Crew) -> None:
    beads(crew, bead(1, dependencies=[needs(1, 9)]))
    take_in(crew)
    assert crew.do("ready")["tasks"] == []
    assert "bd-9" in crew.run("ready", "--explain").out

    crew.do("unlink bd-1 --after bd-9 --as zoe")

    assert [row["slug"] for row in crew.do("ready")["tasks"]] == ["bd-1"]
    take_in(crew)
    assert crew.do("show bd-1")["task"]["after"] == []


def test_a_bad_line_is_named_with_file_line_and_byte_and_the_rest_goes_on(crew: Crew) -> None:
    path = beads(crew, bead(1), "<<<<<<< HEAD", bead(2))

    result = crew.run("import", "--from", "beads", ".beads", "--as", "zoe")

    assert result.code == 4
    offset = path.read_bytes().index(b"<<<<<<<")
    assert f".beads/issues.jsonl:2 (byte {offset}): not JSON" in result.err
    assert "left out: 1" in result.out
    assert len(crew.do("list")["tasks"]) == 2


def test_of_many_remarks_the_first_of_each_kind_are_printed_and_the_rest_on_demand(crew: Crew) -> None:
    beads(crew, bead(1), *["<<<<<<< HEAD"] * 8, bead(2, dependencies=[needs(2, 2)]))
    line = ("import", "--from", "beads", ".beads", "--as", "zoe")

    told = crew.run(*line, "--dry-run").err.splitlines()

    (other,) = (remark for remark in told if "not JSON" not in remark and "more:" not in remark)
    assert "bd-2" in other  # not hidden by what comes before it
    assert sum("not JSON" in remark for remark in told) == 3
    assert told[-1] == "… and 5 more: bad-line (--full)"
    everything = crew.run(*line, "--full").err
    assert (everything.count("not JSON"), "more:" in everything) == (8, False)


def test_a_dry_run_says_the_same_and_writes_nothing(crew: Crew) -> None:
    beads(crew, bead(1), bead(2))
    before = crew.do("export")["events"]

    dry = take_in(crew, "--dry-run")
    assert crew.do("export")["events"] == before
    assert crew.do("list")["tasks"] == []

    wet = take_in(crew)
    assert {**dry, "dry_run": False} == wet


@pytest.mark.parametrize(
    "odd", ["bd/1 with space", "ümläut", "t-abcdefgh", "x" * 90, "a..b", "-dash", "two\nlines"]
)
def test_an_id_that_is_no_slug_is_found_all_the_same(crew: Crew, odd: str) -> None:
    beads(crew, bead(1, id=odd, title="odd"))

    [finding] = take_in(crew)["findings"]

    assert finding["code"] == "id"
    [row] = crew.do("list")["tasks"]
    assert crew.do(f"show {row['slug']}")["task"]["title"] == "odd"
    source = crew.do(f"show {row['id']}")["task"]["source"]["id"]
    assert json.loads(f'"{source}"') == odd
    if odd != "t-abcdefgh":  # whoever types that means the task of this id
        assert crew.do(f"show -- '{source}'")["task"]["id"] == row["id"]


def test_a_record_that_looks_like_it_holds_a_key_is_left_out_until_it_is_allowed(crew: Crew) -> None:
    key = "AKIA" + "Q7RT5WXY2ZAB3CDE"
    said = {"author": "bob", "text": f"use {key}", "created_at": "2026-03-06T11:17:11Z"}
    beads(crew, bead(1, description=f"aws_access_key_id = {key}"), bead(2), bead(3, comments=[said]))

    refused = crew.run("import", "--from", "beads", ".beads", "--as", "zoe", "--json")
    assert (refused.code, refused.json["left_out"]) == (4, 2)
    assert [finding["code"] for finding in refused.json["findings"]] == ["secret", "secret"]
    assert {row["slug"] for row in crew.do("list")["tasks"]} == {"bd-2", "bd-3"}

    allowed = take_in(crew, "--allow-secret")
    assert (allowed["imported"], allowed["synced"], allowed["comments"]) == (1, 1, 1)


def test_an_empty_file_is_passed_over_for_one_that_holds_issues(crew: Crew) -> None:
    beads(crew)
    write(crew.folder / ".beads" / "beads.jsonl", [bead(1)])

    assert crew.do("import --from beads . --as zoe")["path"] == "./.beads/beads.jsonl"


def test_tissue_is_read_from_its_folder(crew: Crew) -> None:
    records = [
        snapshot(),
        snapshot(rev="01B", status="closed"),
        snapshot("bbbbbbbb", status="paused"),
        dep("aaaaaaaa", "bbbbbbbb"),
    ]
    write(crew.folder / ".tissue" / "issues.jsonl", records)

    answer = crew.do("import --from tissue . --as zoe")

    assert (answer["imported"], answer["history"], answer["path"]) == (2, 2, "./.tissue/issues.jsonl")
    assert crew.state("tz-aaaaaaaa") == "COMPLETED"
    task = crew.do("show tz-bbbbbbbb")["task"]
    assert (task["labels"], task["after"]) == (["hold"], [crew.do("show tz-aaaaaaaa")["task"]["id"]])
    assert crew.do("ready")["tasks"] == []


@pytest.mark.parametrize(
    ("line", "code", "exit_code"),
    [
        ("import .beads/nothing --as zoe", "not-found", 3),
        ("import --from jira .beads --as zoe", "usage", 2),
        ("import --from beads nowhere --as zoe", "not-found", 3),
        ("import --from beads . --as zoe --key k", "usage", 2),
        ("import --from tissue empty --as zoe", "not-found", 3),
        ("import --from beads .beads", "no-name", 2),
    ],
)
def test_a_wrong_line_is_refused_with_a_hint(crew: Crew, line: str, code: str, exit_code: int) -> None:
    beads(crew, bead(1))
    (crew.folder / "empty").mkdir()

    refused = crew.refused(line)

    assert why(refused) == (code, exit_code)
    assert refused["hint"]


def test_a_progress_bar_shows_on_a_terminal(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from cli.app import run
    from cli.shell import Shell

    beads(crew, *(bead(number) for number in range(300)))
    monkeypatch.setenv("COLUMNS", "80")
    errors = Terminal()
    code = run(
        ["import", "--from", "beads", ".beads", "--as", "zoe"],
        Shell(io.StringIO(), io.StringIO(), errors, {}, str(crew.folder)),
    )

    assert code == 0
    assert "importing" in errors.getvalue()


def test_an_imported_task_is_worked_on_like_any_other(crew: Crew) -> None:
    beads(crew, bead(1, status="hooked", assignee="Ada"))
    take_in(crew)

    claim = crew.start("bd-1")
    crew.do(f"done bd-1 --as ada --claim {claim}")
    crew.do("approve bd-1 --as zoe")

    assert crew.state("bd-1") == "COMPLETED"
    assert crew.do("rebuild")["same"]


def test_every_finding_of_an_import_is_explained() -> None:
    project = Path(__file__).resolve().parents[2]
    code = "\n".join(path.read_text() for path in (project / "export" / "foreign").glob("*.py"))
    page = (project / "docs" / "moving.md").read_text()

    told = set(re.findall(r'(?:Remark|Finding|_finding)\(\s*"([a-z-]+)"', code))
    assert told == set(REMARKS)
    assert {name for name in REMARKS if f"`{name}`" not in page} == set()


def test_a_search_finds_what_was_imported_as_of_who_wrote_it_and_when(crew: Crew) -> None:
    said = {"author": "Bryan Hirsch", "text": "Seen in CI.", "created_at": "2026-03-06T11:17:11Z"}
    beads(crew, bead(1, created_by="stevey", comments=[said]))
    take_in(crew)

    [note] = crew.do("search seen --from bryan.hirsch")["hits"]

    assert (note["source_by"], note["source_at"][:19]) == ("bryan.hirsch", "2026-03-06T11:17:11")
    assert note["excerpt"].startswith("Seen in CI.")
    assert "2026-03-06" in crew.run("search", "seen", "--utc").out
    assert len(crew.do("search seen --since 2026-03-05")["hits"]) == 1
    assert crew.do("search seen --since 2026-03-08")["hits"] == []


def test_what_changed_since_counts_what_was_imported_and_how_much_of_it_is_completed(crew: Crew) -> None:
    beads(crew, bead(1, status="closed", closed_at="2025-12-01T00:00:00Z"), bead(2))
    take_in(crew)

    assert crew.do("status --since 1h")["since"]["imported"] == {"count": 2, "completed": 1}
    assert "2 imported, 1 of them are completed" in crew.run("status", "--since", "1h").out
