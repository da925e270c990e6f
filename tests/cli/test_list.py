"""`list` and `ready`: filters, pages, fields, reasons."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Crew, why


@pytest.fixture
def busy(crew: Crew) -> dict[str, str]:
    """A task in most states, by a word for each."""
    crew.do("join ada")
    tasks = {
        "waiting": crew.spawn("waiting", "-p 1 -l bug -l ui"),
        "bobs": crew.spawn("bobs", "--to bob -l bug"),
        "working": crew.spawn("working", "-p 0"),
        "cancelled": crew.spawn("cancelled"),
    }
    crew.start(tasks["working"], "ada")
    tasks["review"], _ = crew.submitted("review")
    tasks["done"], _ = crew.submitted("done")
    crew.do(f"approve {tasks['done']} --as zoe")
    crew.do(f"cancel {tasks['cancelled']} --as zoe")
    return tasks


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "working waiting bobs cancelled review done"),
        ("--state WORKING", "working"),
        ("--state working,in-review", "working review"),
        ("--state open", "working waiting bobs review"),
        ("-s COMPLETED -s CANCELLED", "cancelled"),
        ("--holder ada", "working review"),
        ("--holder kim", ""),
        ("--assignee bob", "bobs"),
        ("--assignee anyone --state ASSIGNED", "waiting"),
        ("--label bug", "waiting bobs"),
        ("--label bug --label ui", "waiting"),
        ("--label bug --state ASSIGNED --assignee bob", "bobs"),
        ("--label none", ""),
    ],
)
def test_filters_go_together(crew: Crew, busy: dict[str, str], options: str, expected: str) -> None:
    answer = crew.do(f"list {options}")

    assert [row["id"] for row in answer["tasks"]] == [busy[word] for word in expected.split()]
    assert answer["more"] == 0


def test_a_row_says_what_one_needs_at_a_glance(crew: Crew, busy: dict[str, str]) -> None:
    [row] = crew.do("list --holder ada --state WORKING")["tasks"]

    updated = row.pop("updated")
    assert row == {
        "id": busy["working"],
        "title": "working",
        "state": "WORKING",
        "priority": 0,
        "assignee": None,
        "holder": "ada",
        "labels": [],
        "slug": None,
    }
    assert updated.endswith("Z")
    lines = crew.run("list").out.splitlines()
    assert lines[0] == f"{busy['working']}  WORKING    p0  ada   working"
    assert lines[2] == f"{busy['bobs']}  ASSIGNED   p2  →bob  bobs [bug]"


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_pages_give_every_task_exactly_once(crew: Crew, size: int) -> None:
    tasks = [crew.spawn(f"task {number}", f"-p {number % 4}") for number in range(12)]
    expected = [row["id"] for row in crew.do("list")["tasks"]]
    assert sorted(expected) == sorted(tasks)

    found: list[str] = []
    cursor = ""
    while True:
        page = crew.do(f"list --limit {size} {cursor}")
        found += [row["id"] for row in page["tasks"]]
        assert page["more"] == len(tasks) - len(found)
        if not page["more"]:
            assert "cursor" not in page
            break
        cursor = f"--cursor {page['cursor']}"

    assert found == expected


def test_a_page_stays_where_it_was_when_tasks_come_and_go(crew: Crew) -> None:
    tasks = [crew.spawn(f"task {number}") for number in range(4)]
    cursor = crew.do("list --limit 2")["cursor"]

    crew.spawn("urgent", "-p 0")
    crew.do(f"cancel {tasks[0]} --as zoe")

    rest = [row["id"] for row in crew.do(f"list --cursor {cursor}")["tasks"]]
    assert rest == tasks[2:]


def test_people_are_told_how_many_more_there_are_and_how_to_see_them(crew: Crew) -> None:
    for number in range(3):
        crew.spawn(f"task {number}")

    result = crew.run("list", "-n", "2")

    assert result.err.startswith("1 more: --limit 3, or --cursor ")
    assert crew.run("list", "-n", "2", "--quiet").err == ""


def test_fields_are_chosen_in_the_order_that_is_asked_for(crew: Crew, busy: dict[str, str]) -> None:
    [row] = crew.do("list --holder ada --state WORKING --fields state,id")["tasks"]

    assert list(row.items()) == [("state", "WORKING"), ("id", busy["working"])]
    refused = crew.refused("list --fields id,nope")
    assert why(refused) == ("bad-value", 2)
    assert "id, title, state" in refused["hint"]


def test_full_rows_hold_everything(crew: Crew, busy: dict[str, str]) -> None:
    [row] = crew.do("list --full --state IN_REVIEW")["tasks"]

    assert row == crew.do(f"show {busy['review']}")["task"]


def test_quiet_lists_ids_only(crew: Crew, busy: dict[str, str]) -> None:
    assert crew.run("list", "-q", "--label", "bug").out.split() == [busy["waiting"], busy["bobs"]]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("--state DOING", "bad-value"),
        ("--limit 0", "usage"),
        ("--limit many", "usage"),
        ("--cursor nonsense", "bad-value"),
        ("--holder 'A B'", "bad-name"),
        ("--holder ''", "bad-name"),
        ("--assignee ''", "bad-name"),
    ],
)
def test_a_wrong_filter_is_refused(crew: Crew, options: str, code: str) -> None:
    refused = crew.refused(f"list {options}")

    assert why(refused) == (code, 2)
    assert refused["hint"]


def test_an_empty_list_is_no_error(crew: Crew) -> None:
    assert crew.do("list") == {"tasks": [], "more": 0}
    assert (crew.run("list").out, crew.run("list").err) == ("", "no tasks\n")


def test_ready_lists_mine_and_anyones_best_first(crew: Crew, busy: dict[str, str]) -> None:
    urgent = crew.spawn("urgent", "-p 0")

    def ready(more: str = "") -> list[str]:
        return [row["id"] for row in crew.do(f"ready {more}")["tasks"]]

    assert ready("--as bob") == [busy["bobs"], urgent, busy["waiting"]]
    assert ready("--as ada") == [urgent, busy["waiting"]]
    assert ready() == [urgent, busy["waiting"], busy["bobs"]]


def test_ready_comes_in_pages_too(crew: Crew) -> None:
    tasks = [crew.spawn(f"task {number}") for number in range(5)]

    first = crew.do("ready -n 2")
    second = crew.do(f"ready -n 3 --cursor {first['cursor']}")

    assert [row["id"] for row in first["tasks"] + second["tasks"]] == tasks
    assert (first["more"], second["more"]) == (3, 0)


def test_explain_says_why_a_task_is_not_ready(crew: Crew) -> None:
    first = crew.spawn("first")
    second = crew.spawn("second", f"--after {first}")
    bobs = crew.spawn("bobs", "--to bob")

    answer = crew.do("ready --explain")

    waiting = {row["id"]: row["why"] for row in answer["waiting"]}
    assert waiting[second] == [f"It waits for {first} (first), which is ASSIGNED: `crewlog show {first}`."]
    assert bobs not in waiting
    told = crew.run("ready", "--explain").out
    assert re.search(rf"{second}  not ready  .+\n    It waits for {first} \(first\), which is ", told)


def test_an_assignee_without_tasks_is_answered_with_the_names_that_end_so(crew: Crew) -> None:
    crew.spawn("one", "--to gastown.crew.nux")
    crew.spawn("two", "--to gastown.crew.linux")

    done = crew.run("list", "--assignee", "nux")

    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-1] == "names that end so: gastown.crew.nux"
    assert "names that end" not in crew.run("list", "--assignee", "gastown.crew.nux").err
    assert "names that end" not in crew.run("list", "--assignee", "nobody").err


def test_explain_says_how_many_more_are_not_ready(crew: Crew) -> None:
    first = crew.spawn("first")
    for title in ("second", "third", "bobs"):
        crew.spawn(title, "--to bob" if title == "bobs" else f"--after {first}")
    for who, more in (("", 1), ("--as ada", 2)):
        answer = crew.do(f"ready --explain -n 1 {who}")
        assert (len(answer["waiting"]), answer["waiting_more"]) == (1, more)
        assert (
            f"{more} more are not ready: --limit {more + 1}"
            in crew.run(*f"ready --explain -n 1 {who}".split()).err
        )
