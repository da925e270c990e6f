"""Whatever happened, and however it reached the views: the same rows, to the byte of a hash."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import task
from domain.log import Log
from domain.task import AFTER, PARENT, Task, claim_of, linked
from projections import folding, tasks
from projections.database import connect_memory
from projections.tasks import TaskFilter
from projections.views import Views, open_views
from tests.projections.histories import (
    ACTORS,
    LABELS,
    STREAMS,
    Crew,
    Drop,
    Pot,
    Step,
    some_steps,
    soups,
    steps,
)
from tests.support.stores import SqliteStore

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHUNKS = st.sampled_from((1, 2, 3, 7, 1_000))


@contextmanager
def new_store() -> Generator[tuple[SqliteStore, Log]]:
    """A store for one example."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(folder).create()
        log = store.open(keep_open=True)
        yield store, log
        log.close()


def folded_at_once(log: Log, chunk: int) -> str:
    """The hash of views that are folded in memory from the beginning, all rows written at the end."""
    connection = connect_memory()
    folding.create(connection)
    folding.fold_all(connection, log, folding.everything(log), chunk)
    return folding.state_hash(connection)


@few
@given(parts=st.lists(steps(most=25), min_size=1, max_size=3), chunk=CHUNKS, other=CHUNKS)
def test_rebuilt_views_equal_those_that_were_caught_up(
    parts: list[list[Step]], chunk: int, other: int
) -> None:
    with new_store() as (store, log):
        crew, views = Crew(log), open_views(store.folder, log, chunk=chunk)
        for part in parts:
            crew.play(part)
            views.catch_up()
        found = views.state_hash()
        assert found == folded_at_once(log, other)
        rebuilt = views.rebuild()
        assert (rebuilt.same, rebuilt.hash_before, rebuilt.hash_after) == (True, found, found)
        assert views.state_hash() == found
        views.close()


@few
@given(parts=st.lists(soups(most=30), min_size=1, max_size=3), chunk=CHUNKS, other=CHUNKS)
def test_even_a_soup_of_events_folds_to_the_same_rows(
    parts: list[list[Drop]], chunk: int, other: int
) -> None:
    with new_store() as (store, log):
        pot, views = Pot(store), open_views(store.folder, log, chunk=chunk)
        for part in parts:
            pot.pour(part)
            views.catch_up()
        assert views.state_hash() == folded_at_once(log, other)
        assert folding.checkpoint(views.connection).position == log.position()
        views.close()


