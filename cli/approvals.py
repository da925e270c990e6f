"""Signed approvals: who may sign is in the store's file `signers`, or in one that an auditor brings along."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cli.call import Call
from domain.refusals import Refusal
from export.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.event import Event
    from domain.task import Task

SIGNERS_VARIABLE = "CREWLOG_SIGNERS"


def signers_file(call: Call) -> str:
    """The file that says whose key is whose: CREWLOG_SIGNERS, else the store's own. Raises Refusal `not-found`."""
    from export.signing import SIGNERS

    given = call.shell.environ.get(SIGNERS_VARIABLE, "")
    if not given:
        return call.store.path(SIGNERS)
    path = os.path.join(call.shell.cwd, given)
    if not os.path.isfile(path):
        hint = "It is to say whose key is whose, a line a key: `zoe ssh-ed25519 AAAA…`."
        raise Refusal("not-found", f"{SIGNERS_VARIABLE} names {given}, and there is no such file", hint)
    return path


def signature(call: Call, task: Task, key: str | None, policy: str) -> str:
    """The signature of an approval by `key`, checked; "" without one. Refused where the settings ask for one."""
    from domain.task import submission_of
    from export.signing import APPROVAL, approval_text, sign, signer

    if key is None:
        if policy == "signed":
            hint = f"crewlog approve {task.card.id} --sign ~/.ssh/id_ed25519"
            raise Refusal("not-allowed", "the config says [review] by = signed", hint)
        return ""
    submission = submission_of(task)
    if submission is None:
        return ""
    text = approval_text(task.card.id, submission.id, submission.commit)
    path = os.path.join(call.shell.cwd, os.path.expanduser(key))
    signed = sign(path, APPROVAL, text, call.shell.environ)
    why = signer(signed, APPROVAL, text, call.actor, signers_file(call), call.shell.environ)
    if why:
        hint = f"Add the line `{call.actor} <key-type> <key>` of the public key to {signers_file(call)}; `crewlog sync` brings it to the others."
        raise Refusal("signature", f"the key is not known as {call.actor}'s: {why}", hint)
    return signed


def judge(call: Call, event: Event) -> str:
    """What the approval's signature is worth: `signed`, `not signed`, `not checked: …`, or why it is not good."""
    if event.id not in call.signatures:
        call.signatures[event.id] = _judged(call, event)
    return call.signatures[event.id]


def _judged(call: Call, event: Event) -> str:
    from export.signing import APPROVAL, approval_text, signer

    signed = event.payload.get("signature")
    if not isinstance(signed, str):
        return "not signed"
    signers = signers_file(call)
    if not os.path.isfile(signers):
        return f"not checked: nothing says whose key is whose; {SIGNERS_VARIABLE}=FILE does"
    text = approval_text(event.subject, str(event.on.get("submission", "")), event.payload.get("commit"))
    why = signer(signed, APPROVAL, text, event.sender, signers, call.shell.environ)
    return f"bad signature: {why}" if why else "signed"


def bad_signatures(call: Call, approvals: Iterable[str]) -> list[Finding]:
    """A finding for each of these approvals whose signature is not the approver's, or is missing where it was asked for."""
    found: list[Finding] = []
    for event in map(call.store.log.event, approvals):
        if event:
            found += _finding(call, event)
    return found


_CODES = {"not signed": "approval-unsigned", "not checked": "approval-unchecked"}


def _finding(call: Call, event: Event) -> list[Finding]:
    said = judge(call, event)
    if said == "signed":
        return []
    code = _CODES.get(said.partition(":")[0], "approval-signature")
    return [Finding(code, event.stream, f"{event.sender}'s approval of {event.subject}: {said}", id=event.id)]
