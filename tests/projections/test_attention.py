"""What waits for a person, from events that the test writes itself."""

from __future__ import annotations

from cli.report.figures import STATE_COLOURS
from cli.style import Style
from domain.task import STATES
from projections.attention import waiting
from projections.views import Views
from tests.projections.histories import STREAMS, Pot
from tests.support.stores import SqliteStore
from tests.support.streams import COMMIT, CONFLICT, MERGING


def test_a_merge_that_failed_waits_with_its_reason_and_an_open_merging_as_a_merge(
    store: SqliteStore, views: Views
) -> None:
    pot = Pot(store)
    for stream in STREAMS[:2]:
        pot.add("task.spawned", stream, title="one", assignee=None, priority=2)
        pot.add("task.started", stream)
        pot.add("task.submitted", stream, commit=COMMIT)
        pot.add("task.approved", stream, policy="other", commit=COMMIT)
        pot.add("task.merging", stream, **MERGING)
    pot.add("task.merge-failed", STREAMS[1], **CONFLICT)
    views.catch_up()
    found = {item.subject: (item.kind, item.text) for item in waiting(views.connection, 10**15, 9)}
    assert found == {
        STREAMS[0]: ("merge", "a merging is open"),
        STREAMS[1]: ("setback", CONFLICT["reason"]),
    }


def test_a_merging_that_another_one_overtook_waits_as_a_merge(store: SqliteStore, views: Views) -> None:
    pot = Pot(store)
    pot.add("task.spawned", STREAMS[0], title="one", assignee=None, priority=2)
    pot.add("task.started", STREAMS[0])
    pot.add("task.submitted", STREAMS[0], commit=COMMIT)
    pot.add("task.approved", STREAMS[0], policy="other", commit=COMMIT)
    pot.add("task.merging", STREAMS[0], **MERGING)
    pot.add("task.merge-failed", STREAMS[0], kind="base", reason="main moved")
    views.catch_up()
    [item] = waiting(views.connection, 10**15, 9)
    assert (item.kind, item.text) == ("merge", "main moved")


def test_every_state_has_a_colour_everywhere() -> None:
    assert list(STATE_COLOURS) == list(STATES)
    assert all("\x1b[" in Style(colour=True).state(state) for state in STATES)
    assert not any("\x1b[m" in Style(colour=True).state(state) for state in STATES)
