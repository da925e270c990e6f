from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain import decide as deciding
from domain import task
from domain.commands import (
    EVENTS,
    Approve,
    Assign,
    BeginMerge,
    Bind,
    Cancel,
    Command,
    Edit,
    Expire,
    Fail,
    FailMerge,
    Fork,
    Merge,
    Note,
    Progress,
    Reject,
    Release,
    Resume,
    Retry,
    Spawn,
    Start,
    Submit,
    Unbind,
    Undo,
    Withdraw,
)
from domain.decide import decide
from domain.draft import Draft
from domain.refusals import CODES, Refusal
from domain.registry import EVENT_TYPES
from domain.task import (
    STATES,
    STRIKES,
    TRANSITIONS,
    Task,
    Transition,
    acts_on,
    current,
    submission_of,
)
from tests.support.streams import ADA, BOB, COMMANDS, COMMIT, CONFLICT, GIVEN, MERGING, ZOE, Stream, working

ROWS = [pytest.param(row, id=row.command) for row in TRANSITIONS if row.command != "spawn"]


def refused(stream: Stream, command: Command) -> Refusal:
    """The refusal of a command; the state is as it was."""
    before = len(stream.events)
    with pytest.raises(Refusal) as caught:
        stream.do(command)
    assert len(stream.events) == before
    assert caught.value.message
    return caught.value


# --- the table


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("state", STATES)
def test_a_command_is_allowed_exactly_where_the_table_says_so(state: str, row: Transition) -> None:
    stream = GIVEN[state]()
    command = COMMANDS[row.command](stream)

    if state in row.states:
        [first, *_] = decide(command, stream.state)
        assert (first.type, set(first.on)) == (row.event, {acts_on(row, stream.state)} - {""})
        stream.do(command)
    elif (row.command, state) == ("merge", task.COMPLETED):
        assert decide(command, stream.state) == ()  # what is wanted is so already
    else:
        assert_tells_all(refused(stream, command), row, stream.state)


def assert_tells_all(refusal: Refusal, row: Transition, state: Task) -> None:
    """A refusal is enough to go on with: what is so, since when, what may be done."""
    held = task.claim_of(state)
    if (row.command, state.state) == ("start", task.WORKING):
        assert refusal.code == "held"
    elif row.command == "reap" and held is None:
        assert refusal.code == "stale-claim"
    else:
        assert refusal.code == "wrong-state"
        assert refusal.details["legal"] == task.legal_commands(state.state)
        assert all(name in refusal.hint for name in refusal.details["legal"])
        assert all(wanted in refusal.message for wanted in row.states)
        assert refusal.details["state"] == state.state
    assert state.card.id in refusal.message
    assert refusal.details["task"] == state.card.id
    assert refusal.hint
    if held:
        assert held.holder in refusal.message
        assert held.since in refusal.message


@pytest.mark.parametrize("state", [task.COMPLETED, task.CANCELLED, task.FAILED])
def test_a_refusal_on_a_task_at_rest_says_who_ended_it_when_and_why(state: str) -> None:
    stream = GIVEN[state]()
    end = getattr(stream.state, "end", None)

    details = refused(stream, Start(BOB)).details
    assert end is not None
    assert (details["by"], details["at"], details["reason"]) == (end.by, end.at, end.reason)


def test_no_hint_and_no_message_names_a_destructive_command() -> None:
    told: list[str] = []
    for state in STATES:
        for command in COMMANDS.values():
            stream = GIVEN[state]()
            try:
                stream.do(command(stream))
            except Refusal as refusal:
                told.append(f"{refusal.message} {refusal.hint}")

    assert told
    assert not [text for text in told for word in ("--force", "rm ", "delete") if word in text]


def test_spawn_addresses_the_assignee_and_leaves_out_what_is_empty() -> None:
    [draft] = deciding.spawn(Spawn(ZOE, "Mend the login", 1, assignee=BOB))
    assert (draft.to, draft.payload) == (BOB, {"title": "Mend the login", "priority": 1, "assignee": BOB})

    [draft] = deciding.spawn(Spawn(ZOE, "Mend the login", 1))
    assert (draft.to, draft.payload["assignee"]) == ("*", None)


