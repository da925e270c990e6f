"""No query or catch-up of a hot command reads a whole table: what it costs must not grow with the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from domain.commands import Approve, Start, Submit
from domain.log import Log
from domain.task import STATES
from projections import agents, attention, folding, graph, notices, tasks
from projections.database import connect_memory
from projections.tasks import TaskFilter
from projections.views import Views
from tests.projections.histories import LABELS, Crew, some_steps
from tests.support.stores import claim, do, new_stream

Query = Callable[[sqlite3.Connection], object]

CURSOR = "0.1.1000000000000000.22222222"
QUERIES: dict[str, Query] = {
    "list": lambda c: tasks.page(c, TaskFilter(), 3),
    "list behind a cursor": lambda c: tasks.page(c, TaskFilter(), 3, CURSOR),
    "list by state": lambda c: tasks.page(c, TaskFilter(states=("WORKING", "FAILED")), 3),
    "list by holder": lambda c: tasks.page(c, TaskFilter(holder="ada"), 3),
    "list by holder behind a cursor": lambda c: tasks.page(c, TaskFilter(holder="ada"), 3, CURSOR),
    "list by assignee": lambda c: tasks.page(c, TaskFilter(assignee="ada"), 3),
    "list what is for anyone": lambda c: tasks.page(c, TaskFilter(assignee=""), 3, CURSOR),
    "list by label": lambda c: tasks.page(c, TaskFilter(labels=LABELS[:1]), 3),
    "list by label behind a cursor": lambda c: tasks.page(c, TaskFilter(labels=LABELS[:1]), 3, CURSOR),
    "list by labels": lambda c: tasks.page(c, TaskFilter(labels=LABELS), 0),
    "list by everything": lambda c: tasks.page(
        c, TaskFilter(STATES[:1], "ada", "bob", LABELS[:2]), 0, CURSOR
    ),
    "ready": lambda c: tasks.ready(c, None, 3),
    "ready behind a cursor": lambda c: tasks.ready(c, None, 3, CURSOR),
    "ready for a name": lambda c: tasks.ready(c, "ada", 3),
    "ready for a name behind a cursor": lambda c: tasks.ready(c, "ada", 3, CURSOR),
    "candidates": lambda c: tasks.candidates(c, "ada", 3),
    "held by": lambda c: tasks.held_by(c, "ada"),
    "held": tasks.held,
    "counts": tasks.counts,
    "show": lambda c: tasks.full(c, _some(c)),
    "what waits for a person": lambda c: attention.waiting(c, 10**15, 9),
    "circles": lambda c: graph.circles(c, "after"),
    "epics' parts": lambda c: tasks.parts_of(c, [_some(c)]),
    "ready, counted": tasks.ready_count,
    "a way between tasks": lambda c: graph.path(c, _some(c), "t-22222222", "after"),
    "around a task": lambda c: graph.around(c, _some(c), 50),
    "nodes of a graph": lambda c: graph.nodes(c, [_some(c)]),
    "why not ready": lambda c: tasks.why_not_ready(c, _some(c)),
    "resolve an id": lambda c: tasks.resolve(c, _some(c)),
    "resolve a prefix": lambda c: tasks.resolve(c, _some(c)[:9]),
    "resolve a slug": lambda c: tasks.resolve(c, "only-one"),
    "an agent": lambda c: agents.one(c, "ada"),
    "who lost to another clone": lambda c: notices.lost(c, "ada", 0, 3),
    "checkpoint": folding.checkpoint,
}


def _some(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT max(id) FROM tasks").fetchone()[0])


def traced(connection: sqlite3.Connection, work: Callable[[], object]) -> list[str]:
    """The statements that the work runs."""
    found: list[str] = []
    connection.set_trace_callback(found.append)
    work()
    connection.set_trace_callback(None)
    return [
        statement
        for statement in found
        if statement.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))
    ]


HARMLESS = ("VIRTUAL TABLE", "CONSTANT ROW", "SCAN below", "SCAN above")


def slow_steps(connection: sqlite3.Connection, statement: str) -> list[str]:
    """What in the plan of a statement grows with a table.

    The table-valued json_each has only what it was given, the tables of WITH RECURSIVE what a walk has met.
    """
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    return [
        step
        for step in plan
        if ("SCAN" in step and not any(harmless in step for harmless in HARMLESS)) or "TEMP B-TREE" in step
    ]


@pytest.fixture
def filled(log: Log, views: Views) -> Views:
    """Views in which every query finds something."""
    Crew(log).play(some_steps(400, seed=3))
    new_stream(log, slug="only-one")
    views.catch_up()
    return views


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_reads_no_whole_table(query: str, filled: Views) -> None:
    connection = filled.connection
    statements = traced(connection, lambda: QUERIES[query](connection))
    assert statements
    for statement in statements:
        assert slow_steps(connection, statement) == [], statement


def test_catching_up_reads_no_whole_table(log: Log) -> None:
    connection = connect_memory()
    folding.create(connection)
    Crew(log).play(some_steps(400, seed=3))
    while folding.fold_chunk(connection, log, 1_000):
        pass
    blocker = new_stream(log, labels=("hold",))
    new_stream(log, after=(blocker.removeprefix("task/"),))
    shown = claim(do(log, blocker, Start("ada")))
    do(log, blocker, Submit("ada", shown))
    do(log, blocker, Approve("zoe", "other"))
    log.pulse("ada", {})
    statements = traced(connection, lambda: [folding.fold_chunk(connection, log, 1) for _ in range(9)])
    assert len(statements) > 50
    for statement in set(statements):
        assert slow_steps(connection, statement) == [], statement


def steps(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """How many instructions SQLite's machine executes for the work: what a clock would say, without its noise."""
    counted = 0

    def one() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(one, 1)
    work()
    connection.set_progress_handler(None, 1)
    return counted


@pytest.mark.parametrize(
    "query", ["list", "list by state", "ready", "ready for a name", "counts", "ready, counted"]
)
def test_a_page_of_a_large_store_costs_what_one_of_a_small_store_costs(
    query: str, log: Log, views: Views
) -> None:
    """In the small store every state has a few tasks; in the large one ten times as many."""
    crew = Crew(log)
    crew.play(some_steps(300, seed=3))
    views.catch_up()
    small = steps(views.connection, lambda: QUERIES[query](views.connection))
    crew.play(some_steps(3_000, seed=4))
    views.catch_up()
    large = steps(views.connection, lambda: QUERIES[query](views.connection))
    assert large <= 1.2 * small + 40


def test_a_page_over_all_states_reads_few_rows_beside_those_that_it_shows(log: Log, views: Views) -> None:
    limit = 12
    for place in range(4 * limit):  # as many ASSIGNED, WORKING, IN_REVIEW and COMPLETED ones
        stream = new_stream(log)
        shown = claim(do(log, stream, Start("ada"))) if place % 4 else ""
        if place % 4 > 1:
            do(log, stream, Submit("ada", shown))
        if place % 4 > 2:
            do(log, stream, Approve("zoe", "other"))
    views.catch_up()
    connection = views.connection

    one = steps(connection, lambda: tasks.page(connection, TaskFilter(states=STATES[:1]), limit))
    every = steps(connection, lambda: tasks.page(connection, TaskFilter(), limit))
    assert every < 1.2 * one
