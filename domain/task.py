"""The task machine: the states a task can be in, the table of transitions, and `evolve`, the fold of its events.

`FOLD` is the version of the fold. Whatever changes what `evolve` makes of the same events raises it; stores then fold
their streams again.
"""

# No `from __future__ import annotations` here: of each annotation that is a string a named tuple makes code, at every start.
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import orjson

from domain.event import Event, IllegalEventError, Json
from domain.named import NamedTuple
from domain.registry import PRIORITY_DEFAULT

FOLD = 5

ASSIGNED, WORKING, IN_REVIEW, APPROVED = "ASSIGNED", "WORKING", "IN_REVIEW", "APPROVED"
MERGING, COMPLETED, CANCELLED, FAILED = "MERGING", "COMPLETED", "CANCELLED", "FAILED"
STATES = (ASSIGNED, WORKING, IN_REVIEW, APPROVED, MERGING, COMPLETED, CANCELLED, FAILED)
ANY = frozenset(STATES)
OPEN = ANY - {COMPLETED, CANCELLED}
# Where clones went different ways, the state that stands further right wins (domain.history).
PROGRESS = (ASSIGNED, WORKING, FAILED, IN_REVIEW, APPROVED, CANCELLED, MERGING, COMPLETED)

# What makes a claim.
TAKING = frozenset({"task.started", "task.resumed"})

# Branches that are made for claims.
BRANCHES = "crew/"

# An attempt that lost this many holders without a submission is given up.
STRIKES = 3

Text = str | Json

# What a link can mean. An import may keep another word of its source; such links are shown, and nothing follows.
AFTER, PARENT, RELATES = "after", "parent", "relates"


class Link(NamedTuple):
    """What binds a task to another: it waits for `to`, is a part of `to`, or has to do with it.

    `id` is the event that made it, so that undoing a link leaves alone what somebody else linked meanwhile. `to` is a
    task id; one that came from elsewhere may not be here.
    """

    id: str
    kind: str
    to: str


class Card(NamedTuple):
    """What is true of a task whatever its state. Times are event times.

    `conflicts` are the events that another clone's history left no room for, and that nobody has resolved yet.
    """

    id: str
    title: str
    body: Text
    priority: int
    assignee: str | None
    labels: tuple[str, ...]
    slug: str | None
    links: tuple[Link, ...]
    spawner: str
    created: str
    updated: str
    attempt: str
    attempts: int
    strikes: int
    holders: tuple[str, ...]
    notes: int
    progress: Json | None
    conflicts: tuple[str, ...] = ()
    source: Json | None = None  # of an imported task: system, id, status, digest, … (`domain.imports`)


class Claim(NamedTuple):
    """Who holds the task. `id` is the fencing token: the id of the event that made it.

    `branch`, `base` and `fork` (the commit that the branch begins at) are None for work without a branch.
    """

    id: str
    holder: str
    since: str
    process: Json | None
    branch: str | None = None
    base: str | None = None
    fork: str | None = None


class Submission(NamedTuple):
    """What the holder handed in; `id` is that event's.

    `code` says where the commit is and how much it changes, `check` what was run and came out, `ran` what the holder
    states to have run.
    """

    id: str
    by: str
    at: str
    evidence: Text
    commit: str | None
    code: Json | None = None
    check: Json | None = None
    ran: Text = ""


class Approval(NamedTuple):
    """Who accepted which submission, the review policy in force, and whether a signature came with it."""

    id: str
    by: str
    at: str
    policy: str
    commit: str | None = None
    signed: bool = False


class Merge(NamedTuple):
    """A merging that is open; `id` is that event's. From the rest the merge commit can be built again, to the byte."""

    id: str
    by: str
    at: str
    commit: str
    base: str
    base_commit: str
    merge: str
    ident: str
    when: int


class Setback(NamedTuple):
    """Why the last merging came to nothing. `kind` is `conflict`, `gate` or `base`."""

    id: str
    by: str
    at: str
    reason: Text
    kind: str
    base_commit: str | None
    files: tuple[str, ...]


class End(NamedTuple):
    """How a task came to rest: who, when, why."""

    id: str
    by: str
    at: str
    reason: Text


class Assigned(NamedTuple):
    """To be done, by the assignee or by anyone."""

    card: Card

    @property
    def state(self) -> str:
        """ASSIGNED."""
        return ASSIGNED


