from __future__ import annotations

from typing import Any

import pytest

from domain.commands import Approve, Note, Progress, Reject, Release, Start, Submit
from domain.log import Log
from domain.refusals import Refusal
from projections import tasks
from projections.tasks import TaskFilter
from projections.views import Views
from tests.projections.histories import Pot
from tests.support.stores import SqliteStore, claim, do, new_stream


def spawned(log: Log, **fields: Any) -> str:
    """The id of a new task."""
    return new_stream(log, **fields).removeprefix("task/")


def refusal(views: Views, text: str) -> Refusal:
    """Why this text names no task."""
    with pytest.raises(Refusal) as caught:
        views.ask(lambda connection: tasks.resolve(connection, text))
    return caught.value


# --- which task --------------------------------------------------------------------------------------------------


def test_a_task_is_found_by_its_id_by_any_unique_prefix_and_by_its_slug(log: Log, views: Views) -> None:
    task_id = spawned(log, slug="Fix-Login")
    spawned(log)
    views.catch_up()
    for text in (task_id, task_id[:6], task_id[2:], task_id[2:6], "Fix-Login"):
        assert tasks.resolve(views.connection, text) == task_id


@pytest.mark.parametrize(
    "text", ["", "t-", "t-a", "a", "nothing", "t-22222222", "%", "t-%%", "é", "t-\x00a", "fix_login"]
)
def test_text_that_fits_no_task_is_not_found(text: str, log: Log, views: Views) -> None:
    spawned(log, slug="fix-login")
    assert refusal(views, text).code == "not-found"


def test_one_slug_for_two_tasks_is_ambiguous_and_both_are_named(log: Log, views: Views) -> None:
    ids = sorted(spawned(log, slug="login", title=title) for title in ("one", "two"))
    why = refusal(views, "login")
    assert why.code == "ambiguous"
    assert [row["id"] for row in why.details["candidates"]] == ids
    assert {tuple(row) for row in why.details["candidates"]} == {("id", "title", "state")}


def test_at_most_ten_candidates_are_named(log: Log, views: Views) -> None:
    for _ in range(12):
        spawned(log, slug="login")
    why = refusal(views, "login")
    assert len(why.details["candidates"]) == 10
    assert "more than 10" in why.message


def test_a_slug_wins_over_an_id_that_begins_like_it_but_not_where_it_looks_like_an_id(
    store: SqliteStore, views: Views
) -> None:
    pot = Pot(store)
    pot.add("task.spawned", "t-ap222222", title="an id that begins with ap", assignee=None)
    pot.add("task.spawned", "t-33333333", title="api", assignee=None, slug="ap")
    pot.add("task.spawned", "t-44444444", title="a trap", assignee=None, slug="t-ap")
    views.catch_up()
    assert tasks.resolve(views.connection, "ap") == "t-33333333"
    why = refusal(views, "t-ap")
    assert [row["id"] for row in why.details["candidates"]] == ["t-44444444", "t-ap222222"]


# --- one task ----------------------------------------------------------------------------------------------------


def test_a_whole_task_shows_all_that_its_events_said(log: Log, views: Views) -> None:
    blocker = spawned(log)
    task_id = spawned(
        log, body="All of it.", labels=("type:bug",), slug="login", after=(blocker,), assignee="ada"
    )
    waiting = spawned(log, after=(task_id,))
    stream = f"task/{task_id}"
    shown = claim(do(log, stream, Start("ada")))
    do(log, stream, Progress("ada", shown, "half", 50))
    do(log, stream, Note("zoe", "mind the gap"))
    views.catch_up()
    working = tasks.full(views.connection, task_id)
    assert (working["state"], working["holder"], working["claim"]) == ("WORKING", "ada", shown)
    assert (working["after"], working["blocked_by"], working["blocks"]) == ([blocker], [blocker], [waiting])
    assert (working["notes"], working["progress"]["percent"]) == (1, 50)
    assert (working["submission"], working["approval"], working["end"]) == (None, None, None)
    do(log, stream, Submit("ada", shown, "x" * 5_000))
    do(log, stream, Approve("zoe", "other"))
    views.catch_up()
    done = tasks.full(views.connection, task_id)
    assert (done["state"], done["holder"], done["claim"], done["blocks"]) == ("COMPLETED", None, None, [])
    assert done["submission"]["evidence"]["blob"]["size"] == 5_000
    assert done["approval"]["by"] == "zoe"
    assert set(done["end"]) == {"by", "at", "reason"}
    assert set(done) == set(working)


