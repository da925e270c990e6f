"""A task's stream without a log: what the log does between `decide` and `evolve`, in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain import event, task
from domain.blobs import check_in
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
    Spawn,
    Start,
    Submit,
    Unbind,
    Undo,
    Withdraw,
)
from domain.decide import decide, spawn
from domain.draft import Draft
from domain.event import Event
from domain.registry import BLOB_LIMIT, check_payload
from domain.task import Task, claim_of, current

ADA, BOB, ZOE = "ada", "bob", "zoe"
COMMIT = "c0ffee" * 6 + "c0ff"
EPIC = "t-eeeeeeee"  # what the task is a part of
SOME_TIME = 10**15
BASE, MERGE = "ba5e" * 10, "3e26e" * 8
MERGING: dict[str, Any] = {
    "commit": COMMIT,
    "base": "main",
    "base_commit": BASE,
    "merge": MERGE,
    "ident": "zoe <zoe@crew.invalid>",
    "when": 1_000_000_000,
}
CONFLICT: dict[str, Any] = {
    "reason": "conflict in hello.py",
    "kind": "conflict",
    "base": "main",
    "base_commit": BASE,
    "files": ["hello.py"],
}


class Stream:
    """The events of one task, the state behind each, and the state now. Every event comes a second later."""

    def __init__(self, **spawned: Any) -> None:
        self.events: list[Event] = []
        self.states: list[Task | None] = [None]
        fields: dict[str, Any] = {
            "actor": ZOE,
            "title": "Mend the login",
            "priority": 2,
            "parent": EPIC,
            **spawned,
        }
        self.store(fields["actor"], spawn(Spawn(**fields))[0])

    @property
    def state(self) -> Task:
        """The state now."""
        now = self.states[-1]
        assert now is not None
        return now

    @property
    def claim(self) -> str:
        """The current claim, or ""."""
        held = claim_of(self.state)
        return held.id if held else ""

    @property
    def holder(self) -> str:
        """Who holds the task, or ""."""
        held = claim_of(self.state)
        return held.holder if held else ""

    def do(self, command: Command) -> list[Event]:
        """Decide the command on the state now, and store what it leads to."""
        return [self.store(command.actor, draft) for draft in decide(command, self.state)]

    def undo(self, actor: str) -> list[Event]:
        """Take the actor's last event back."""
        return self.do(Undo(actor, self.events[-1], self.states[-2]))

    def in_conflict(self, command: Command) -> Command:
        """Let another clone's history leave no room for an event; the command that deals with it."""
        self.states[-1] = task.conflicted(self.state, self.events[0])
        return command

    def store(self, actor: str, draft: Draft) -> Event:
        """Stamp a draft as the log would, and fold it."""
        sealed = self.seal(actor, draft)
        self.states.append(task.evolve(self.states[-1], sealed))
        self.events.append(sealed)
        return sealed

    def seal(self, actor: str, draft: Draft) -> Event:
        """The event that the log would make of a draft."""
        payload, _ = check_in(draft.type, draft.payload, BLOB_LIMIT)
        check_payload(draft.type, payload, draft.on)
        number = len(self.events) + 1
        fields: dict[str, Any] = {
            "v": event.VERSION,
            "ts": event.format_time(SOME_TIME + number * 1_000_000),
            "from": actor,
            "to": draft.to,
            "type": draft.type,
            "stream": "task/t-aaaaaaaa",
            "payload": payload,
            "key": f"key-{number}",
            "replica": "r-1",
            "seq": number,
        }
        if draft.on:
            fields["on"] = draft.on
        if self.events:
            fields |= {"parents": [self.events[-1].id], "prev": self.events[-1].id}
        return event.seal(fields)


def assigned(**spawned: Any) -> Stream:
    """A task that waits for someone."""
    return Stream(**spawned)


def working(**spawned: Any) -> Stream:
    """A task that ada holds."""
    stream = assigned(**spawned)
    stream.do(Start(ADA))
    return stream


def in_review(commit: str | None = COMMIT, **spawned: Any) -> Stream:
    """A task that ada handed in."""
    stream = working(**spawned)
    stream.do(Submit(ADA, stream.claim, "the tests pass", commit))
    return stream


def approved(**spawned: Any) -> Stream:
    """Ada's work, approved by zoe; the commit is not merged yet."""
    stream = in_review(**spawned)
    stream.do(Approve(ZOE, "other"))
    return stream


def merging(**spawned: Any) -> Stream:
    """Ada's work, approved by zoe, whose merge commit is about to become the base."""
    stream = approved(**spawned)
    stream.do(BeginMerge(ZOE, current(stream.state, "submission"), MERGING))
    return stream


def completed(**spawned: Any) -> Stream:
    """Ada's work, approved by zoe; there was no commit to merge."""
    stream = in_review(commit=None, **spawned)
    stream.do(Approve(ZOE, "other"))
    return stream


def cancelled(**spawned: Any) -> Stream:
    """A task that nobody wants any more."""
    stream = assigned(**spawned)
    stream.do(Cancel(ZOE, "not needed"))
    return stream


def failed(**spawned: Any) -> Stream:
    """A task that ada gave up."""
    stream = working(**spawned)
    stream.do(Fail(ADA, stream.claim, "too hard"))
    return stream


GIVEN: dict[str, Callable[..., Stream]] = {
    task.ASSIGNED: assigned,
    task.WORKING: working,
    task.IN_REVIEW: in_review,
    task.APPROVED: approved,
    task.MERGING: merging,
    task.COMPLETED: completed,
    task.CANCELLED: cancelled,
    task.FAILED: failed,
}


def _merging_or_submission(stream: Stream) -> str:
    return current(stream.state, "merging") or current(stream.state, "submission")


# Each command as somebody gives it who may: where the table allows it, nothing else stands in its way.
COMMANDS: dict[str, Callable[[Stream], Command]] = {
    "start": lambda _: Start(ADA),
    "resume": lambda _: Resume(ADA),
    "done": lambda stream: Submit(ADA, stream.claim, "look again", COMMIT),
    "done --withdraw": lambda stream: Withdraw(ADA, stream.claim),
    "reject": lambda _: Reject(ZOE, "a test is missing"),
    "approve": lambda _: Approve(ZOE, "other"),
    "merge (begin)": lambda stream: BeginMerge(ZOE, current(stream.state, "submission"), MERGING),
    "merge": lambda stream: Merge(ZOE, current(stream.state, "merging"), COMMIT),
    "merge (failed)": lambda stream: FailMerge(ZOE, _merging_or_submission(stream), CONFLICT),
    "cancel": lambda _: Cancel(ZOE),
    "fail": lambda stream: Fail(ADA, stream.claim, "too hard"),
    "release": lambda stream: Release(ADA, stream.claim),
    "reap": lambda stream: Expire(ZOE, stream.claim, 61, "no beat for 61 s"),
    "retry": lambda _: Retry(ZOE),
    "assign": lambda _: Assign(ZOE, BOB),
    "edit": lambda _: Edit(ZOE, title="Mend the logout"),
    "cleanup (abandoned)": lambda _: Clean(ZOE, "crew/t-aaaaaaaa-0123abcd", COMMIT),
    "note": lambda _: Note(BOB, "I saw this before"),
    "resolve": lambda stream: stream.in_conflict(Resolve(ZOE)),
    "link": lambda _: Bind(BOB, task.AFTER, "t-bbbbbbbb"),
    "unlink": lambda _: Unbind(BOB, task.PARENT, EPIC),
    "progress": lambda stream: Progress(ADA, stream.claim, "half of it", 50),
}