class Working(NamedTuple):
    """Somebody holds it."""

    card: Card
    claim: Claim

    @property
    def state(self) -> str:
        """WORKING."""
        return WORKING


class InReview(NamedTuple):
    """Handed in; waits for someone else's judgement."""

    card: Card
    claim: Claim
    submission: Submission

    @property
    def state(self) -> str:
        """IN_REVIEW."""
        return IN_REVIEW


class Approved(NamedTuple):
    """Accepted; waits to be merged. `setback` says why the last try came to nothing."""

    card: Card
    claim: Claim
    submission: Submission
    approval: Approval
    setback: Setback | None = None

    @property
    def state(self) -> str:
        """APPROVED."""
        return APPROVED


class Merging(NamedTuple):
    """Its merge commit is built; the base may have it already or not."""

    card: Card
    claim: Claim
    submission: Submission
    approval: Approval
    merge: Merge

    @property
    def state(self) -> str:
        """MERGING."""
        return MERGING


class Completed(NamedTuple):
    """Accepted and in. Final. Claim, submission and approval are None where it was completed in another tool."""

    card: Card
    claim: Claim | None
    submission: Submission | None
    approval: Approval | None
    end: End

    @property
    def state(self) -> str:
        """COMPLETED."""
        return COMPLETED


class Cancelled(NamedTuple):
    """No longer wanted."""

    card: Card
    end: End

    @property
    def state(self) -> str:
        """CANCELLED."""
        return CANCELLED


class Failed(NamedTuple):
    """Given up by its holder."""

    card: Card
    end: End

    @property
    def state(self) -> str:
        """FAILED."""
        return FAILED


_HELD = (Working, InReview, Approved, Merging)
_JUDGED = (InReview, Approved, Merging)

Task = Assigned | Working | InReview | Approved | Merging | Completed | Cancelled | Failed


class Transition(NamedTuple):
    """A row of the table: which command writes which event, in which states, acting on what."""

    command: str
    event: str
    states: frozenset[str]
    to: str
    on: str
    meaning: str


TRANSITIONS = (
    Transition("spawn", "task.spawned", frozenset(), ASSIGNED, "", "create a task, for a name or for anyone"),
    Transition(
        "start", "task.started", frozenset({ASSIGNED}), WORKING, "attempt", "take it; prints the claim"
    ),
    Transition(
        "resume",
        "task.resumed",
        frozenset({WORKING}),
        WORKING,
        "claim",
        "the holder's name takes a new claim",
    ),
    Transition(
        "done",
        "task.submitted",
        frozenset({WORKING, IN_REVIEW, APPROVED}),
        IN_REVIEW,
        "claim",
        "hand it in; replaces an earlier submission and voids its approval",
    ),
    Transition(
        "done --withdraw",
        "task.withdrawn",
        frozenset({IN_REVIEW}),
        WORKING,
        "submission",
        "take the submission back",
    ),
    Transition(
        "reject",
        "task.rejected",
        frozenset({IN_REVIEW, APPROVED}),
        "WORKING, or ASSIGNED with --to",
        "submission",
        "send it back with a reason",
    ),
    Transition(
        "approve",
        "task.approved",
        frozenset({IN_REVIEW}),
        "APPROVED, then COMPLETED where there is no commit to merge",
        "submission",
        "accept someone else's work",
    ),
    Transition(
        "merge (begin)",
        "task.merging",
        frozenset({APPROVED}),
        MERGING,
        "submission",
        "build the merge commit, once the gate has passed",
    ),
    Transition(
        "merge",
        "task.merged",
        frozenset({APPROVED, MERGING}),
        COMPLETED,
        "submission, or merging",
        "bring it in, or finish that after a crash",
    ),
    Transition(
        "merge (failed)",
        "task.merge-failed",
        frozenset({APPROVED, MERGING}),
        APPROVED,
        "submission, or merging",
        "a conflict, a gate that fails, a base that moved",
    ),
    Transition("cancel", "task.cancelled", OPEN - {MERGING}, CANCELLED, "attempt", "it is no longer wanted"),
    Transition("fail", "task.failed", frozenset({WORKING}), FAILED, "claim", "give up, with a reason"),
    Transition(
        "release",
        "task.released",
        frozenset({WORKING}),
        ASSIGNED,
        "claim",
        "give it back; anyone may with --force --reason",
    ),
    Transition(
        "reap",
        "task.expired",
        frozenset({WORKING}),
        "ASSIGNED, the third time FAILED",
        "claim",
        "take it from a holder who is lost",
    ),
    Transition(
        "retry", "task.retried", frozenset({FAILED, CANCELLED}), ASSIGNED, "attempt", "begin a new attempt"
    ),
    Transition(
        "assign", "task.assigned", frozenset({ASSIGNED}), ASSIGNED, "attempt", "to another name or to anyone"
    ),
    Transition("edit", "task.edited", ANY, "the same", "", "change title, body, priority, slug or labels"),
    Transition("note", "task.noted", ANY, "the same", "", "write something down"),
    Transition(
        "cleanup (abandoned)", "task.cleaned", ANY, "the same", "", "remove a branch that was given up"
    ),
    Transition(
        "link", "task.linked", ANY, "the same", "", "bind it to another task: waits for, part of, relates"
    ),
    Transition("unlink", "task.unlinked", ANY, "the same", "", "take links off"),
    Transition("progress", "task.progressed", frozenset({WORKING}), "the same", "claim", "say how far it is"),
    Transition("resolve", "task.resolved", ANY, "the same", "", "say that conflicts were dealt with"),
)
# What nobody types for one task: an import writes it for many.
IMPORTS = (
    Transition(
        "import",
        "task.imported",
        frozenset(),
        "the state that it has in its source",
        "",
        "take in an issue of another tool",
    ),
    Transition(
        "import",
        "task.synced",
        ANY,
        "the same; ASSIGNED and CANCELLED follow the source",
        "attempt",
        "take in what has changed in the source",
    ),
    Transition("import", "task.source-event", ANY, "the same", "", "keep what had happened in the source"),
)
BY_EVENT = {row.event: row for row in TRANSITIONS + IMPORTS}
_ON = {row.on: row.on.partition(", or ")[::2] for row in BY_EVENT.values()}


