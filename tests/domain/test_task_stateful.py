"""Random commands by several actors, who remember every claim and submission they ever saw."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain import task
from domain.commands import (
    Approve,
    Assign,
    BeginMerge,
    Bind,
    Cancel,
    Clean,
    Command,
    Edit,
    Expire,
    Fail,
    FailMerge,
    Merge,
    Note,
    Progress,
    Reject,
    Release,
    Resolve,
    Resume,
    Retry,
    Start,
    Submit,
    Unbind,
    Undo,
    Withdraw,
)
from domain.decide import decide
from domain.event import Event, check
from domain.refusals import CODES, Refusal
from domain.task import BY_EVENT, TRANSITIONS, Task, claim_of, submission_of
from tests.support.streams import COMMIT, CONFLICT, MERGING, Stream

ACTORS = st.sampled_from(["ada", "bob", "cyd", "zoe"])
TEXTS = st.sampled_from(["", "because", "x" * 5_000, "größer\n"])
KINDS = st.sampled_from([task.AFTER, task.PARENT, task.RELATES])
OTHERS = st.sampled_from(["t-aaaaaaaa", "t-bbbbbbbb", "t-cccccccc"])
NEEDED = {"task.submitted", "task.withdrawn", "task.failed", "task.progressed"}


class Crew(RuleBasedStateMachine):
    """One task and a crew that does not always know how it stands."""

    stream: Stream
    claims: list[str]
    submissions: list[str]
    mergings: list[str]
    refusals: list[Refusal]

    @initialize(assignee=st.none() | ACTORS, labels=st.lists(st.sampled_from("abc"), unique=True))
    def spawned(self, assignee: str | None, labels: list[str]) -> None:
        self.stream = Stream(assignee=assignee, labels=tuple(labels))
        self.refusals = []
        self.claims = ["", "f" * 64]
        self.submissions = ["", "f" * 64]
        self.mergings = ["", "f" * 64]

    def attempt(self, command: Command) -> None:
        before = self.stream.state
        try:
            drafts = decide(command, before)
        except Refusal as refusal:
            self.refusals.append(refusal)
            return
        for draft in drafts:
            held, state = self.stream.holder, self.stream.state
            event = self.stream.store(command.actor, draft)  # raises where evolve refuses what decide decided
            self.judge(event, state, held, command)

    def judge(self, event: Event, before: Task, holder: str, command: Command) -> None:
        """Rules that are said here a second time, in other words than in `decide`."""
        after = self.stream.state
        row = BY_EVENT[event.type]
        assert before.state in row.states
        assert after.state in row.to or row.to == "the same"
        assert before.state != task.COMPLETED or type(after) is type(before)
        if event.type in NEEDED and not isinstance(command, Undo):
            held = claim_of(before)
            shown = getattr(command, "claim", "")
            assert held is not None
            assert event.sender == holder
            assert shown
            assert held.id.startswith(shown)
        if event.type == "task.started":
            assert holder == ""
            assert before.card.assignee in (None, event.sender)
        if event.type == "task.approved":
            handed_in = submission_of(before)
            assert handed_in is not None
            assert event.sender not in (handed_in.by, holder, *self.holders_of_attempt(before.card.attempt))
            assert event.on == {"submission": handed_in.id}
        if event.type == "task.rejected":
            assert event.sender != holder
        if event.type in ("task.started", "task.resumed"):
            self.claims.append(event.id)
        if event.type == "task.submitted":
            self.submissions.append(event.id)
        if event.type == "task.merging":
            self.mergings.append(event.id)
        if before.state == task.MERGING:
            assert event.type in {
                "task.merged",
                "task.merge-failed",
                "task.edited",
                "task.noted",
                "task.cleaned",
            }
        if event.type == "task.merged" and (handed_in := submission_of(before)) and handed_in.commit:
            assert getattr(command, "found", "") == handed_in.commit or before.state == task.MERGING

    def holders_of_attempt(self, attempt: str) -> set[str]:
        events = self.stream.events
        begin = next(number for number, event in enumerate(events) if event.id == attempt)
        return {event.sender for event in events[begin:] if event.type == "task.started"}

    @rule(actor=ACTORS)
    def start(self, actor: str) -> None:
        self.attempt(Start(actor))

    @rule(actor=ACTORS)
    def resume(self, actor: str) -> None:
        self.attempt(Resume(actor))

    @rule(actor=ACTORS, data=st.data(), text=TEXTS, commit=st.sampled_from([None, COMMIT]))
    def submit(self, actor: str, data: st.DataObject, text: str, commit: str | None) -> None:
        self.attempt(Submit(actor, self.some_claim(data), text, commit))

    @rule()
    def submit_as_one_should(self) -> None:
        if self.stream.claim:
            self.attempt(Submit(self.stream.holder, self.stream.claim, "look"))

    @rule(actor=ACTORS, data=st.data())
    def withdraw(self, actor: str, data: st.DataObject) -> None:
        self.attempt(Withdraw(actor, self.some_claim(data)))

    @rule(actor=ACTORS, to=st.none() | ACTORS, data=st.data())
    def reject(self, actor: str, to: str | None, data: st.DataObject) -> None:
        self.attempt(Reject(actor, "no", to, data.draw(st.sampled_from(self.submissions))))

    @rule(actor=ACTORS, data=st.data(), complete=st.booleans())
    def approve(self, actor: str, data: st.DataObject, complete: bool) -> None:
        self.attempt(Approve(actor, "other", data.draw(st.sampled_from(self.submissions)), complete=complete))

    @rule(actor=ACTORS, data=st.data())
    def begin_merge(self, actor: str, data: st.DataObject) -> None:
        self.attempt(BeginMerge(actor, data.draw(st.sampled_from(self.submissions)), MERGING))

    @rule(actor=ACTORS, data=st.data())
    def fail_merge(self, actor: str, data: st.DataObject) -> None:
        on = data.draw(st.sampled_from([*self.submissions, *self.mergings]))
        self.attempt(FailMerge(actor, on, CONFLICT))

    @rule(actor=ACTORS, data=st.data(), found=st.sampled_from(["", COMMIT]))
    def merge(self, actor: str, data: st.DataObject, found: str) -> None:
        self.attempt(Merge(actor, data.draw(st.sampled_from(self.mergings)), found))

    @rule(actor=ACTORS)
    def clean(self, actor: str) -> None:
        self.attempt(Clean(actor, "crew/t-aaaaaaaa-0123abcd", COMMIT))

    @rule(actor=ACTORS, reason=TEXTS)
    def cancel(self, actor: str, reason: str) -> None:
        self.attempt(Cancel(actor, reason))

    @rule(actor=ACTORS, data=st.data())
    def fail(self, actor: str, data: st.DataObject) -> None:
        self.attempt(Fail(actor, self.some_claim(data), "too hard"))

    @rule(actor=ACTORS, data=st.data(), reason=TEXTS, force=st.booleans())
    def release(self, actor: str, data: st.DataObject, reason: str, force: bool) -> None:
        self.attempt(Release(actor, self.some_claim(data), reason, force=force))

    @rule(actor=ACTORS, data=st.data())
    def reap(self, actor: str, data: st.DataObject) -> None:
        self.attempt(Expire(actor, self.some_claim(data), 61, "no beat"))

    @rule(actor=ACTORS)
    def retry(self, actor: str) -> None:
        self.attempt(Retry(actor))

    @rule(actor=ACTORS, to=st.none() | ACTORS)
    def assign(self, actor: str, to: str | None) -> None:
        self.attempt(Assign(actor, to))

    @rule(
        actor=ACTORS,
        title=st.sampled_from([None, "One", "Two"]),
        body=st.none() | TEXTS,
        slug=st.sampled_from([None, "one", "two"]),
        added=st.lists(st.sampled_from("abc")),
        removed=st.lists(st.sampled_from("abc")),
    )
    def edit(self, **fields: Any) -> None:
        added, removed = tuple(fields.pop("added")), tuple(fields.pop("removed"))
        self.attempt(Edit(**fields, add_labels=added, remove_labels=removed))

    @rule(actor=ACTORS)
    def note(self, actor: str) -> None:
        self.attempt(Note(actor, "hm"))

    @rule(actor=ACTORS, data=st.data(), percent=st.none() | st.integers(0, 100))
    def progress(self, actor: str, data: st.DataObject, percent: int | None) -> None:
        self.attempt(Progress(actor, self.some_claim(data), "half of it", percent))

    @rule(actor=ACTORS, kind=KINDS, to=OTHERS)
    def link(self, actor: str, kind: str, to: str) -> None:
        self.attempt(Bind(actor, kind, to))

    @rule(actor=ACTORS, kind=KINDS, to=OTHERS)
    def unlink(self, actor: str, kind: str, to: str) -> None:
        self.attempt(Unbind(actor, kind, to))

    @invariant()
    def a_task_is_part_of_one_other_at_most(self) -> None:
        assert len(task.linked(self.stream.state.card, task.PARENT)) <= 1

    @rule(actor=ACTORS)
    def resolve(self, actor: str) -> None:
        self.attempt(Resolve(actor))

    @rule(actor=ACTORS)
    def undo(self, actor: str) -> None:
        self.attempt(Undo(actor, self.stream.events[-1], self.stream.states[-2]))

    def some_claim(self, data: st.DataObject) -> str:
        """A claim that somebody remembers, or the beginning of one; rather often the current one."""
        claim = data.draw(st.sampled_from([*self.claims, self.stream.claim, self.stream.claim]))
        return claim[: data.draw(st.sampled_from([64, 8]))]

    @invariant()
    def a_task_is_held_exactly_while_somebody_works_on_it(self) -> None:
        held = claim_of(self.stream.state)
        assert (held is not None) == (
            self.stream.state.state in (task.WORKING, task.IN_REVIEW, task.APPROVED, task.MERGING)
        )
        if held:
            made = next(event for event in self.stream.events if event.id == held.id)
            assert made.sender == held.holder

    @invariant()
    def the_state_survives_being_stored(self) -> None:
        assert task.load(task.dump(self.stream.state)) == self.stream.state

    def teardown(self) -> None:
        if hasattr(self, "stream"):
            assert all(refusal.message and refusal.code in CODES for refusal in self.refusals)
            state: Task | None = None
            for event, kept in zip(self.stream.events, self.stream.states[1:], strict=True):
                state = task.evolve(state, check(event.line))
                assert state == kept


def test_every_command_of_the_table_is_among_the_rules() -> None:
    names = {"done": "submit", "done --withdraw": "withdraw", "cleanup (abandoned)": "clean"}
    names |= {"merge (begin)": "begin_merge", "merge (failed)": "fail_merge"}

    assert {names.get(row.command, row.command) for row in TRANSITIONS[1:]} <= set(vars(Crew))


TestCrew = Crew.TestCase
TestCrew.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
