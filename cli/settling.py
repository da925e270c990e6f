"""How `run` settles a task when its command has ended: handed in, failed, given back, or not ours to settle."""

from __future__ import annotations

import shlex
import signal
from typing import TYPE_CHECKING, Any, Literal

from cli.beating import standing
from cli.call import Call
from cli.text import age
from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.task import WORKING

if TYPE_CHECKING:
    from cli.heart import Claimed
    from domain.commands import Command

Outcome = Literal["done", "left", "settled", "failed", "released", "lost"]
# Whose claim it was decides the log when it writes: these say that it is no longer ours.
_TOO_LATE = frozenset({"stale-claim", "wrong-state", "held"})
# What the command left cannot be handed in: it did not do its work.
_NOT_COMMITTED = frozenset({"dirty", "empty-branch", "absent-commit", "branch-moved"})


class Ended(NamedTuple):
    """How the command ended: exit code (128 + N: by signal N), the end of its output, the signal that stopped us."""

    line: tuple[str, ...]
    code: int
    output: str
    seconds: float
    stopped_by: int


class Ran(NamedTuple):
    """What one task came to. `exit` is the command's; `event` is the one that this program settled it with."""

    task: str
    claim: str
    outcome: Outcome
    state: str
    event: str | None
    exit: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The object in a JSON answer."""
        return {**self._asdict(), "seconds": round(self.seconds, 3)}


def settle(call: Call, claimed: Claimed, ended: Ended, *, submit: bool) -> Ran:
    """Settle the task, unless the command did so itself or the claim is no longer current."""
    how = standing(call.store.log, claimed.task, claimed.claim, claimed.agent)
    state = call.state_of(claimed.task).state
    if how == "lost":
        return _ran(claimed, ended, "lost", state)
    if how == "settled" or state != WORKING:
        return _ran(claimed, ended, "settled", state)
    try:
        outcome, command = _fitting(call, claimed, ended, submit=submit)
        if command is None:
            return _ran(claimed, ended, outcome, state)
        written = call.write(claimed.task, command)
    except Refusal as refusal:
        if refusal.code not in _TOO_LATE:
            raise
        return _ran(claimed, ended, "lost", call.state_of(claimed.task).state)
    _say(call, call.store.after_write())
    return _ran(claimed, ended, outcome, written.state.state, written.events[0].id)


def give_back(call: Call, claimed: Claimed, reason: str) -> None:
    """Release the task: the command could not even begin."""
    from domain.commands import Release

    call.write(claimed.task, Release(claimed.agent, claimed.claim, reason))
    _say(call, call.store.after_write())


def _say(call: Call, remarks: list[str]) -> None:
    for remark in remarks:
        call.shell.remark(remark)


def _ran(claimed: Claimed, ended: Ended, outcome: Outcome, state: str, event: str | None = None) -> Ran:
    return Ran(claimed.task, claimed.claim, outcome, state, event, ended.code, ended.seconds)


def _fitting(call: Call, claimed: Claimed, ended: Ended, *, submit: bool) -> tuple[Outcome, Command | None]:
    """What fits the command's end."""
    from domain.commands import Fail, Release

    agent, _, claim = claimed
    if ended.stopped_by:
        name = signal.Signals(ended.stopped_by).name
        return "released", Release(agent, claim, f"crewlog run was stopped by {name}")
    if ended.code:
        return "failed", Fail(agent, claim, _account(ended))
    return _handing_in(call, claimed, ended) if submit else ("left", None)


def _handing_in(call: Call, claimed: Claimed, ended: Ended) -> tuple[Outcome, Command]:
    """Hand in what is committed; work that is not, or none at all, is a failure, however well the command ended."""
    from cli.commands.done import submission
    from domain.commands import Fail

    agent, task, claim = claimed
    try:
        return "done", submission(call, task, claim, _account(ended))
    except Refusal as refusal:
        if refusal.code not in _NOT_COMMITTED:
            raise
        why = f"it cannot be handed in: {refusal.message}"
        return "failed", Fail(agent, claim, f"{why}\n{_account(ended)}")


def _account(ended: Ended) -> str:
    """What ran, how it ended and its last words; without what looks like a secret, which the log would refuse."""
    from domain.secrets import find_secret

    how = f"exited with {ended.code} after {age(ended.seconds)}"
    said = f"; the end of its output:\n{ended.output}" if ended.output else ", without a word"
    line = f"`{shlex.join(ended.line)}` {how}"
    for text in (line + said, f"{line}; its output looks like it holds a secret", f"the command {how}"):
        if not find_secret(text):
            return text
    return how