def linked(card: Card, kind: str) -> list[str]:
    """The tasks that this one is bound to by links of this kind, each once, in the order of the links."""
    return list(dict.fromkeys(link.to for link in card.links if link.kind == kind))


def claim_of(task: Task) -> Claim | None:
    """The current claim, if somebody holds the task."""
    return task.claim if isinstance(task, _HELD) else None


def submission_of(task: Task) -> Submission | None:
    """The current submission, if there is one to judge."""
    return task.submission if isinstance(task, _JUDGED) else None


def handed_in(task: Task) -> Submission | None:
    """What was handed in last, also where it is COMPLETED by now."""
    return task.submission if isinstance(task, InReview | Approved | Merging | Completed) else None


def acts_on(row: Transition, task: Task) -> str:
    """What an event of this row acts on in this state; "" for nothing."""
    return _acts_on(row, type(task))


def _acts_on(row: Transition, kind: type[Task]) -> str:
    on, while_merging = _ON[row.on]
    return while_merging if while_merging and kind is Merging else on


def current(task: Task, what: str) -> str:
    """The id that an event acting on `attempt`, `claim`, `submission` or `merging` must name now, or ""."""
    now = _CURRENT.get((what, type(task)))
    return now(task) if now else ""


def progress(task: Task) -> int:
    """How far the task is: of two histories the one that is further wins."""
    return PROGRESS.index(task.state)


def conflicted(task: Task, event: Event) -> Task:
    """The task with one more event that could not be applied to it."""
    return with_card(task, task.card._replace(conflicts=(*task.card.conflicts, event.id)))


def with_card(task: Task, card: Card) -> Task:
    """The task in the same state, with this card."""
    if isinstance(task, Working):  # most events come while somebody works, and `replace` is slow
        return tuple.__new__(Working, (card, task.claim))
    return task._replace(card=card)


def _is_next(row: Transition) -> bool:
    """False for what is no command of its own, and for what leads nowhere unless clones were at odds."""
    return "(" not in row.command and row.command != "resolve"


def legal_commands(state: str) -> list[str]:
    """The commands that the table allows in this state."""
    return [row.command for row in TRANSITIONS if state in row.states and _is_next(row)]


def evolve(task: Task | None, event: Event) -> Task:
    """The task after the event. Raises IllegalEventError and changes nothing where the table forbids it."""
    rule = _RULES.get((event.type, type(task)))
    if rule is None or task is None:
        return _begun(task, event)
    on, now, follow = rule
    if on and event.on.get(on) != now(task):
        raise IllegalEventError(event.id)
    return follow(task, event)