@pytest.mark.parametrize(
    ("state", "command", "to"),
    [
        (task.WORKING, "done", ZOE),
        (task.WORKING, "fail", ZOE),
        (task.IN_REVIEW, "reject", ADA),
        (task.ASSIGNED, "assign", BOB),
        (task.WORKING, "reap", ADA),
        (task.IN_REVIEW, "approve", "*"),
        (task.WORKING, "release", "*"),
        (task.ASSIGNED, "cancel", "*"),
        (task.ASSIGNED, "note", "*"),
    ],
)
def test_an_event_addresses_whom_it_concerns(state: str, command: str, to: str) -> None:
    stream = GIVEN[state]()

    assert stream.do(COMMANDS[command](stream))[0].to == to


def test_an_idempotency_key_is_good_for_the_events_of_its_command() -> None:
    names = {type(command(GIVEN[task.WORKING]())).__name__ for command in COMMANDS.values()}

    assert names | {"Spawn", "Undo"} <= set(EVENTS)
    assert all(types and types <= set(EVENT_TYPES) for types in EVENTS.values())
    for row in TRANSITIONS[1:]:
        assert EVENTS[type(COMMANDS[row.command](GIVEN[task.WORKING]())).__name__] == {row.event}


# --- start, assign


def test_whoever_it_is_assigned_to_may_start() -> None:
    stream = GIVEN[task.ASSIGNED](assignee=ADA)
    stream.do(Start(ADA))

    assert (stream.state.state, stream.holder) == (task.WORKING, ADA)


def test_starting_what_is_assigned_to_another_is_refused_and_says_to_whom() -> None:
    refusal = refused(GIVEN[task.ASSIGNED](assignee=BOB), Start(ADA))

    assert (refusal.code, refusal.details["assignee"]) == ("not-assignee", BOB)
    assert "assign t-aaaaaaaa --to ada" in refusal.hint


@pytest.mark.parametrize("again", [ADA, BOB])
def test_a_second_start_is_refused_also_under_the_same_name(again: str) -> None:
    stream = GIVEN[task.WORKING]()

    refusal = refused(stream, Start(again))
    assert refusal.code == "held"
    assert refusal.details["holder"] == ADA
    assert refusal.details["since"] == stream.events[-1].ts
    assert ("resume" in refusal.hint) == (again == ADA)


def test_assigning_to_whom_it_is_assigned_already_is_nothing_to_do() -> None:
    assert GIVEN[task.ASSIGNED](assignee=BOB).do(Assign(ZOE, BOB)) == []
    assert GIVEN[task.ASSIGNED]().do(Assign(ZOE, None)) == []


def test_a_task_can_be_assigned_to_anyone_again() -> None:
    stream = GIVEN[task.ASSIGNED](assignee=BOB)
    [assigned] = stream.do(Assign(ZOE, None))

    assert (assigned.to, stream.state.card.assignee) == ("*", None)


# --- the claim is a fence

BY_CLAIM: dict[str, Callable[[str, str], Command]] = {
    "done": lambda actor, claim: Submit(actor, claim, "look"),
    "fail": lambda actor, claim: Fail(actor, claim, "too hard"),
    "release": Release,
    "progress": lambda actor, claim: Progress(actor, claim, "half of it"),
}


@pytest.mark.parametrize("name", BY_CLAIM)
def test_without_the_claim_it_is_refused_with_where_to_find_it(name: str) -> None:
    refusal = refused(GIVEN[task.WORKING](), BY_CLAIM[name](ADA, ""))

    assert refusal.code == "no-claim"
    assert "--claim" in refusal.hint


@pytest.mark.parametrize("name", BY_CLAIM)
def test_the_holder_may_show_any_beginning_of_the_claim_that_is_long_enough(name: str) -> None:
    for length in (deciding.CLAIM_PREFIX, 8, 64):
        stream = GIVEN[task.WORKING]()
        stream.do(BY_CLAIM[name](ADA, stream.claim[:length]))
    stream = GIVEN[task.WORKING]()
    assert (
        refused(stream, BY_CLAIM[name](ADA, stream.claim[: deciding.CLAIM_PREFIX - 1])).code == "stale-claim"
    )


