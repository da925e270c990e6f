from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from domain import task
from domain.commands import Edit, Note, Progress
from domain.decide import decide
from domain.draft import Draft
from domain.event import IllegalEventError, check, seal
from domain.refusals import Refusal
from domain.registry import EVENT_TYPES
from domain.task import (
    AFTER,
    BY_EVENT,
    IMPORTS,
    PARENT,
    STATES,
    TRANSITIONS,
    Link,
    Task,
    Transition,
    linked,
)
from tests.support.streams import ADA, COMMANDS, COMMIT, CONFLICT, GIVEN, MERGING, ZOE, Stream

ROWS = [pytest.param(row, id=row.event) for row in TRANSITIONS if row.command != "spawn"]
ACTING = [pytest.param(row, id=row.event) for row in TRANSITIONS if row.on]
PAYLOADS: dict[str, dict[str, Any]] = {
    "task.rejected": {"reason": "a test is missing"},
    "task.approved": {"policy": "other"},
    "task.failed": {"reason": "too hard"},
    "task.resolved": {"conflicts": ["f" * 64]},
    "task.assigned": {"assignee": "bob"},
    "task.edited": {"title": "Mend the logout"},
    "task.merging": MERGING,
    "task.merge-failed": CONFLICT,
    "task.cleaned": {"branch": "crew/t-aaaaaaaa-0123abcd", "commit": COMMIT},
    "task.noted": {"text": "I saw this before"},
    "task.linked": {"kind": "after", "to": "t-bbbbbbbb"},
    "task.unlinked": {"links": []},
    "task.expired": {"holder": ADA, "silence": 61, "why": "no beat"},
}


def draft_of(event: str, stream: Stream) -> Draft:
    """An event of this type that acts on what is current; on something invented where nothing is."""
    on = task.acts_on(BY_EVENT[event], stream.state)
    current = {on: task.current(stream.state, on) or "f" * 64} if on else {}
    return Draft(event, PAYLOADS.get(event, {}), current)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("state", STATES)
def test_an_event_is_applied_exactly_where_the_table_says_so(state: str, row: Transition) -> None:
    stream = GIVEN[state]()

    if state in row.states:
        stream.store(ZOE, draft_of(row.event, stream))
        assert_goes_where_the_table_says(row, state, stream.state.state)
    else:
        with pytest.raises(IllegalEventError):
            stream.store(ZOE, draft_of(row.event, stream))


def assert_goes_where_the_table_says(row: Transition, before: str, after: str) -> None:
    assert after in row.to or (row.to == "the same" and after == before)


@pytest.mark.parametrize("row", ACTING)
@pytest.mark.parametrize("state", STATES)
def test_an_event_that_acts_on_what_is_no_longer_current_is_not_applied(state: str, row: Transition) -> None:
    stream = GIVEN[state]()
    before = stream.state

    for stale in ("f" * 64, "", stream.events[-1].id[:8]):
        with pytest.raises(IllegalEventError):
            stream.store(ZOE, draft_of(row.event, stream)._replace(on={task.acts_on(row, before): stale}))
    with pytest.raises(IllegalEventError):
        task.evolve(before, seal({**_envelope(stream), "type": row.event, "payload": {}}))
    assert stream.state is before


@pytest.mark.parametrize("state", STATES)
def test_a_task_is_spawned_once(state: str) -> None:
    stream = GIVEN[state]()

    with pytest.raises(IllegalEventError):
        task.evolve(stream.state, stream.events[0])


@pytest.mark.parametrize("row", ROWS)
def test_nothing_happens_to_a_task_that_was_not_spawned(row: Transition) -> None:
    stream = GIVEN[task.ASSIGNED]()
    event = stream.seal(ZOE, draft_of(row.event, stream))

    with pytest.raises(IllegalEventError):
        task.evolve(None, event)


@pytest.mark.parametrize("state", STATES)
def test_an_event_of_an_unknown_type_is_not_applied(state: str) -> None:
    stream = GIVEN[state]()

    with pytest.raises(IllegalEventError):
        task.evolve(stream.state, seal({**_envelope(stream), "type": "task.exploded", "payload": {}}))


def _envelope(stream: Stream) -> dict[str, Any]:
    return {"v": 1, "ts": stream.events[-1].ts, "from": ZOE, "to": "*", "stream": stream.events[0].stream}


def test_the_table_has_a_row_for_every_task_event_and_a_way_into_every_state() -> None:
    reachable = {state for state in STATES if any(state in row.to for row in TRANSITIONS)}

    assert reachable == set(STATES)
    assert set(BY_EVENT) == {name for name, kind in EVENT_TYPES.items() if kind.stream == "task"}
    assert len(TRANSITIONS) == len({row.command for row in TRANSITIONS})
    assert len(BY_EVENT) == len(TRANSITIONS) + len(IMPORTS)


def test_completed_is_final() -> None:
    assert {row.to for row in TRANSITIONS if task.COMPLETED in row.states} == {"the same"}


def test_every_command_of_the_table_is_tested() -> None:
    assert {row.command for row in TRANSITIONS} == {"spawn", *COMMANDS}


# --- the state as bytes


@pytest.mark.parametrize("state", STATES)
def test_a_state_survives_being_stored(state: str) -> None:
    for stream in (GIVEN[state](), eventful(state)):
        assert task.load(task.dump(stream.state)) == stream.state
        assert type(task.load(task.dump(stream.state))) is type(stream.state)


