"""A fold of everything by two processes: what comes of it is what one makes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from domain.log import Log
from domain.stores.apart import Apart, Job, Result
from projections import folding, halves
from projections.database import Files, Unusable
from projections.views import Views
from tests.projections.histories import Crew, some_steps
from tests.support.stores import SqliteStore


def contents(views: Views) -> dict[str, list[object]]:
    """All rows of all views, sorted."""
    return {
        table: sorted(views.connection.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 - our own names
        for table in views.tables()
    }


@pytest.mark.parametrize("python", [sys.executable, "/bin/false", "/nowhere", "", None], ids=str)
def test_views_that_two_processes_folded_are_those_that_one_folds_and_one_does_where_no_other_starts(
    python: str | None, store: SqliteStore, log: Log, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(log)
    crew.play(some_steps(200, 1))
    views.catch_up()
    found = views.state_hash()
    rows = contents(views)
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    helped = python == sys.executable
    monkeypatch.setattr(sys, "executable", python)
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


WRONG = {
    "a word": "UPDATE tasks SET title = 'another'",
    "nothing for a word": "UPDATE tasks SET assignee = NULL WHERE assignee IS NOT NULL",
    "a number of the other half": "UPDATE agents SET events = 77",
    "a row too many": "INSERT INTO members VALUES ('ops', 'nobody')",
    "a row too few": "DELETE FROM task_labels WHERE label = (SELECT min(label) FROM task_labels)",
    "one row for another": "UPDATE holders SET task = 't-aaaaaaaa' WHERE task = (SELECT min(task) FROM holders)",
}


@pytest.mark.parametrize("number", [1, 2])
def test_views_that_are_wrong_are_found(
    number: int, log: Log, views: Views, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    crew = Crew(log)
    crew.play(some_steps(100, 2))

    def same() -> bool | None:
        with Apart(number) as apart, views.comparing(apart) as comparison:
            assert comparison
            return comparison.finish()

    for what, change in WRONG.items():
        views.rebuild()
        assert same() is True
        views.close()
        with views._files.writer() as connection:
            changed = connection.execute(change).rowcount
        assert changed, what
        assert same() is False, what


def test_who_reads_the_log_anyway_may_give_its_events_to_the_fold_and_stop_on_the_way(
    log: Log, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    Crew(log).play(some_steps(100, 3))
    views.catch_up()
    events = log.read(0)
    for given in (0, 7, len(events)):
        with Apart(2) as apart, views.comparing(apart) as comparison:
            assert comparison
            assert comparison.take
            for begin in range(0, given, 3):
                comparison.take(events[begin : min(begin + 3, given)])
            assert comparison.finish() is True, given


def test_who_was_asked_by_somebody_that_was_killed_leaves_the_file_of_the_next_alone(
    log: Log, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    Crew(log).play(some_steps(100, 2))
    asked: list[Callable[[folding.Progress], object]] = []

    class Late(Apart):
        def begin(self, function: Callable[..., Result], log: Log, *args: object) -> Job[Result]:
            asked.append(partial(function, log, *args))
            return Job(None)

    def begun() -> AbstractContextManager[halves.Anew]:
        about = (Files(store.folder), log, folding.MAIN, folding.everything(log), 10)
        return halves.Anew(*about).begun(Late(2))

    def unheard(_done: int, _total: int) -> None:
        pass

    with begun():
        pass
    with begun() as anew:
        with pytest.raises(Unusable):
            asked[0](unheard)
        assert anew.connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
        asked[1](unheard)
        assert anew.connection.execute("SELECT count(*) FROM tasks").fetchone() > (0,)


def test_a_file_that_can_be_written_no_more_keeps_nobody_from_reading_the_log(
    log: Log, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "WORTHWHILE", 1)
    monkeypatch.setattr(folding, "HELD_LIMIT", -1)
    Crew(log).play(some_steps(300, 2))
    with Apart(2) as apart, views.comparing(apart) as comparison:
        assert comparison
        others = comparison._anew._others
        assert others
        assert comparison.take
        others.connection.execute("PRAGMA query_only = 1")
        for stored in log.read(0):
            comparison.take([stored])
        assert comparison.finish() is None


def test_the_halves_are_all_views_and_share_no_table() -> None:
    names = [
        table.name for half in (folding.TASKS, folding.OTHERS) for view in half.views for table in view.tables
    ]
    assert ["checkpoint", *names] == [table.name for table in folding.tables()]
    assert len({*names}) == len(names)