@pytest.mark.parametrize("name", BY_CLAIM)
def test_another_name_with_the_right_claim_is_refused(name: str) -> None:
    stream = GIVEN[task.WORKING]()

    refusal = refused(stream, BY_CLAIM[name](BOB, stream.claim))
    assert (refusal.code, refusal.details["holder"]) == ("held", ADA)


def release(stream: Stream) -> None:
    stream.do(Release(ADA, stream.claim))
    stream.do(Start(BOB))


def resume(stream: Stream) -> None:
    stream.do(Resume(ADA))


def reject_to_another(stream: Stream) -> None:
    stream.do(Submit(ADA, stream.claim, "look"))
    stream.do(Reject(ZOE, "no", to=BOB))
    stream.do(Start(BOB))


def force_release(stream: Stream) -> None:
    stream.do(Release(ZOE, "", "ada is gone", force=True))
    stream.do(Start(BOB))


def expire(stream: Stream) -> None:
    stream.do(Expire(ZOE, stream.claim, 61, "no beat"))
    stream.do(Start(BOB))


def start_again(stream: Stream) -> None:
    stream.do(Release(ADA, stream.claim))
    stream.do(Start(ADA))


def fail_and_retry(stream: Stream) -> None:
    stream.do(Fail(ADA, stream.claim, "too hard"))
    stream.do(Retry(ZOE))
    stream.do(Start(BOB))


OVERTAKEN: list[Callable[[Stream], None]] = [
    release,
    resume,
    reject_to_another,
    force_release,
    expire,
    start_again,
    fail_and_retry,
]


@pytest.mark.parametrize("overtake", OVERTAKEN)
@pytest.mark.parametrize("name", BY_CLAIM)
def test_a_claim_that_was_overtaken_is_stale_and_the_holder_is_named(
    name: str, overtake: Callable[[Stream], None]
) -> None:
    stream = working()
    stale = stream.claim
    overtake(stream)

    refusal = refused(stream, BY_CLAIM[name](ADA, stale))
    assert refusal.code == "stale-claim"
    assert refusal.details["holder"] == stream.holder
    assert refusal.details["since"] == stream.events[-1].ts
    assert stream.holder in refusal.message
    assert stream.events[-1].ts in refusal.message


DROPPED: dict[str, Callable[[Stream], Command]] = {
    task.ASSIGNED: lambda stream: Release(ADA, stream.claim),
    task.CANCELLED: lambda _: Cancel(ZOE),
    task.FAILED: lambda stream: Fail(ADA, stream.claim, "too hard"),
}


@pytest.mark.parametrize("state", DROPPED)
@pytest.mark.parametrize("name", BY_CLAIM)
def test_a_claim_on_what_nobody_holds_is_stale_and_the_state_is_named(name: str, state: str) -> None:
    stream = working()
    stale = stream.claim
    stream.do(DROPPED[state](stream))

    refusal = refused(stream, BY_CLAIM[name](ADA, stale))
    assert (refusal.code, refusal.details["holder"]) == ("stale-claim", None)
    assert state in refusal.message


def test_a_late_withdrawal_is_refused_as_stale() -> None:
    stream = GIVEN[task.IN_REVIEW]()
    stale = stream.claim
    stream.do(Reject(ZOE, "no", to=BOB))

    assert refused(stream, Withdraw(ADA, stale)).code == "stale-claim"


def test_the_holders_name_resumes_and_no_other() -> None:
    stream = working()
    old = stream.claim
    stream.do(Resume(ADA))
    assert stream.claim != old
    assert stream.holder == ADA

    refusal = refused(stream, Resume(BOB))
    assert (refusal.code, refusal.details["holder"]) == ("held", ADA)


# --- release, reap