def _begun(task: Task | None, event: Event) -> Task:
    if event.type == "task.spawned" and task is None:
        return Assigned(_new_card(event))
    if event.type == "task.imported":
        from domain import imports  # most stores hold no import, and need not load its fold

        return imports.imported(task, event)
    raise IllegalEventError(event.id)


# --- what each event makes of a task that it may come to ---------------------------------------------------------

_UPDATED, _PROGRESS = map(Card._fields.index, ("updated", "progress"))


def _touched(task: Task, event: Event) -> Card:
    """The card, changed when the event was; by places, since `_replace` takes four times as long."""
    card = task.card
    if event.ts <= card.updated:
        return card
    fields: list[Any] = [*card]
    fields[_UPDATED] = event.ts
    return tuple.__new__(Card, fields)


def _progressed(task: Working, event: Event) -> Task:
    """By places, too: there are more of these than of all others together."""
    fields: list[Any] = [*task.card]
    fields[_UPDATED] = max(fields[_UPDATED], event.ts)
    fields[_PROGRESS] = {**event.payload, "at": event.ts}
    return tuple.__new__(Working, (tuple.__new__(Card, fields), task.claim))


def _started(task: Assigned, event: Event) -> Task:
    return Working(_held_by(_touched(task, event), event.sender), _claim(event))


def _resumed(task: Working, event: Event) -> Task:
    return Working(_touched(task, event), _claim(event, task.claim))


def _submitted(task: Working | InReview | Approved, event: Event) -> Task:
    card = _touched(task, event)
    return InReview(card._replace(strikes=0) if card.strikes else card, task.claim, _submission(event))


def _withdrawn(task: InReview, event: Event) -> Task:
    return Working(_touched(task, event), task.claim)


def _rejected(task: InReview | Approved, event: Event) -> Task:
    card = _touched(task, event)
    if event.payload.get("assignee"):
        return Assigned(card._replace(assignee=event.payload["assignee"]))
    return Working(card, task.claim)


def _approved(task: InReview, event: Event) -> Task:
    payload = event.payload
    about = (payload["policy"], payload.get("commit"), bool(payload.get("signature")))
    approval = Approval(event.id, event.sender, event.ts, *about)
    return Approved(_touched(task, event), task.claim, task.submission, approval)


def _merging(task: Approved, event: Event) -> Task:
    return Merging(_touched(task, event), task.claim, task.submission, task.approval, merge_of(event))


def _set_back(task: Approved | Merging, event: Event) -> Task:
    return Approved(_touched(task, event), task.claim, task.submission, task.approval, _setback(event))


def _merged(task: Approved | Merging, event: Event) -> Task:
    return Completed(_touched(task, event), task.claim, task.submission, task.approval, _end(event))


def _cancelled(task: Task, event: Event) -> Task:
    return Cancelled(_touched(task, event), _end(event))


def _failed(task: Task, event: Event) -> Task:
    return Failed(_touched(task, event), _end(event))


def _released(task: Task, event: Event) -> Task:
    return Assigned(_touched(task, event))


def _expired(task: Task, event: Event) -> Task:
    card = _touched(task, event)
    struck = card._replace(strikes=card.strikes + 1)
    return Failed(struck, _end(event)) if struck.strikes >= STRIKES else Assigned(struck)


def _retried(task: Task, event: Event) -> Task:
    card = _touched(task, event)
    return Assigned(card._replace(attempt=event.id, attempts=card.attempts + 1, strikes=0, holders=()))


def _assigned(task: Task, event: Event) -> Task:
    return Assigned(_touched(task, event)._replace(assignee=event.payload["assignee"]))


def _noted(task: Task, event: Event) -> Task:
    if "digest" in event.payload:
        return _synced(task, event)
    card = _touched(task, event)
    return with_card(task, card._replace(notes=card.notes + 1))


def _cleaned(task: Task, event: Event) -> Task:
    return with_card(task, _touched(task, event))


def _resolved(task: Task, event: Event) -> Task:
    card, payload = _touched(task, event), event.payload
    # Asked for only where there is a conflict: without any, an event from elsewhere need not name them.
    left = tuple(event_id for event_id in card.conflicts if event_id not in payload["conflicts"])
    return with_card(task, card._replace(conflicts=left))