def eventful(state: str) -> Stream:
    """A task in this state that has something in every field."""
    stream = GIVEN[state](
        body="b" * 5_000,
        assignee=ADA,
        labels=("bug", "größe"),
        slug="fix-login",
        after=("t-bbbbbbbb", "t-cccccccc"),
        parent="t-dddddddd",
        priority=0,
    )
    if stream.state.state == task.WORKING:
        stream.do(Progress(ADA, stream.claim, "half of it", 50))
    stream.do(Edit(ZOE, title="Größer", remove_labels=("bug",), add_labels=("ui",)))
    stream.do(Note(ADA, "a note"))
    return stream


@pytest.mark.parametrize("state", STATES)
def test_events_from_their_lines_fold_to_the_state_that_was_kept(state: str) -> None:
    stream = eventful(state)

    assert refold(stream) == stream.state


def refold(stream: Stream) -> Task | None:
    state: Task | None = None
    for event in stream.events:
        state = task.evolve(state, check(event.line))
    return state


# --- what the fold makes of events


def test_a_new_task_says_what_spawn_said() -> None:
    stream = eventful(task.ASSIGNED)
    spawned, card = stream.events[0], task.load(task.dump(stream.states[1] or stream.state)).card

    assert (card.id, card.title, card.priority, card.assignee) == ("t-aaaaaaaa", "Mend the login", 0, ADA)
    assert (card.labels, card.slug, linked(card, AFTER)) == (
        ("bug", "größe"),
        "fix-login",
        ["t-bbbbbbbb", "t-cccccccc"],
    )
    assert card.links[-1] == Link(spawned.id, PARENT, "t-dddddddd")
    assert (card.spawner, card.created, card.updated) == (ZOE, spawned.ts, spawned.ts)
    assert (card.attempt, card.attempts, card.strikes, card.holders, card.notes) == (spawned.id, 1, 0, (), 0)


def test_every_event_renews_when_the_task_was_updated() -> None:
    stream = GIVEN[task.COMPLETED]()

    for event, state in zip(stream.events, stream.states[1:], strict=True):
        assert state is not None
        assert state.card.updated == event.ts


def test_the_claim_is_the_id_of_the_event_that_made_it() -> None:
    stream = GIVEN[task.WORKING]()

    assert stream.claim == stream.events[-1].id
    stream.do(COMMANDS["resume"](stream))
    assert stream.claim == stream.events[-1].id


@pytest.mark.parametrize("state", [task.IN_REVIEW, task.APPROVED])
def test_the_claim_outlives_submission_approval_and_rejection(state: str) -> None:
    stream = GIVEN[state]()
    held = stream.claim

    stream.do(COMMANDS["reject"](stream))
    assert (stream.state.state, stream.claim) == (task.WORKING, held)


def test_a_submission_keeps_evidence_and_commit() -> None:
    submission = task.submission_of(GIVEN[task.IN_REVIEW]().state)

    assert submission is not None
    assert (submission.by, submission.evidence, submission.commit) == (ADA, "the tests pass", COMMIT)


@pytest.mark.parametrize("state", STATES)
def test_an_edit_or_a_note_changes_the_card_only(state: str) -> None:
    stream = GIVEN[state]()
    before = stream.state
    stream.do(Edit(ZOE, title="Mend the logout", priority=0))
    stream.do(Note(ZOE, "why not"))

    after = stream.state
    assert type(after) is type(before)
    assert (after.card.title, after.card.priority, after.card.notes) == ("Mend the logout", 0, 1)
    assert (stream.claim, after.card.attempt) == (claim_of(before), before.card.attempt)


def claim_of(state: Task) -> str:
    held = task.claim_of(state)
    return held.id if held else ""


def test_an_edit_changes_labels_and_leaves_the_others_in_their_order() -> None:
    stream = GIVEN[task.ASSIGNED](labels=("a", "b", "c"))
    stream.do(Edit(ZOE, add_labels=("d", "a", "d"), remove_labels=("b", "zzz")))

    assert stream.state.card.labels == ("a", "c", "d")


def test_progress_is_the_newest_report() -> None:
    stream = GIVEN[task.WORKING]()
    stream.do(Progress(ADA, stream.claim, "half of it", 50))
    stream.do(Progress(ADA, stream.claim, percent=0))

    assert stream.state.card.progress == {"percent": 0, "at": stream.events[-1].ts}


def test_a_resolve_from_elsewhere_that_names_nothing_fails_only_where_there_is_a_conflict() -> None:
    stream = GIVEN[task.WORKING]()
    before = stream.state
    nothing = seal({**_envelope(stream), "type": "task.resolved", "payload": {}})

    assert task.evolve(before, nothing).card == before.card._replace(updated=nothing.ts)
    with pytest.raises(KeyError):
        task.evolve(task.conflicted(before, stream.events[0]), nothing)


def test_the_legal_commands_of_a_state_are_those_of_its_rows() -> None:
    for state in STATES:
        rows = [row.command for row in TRANSITIONS if state in row.states]
        assert task.legal_commands(state) == [name for name in rows if "(" not in name and name != "resolve"]


def test_deciding_changes_nothing() -> None:
    for state in STATES:
        stream = GIVEN[state]()
        for give in COMMANDS.values():
            command, before = give(stream), task.dump(stream.state)
            with suppress(Refusal):
                decide(command, stream.state)
            assert task.dump(stream.state) == before


def test_a_link_that_another_clone_made_outlives_an_unlink_that_did_not_see_it() -> None:
    stream = GIVEN[task.WORKING](after=("t-bbbbbbbb",))
    seen = stream.state.card.links
    stream.store(ADA, Draft("task.linked", {"kind": AFTER, "to": "t-bbbbbbbb"}, {}))
    stream.store(ZOE, Draft("task.unlinked", {"links": [link._asdict() for link in seen]}, {}))

    assert stream.state.card.links == (Link(stream.events[-2].id, AFTER, "t-bbbbbbbb"),)