def test_a_forced_release_needs_a_reason_and_says_that_it_was_forced() -> None:
    stream = working()

    assert refused(stream, Release(ZOE, "", "  ", force=True)).code == "bad-value"
    [released] = stream.do(Release(ZOE, "", "ada is gone", force=True))
    assert released.payload == {"reason": "ada is gone", "forced": True}
    assert stream.state.state == task.ASSIGNED


def test_the_holder_with_the_claim_releases_as_usual_even_when_forcing() -> None:
    stream = working()
    [released] = stream.do(Release(ADA, stream.claim, force=True))

    assert "forced" not in released.payload


def test_the_holder_without_the_claim_may_force_with_a_reason() -> None:
    stream = working()
    [released] = stream.do(Release(ADA, "", "I lost my claim", force=True))

    assert released.payload["forced"] is True


def test_reap_takes_the_task_only_from_the_claim_that_was_judged() -> None:
    stream = working()
    judged = stream.claim
    stream.do(Resume(ADA))

    assert refused(stream, Expire(ZOE, judged, 61, "no beat")).code == "stale-claim"


def test_the_third_strike_without_a_submission_fails_the_attempt() -> None:
    stream = GIVEN[task.ASSIGNED]()
    for strike in range(1, STRIKES + 1):
        stream.do(Start(ADA))
        [expired] = stream.do(Expire(ZOE, stream.claim, 61, "no beat"))
        assert stream.state.state == (task.FAILED if strike == STRIKES else task.ASSIGNED)
        assert expired.payload["holder"] == ADA


def test_a_submission_clears_the_strikes() -> None:
    stream = GIVEN[task.ASSIGNED]()
    for _ in range(2 * STRIKES):
        stream.do(Start(ADA))
        stream.do(Submit(ADA, stream.claim, "look"))
        stream.do(Reject(ZOE, "no"))
        stream.do(Expire(ZOE, stream.claim, 61, "no beat"))

    assert stream.state.state == task.ASSIGNED


# --- review


@pytest.mark.parametrize("state", [task.IN_REVIEW, task.APPROVED])
def test_submitting_again_replaces_the_submission_and_voids_its_approval(state: str) -> None:
    stream = GIVEN[state]()
    old = submission_of(stream.state)
    stream.do(Submit(ADA, stream.claim, "better", "d" * 40))

    new = submission_of(stream.state)
    assert old is not None
    assert new is not None
    assert stream.state.state == task.IN_REVIEW
    assert (new.id, new.commit) == (stream.events[-1].id, "d" * 40)
    assert not hasattr(stream.state, "approval")
    assert refused(stream, Approve(ZOE, "other", submission=old.id)).code == "stale-review"
    assert refused(stream, Reject(ZOE, "no", submission=old.id)).code == "stale-review"


def test_an_approval_is_bound_to_submission_commit_and_policy() -> None:
    stream = GIVEN[task.IN_REVIEW]()
    submission = submission_of(stream.state)
    assert submission is not None
    [approved] = stream.do(Approve(ZOE, "person", submission=submission.id[:8], note="well done"))

    assert approved.on == {"submission": submission.id}
    assert approved.payload == {"policy": "person", "commit": COMMIT, "note": "well done"}


def test_an_approved_task_without_a_commit_is_completed_in_the_same_decision() -> None:
    stream = GIVEN[task.IN_REVIEW](commit=None)
    approved, merged = stream.do(Approve(ZOE, "other"))

    assert (approved.type, merged.type) == ("task.approved", "task.merged")
    assert approved.on == merged.on
    assert stream.state.state == task.COMPLETED


def test_an_approved_task_with_a_commit_waits_for_its_merge() -> None:
    stream = GIVEN[task.IN_REVIEW]()

    assert len(stream.do(Approve(ZOE, "other"))) == 1
    assert stream.state.state == task.APPROVED


def test_who_wants_to_merge_by_hand_may() -> None:
    stream = GIVEN[task.IN_REVIEW](commit=None)

    assert len(stream.do(Approve(ZOE, "other", complete=False))) == 1
    stream.do(Merge(ZOE))
    assert stream.state.state == task.COMPLETED