def test_a_task_that_is_not_there_is_not_found(views: Views) -> None:
    for query in (tasks.full, tasks.why_not_ready):
        with pytest.raises(Refusal) as caught:
            views.ask(lambda connection, query=query: query(connection, "t-22222222"))  # type: ignore[misc]
        assert caught.value.code == "not-found"


def test_why_a_task_is_not_ready_is_said_in_sentences(log: Log, views: Views) -> None:
    blocker = spawned(log)
    task_id = spawned(log, labels=("hold",), after=(blocker,))
    do(log, f"task/{task_id}", Start("ada"))
    views.catch_up()
    reasons = tasks.why_not_ready(views.connection, task_id)
    assert reasons[0].startswith("It is WORKING, held by ada since ")
    title = tasks.full(views.connection, blocker)["title"]
    assert reasons[1:] == [
        f"It has the label 'hold': `crewlog edit {task_id} --remove-label hold`.",
        f"It waits for {blocker} ({title}), which is ASSIGNED: `crewlog show {blocker}`.",
    ]


# --- many tasks --------------------------------------------------------------------------------------------------


def test_rows_of_a_list_have_the_public_shape(log: Log, views: Views) -> None:
    task_id = spawned(log, labels=("type:bug", "hold"))
    views.catch_up()
    page = tasks.page(views.connection, TaskFilter(), 10)
    assert (page.more, page.cursor) == (0, "")
    row = page.rows[0]
    names = ["id", "title", "state", "priority", "assignee", "holder", "labels", "updated", "slug"]
    assert list(row) == names
    assert (row["id"], row["labels"], row["assignee"]) == (task_id, ["type:bug", "hold"], None)


def test_a_page_of_no_rows_still_says_how_many_there_are(log: Log, views: Views) -> None:
    spawned(log)
    views.catch_up()
    assert tasks.page(views.connection, TaskFilter(), 0) == ([], 1, "")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "0.0.0",
        "0.0.x.22222222",
        "0.0.1.2",
        "0.1e3.5.22222222",
        "9" * 99,
        "0.0." + "9" * 18 + ".22222222",
    ],
)
def test_a_broken_cursor_is_refused(cursor: str, views: Views) -> None:
    with pytest.raises(Refusal) as caught:
        views.ask(lambda connection: tasks.page(connection, TaskFilter(), 5, cursor))
    assert caught.value.code == "bad-value"


def test_what_a_name_holds_begins_with_what_it_works_on(log: Log, views: Views) -> None:
    ids: list[str] = []
    for priority in (0, 1, 2):
        ids.append(spawned(log, priority=priority))
        shown = claim(do(log, f"task/{ids[-1]}", Start("ada")))
        if priority == 0:
            do(log, f"task/{ids[-1]}", Submit("ada", shown))
    views.catch_up()
    rows = tasks.held_by(views.connection, "ada")
    assert [row["id"] for row in rows] == [ids[1], ids[2], ids[0]]
    assert [row["state"] for row in rows] == ["WORKING", "WORKING", "IN_REVIEW"]
    assert all(row["claim"] and row["since"] for row in rows)
    assert tasks.held_by(views.connection, "bob") == []
    assert tasks.held(views.connection) == {"ada": rows}


def test_a_task_given_back_or_sent_back_is_ready_again(log: Log, views: Views) -> None:
    one, two = spawned(log, title="one"), spawned(log, title="two")
    shown = claim(do(log, f"task/{one}", Start("ada")))
    do(log, f"task/{one}", Release("ada", shown))
    shown = claim(do(log, f"task/{two}", Start("ada")))
    do(log, f"task/{two}", Submit("ada", shown))
    do(log, f"task/{two}", Reject("zoe", "no", "bob"))
    views.catch_up()
    assert tasks.candidates(views.connection, "ada", 5) == [one]
    assert tasks.candidates(views.connection, "bob", 5) == [two, one]
    assert tasks.candidates(views.connection, "bob", 1) == [two]