def _synced(task: Task, event: Event) -> Task:
    from domain import imports

    _touched(task, event)  # not kept, but it raises where the card was updated at what is no time
    return imports.later(task, event)


def _edited(task: Task, event: Event) -> Task:
    return with_card(task, _with_edits(_touched(task, event), event.payload))


def _linked(task: Task, event: Event) -> Task:
    card, payload = _touched(task, event), event.payload
    made = Link(event.id, payload["kind"], payload["to"])
    return with_card(task, card._replace(links=(*card.links, made)))


def _unlinked(task: Task, event: Event) -> Task:
    card = _touched(task, event)
    gone = {(link["id"], link["kind"], link["to"]) for link in event.payload["links"]}
    return with_card(task, card._replace(links=tuple(link for link in card.links if link not in gone)))


def _new_card(event: Event) -> Card:
    payload = event.payload
    return Card(
        id=event.subject,
        title=payload["title"],
        body=payload.get("body", ""),
        priority=payload.get("priority", PRIORITY_DEFAULT),
        assignee=payload["assignee"],
        labels=tuple(payload.get("labels", ())),
        slug=payload.get("slug"),
        links=_first_links(event),
        spawner=event.sender,
        created=event.ts,
        updated=event.ts,
        attempt=event.id,
        attempts=1,
        strikes=0,
        holders=(),
        notes=0,
        progress=None,
    )


def _first_links(event: Event) -> tuple[Link, ...]:
    payload = event.payload
    parent = [Link(event.id, PARENT, payload["parent"])] if payload.get("parent") else []
    return (*(Link(event.id, AFTER, to) for to in dict.fromkeys(payload.get("after", ()))), *parent)


def _held_by(card: Card, name: str) -> Card:
    return card if name in card.holders else card._replace(holders=(*card.holders, name))


def branch_of(event: Event) -> str | None:
    """The branch that a claim's own event began, if it began one."""
    if "fork" not in event.payload:
        return None
    stated: str | None = event.payload.get("branch")
    return stated or own_branch(event.subject, event.id)


def own_branch(task: str, claim: str) -> str:
    """The branch that is made for a claim."""
    return f"{BRANCHES}{task}-{claim[:8]}"


def _claim(event: Event, before: Claim | None = None) -> Claim:
    """The claim that the event made; resumed without a branch of its own it goes on with the one from before."""
    payload = event.payload
    about = (branch_of(event), payload.get("base"), payload.get("fork"))
    if before and about[0] is None:
        about = (before.branch, before.base, before.fork)
    return Claim(event.id, event.sender, event.ts, payload.get("process"), *about)


_CODE = ("branch", "base", "base_commit", "commits", "files", "added", "removed", "uncommitted")
_CHECK = {"check": "command", "check_exit": "exit", "check_output": "output"}


def _submission(event: Event) -> Submission:
    payload = event.payload
    code = {name: payload[name] for name in _CODE if name in payload}
    check = {name: payload[field] for field, name in _CHECK.items() if field in payload}
    said = (payload.get("evidence", ""), payload.get("commit"), code or None, check or None)
    return Submission(event.id, event.sender, event.ts, *said, ran=payload.get("ran", ""))


def merge_of(event: Event) -> Merge:
    """The merge that a `task.merging` began."""
    fields = ("commit", "base", "base_commit", "merge", "ident", "when")
    return Merge(event.id, event.sender, event.ts, *(event.payload[name] for name in fields))


def _setback(event: Event) -> Setback:
    payload = event.payload
    said = (payload["reason"], payload["kind"], payload.get("base_commit"))
    return Setback(event.id, event.sender, event.ts, *said, files=tuple(payload.get("files", ())))


def _end(event: Event) -> End:
    payload = event.payload
    return End(event.id, event.sender, event.ts, payload.get("reason") or payload.get("why") or "")


def _with_edits(card: Card, payload: Json) -> Card:
    removed = payload.get("remove_labels", ())
    kept = [label for label in card.labels if label not in removed]
    labels = kept + [label for label in payload.get("add_labels", ()) if label not in kept]
    return card._replace(
        title=payload.get("title", card.title),
        body=payload.get("body", card.body),
        priority=payload.get("priority", card.priority),
        slug=payload.get("slug", card.slug),
        labels=tuple(labels),
    )