def test_the_holder_does_not_approve_their_own_work() -> None:
    refusal = refused(GIVEN[task.IN_REVIEW](), Approve(ADA, "other"))

    assert refusal.code == "own-approval"
    assert refusal.details["holders"] == [ADA]


@pytest.mark.parametrize("overtake", [release, reject_to_another, force_release, expire])
def test_an_earlier_holder_of_this_attempt_does_not_approve(overtake: Callable[[Stream], None]) -> None:
    stream = working()
    overtake(stream)
    stream.do(Submit(BOB, stream.claim, "look"))

    refusal = refused(stream, Approve(ADA, "other"))
    assert (refusal.code, refusal.details["holders"]) == ("own-approval", [ADA, BOB])
    stream.do(Approve(ZOE, "other"))


def test_a_holder_of_an_earlier_attempt_may_approve() -> None:
    stream = working()
    fail_and_retry(stream)
    stream.do(Submit(BOB, stream.claim, "look"))

    stream.do(Approve(ADA, "other"))
    assert stream.state.state == task.COMPLETED


def test_nobody_rejects_their_own_work_and_the_hint_says_what_to_do_instead() -> None:
    refusal = refused(GIVEN[task.IN_REVIEW](), Reject(ADA, "no"))

    assert refusal.code == "not-allowed"
    assert "done --withdraw" in refusal.hint


def test_a_rejection_goes_to_the_holder_who_goes_on_with_the_same_claim() -> None:
    stream = GIVEN[task.IN_REVIEW]()
    held = stream.claim
    stream.do(Reject(ZOE, "no"))

    stream.do(Submit(ADA, held, "better"))
    assert stream.state.state == task.IN_REVIEW


def test_a_rejection_to_another_gives_them_the_task() -> None:
    stream = GIVEN[task.IN_REVIEW]()
    [rejected] = stream.do(Reject(ZOE, "no", to=BOB))

    assert (rejected.to, stream.state.state, stream.state.card.assignee) == (BOB, task.ASSIGNED, BOB)
    assert refused(stream, Start(ADA)).code == "not-assignee"


# --- a new attempt


@pytest.mark.parametrize("state", [task.FAILED, task.CANCELLED])
def test_a_retry_begins_an_attempt_with_no_strikes_and_no_holders(state: str) -> None:
    stream = GIVEN[state]()
    stream.states[-1] = stream.state._replace(card=stream.state.card._replace(strikes=2, holders=(ADA,)))
    old = stream.state.card.attempt
    [retried] = stream.do(Retry(ZOE, "try harder"))

    card = stream.state.card
    assert (card.attempt, card.attempts, card.strikes, card.holders) == (retried.id, 2, 0, ())
    assert retried.on == {"attempt": old}


# --- edit


def test_an_edit_that_changes_nothing_is_nothing_to_do() -> None:
    stream = GIVEN[task.ASSIGNED](labels=("bug",), slug="fix-login", body="all of it")
    card = stream.state.card

    same = Edit(ZOE, card.title, card.body, card.priority, card.slug, ("bug",), ("no-such-label",))
    assert stream.do(same) == []
    assert stream.do(Edit(ZOE)) == []


def test_an_edit_says_only_what_changes() -> None:
    stream = GIVEN[task.ASSIGNED](labels=("bug",))
    [edited] = stream.do(Edit(ZOE, title="Mend the login", priority=0, add_labels=("bug", "ui")))

    assert edited.payload == {"priority": 0, "add_labels": ["ui"]}


# --- undo


def public(state: Task | None) -> Any:
    """What people see of a task: not when it was touched, and not what only the rules remember."""
    assert state is not None
    card = state.card
    shown = (card.title, card.body, card.priority, card.assignee, set(card.labels), card.slug, card.links)
    held = task.claim_of(state)
    submission = submission_of(state)
    return (
        state.state,
        shown,
        held.holder if held else None,
        submission.evidence if submission else None,
    )


