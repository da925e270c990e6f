"""A fold of everything by two processes: what comes of it is what one makes."""

from __future__ import annotations

import os
import sys

import pytest

from domain.log import Log
from domain.stores.apart import Apart
from projections import folding, halves
from projections.views import Views
from tests.projections.histories import Crew, some_steps
from tests.support.stores import SqliteStore


def contents(views: Views) -> dict[str, list[object]]:
    """All rows of all views, sorted."""
    return {
        table: sorted(views.connection.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 - our own names
        for table in views.tables()
    }


@pytest.mark.parametrize("helped", [True, False], ids=["by two", "by two of which one cannot be started"])
def test_views_that_two_processes_folded_are_those_that_one_folds(
    helped: bool, store: SqliteStore, log: Log, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(log)
    crew.play(some_steps(200, 1))
    views.catch_up()
    found = views.state_hash()
    rows = contents(views)
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    if not helped:
        monkeypatch.setattr(sys, "executable", "/bin/false")
    ended: list[bool] = []
    add = halves._add_others

    def adding(*given: object) -> None:
        ended.append(True)
        add(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(halves, "_add_others", adding)

    with Apart(2) as apart:
        rebuilt = views.rebuild(None, apart)

    assert ended == [True] * helped
    assert (rebuilt.same, rebuilt.hash_after, views.state_hash()) == (True, found, found)
    assert contents(views) == rows
    indexes = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    assert views.connection.execute(indexes).fetchone()[0] > 10
    assert not [name for name in os.listdir(store.folder) if ".new." in name]


def test_views_that_are_wrong_are_found_by_two_as_well(
    log: Log, views: Views, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    crew = Crew(log)
    crew.play(some_steps(100, 2))
    for change in ("UPDATE tasks SET title = 'another'", "UPDATE agents SET events = 77"):
        views.rebuild()
        views.close()
        with views._files.writer() as connection:
            connection.execute(change)
        with Apart(2) as apart, views.comparing(apart) as comparison:
            assert comparison
            compared = comparison.finish()
        assert compared
        assert not compared.same, change


def test_the_halves_are_all_views_and_share_no_table() -> None:
    names = [
        table.name for half in (folding.TASKS, folding.OTHERS) for view in half.views for table in view.tables
    ]
    assert ["checkpoint", *names] == [table.name for table in folding.tables()]
    assert len({*names}) == len(names)