_KINDS = (Assigned, Working, InReview, Approved, Merging, Completed, Cancelled, Failed)
_CLASSES: dict[str, type[Any]] = dict(zip(STATES, _KINDS, strict=True))
_PARTS: dict[str, type[Any]] = {
    "claim": Claim,
    "submission": Submission,
    "approval": Approval,
    "merge": Merge,
    "setback": Setback,
    "end": End,
}
_TUPLES = ("labels", "holders", "conflicts")


# Where the id stands of what events act on, and in which states there is such a thing.
_PLACES: dict[str, tuple[str, tuple[type[Any], ...]]] = {
    "attempt": ("card.attempt", _KINDS),
    "claim": ("claim.id", _HELD),
    "submission": ("submission.id", _JUDGED),
    "merging": ("merge.id", (Merging,)),
}
_CURRENT: dict[tuple[str, type[Any]], Callable[[Any], str]] = {
    (what, kind): attrgetter(path) for what, (path, kinds) in _PLACES.items() for kind in kinds
}
_FOLLOW: dict[str, Callable[[Any, Event], Task]] = {
    "task.started": _started,
    "task.resumed": _resumed,
    "task.submitted": _submitted,
    "task.withdrawn": _withdrawn,
    "task.rejected": _rejected,
    "task.approved": _approved,
    "task.merging": _merging,
    "task.merged": _merged,
    "task.merge-failed": _set_back,
    "task.cancelled": _cancelled,
    "task.failed": _failed,
    "task.released": _released,
    "task.expired": _expired,
    "task.retried": _retried,
    "task.assigned": _assigned,
    "task.edited": _edited,
    "task.noted": _noted,
    "task.cleaned": _cleaned,
    "task.linked": _linked,
    "task.unlinked": _unlinked,
    "task.progressed": _progressed,
    "task.resolved": _resolved,
    "task.synced": _synced,
    "task.source-event": _synced,
}


def _rule(row: Transition, kind: type[Any]) -> tuple[str, Callable[[Any], str], Callable[[Any, Event], Task]]:
    on = _acts_on(row, kind)
    return on, _CURRENT[on or "attempt", kind], _FOLLOW[row.event]


# For each event, in each state that the table allows it in: what it acts on, "" for nothing; what that is now; the fold.
_RULES = {
    (row.event, kind): _rule(row, kind)
    for row in BY_EVENT.values()
    for state, kind in _CLASSES.items()
    if state in row.states
}
_STORED = {kind: tuple(sorted(("state", *kind.__match_args__))) for kind in _CLASSES.values()}


# The fields that may hold an object of an event's payload.
_OBJECTS: dict[type[Any], tuple[str, ...]] = {
    Card: ("body", "progress", "source"),
    Claim: ("process",),
    Submission: ("evidence", "code", "check", "ran"),
    Approval: (),
    Merge: (),
    Setback: ("reason",),
    End: ("reason",),
}


def dump(task: Task) -> bytes:
    """The state as JSON bytes, the same in every clone: `{"card": {…}, "claim": {…}, "state": …}`.

    Members that events brought are sorted, the others stand in the order of their fields.
    """
    document = {name: _plain(getattr(task, name)) for name in _STORED[type(task)]}
    if task.card.links:
        document["card"]["links"] = [[*link] for link in task.card.links]
    return orjson.dumps(document)


def _plain(part: Any) -> Any:
    """The fields of a part by name; what is none, as it is."""
    objects = _OBJECTS.get(part.__class__)
    if objects is None:
        return part
    fields: Json = part._asdict()
    for name in objects:
        if type(fields[name]) is dict:
            fields[name] = orjson.Fragment(orjson.dumps(fields[name], option=orjson.OPT_SORT_KEYS))
    return fields


def load(data: bytes) -> Task:
    """The state that `dump` wrote."""
    document: Json = orjson.loads(data)
    kind = _CLASSES[document.pop("state")]
    card = document.pop("card")
    for name in _TUPLES:
        card[name] = tuple(card[name])
    card["links"] = tuple(Link(*link) for link in card["links"])
    parts = {name: _part(name, value) for name, value in document.items()}
    task: Task = kind(card=Card(**card), **parts)
    return task


def _part(name: str, fields: Json | None) -> Any:
    if fields is None:
        return None
    if name == "setback":
        fields["files"] = tuple(fields["files"])
    return _PARTS[name](**fields)