UNDOABLE: dict[str, tuple[str, Command | None]] = {
    "task.started": (task.ASSIGNED, Start(ADA)),
    "task.submitted": (task.WORKING, None),
    "task.cancelled": (task.ASSIGNED, Cancel(ADA)),
    "task.assigned": (task.ASSIGNED, Assign(ADA, BOB)),
    "task.assigned to anyone": (task.ASSIGNED, Assign(ADA, None)),
    "task.edited: title": (task.ASSIGNED, Edit(ADA, title="Mend the logout")),
    "task.edited: the first body": (task.ASSIGNED, Edit(ADA, body="all of it")),
    "task.edited: a large body": (task.WORKING, Edit(ADA, body="b" * 5_000)),
    "task.edited: priority": (task.COMPLETED, Edit(ADA, priority=9)),
    "task.edited: the first slug": (task.ASSIGNED, Edit(ADA, slug="fix-login")),
    "task.edited: labels": (task.ASSIGNED, Edit(ADA, add_labels=("b",), remove_labels=("a",))),
    "task.edited: much": (task.IN_REVIEW, Edit(ADA, "T", "B", 0, "s", ("b",), ("a",))),
    "task.linked": (task.COMPLETED, Bind(ADA, task.AFTER, "t-bbbbbbbb")),
}


@pytest.mark.parametrize("name", UNDOABLE)
def test_undo_restores_what_was_to_be_seen(name: str) -> None:
    state, command = UNDOABLE[name]
    assignee = BOB if name == "task.assigned to anyone" else None
    stream = GIVEN[state](labels=("a",), assignee=assignee)
    before = public(stream.state)
    stream.do(command or Submit(ADA, stream.claim, "look"))
    assert public(stream.state) != before

    stream.undo(ADA)
    assert public(stream.state) == before


def test_undo_of_an_edit_of_a_large_body_restores_the_old_large_body() -> None:
    stream = GIVEN[task.ASSIGNED](body="a" * 5_000)
    before = stream.state.card.body
    stream.do(Edit(ADA, body="b" * 5_000))
    stream.undo(ADA)

    assert stream.state.card.body == before


def test_undo_of_a_spawn_cancels_the_task() -> None:
    stream = GIVEN[task.ASSIGNED]()
    stream.undo(ZOE)

    assert stream.state.state == task.CANCELLED


UNDONE_BY_NOTHING: dict[str, tuple[str, Callable[[Stream], Command]]] = {
    "task.resumed": (task.WORKING, lambda _: Resume(ADA)),
    "task.submitted again": (task.IN_REVIEW, lambda stream: Submit(ADA, stream.claim, "better")),
    "task.submitted over an approval": (task.APPROVED, lambda stream: Submit(ADA, stream.claim, "better")),
    "task.withdrawn": (task.IN_REVIEW, lambda stream: Withdraw(ADA, stream.claim)),
    "task.rejected": (task.IN_REVIEW, lambda _: Reject(ZOE, "no")),
    "task.rejected to another": (task.IN_REVIEW, lambda _: Reject(ZOE, "no", to=BOB)),
    "task.approved": (task.IN_REVIEW, lambda _: Approve(ZOE, "other")),
    "task.merging": (task.APPROVED, COMMANDS["merge (begin)"]),
    "task.merged": (task.APPROVED, lambda _: Merge(ZOE, found=COMMIT)),
    "task.merge-failed": (task.APPROVED, COMMANDS["merge (failed)"]),
    "task.merge-failed after a merging": (task.MERGING, COMMANDS["merge (failed)"]),
    "task.cleaned": (task.FAILED, COMMANDS["cleanup (abandoned)"]),
    "task.resolved": (task.WORKING, COMMANDS["resolve"]),
    "task.cancelled while held": (task.WORKING, lambda _: Cancel(ZOE)),
    "task.cancelled in review": (task.IN_REVIEW, lambda _: Cancel(ZOE)),
    "task.cancelled after a failure": (task.FAILED, lambda _: Cancel(ZOE)),
    "task.failed": (task.WORKING, lambda stream: Fail(ADA, stream.claim, "too hard")),
    "task.released": (task.WORKING, lambda stream: Release(ADA, stream.claim)),
    "task.expired": (task.WORKING, lambda stream: Expire(ZOE, stream.claim, 61, "no beat")),
    "task.retried": (task.FAILED, lambda _: Retry(ZOE)),
    "task.noted": (task.ASSIGNED, lambda _: Note(ZOE, "hm")),
    "task.progressed": (task.WORKING, lambda stream: Progress(ADA, stream.claim, "half of it")),
    "task.unlinked": (task.ASSIGNED, COMMANDS["unlink"]),
}


