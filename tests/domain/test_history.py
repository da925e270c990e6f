"""One order in every clone: whatever came first, whatever came twice, whatever the clocks say."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import event, history, mail, task
from domain.commands import Approve, BeginMerge, Cancel, Edit, Fail, Merge, Note, Resolve, Start, Submit
from domain.event import Event, seal
from domain.history import APPLIED, CONFLICT, PENDING, UNKNOWN, Fold, fold, linearize
from domain.refusals import Refusal
from domain.task import COMPLETED, Task, claim_of
from tests.support import clones
from tests.support.clones import KIND, SECOND, START, Clone, by_arrival, simulated
from tests.support.streams import COMMIT, MERGING

SEEDS = st.integers(0, 2**48)
HISTORIES = 100_000 if os.environ.get("CREWLOG_SOAK") else 400


def two_clones() -> tuple[Clone, Clone]:
    """Two clones that know of one task and then go offline."""
    one, two = Clone("r-1"), Clone("r-2")
    one.spawn()
    two.take_from(one)
    return one, two


def merged(*crew: Clone) -> Clone:
    """A new clone that gets everything of these."""
    found = Clone("r-9")
    for clone in crew:
        found.take_from(clone)
    return found


def became(clone: Clone, events: Sequence[Event]) -> list[str]:
    """What became of these events."""
    return [clone.history.dispositions[item.id] for item in events]


def started(clone: Clone, name: str, now: int = START) -> str:
    """Start the task; the claim."""
    return clone.do(Start(name), now)[0].id


# --- who wins ----------------------------------------------------------------------------------------------------


def test_of_two_who_started_the_earlier_one_wins_and_the_other_is_a_conflict() -> None:
    one, two = two_clones()
    late = one.do(Start("ada"), START + 9 * SECOND)
    early = two.do(Start("bob"), START + SECOND)

    both = merged(one, two)

    assert (became(both, early), became(both, late)) == ([APPLIED], [CONFLICT])
    held = claim_of(both.state)
    assert held is not None
    assert held.holder == "bob"
    assert both.state.card.conflicts == (late[0].id,)


def test_progress_wins_over_the_earlier_start() -> None:
    one, two = two_clones()
    early = two.do(Start("bob"), START + SECOND)
    claim = started(one, "ada", START + 9 * SECOND)
    one.do(Submit("ada", claim, "look"), START + 10 * SECOND)

    both = merged(one, two)

    assert (both.state.state, became(both, early)) == (task.IN_REVIEW, [CONFLICT])


def test_the_losers_later_events_do_not_act_on_the_winners_claim() -> None:
    one, two = two_clones()
    claim = started(two, "bob")
    lost = two.do(Fail("bob", claim, "too hard"), START + SECOND)
    other = started(one, "ada", START + 9 * SECOND)
    one.do(Submit("ada", other, "look"), START + 10 * SECOND)

    both = merged(one, two)

    assert (both.state.state, became(both, lost)) == (task.IN_REVIEW, [CONFLICT])


def test_a_completed_task_stays_so_whatever_the_other_clone_did_before() -> None:
    one, two = two_clones()
    two.do(Cancel("zoe"), START)
    claim = started(one, "ada", START + 9 * SECOND)
    one.do(Submit("ada", claim, "look"), START + 10 * SECOND)
    one.do(Approve("zoe", "other"), START + 11 * SECOND)

    assert merged(two, one).state.state == COMPLETED


@pytest.mark.parametrize("further", range(1, len(task.PROGRESS)))
def test_each_state_gives_way_to_those_that_are_further(further: int) -> None:
    assert {*task.PROGRESS} == {*task.STATES}
    one, two = two_clones()
    _bring_to(one, task.PROGRESS[further], START + 100 * SECOND)
    _bring_to(two, task.PROGRESS[further - 1], START)

    assert merged(one, two).state.state == task.PROGRESS[further]
    assert merged(two, one).state.state == task.PROGRESS[further]


def _bring_to(clone: Clone, state: str, now: int) -> None:
    if state == task.CANCELLED:
        clone.do(Cancel("zoe"), now)
    if state in (task.ASSIGNED, task.CANCELLED):
        return
    claim = started(clone, f"name-{state.lower().replace('_', '-')}", now)
    holder = clone.events[claim].sender
    if state == task.FAILED:
        clone.do(Fail(holder, claim, "too hard"), now)
    if state in (task.IN_REVIEW, task.APPROVED, task.MERGING, task.COMPLETED):
        clone.do(Submit(holder, claim, "look", COMMIT), now)
    if state in (task.APPROVED, task.MERGING, task.COMPLETED):
        clone.do(Approve("zoe", "other"), now)
    if state == task.COMPLETED:
        clone.do(Merge("zoe", found=COMMIT), now)
    if state == task.MERGING:
        clone.do(BeginMerge("zoe", task.current(clone.state, "submission"), MERGING), now)


# --- what always applies -----------------------------------------------------------------------------------------


def test_notes_of_both_sides_are_kept() -> None:
    one, two = two_clones()
    one.do(Note("ada", "one"))
    two.do(Note("bob", "two"))
    two.do(Note("bob", "three"))

    assert merged(one, two).state.card.notes == 3


def test_of_two_edits_the_later_one_wins_field_by_field_although_progress_comes_first() -> None:
    one, two = two_clones()
    started(one, "ada")
    one.do(Edit("ada", title="earlier", priority=4), START + SECOND)
    two.do(Edit("bob", title="later", add_labels=("b",)), START + 9 * SECOND)

    card = merged(one, two).state.card

    assert (card.title, card.priority, card.labels) == ("later", 4, ("b",))


def test_an_earlier_edit_does_not_win_by_coming_behind_progress() -> None:
    one, two = two_clones()
    started(one, "ada", START + 8 * SECOND)
    one.do(Edit("ada", title="later", add_labels=("a",)), START + 9 * SECOND)
    two.do(Edit("bob", title="earlier", add_labels=("a", "b")), START + SECOND)
    two.do(Edit("bob", remove_labels=("a",)), START + 2 * SECOND)

    card = merged(one, two).state.card

    assert (card.title, set(card.labels)) == ("later", {"a", "b"})


# --- conflicts ---------------------------------------------------------------------------------------------------


def review_with_a_conflict() -> tuple[Clone, Event]:
    """A task in review, and the start that lost against it."""
    one, two = two_clones()
    (lost,) = two.do(Start("bob"))
    claim = started(one, "ada", START + SECOND)
    one.do(Submit("ada", claim, "look", COMMIT), START + 2 * SECOND)
    one.take_from(two)
    return one, lost


def test_nobody_approves_or_merges_before_a_conflict_is_settled() -> None:
    clone, lost = review_with_a_conflict()
    with pytest.raises(Refusal) as caught:
        clone.do(Approve("zoe", "other"))
    assert (caught.value.code, caught.value.details["conflicts"]) == ("conflicts", [lost.id])

    clone.do(Resolve("zoe", (lost.id[:10],), "bob helps ada"))
    clone.do(Approve("zoe", "other"))

    assert clone.state.state == task.APPROVED


def test_a_conflict_that_comes_after_the_approval_keeps_the_merge_back() -> None:
    one, two = two_clones()
    claim = started(one, "ada")
    one.do(Submit("ada", claim, "look", COMMIT))
    one.do(Approve("zoe", "other"))
    two.do(Start("bob"))
    one.take_from(two)

    with pytest.raises(Refusal) as caught:
        one.do(Merge("zoe", found=COMMIT))
    assert caught.value.code == "conflicts"
    with pytest.raises(Refusal):
        one.do(BeginMerge("zoe", task.current(one.state, "submission"), MERGING))
    one.do(Resolve("zoe"))
    one.do(Merge("zoe", found=COMMIT))
    assert one.state.state == COMPLETED


def test_what_is_settled_in_one_clone_is_settled_in_all() -> None:
    clone, _ = review_with_a_conflict()
    clone.do(Resolve("zoe"))

    assert merged(clone).state.card.conflicts == ()
    assert clone.do(Resolve("zoe")) == []


@pytest.mark.parametrize(("text", "code"), [("ffffffff", "not-found"), ("", "not-found")])
def test_what_is_no_conflict_cannot_be_settled(text: str, code: str) -> None:
    clone, _ = review_with_a_conflict()
    with pytest.raises(Refusal) as caught:
        clone.do(Resolve("zoe", (text,)))
    assert caught.value.code == code


# --- pending, unknown, unreadable --------------------------------------------------------------------------------


def test_an_event_whose_parent_is_missing_waits_and_is_not_folded() -> None:
    one, _ = two_clones()
    claim = started(one, "ada")
    one.do(Note("zoe", "on"))
    events = [item for item in one.events.values() if item.id != claim]

    folded = clones.fold(events)

    assert [folded.dispositions[item.id] for item in events] == [APPLIED, PENDING]
    assert folded.state.state == task.ASSIGNED
    assert claim not in folded.dispositions


def test_an_event_of_a_newer_crewlog_is_kept_and_changes_nothing() -> None:
    one, _ = two_clones()
    before = one.state
    dreamt = _dreamt(one)

    assert became(one, [dreamt]) == [UNKNOWN]
    assert one.state == before
    assert one.history.heads == (dreamt.id,)


def _dreamt(clone: Clone) -> Event:
    last = clone.own[-1]
    fields = {
        "v": 1,
        "ts": event.format_time(START + SECOND),
        "from": "ada",
        "to": "*",
        "type": "task.dreamt",
    }
    about: dict[str, Any] = {
        "stream": last.stream,
        "payload": {},
        "parents": [last.id],
        "replica": "r-9",
        "seq": 1,
    }
    dreamt = seal({**fields, **about})
    clone.take([dreamt])
    return dreamt


def test_an_answer_to_a_message_that_was_never_sent_is_a_conflict() -> None:
    fields = {"v": 1, "ts": event.format_time(START), "from": "ada", "to": "bob", "type": "mail.answered"}
    lost = seal(
        {**fields, "stream": "mail/m-aaaaaaaa", "payload": {"text": "yes"}, "replica": "r-1", "seq": 1}
    )

    folded = fold(cast("Fold", mail), [lost])

    assert (folded.state, folded.dispositions) == (None, {lost.id: CONFLICT})


def test_an_event_with_a_time_before_its_parents_still_comes_behind_them() -> None:
    one, _ = two_clones()
    first = one.own[-1]
    about: dict[str, Any] = {
        "v": 1,
        "ts": event.format_time(1),
        "from": "ada",
        "to": "*",
        "type": "task.noted",
    }
    early = seal({**about, "stream": first.stream, "payload": {"text": "x"}, "parents": [first.id]})

    assert linearize(KIND, [early, first]) == (first, early)


# --- properties --------------------------------------------------------------------------------------------------


@given(seed=SEEDS, shuffling=st.randoms(use_true_random=False))
def test_order_and_number_of_arrivals_make_no_difference(seed: int, shuffling: random.Random) -> None:
    everything = [item for clone in simulated(seed) for item in clone.events.values()]
    expected = clones.fold(everything)
    shuffling.shuffle(everything)

    assert clones.fold(everything + everything[: len(everything) // 2]) == expected


@given(seed=SEEDS)
def test_merging_commutes_is_associative_and_harmless_when_repeated(seed: int) -> None:
    one, two, three = simulated(seed)
    merges = [merged(*crew) for crew in permutations((one, two, three))]
    merges += [merged(merged(one, two), three), merged(one, merged(two, three))]
    merges += [merged(one, two, three, three, one)]

    assert all(both.history == merges[0].history for both in merges)


@given(seed=SEEDS, clones_=st.integers(1, 4), steps=st.integers(1, 30))
def test_the_rules_hold_in_every_clone(seed: int, clones_: int, steps: int) -> None:
    crew = simulated(seed, clones_, steps)
    for clone in [*crew, merged(*crew)]:
        check_rules(clone)


def check_rules(clone: Clone) -> None:
    """What must be true of every history."""
    found = clone.history
    assert set(found.dispositions) == set(clone.events)
    assert sorted(item.id for item in found.order) == sorted(clone.events)
    ancestors = ancestry(found.order)
    state: Task | None = None
    for item in found.order:
        if found.dispositions[item.id] == APPLIED:
            for what, target in item.on.items():
                assert state is not None
                assert task.current(state, what) == target
                assert target in ancestors[item.id]
        state, now = history.step(KIND, state, item)
        assert now == found.dispositions[item.id]
    if clone.was_completed:
        assert clone.state.state == COMPLETED


def ancestry(order: Sequence[Event]) -> dict[str, set[str]]:
    """Everything that the writer of each event had seen; fails where an effect stands before its cause."""
    found: dict[str, set[str]] = {}
    for item in order:
        found[item.id] = {*item.parents}.union(*(found[parent] for parent in item.parents))
    return found


@given(seed=SEEDS, steps=st.integers(1, 40))
def test_the_history_of_a_single_clone_has_no_conflicts(seed: int, steps: int) -> None:
    (clone,) = simulated(seed, 1, steps)
    assert set(clone.history.dispositions.values()) == {APPLIED}
    assert clone.history.order == tuple(clone.own)


@given(seed=SEEDS)
def test_going_on_from_a_merged_state_comes_to_the_same_as_folding_all_anew(seed: int) -> None:
    both = merged(*simulated(seed))
    state = both.state
    for text in ("one", "two"):
        (noted,) = both.do(Note("ada", text), START + 3_000 * SECOND)
        state, _ = history.step(KIND, state, noted)
        assert state == both.state


@pytest.mark.slow
def test_many_clones_with_wrong_clocks_come_to_the_same_and_no_completed_task_is_undone() -> None:
    conflicts = forks = 0
    for seed in range(HISTORIES):
        crew = simulated(seed)
        both = merged(*crew)
        shuffled = list(both.events.values())
        random.Random(seed).shuffle(shuffled)
        assert clones.fold(shuffled) == both.history, seed
        check_rules(both)
        conflicts += list(both.history.dispositions.values()).count(CONFLICT)
        forks += len(both.history.heads) > 1
    assert conflicts > HISTORIES // 4  # else the simulation would prove little
    assert forks > HISTORIES // 4


def test_a_fold_in_the_order_of_arrival_would_be_found_out() -> None:
    def states(seed: int) -> set[str]:
        crew = simulated(seed)
        found: set[str] = set()
        for order in permutations(crew):
            arrived = {item.id: item for clone in order for item in clone.events.values()}
            found.add(str(by_arrival(arrived.values())))
        return found

    assert any(len(states(seed)) > 1 for seed in range(50))