@pytest.mark.parametrize("held", [0, 2])
def test_a_rebuild_that_writes_rows_early_to_save_memory_comes_to_the_same(
    held: int, log: Log, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    Crew(log).play(some_steps(300, seed=held))
    views.catch_up()
    monkeypatch.setattr(folding, "HELD_LIMIT", held)
    assert folded_at_once(log, 20) == views.state_hash()


def test_views_that_knew_pruned_pulses_are_rebuilt_the_same(log: Log, views: Views) -> None:
    for _ in range(3):
        for actor in ("ada", "bob"):
            log.pulse(actor, {})
    log.pulse("ada", {})
    views.catch_up()
    with log.transaction() as transaction:
        transaction.prune("pulse/bob", log.clock(), "zoe")
        transaction.prune("pulse/ada", log.clock(), "zoe")
    assert len(log.pulses(0)) == 2
    assert views.rebuild().same
    log.pulse("bob", {})
    assert views.catch_up() == 1


# --- against the log itself --------------------------------------------------------------------------------------


@few
@given(history=steps(least=20, most=60), limit=st.integers(1, 4), chunk=CHUNKS)
def test_what_the_lists_say_is_what_the_log_says(history: list[Step], limit: int, chunk: int) -> None:
    with new_store() as (store, log):
        crew, views = Crew(log), open_views(store.folder, log, chunk=chunk)
        crew.play(history)
        views.catch_up()
        truth = [log.state(f"task/{task_id}") for task_id in crew.tasks]
        _check_lists(views, truth, limit)
        _check_ready(views, truth, limit)
        states = Counter(item.state for item in truth)
        assert tasks.counts(views.connection) == {state: states[state] for state in task.STATES}
        views.close()


@few
@given(soup=soups())
def test_what_waits_in_a_soup_is_what_the_folded_tasks_say(soup: list[Drop]) -> None:
    with new_store() as (store, log):
        Pot(store).pour(soup)
        views = open_views(store.folder, log, chunk=3)
        views.catch_up()
        rows = views.connection.execute("SELECT data FROM tasks").fetchall()
        _check_lists(views, [task.load(row[0]) for row in rows], 2)
        _check_ready(views, [task.load(row[0]) for row in rows], 2)
        views.close()


def _check_lists(views: Views, truth: list[Task], limit: int) -> None:
    for chosen in _filters():
        expected = [item.card.id for item in sorted(truth, key=_order) if _matches(item, chosen)]
        assert _walk(views, chosen, limit) == expected, chosen


def _filters() -> list[TaskFilter]:
    return [
        TaskFilter(),
        TaskFilter(states=("ASSIGNED", "COMPLETED")),
        *(TaskFilter(holder=name) for name in ACTORS),
        *(TaskFilter(assignee=name) for name in ("", "eve")),
        *(TaskFilter(labels=(label,)) for label in LABELS),
        TaskFilter(labels=LABELS[:2]),
        TaskFilter(states=("WORKING", "ASSIGNED"), holder="ada", assignee="", labels=LABELS[1:2]),
        TaskFilter(holder="ada", assignee="ada"),
    ]


def _matches(item: Task, chosen: TaskFilter) -> bool:
    claim = claim_of(item)
    return (
        (not chosen.states or item.state in chosen.states)
        and (chosen.holder is None or (claim is not None and claim.holder == chosen.holder))
        and (chosen.assignee is None or (item.card.assignee or "") == chosen.assignee)
        and set(chosen.labels) <= set(item.card.labels)
    )


def _order(item: Task) -> tuple[int, str, str]:
    return item.card.priority, item.card.created, item.card.id


def _walk(views: Views, chosen: TaskFilter, limit: int) -> list[str]:
    """All pages; each must say how many more there are."""
    found: list[str] = []
    page = tasks.page(views.connection, chosen, limit)
    total = len(page.rows) + page.more
    while True:
        found += [row["id"] for row in page.rows]
        assert len(found) + page.more == total
        assert bool(page.cursor) == bool(page.more)
        if not page.cursor:
            return found
        page = tasks.page(views.connection, chosen, limit, page.cursor)


def _check_ready(views: Views, truth: list[Task], limit: int) -> None:
    done = {item.card.id for item in truth if item.state == task.COMPLETED}
    epics = {epic for item in truth if item.state in task.OPEN for epic in linked(item.card, PARENT)}
    free = [item for item in sorted(truth, key=_order) if _is_ready(item, done) and item.card.id not in epics]
    everybody = tasks.ready(views.connection, None, limit)
    assert [row["id"] for row in everybody.rows] == [item.card.id for item in free][:limit]
    assert len(everybody.rows) + everybody.more == len(free)
    for item in truth:
        assert (tasks.why_not_ready(views.connection, item.card.id) == []) == (item in free)
    for name in ACTORS:
        mine = [item.card.id for item in free if item.card.assignee == name]
        anyones = [item.card.id for item in free if item.card.assignee is None]
        assert tasks.candidates(views.connection, name, 100) == mine + anyones
        found = tasks.ready(views.connection, name, limit)
        rest = tasks.ready(views.connection, name, 100, found.cursor) if found.cursor else None
        assert [row["id"] for row in found.rows + (rest.rows if rest else [])] == mine + anyones
        assert found.more == (len(rest.rows) if rest else 0)


def _is_ready(item: Task, done: set[str]) -> bool:
    return (
        item.state == task.ASSIGNED
        and "hold" not in item.card.labels
        and set(linked(item.card, AFTER)) <= done
    )


def test_a_task_waits_for_one_that_is_not_known_yet(store: SqliteStore, views: Views) -> None:
    first, blocker, _ = STREAMS
    pot = Pot(store)
    pot.add("task.spawned", first, title="later", assignee=None, after=[blocker])
    views.catch_up()
    assert tasks.why_not_ready(views.connection, first) == [
        f"It waits for {blocker}, which is not known here: `crewlog unlink {first} --after {blocker}`."
    ]
    pot.add("task.spawned", blocker, title="first", assignee=None)
    for kind in ("task.started", "task.submitted"):
        pot.add(kind, blocker)
        views.catch_up()
        assert len(tasks.why_not_ready(views.connection, first)) == 1
    pot.add("task.approved", blocker, policy="other")
    pot.add("task.merged", blocker)
    views.catch_up()
    assert tasks.why_not_ready(views.connection, first) == []
    assert [row["id"] for row in tasks.ready(views.connection, None, 5).rows] == [first]


def test_an_event_that_cannot_be_folded_is_kept_with_its_reason(store: SqliteStore, views: Views) -> None:
    pot = Pot(store)
    pot.add("task.spawned", STREAMS[0], title="one", assignee=None)
    illegal = pot.add("task.merged", STREAMS[0])
    bad = [pot.add("task.dreamt", STREAMS[0]), pot.add("mail.dreamt", "m-1")]
    unreadable = pot.add("task.spawned", STREAMS[1])
    pot.version = 2
    bad.append(pot.add("task.noted", STREAMS[0], text="from the future"))
    views.catch_up()
    rows = views.connection.execute(
        "SELECT position, stream, event, reason FROM skipped ORDER BY position"
    ).fetchall()
    assert [row[2] for row in rows] == [item.id for item in bad]
    assert [row[0] for row in rows] == [3, 4, 6]
    assert [row[3] for row in rows] == ["unknown type", "unknown type", "newer version"]
    conflicts = views.connection.execute("SELECT task, event FROM conflicts").fetchall()
    assert conflicts == [(STREAMS[0], illegal.id)]
    unfolded = views.connection.execute("SELECT task, heads FROM unfolded").fetchall()
    assert unfolded == [(STREAMS[1], unreadable.id)]
    assert tasks.full(views.connection, STREAMS[0])["state"] == "ASSIGNED"