@pytest.mark.parametrize("name", UNDONE_BY_NOTHING)
def test_what_has_no_inverse_cannot_be_undone_and_the_hint_says_what_can_be_done(name: str) -> None:
    state, command = UNDONE_BY_NOTHING[name]
    stream = GIVEN[state]()
    [*_, last] = stream.do(command(stream))

    refusal = refused(stream, Undo(last.sender, last, stream.states[-2]))
    assert (refusal.code, refusal.details["event"]) == ("cannot-undo", last.id)
    assert all(word in refusal.hint for word in task.legal_commands(stream.state.state))


def test_every_event_type_is_undone_or_refused_above() -> None:
    tried = {name.split(" ")[0].rstrip(":") for name in (*UNDOABLE, *UNDONE_BY_NOTHING)}

    assert tried | {"task.spawned"} == {row.event for row in TRANSITIONS}


@pytest.mark.parametrize("name", [*UNDOABLE, "task.spawned"])
def test_another_names_event_cannot_be_undone(name: str) -> None:
    state, command = UNDOABLE.get(name, (task.ASSIGNED, None))
    stream = GIVEN[state](labels=("a",))
    if name != "task.spawned":
        stream.do(command or Submit(ADA, stream.claim, "look"))
    author = stream.events[-1].sender

    refusal = refused(stream, Undo(BOB, stream.events[-1], stream.states[-2]))
    assert refusal.code == "cannot-undo"
    assert author in refusal.message


# --- links


def test_a_link_that_is_there_already_is_nothing_to_do_and_so_is_taking_off_one_that_is_not() -> None:
    stream = GIVEN[task.COMPLETED](after=("t-bbbbbbbb",))

    assert decide(Bind(BOB, task.AFTER, "t-bbbbbbbb"), stream.state) == ()
    assert decide(Unbind(BOB, task.RELATES, "t-bbbbbbbb"), stream.state) == ()
    assert refused(stream, Bind(BOB, task.AFTER, "t-aaaaaaaa")).code == "bad-value"


def test_a_new_parent_takes_the_place_of_the_old_one_and_leaves_other_links_alone() -> None:
    stream = GIVEN[task.WORKING](after=("t-bbbbbbbb",), parent="t-cccccccc")
    events = stream.do(Bind(BOB, task.PARENT, "t-dddddddd"))

    assert [event.type for event in events] == ["task.linked", "task.unlinked"]
    assert task.linked(stream.state.card, task.PARENT) == ["t-dddddddd"]
    assert task.linked(stream.state.card, task.AFTER) == ["t-bbbbbbbb"]


def test_taking_a_link_off_names_every_event_that_made_it() -> None:
    stream = GIVEN[task.ASSIGNED](after=("t-bbbbbbbb",))
    stream.store(ADA, Draft("task.linked", {"kind": task.AFTER, "to": "t-bbbbbbbb"}, {}))
    [event] = stream.do(Unbind(BOB, task.AFTER, "t-bbbbbbbb"))

    assert [link["id"] for link in event.payload["links"]] == [stream.events[0].id, stream.events[1].id]
    assert task.linked(stream.state.card, task.AFTER) == []


def test_a_task_has_so_many_links_and_no_more() -> None:
    stream = GIVEN[task.ASSIGNED]()
    links = tuple(task.Link("f" * 64, task.AFTER, f"elsewhere#{number}") for number in range(512))
    stream.states[-1] = stream.state._replace(card=stream.state.card._replace(links=links))

    assert refused(stream, Bind(BOB, task.AFTER, "t-bbbbbbbb")).code == "too-large"


