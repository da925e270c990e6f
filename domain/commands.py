"""What can be asked of a task: the commands, imperative, with all that deciding on them needs.

Named tuples, because a class costs every start: a frozen dataclass eight times as much.
"""

# No `from __future__ import annotations` here: of each annotation that is a string a named tuple makes code, at every start.
from domain.draft import Draft
from domain.event import Event, Json
from domain.named import NamedTuple
from domain.task import Task, Text


class Spawn(NamedTuple):
    """Create a task."""

    actor: str
    title: str
    priority: int
    body: str = ""
    assignee: str | None = None
    labels: tuple[str, ...] = ()
    slug: str | None = None
    after: tuple[str, ...] = ()
    parent: str | None = None


class Fork(NamedTuple):
    """Where the work of a claim begins: the base it goes into, a commit of it, and a branch that is there already."""

    base: str
    fork: str
    branch: str = ""


class Start(NamedTuple):
    """Take a task that nobody holds."""

    actor: str
    process: Json | None = None
    fork: Fork | None = None


class Resume(NamedTuple):
    """Take one's own task over from another session of the same name."""

    actor: str
    process: Json | None = None
    fork: Fork | None = None


class Submit(NamedTuple):
    """Hand the work in."""

    actor: str
    claim: str
    evidence: str = ""
    commit: str | None = None
    about: Json | None = None  # the fields of `task.submitted` that say where the commit is, and what was run


class Withdraw(NamedTuple):
    """Take a submission back."""

    actor: str
    claim: str
    reason: str = ""


class Reject(NamedTuple):
    """Send work back."""

    actor: str
    reason: str
    to: str | None = None
    submission: str = ""


class Approve(NamedTuple):
    """Accept someone else's work; `complete` brings a task without a commit to COMPLETED at once."""

    actor: str
    policy: str
    submission: str = ""
    note: str = ""
    complete: bool = True
    signature: str = ""


class BeginMerge(NamedTuple):
    """Say what the base is about to become: `about` holds the fields of `task.merging`."""

    actor: str
    submission: str
    about: Json


class FailMerge(NamedTuple):
    """Say why approved work could not be brought in. `on` is the merging or the submission that it was about."""

    actor: str
    on: str
    about: Json


class Merge(NamedTuple):
    """Complete an approved task: without a commit, with one that `found` says is in the base, or after a merging."""

    actor: str
    merging: str = ""
    found: str = ""


class Clean(NamedTuple):
    """Write down that a branch was removed, and where it was."""

    actor: str
    branch: str
    commit: str


class Cancel(NamedTuple):
    """Say that a task is no longer wanted."""

    actor: str
    reason: str = ""


class Fail(NamedTuple):
    """Give up a task that one holds."""

    actor: str
    claim: str
    reason: str


class Release(NamedTuple):
    """Give a task back; `force` takes it from someone else and needs a reason."""

    actor: str
    claim: str
    reason: str = ""
    force: bool = False


class Expire(NamedTuple):
    """Take a task from a holder who is lost. `claim` is the one that was judged, `silence` in seconds."""

    actor: str
    claim: str
    silence: int
    why: str


class Retry(NamedTuple):
    """Begin a new attempt."""

    actor: str
    reason: str = ""


class Assign(NamedTuple):
    """Give a waiting task to a name, or with None to anyone."""

    actor: str
    to: str | None


class Edit(NamedTuple):
    """Change what a task says; None leaves a field as it is."""

    actor: str
    title: str | None = None
    body: Text | None = None
    priority: int | None = None
    slug: str | None = None
    add_labels: tuple[str, ...] = ()
    remove_labels: tuple[str, ...] = ()


class Note(NamedTuple):
    """Write something down about a task."""

    actor: str
    text: str


class Bind(NamedTuple):
    """Link a task to another: `kind` is `after`, `parent` or `relates`. A new parent takes the place of the old one."""

    actor: str
    kind: str
    to: str


class Unbind(NamedTuple):
    """Take the links of this kind to another task off."""

    actor: str
    kind: str
    to: str


class Progress(NamedTuple):
    """Say how far one's task is."""

    actor: str
    claim: str
    text: str = ""
    percent: int | None = None


class Resolve(NamedTuple):
    """Say that conflicts were dealt with; `events` are prefixes of their ids, none: all of them."""

    actor: str
    events: tuple[str, ...] = ()
    note: str = ""


class Import(NamedTuple):
    """Take in an issue of another tool, or what has changed of it since.

    `payload` is that of `task.imported`, with as many labels and links as there are; `entries` are its comments and
    its history, as drafts.
    """

    actor: str
    payload: Json
    entries: tuple[Draft, ...] = ()


class Undo(NamedTuple):
    """Take one's own last event back: `last` is the stream's newest event, `before` the state it found."""

    actor: str
    last: Event
    before: Task | None


Command = (
    Start
    | Resume
    | Submit
    | Withdraw
    | Reject
    | Approve
    | BeginMerge
    | FailMerge
    | Merge
    | Clean
    | Cancel
    | Fail
    | Release
    | Expire
    | Retry
    | Assign
    | Edit
    | Note
    | Bind
    | Unbind
    | Progress
    | Resolve
    | Undo
)


# Which first event a command leads to. An idempotency key is only good for the command it was used with.
EVENTS: dict[str, frozenset[str]] = {
    "Spawn": frozenset({"task.spawned"}),
    "Start": frozenset({"task.started"}),
    "Resume": frozenset({"task.resumed"}),
    "Submit": frozenset({"task.submitted"}),
    "Withdraw": frozenset({"task.withdrawn"}),
    "Reject": frozenset({"task.rejected"}),
    "Approve": frozenset({"task.approved"}),
    "BeginMerge": frozenset({"task.merging"}),
    "FailMerge": frozenset({"task.merge-failed"}),
    "Merge": frozenset({"task.merged"}),
    "Clean": frozenset({"task.cleaned"}),
    "Cancel": frozenset({"task.cancelled"}),
    "Fail": frozenset({"task.failed"}),
    "Release": frozenset({"task.released"}),
    "Expire": frozenset({"task.expired"}),
    "Retry": frozenset({"task.retried"}),
    "Assign": frozenset({"task.assigned"}),
    "Edit": frozenset({"task.edited"}),
    "Note": frozenset({"task.noted"}),
    "Bind": frozenset({"task.linked"}),
    "Unbind": frozenset({"task.unlinked"}),
    "Progress": frozenset({"task.progressed"}),
    "Resolve": frozenset({"task.resolved"}),
    "Undo": frozenset(
        {
            "task.cancelled",
            "task.released",
            "task.withdrawn",
            "task.retried",
            "task.assigned",
            "task.edited",
            "task.unlinked",
        }
    ),
    "Join": frozenset({"agent.joined"}),
    "Leave": frozenset({"agent.left"}),
    "Subscribe": frozenset({"agent.subscribed"}),
    "Unsubscribe": frozenset({"agent.unsubscribed"}),
    "Send": frozenset({"mail.sent"}),
    "Ack": frozenset({"mail.acked", "mail.answered"}),
    "Reply": frozenset({"mail.answered"}),
}
