"""What may happen to a task next: one command, one function, one answer (the events, or a Refusal).

Everything here is pure. The log calls it inside the write lock with the state that is true at that moment; an empty
answer means that there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

from domain.blobs import preview
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
    Fork,
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
from domain.draft import Draft
from domain.event import Json
from domain.refusals import Refusal
from domain.registry import CONFLICTS_LIMIT, LINKS_LIMIT
from domain.task import (
    BY_EVENT,
    COMPLETED,
    PARENT,
    STATES,
    Assigned,
    Claim,
    Completed,
    Link,
    Merging,
    Submission,
    Task,
    Working,
    acts_on,
    claim_of,
    current,
    legal_commands,
    submission_of,
)

CLAIM_PREFIX = 4
CARD_LINKS_LIMIT = 512


def spawn(command: Spawn) -> tuple[Draft, ...]:
    """The event that creates a task."""
    payload: Json = {
        "title": command.title,
        "priority": command.priority,
        "assignee": command.assignee,
        **_given(
            body=command.body,
            labels=list(command.labels),
            slug=command.slug,
            after=list(command.after),
            parent=command.parent,
        ),
    }
    return (Draft("task.spawned", payload, {}, command.assignee or "*"),)


def decide(command: Command, task: Task) -> tuple[Draft, ...]:  # noqa: C901 - one case a command
    """The events that the command leads to in this state; () where there is nothing to do. Raises Refusal."""
    match command:
        case Start():
            return _start(command, task)
        case Resume():
            return _resume(command, task)
        case Submit():
            return _submit(command, task)
        case Withdraw():
            return _withdraw(command, task)
        case Reject():
            return _reject(command, task)
        case Approve():
            return _approve(command, task)
        case BeginMerge():
            return _begin_merge(command, task)
        case FailMerge():
            return _fail_merge(command, task)
        case Merge():
            return _merge(command, task)
        case Clean():
            return (_draft("task.cleaned", task, {"branch": command.branch, "commit": command.commit}),)
        case Cancel():
            return _cancel(command, task)
        case Fail():
            return _fail(command, task)
        case Release():
            return _release(command, task)
        case Expire():
            return _expire(command, task)
        case Retry():
            return _retry(command, task)
        case Assign():
            return _assign(command, task)
        case Edit():
            return _edit(command, task)
        case Note():
            return (_draft("task.noted", task, {"text": command.text}),)
        case Bind():
            return _bind(command, task)
        case Unbind():
            return _unbind(command, task)
        case Progress():
            return _progress(command, task)
        case Resolve():
            return _resolve(command, task)
        case Undo():
            return _undo(command, task)
        case _:
            assert_never(command)


def _start(command: Start, task: Task) -> tuple[Draft, ...]:
    claim = claim_of(task)
    if isinstance(task, Working) and claim:
        raise _held(task, claim, command.actor)
    _require("task.started", task)
    assignee = task.card.assignee
    if assignee not in (None, command.actor):
        raise Refusal(
            "not-assignee",
            f"{task.card.id} is assigned to {assignee}",
            f"Take another one with `crewlog start`, or have it given to you: "
            f"`crewlog assign {task.card.id} --to {command.actor}`.",
            task=task.card.id,
            assignee=assignee,
        )
    return (_draft("task.started", task, _given(process=command.process, **_forked(command.fork))),)


def _resume(command: Resume, task: Task) -> tuple[Draft, ...]:
    _require("task.resumed", task)
    claim = claim_of(task)
    if claim and claim.holder != command.actor:
        raise _held(task, claim, command.actor)
    return (_draft("task.resumed", task, _given(process=command.process, **_forked(command.fork))),)


def _forked(fork: Fork | None) -> Json:
    return fork._asdict() if fork else {}


def _submit(command: Submit, task: Task) -> tuple[Draft, ...]:
    _show_claim("task.submitted", task, command.actor, command.claim)
    payload = {**_given(evidence=command.evidence, commit=command.commit), **(command.about or {})}
    return (_draft("task.submitted", task, payload, task.card.spawner),)


def _withdraw(command: Withdraw, task: Task) -> tuple[Draft, ...]:
    _show_claim("task.withdrawn", task, command.actor, command.claim)
    return (_draft("task.withdrawn", task, _given(reason=command.reason)),)


def _reject(command: Reject, task: Task) -> tuple[Draft, ...]:
    _require("task.rejected", task)
    _same_submission(command.submission, task)
    claim = claim_of(task)
    if claim and claim.holder == command.actor:
        hint = f"`crewlog done --withdraw {task.card.id}` takes your own submission back."
        raise Refusal("not-allowed", "nobody rejects their own work", hint, task=task.card.id)
    payload = {"reason": command.reason, **_given(assignee=command.to)}
    return (_draft("task.rejected", task, payload, command.to or (claim.holder if claim else "*")),)


def _approve(command: Approve, task: Task) -> tuple[Draft, ...]:
    _require("task.approved", task)
    _without_conflicts(task)
    submission = _same_submission(command.submission, task)
    if command.actor in (*task.card.holders, submission.by):
        raise Refusal(
            "own-approval",
            f"{command.actor} worked on {task.card.id} and cannot approve it",
            f"Ask someone else to review it: `crewlog approve {task.card.id} --as NAME`.",
            task=task.card.id,
            holders=sorted({*task.card.holders, submission.by}),
        )
    commit = _given(commit=submission.commit)
    payload = {
        "policy": command.policy,
        **commit,
        **_given(note=command.note, signature=command.signature),
    }
    approved = _draft("task.approved", task, payload)
    if submission.commit or not command.complete:
        return (approved,)
    return (approved, Draft("task.merged", {}, {"submission": submission.id}))


def _begin_merge(command: BeginMerge, task: Task) -> tuple[Draft, ...]:
    _require("task.merging", task)
    _without_conflicts(task)
    _same_submission(command.submission, task)
    return (_draft("task.merging", task, command.about),)


def _fail_merge(command: FailMerge, task: Task) -> tuple[Draft, ...]:
    _require("task.merge-failed", task)
    _same_merging(command.on, task)
    claim = claim_of(task)
    return (_draft("task.merge-failed", task, command.about, claim.holder if claim else "*"),)


def _merge(command: Merge, task: Task) -> tuple[Draft, ...]:
    if isinstance(task, Completed):
        return ()
    _require("task.merged", task)
    if isinstance(task, Merging):
        _same_merging(command.merging, task)
        merge = task.merge
        payload = {"commit": merge.commit, "base": merge.base, "merge": merge.merge}
        return (_draft("task.merged", task, payload),)
    _without_conflicts(task)
    submission = submission_of(task)
    commit, base = (submission.commit, (submission.code or {}).get("base")) if submission else (None, None)
    if commit and command.found != commit:
        message = f"{task.card.id} has a commit, {commit[:12]}, which is not in {base or 'its base'} yet"
        hint = f"`crewlog merge {task.card.id}` in its git repository brings it in."
        raise Refusal("absent-commit", message, hint, task=task.card.id, commit=commit)
    return (_draft("task.merged", task, _given(commit=commit, base=base)),)


def _same_merging(shown: str, task: Task) -> None:
    """A compare-and-set on the merging, or on the submission while none is open."""
    wanted = current(task, "merging") or current(task, "submission")
    if shown != wanted:
        message = f"{task.card.id} is {task.state}: another merge of it began or ended meanwhile"
        hint = f"Look again: `crewlog show {task.card.id}`."
        raise Refusal("stale-review", message, hint, task=task.card.id)


def _cancel(command: Cancel, task: Task) -> tuple[Draft, ...]:
    _require("task.cancelled", task)
    return (_draft("task.cancelled", task, _given(reason=command.reason)),)


def _fail(command: Fail, task: Task) -> tuple[Draft, ...]:
    _show_claim("task.failed", task, command.actor, command.claim)
    return (_draft("task.failed", task, {"reason": command.reason}, task.card.spawner),)


def _release(command: Release, task: Task) -> tuple[Draft, ...]:
    claim = claim_of(task)
    mine = claim is not None and claim.holder == command.actor
    if command.force and not (mine and command.claim):
        _require("task.released", task)
        if not command.reason.strip():
            hint = f'Example: crewlog release {task.card.id} --force --reason "ada\'s session died".'
            raise Refusal("bad-value", "a forced release needs a reason", hint, field="reason")
        return (_draft("task.released", task, {"reason": command.reason, "forced": True}),)
    _show_claim("task.released", task, command.actor, command.claim)
    return (_draft("task.released", task, _given(reason=command.reason)),)


def _expire(command: Expire, task: Task) -> tuple[Draft, ...]:
    """A compare-and-set on the claim: a holder who changed meanwhile is not the one who was judged."""
    claim = claim_of(task)
    if claim is None or claim.id != command.claim:
        raise stale_claim(task, command.claim)
    _require("task.expired", task)
    payload = {"holder": claim.holder, "silence": command.silence, "why": command.why}
    return (_draft("task.expired", task, payload, claim.holder),)


def _retry(command: Retry, task: Task) -> tuple[Draft, ...]:
    _require("task.retried", task)
    return (_draft("task.retried", task, _given(reason=command.reason)),)


def _assign(command: Assign, task: Task) -> tuple[Draft, ...]:
    _require("task.assigned", task)
    if task.card.assignee == command.to:
        return ()
    return (_draft("task.assigned", task, {"assignee": command.to}, command.to or "*"),)


def _edit(command: Edit, task: Task) -> tuple[Draft, ...]:
    card = task.card
    wanted = {
        "title": command.title,
        "body": command.body,
        "priority": command.priority,
        "slug": command.slug,
    }
    payload: Json = {
        name: value for name, value in wanted.items() if value is not None and value != getattr(card, name)
    }
    added = [label for label in dict.fromkeys(command.add_labels) if label not in card.labels]
    removed = [label for label in dict.fromkeys(command.remove_labels) if label in card.labels]
    payload |= _given(add_labels=added, remove_labels=removed)
    return (_draft("task.edited", task, payload),) if payload else ()


def _bind(command: Bind, task: Task) -> tuple[Draft, ...]:
    card = task.card
    if command.to == card.id:
        raise Refusal(
            "bad-value", f"{card.id} cannot be linked to itself", "Name another task.", task=card.id
        )
    if _links(task, command.kind, command.to):
        return ()
    if len(card.links) >= CARD_LINKS_LIMIT:
        message = f"{card.id} has {len(card.links)} links; that is the limit"
        raise Refusal("too-large", message, "Split the task: an epic's parts name it as their --parent.")
    linked = _draft("task.linked", task, {"kind": command.kind, "to": command.to})
    instead = _links(task, PARENT) if command.kind == PARENT else []
    return (linked, _unlinked(task, instead)) if instead else (linked,)


def _unbind(command: Unbind, task: Task) -> tuple[Draft, ...]:
    found = _links(task, command.kind, command.to)
    return (_unlinked(task, found),) if found else ()


def _links(task: Task, kind: str, to: str = "") -> list[Link]:
    return [link for link in task.card.links if link.kind == kind and to in ("", link.to)][:LINKS_LIMIT]


def _unlinked(task: Task, links: list[Link]) -> Draft:
    return _draft("task.unlinked", task, {"links": [link._asdict() for link in links]})


def _progress(command: Progress, task: Task) -> tuple[Draft, ...]:
    _show_claim("task.progressed", task, command.actor, command.claim)
    payload = _given(text=command.text)
    if command.percent is not None:
        payload["percent"] = command.percent
    return (_draft("task.progressed", task, payload),)


def _resolve(command: Resolve, task: Task) -> tuple[Draft, ...]:
    chosen = [_one_conflict(text, task) for text in command.events] or [*task.card.conflicts]
    if not chosen:
        return ()
    payload = {"conflicts": list(dict.fromkeys(chosen))[:CONFLICTS_LIMIT], **_given(note=command.note)}
    return (_draft("task.resolved", task, payload),)


def _one_conflict(text: str, task: Task) -> str:
    found = [event_id for event_id in task.card.conflicts if text and event_id.startswith(text)]
    if len(found) == 1:
        return found[0]
    message = f"{text[:64]!r} is {'several conflicts' if found else 'no open conflict'} of {task.card.id}"
    hint = f"`crewlog conflicts {task.card.id}` lists them."
    raise Refusal("ambiguous" if found else "not-found", message, hint, task=task.card.id)


def _without_conflicts(task: Task) -> None:
    number = len(task.card.conflicts)
    if number:
        many = "conflicts that nobody" if number > 1 else "conflict that nobody"
        raise Refusal(
            "conflicts",
            f"{task.card.id} has {number} {many} has settled: another clone went a different way",
            f"Look: `crewlog conflicts {task.card.id}`; then `crewlog resolve {task.card.id}`.",
            task=task.card.id,
            conflicts=list(task.card.conflicts),
        )


def _undo(command: Undo, task: Task) -> tuple[Draft, ...]:
    last, card = command.last, task.card
    if last.sender != command.actor:
        message = f"the last event of {card.id} is {last.sender}'s {last.type}, not yours"
        raise Refusal("cannot-undo", message, f"`crewlog log {card.id}` shows its events.", event=last.id)
    inverse = _INVERSE.get(last.type)
    draft = inverse(command, task) if inverse else None
    if draft is None:
        hint = f"Legal now: {', '.join(legal_commands(task.state))}."
        raise Refusal("cannot-undo", f"{last.type} has no inverse here", hint, event=last.id)
    return (draft,)


def _unspawn(command: Undo, task: Task) -> Draft | None:
    del command
    return _draft("task.cancelled", task, {"reason": "undo"})


def _unstart(command: Undo, task: Task) -> Draft | None:
    del command
    return _draft("task.released", task, {"reason": "undo"})


def _unsubmit(command: Undo, task: Task) -> Draft | None:
    first = isinstance(command.before, Working)
    return _draft("task.withdrawn", task, {"reason": "undo"}) if first else None


def _uncancel(command: Undo, task: Task) -> Draft | None:
    waiting = isinstance(command.before, Assigned)
    return _draft("task.retried", task, {"reason": "undo"}) if waiting else None


def _unassign(command: Undo, task: Task) -> Draft | None:
    before = command.before.card.assignee if command.before else None
    return _draft("task.assigned", task, {"assignee": before}, before or "*")


def _unedit(command: Undo, task: Task) -> Draft | None:
    if command.before is None:
        return None
    before, now = command.before.card, task.card
    payload: Json = {
        name: getattr(before, name)
        for name in ("title", "body", "priority", "slug")
        if getattr(before, name) != getattr(now, name)
    }
    lost = [label for label in before.labels if label not in now.labels]
    gained = [label for label in now.labels if label not in before.labels]
    payload |= _given(add_labels=lost, remove_labels=gained)
    return _draft("task.edited", task, payload) if payload else None


def _unbound(command: Undo, task: Task) -> Draft | None:
    return _unlinked(task, [link for link in task.card.links if link.id == command.last.id])


_INVERSE: dict[str, Callable[[Undo, Task], Draft | None]] = {
    "task.spawned": _unspawn,
    "task.started": _unstart,
    "task.submitted": _unsubmit,
    "task.cancelled": _uncancel,
    "task.assigned": _unassign,
    "task.edited": _unedit,
    "task.linked": _unbound,
}


def _draft(event: str, task: Task, payload: Json, to: str = "*") -> Draft:
    on = acts_on(BY_EVENT[event], task)
    return Draft(event, payload, {on: current(task, on)} if on else {}, to)


def _given(**fields: Any) -> Json:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _require(event: str, task: Task) -> None:
    row = BY_EVENT[event]
    if task.state in row.states:
        return
    claim = claim_of(task)
    holder = f", held by {claim.holder} since {claim.since}" if claim else ""
    legal, command = legal_commands(task.state), row.command.partition(" (")[0]
    raise Refusal(
        "wrong-state",
        f"{task.card.id} is {task.state}{holder}; {command} needs {' or '.join(_ordered(row.states))}",
        f"Legal now: {', '.join(legal)}.",
        task=task.card.id,
        state=task.state,
        legal=legal,
        **_about_end(task),
    )


def _ordered(states: frozenset[str]) -> list[str]:
    order = STATES[: STATES.index(COMPLETED)]
    return sorted(states, key=lambda state: (order.index(state) if state in order else len(order), state))


def _about_end(task: Task) -> Json:
    end = getattr(task, "end", None)
    return {"by": end.by, "at": end.at, "reason": preview(end.reason)} if end else {}


def _held(task: Task, claim: Claim, actor: str) -> Refusal:
    if claim.holder == actor:
        message = f"{task.card.id} is already held by {actor}, in another session or in this one, since {claim.since}"
        hint = f"`crewlog resume {task.card.id}` takes it over openly: the old claim becomes stale."
    else:
        message = f"{task.card.id} is held by {claim.holder} since {claim.since}"
        hint = "`crewlog start` without a task takes the best one that is ready."
    return Refusal("held", message, hint, task=task.card.id, holder=claim.holder, since=claim.since)


def _show_claim(event: str, task: Task, actor: str, shown: str) -> None:
    """Fencing: only the holder's name with the current claim passes."""
    claim = claim_of(task)
    if shown and (claim is None or len(shown) < CLAIM_PREFIX or not claim.id.startswith(shown)):
        raise stale_claim(task, shown)
    _require(event, task)
    if claim is None or claim.holder != actor:
        holder = claim.holder if claim else None
        raise Refusal(
            "held" if claim else "wrong-state",
            f"{task.card.id} is held by {holder}, not by {actor}",
            "Only its holder may do that, showing the claim.",
            task=task.card.id,
            holder=holder,
        )
    if not shown:
        raise Refusal(
            "no-claim",
            f"{BY_EVENT[event].command} on {task.card.id} needs the claim that `start` printed",
            f"Give it as --claim or in CREWLOG_CLAIM; `crewlog whoami --as {actor}` shows it. If another session of "
            f"yours may still be at work, `crewlog resume {task.card.id}` takes over.",
            task=task.card.id,
        )


def stale_claim(task: Task, shown: str) -> Refusal:
    """The refusal of a claim that is no longer current: it names who holds the task now, and since when."""
    claim = claim_of(task)
    now = f"{claim.holder} holds it since {claim.since}" if claim else f"nobody holds it: it is {task.state}"
    return Refusal(
        "stale-claim",
        f"claim {shown[:12]} on {task.card.id} is no longer current; {now}",
        f"Stop working on it: `crewlog log {task.card.id}` tells what happened, `crewlog start` takes another.",
        task=task.card.id,
        state=task.state,
        claim=shown,
        holder=claim.holder if claim else None,
        since=claim.since if claim else None,
    )


def _same_submission(shown: str, task: Task) -> Submission:
    submission = submission_of(task)
    if submission is None:
        raise Refusal("wrong-state", f"{task.card.id} has no submission", task=task.card.id)
    if shown and not submission.id.startswith(shown):
        message = f"submission {shown[:12]} of {task.card.id} was replaced by {submission.id[:12]}"
        raise Refusal(
            "stale-review", message, f"Look again: `crewlog show {task.card.id}`.", task=task.card.id
        )
    return submission