# --- every refusal


def test_every_code_that_is_raised_here_is_in_the_table() -> None:
    with open(deciding.__file__, encoding="utf-8") as file:
        source = file.read()

    raised = [line.split('"')[1] for line in source.split("\n") if line.strip().startswith('raise Refusal("')]
    assert raised
    assert set(raised) <= set(CODES)


# --- merge


def test_work_with_a_commit_is_not_complete_before_it_is_in_its_base() -> None:
    stream = GIVEN[task.APPROVED]()

    refusal = refused(stream, Merge(ZOE))
    assert refusal.code == "absent-commit"
    assert "crewlog merge" in refusal.hint
    assert refused(stream, Merge(ZOE, found="f" * 40)).code == "absent-commit"
    [merged] = stream.do(Merge(ZOE, found=COMMIT))
    assert (merged.on, merged.payload) == ({"submission": stream.events[2].id}, {"commit": COMMIT})


def test_a_merging_ends_as_that_merging_and_no_other() -> None:
    stream = GIVEN[task.MERGING]()
    merging = stream.events[-1]

    for wrong in ("", "f" * 64, stream.events[2].id):
        assert refused(stream, Merge(ZOE, wrong)).code == "stale-review"
        assert refused(stream, FailMerge(ZOE, wrong, CONFLICT)).code == "stale-review"
    [merged] = stream.do(Merge(BOB, merging.id))
    assert merged.on == {"merging": merging.id}
    assert merged.payload == {name: MERGING[name] for name in ("commit", "base", "merge")}
    assert stream.state.state == task.COMPLETED


def test_a_merging_that_failed_leaves_the_approval_and_says_why_to_the_holder() -> None:
    stream = GIVEN[task.MERGING]()
    [failed] = stream.do(FailMerge(ZOE, stream.events[-1].id, CONFLICT))

    state = stream.state
    assert isinstance(state, task.Approved)
    assert failed.to == ADA
    assert state.setback is not None
    assert (state.setback.kind, state.setback.files) == ("conflict", ("hello.py",))
    stream.do(BeginMerge(ZOE, state.submission.id, MERGING))
    assert stream.state.state == task.MERGING


def test_a_merge_is_of_the_submission_that_was_approved() -> None:
    stream = GIVEN[task.APPROVED]()
    seen = current(stream.state, "submission")
    stream.do(Submit(ADA, stream.claim, "better", COMMIT))
    stream.do(Approve(ZOE, "other"))

    assert refused(stream, BeginMerge(ZOE, seen, MERGING)).code == "stale-review"


def test_an_approval_is_of_the_commit() -> None:
    state = GIVEN[task.APPROVED]().state

    assert isinstance(state, task.Approved)
    assert state.approval.commit == COMMIT


# --- branches


def test_a_claim_has_the_branch_that_is_named_after_it() -> None:
    stream = GIVEN[task.ASSIGNED]()
    [started] = stream.do(Start(ADA, fork=Fork("main", COMMIT)))

    claim = task.claim_of(stream.state)
    assert claim is not None
    assert (claim.branch, claim.base, claim.fork) == (f"crew/t-aaaaaaaa-{started.id[:8]}", "main", COMMIT)


def test_a_claim_may_take_a_branch_that_is_there_already() -> None:
    stream = GIVEN[task.ASSIGNED]()
    [started] = stream.do(Start(ADA, fork=Fork("main", COMMIT, "mine")))

    assert task.branch_of(started) == "mine"


def test_a_resumed_claim_goes_on_with_the_branch() -> None:
    stream = GIVEN[task.ASSIGNED]()
    [started] = stream.do(Start(ADA, fork=Fork("main", COMMIT)))
    stream.do(Resume(ADA))
    stream.do(Resume(ADA))

    claim = task.claim_of(stream.state)
    assert claim is not None
    assert claim.branch == task.branch_of(started)


def test_without_a_fork_there_is_no_branch() -> None:
    claim = task.claim_of(working().state)

    assert claim is not None
    assert claim.branch is None
