"""Why a command is refused: a stable code, a sentence, a hint, and the exit code that scripts branch on.

The table below is the contract: `docs/cli.md` lists it, and a code that is not in it cannot be raised.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from domain.named import NamedTuple


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    CONFLICT = 5
    STORE = 6
    CORRUPT = 7
    NOTHING_YET = 8


EXIT_MEANINGS = {
    Exit.DONE: "done, after the commit; or there was nothing to do",
    Exit.INTERNAL: "an error inside crewlog",
    Exit.USAGE: "the command line is wrong",
    Exit.NOT_FOUND: "not found, or ambiguous",
    Exit.REFUSED: "refused by the rules",
    Exit.CONFLICT: "conflict: a lost race, a stale claim, a key used twice",
    Exit.STORE: "the store is missing, newer, locked or unwritable",
    Exit.CORRUPT: "corrupt data",
    Exit.NOTHING_YET: "nothing yet",
}


class Code(NamedTuple):
    """What a refusal code stands for."""

    exit: Exit
    retryable: bool
    meaning: str


CODES = {
    "usage": Code(Exit.USAGE, False, "the command line could not be read"),
    "unknown-command": Code(Exit.USAGE, False, "there is no such command; the hint has the corrected line"),
    "no-name": Code(Exit.USAGE, False, "a write needs to know who you are"),
    "bad-name": Code(Exit.USAGE, False, "a name outside [a-z0-9][a-z0-9._-]{0,63}"),
    "bad-value": Code(Exit.USAGE, False, "an argument outside its limits"),
    "not-installed": Code(Exit.USAGE, False, "a part that is wanted is not installed; the hint says how"),
    "not-found": Code(Exit.NOT_FOUND, False, "nothing has this id or name"),
    "absent-commit": Code(
        Exit.NOT_FOUND, True, "the commit is not in this repository, or not in the base yet"
    ),
    "redacted": Code(
        Exit.NOT_FOUND, False, "the blob was taken out on purpose; an event says by whom and why"
    ),
    "ambiguous": Code(Exit.NOT_FOUND, False, "several things have this prefix or slug; details lists them"),
    "wrong-state": Code(Exit.REFUSED, False, "the task's state does not allow this command"),
    "not-assignee": Code(Exit.REFUSED, False, "the task is assigned to another name"),
    "no-claim": Code(Exit.REFUSED, False, "the command needs the claim that start printed"),
    "not-allowed": Code(Exit.REFUSED, False, "only someone else may do this"),
    "own-approval": Code(Exit.REFUSED, False, "nobody approves their own work"),
    "conflicts": Code(Exit.REFUSED, False, "what another clone did to the task has to be settled first"),
    "signature": Code(Exit.REFUSED, False, "a signature could not be made, or is not that name's"),
    "circle": Code(Exit.REFUSED, False, "the link would close a circle"),
    "cannot-undo": Code(Exit.REFUSED, False, "the last event is not yours, or has no inverse"),
    "dirty": Code(Exit.REFUSED, False, "uncommitted changes are in the way; details lists them"),
    "empty-branch": Code(Exit.REFUSED, False, "the branch has no commit that its base has not"),
    "gate-failed": Code(Exit.REFUSED, False, "the merge gate failed on the merged tree"),
    "base-behind": Code(Exit.REFUSED, False, "the base has not what its upstream has: pull first"),
    "not-a-branch": Code(Exit.REFUSED, False, "work goes from a branch into a branch, and this is none"),
    "too-large": Code(Exit.REFUSED, False, "a field, an event or a blob is over its limit"),
    "secret": Code(Exit.REFUSED, False, "the text looks like it holds a key or a password"),
    "unknown-type": Code(Exit.REFUSED, False, "the stream holds events of a newer crewlog"),
    "held": Code(Exit.CONFLICT, False, "someone holds the task"),
    "stale-claim": Code(Exit.CONFLICT, False, "the claim is no longer current"),
    "stale-review": Code(Exit.CONFLICT, False, "the submission you reviewed was replaced"),
    "branch-moved": Code(Exit.CONFLICT, False, "the branch moved since the work was handed in"),
    "merge-conflict": Code(
        Exit.CONFLICT, False, "the work and its base changed the same lines; details lists the files"
    ),
    "key-reuse": Code(Exit.CONFLICT, False, "the idempotency key belongs to another command"),
    "no-store": Code(Exit.STORE, False, "no store here; `crewlog init` makes one"),
    "newer-store": Code(Exit.STORE, False, "the store was written by a newer crewlog"),
    "locked": Code(Exit.STORE, True, "another process held the store for too long"),
    "unwritable": Code(Exit.STORE, False, "the store cannot be written; the path is named"),
    "disk-full": Code(Exit.STORE, True, "no space left; nothing was written"),
    "unreachable": Code(
        Exit.STORE,
        True,
        "the server of the store does not answer, or the connection broke; nothing was written",
    ),
    "unacknowledged": Code(
        Exit.STORE, True, "the connection broke during the commit: with the same --key a retry is safe"
    ),
    "no-access": Code(Exit.STORE, False, "the server of the store refused the user, or the database"),
    "missing-extra": Code(Exit.STORE, False, "a store on a server needs crewlog[postgres]"),
    "moved": Code(Exit.STORE, False, "the log was moved; the hint says where to"),
    "unsafe-store": Code(
        Exit.STORE, False, "the store belongs to someone else or is reached through a symlink"
    ),
    "views-mended": Code(
        Exit.STORE,
        True,
        "views.db was damaged, and has been made anew: look whether a write was done, and run it again",
    ),
    "git": Code(Exit.STORE, False, "git is missing, too old, or could not do what was asked"),
    "git-busy": Code(Exit.STORE, True, "another git command is at work there"),
    "corrupt": Code(Exit.CORRUPT, False, "stored data fails its check"),
    "nothing-yet": Code(Exit.NOTHING_YET, True, "nothing to do yet"),
    "interrupted": Code(Exit.INTERNAL, True, "stopped by a signal"),
    "internal": Code(Exit.INTERNAL, False, "a bug in crewlog; please report it"),
}


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A command that the rules, the store or the command line do not allow.

    `code` is a key of CODES, `message` one sentence, `hint` what to do next (never a destructive command),
    `details` JSON-ready facts for programs.
    """

    def __init__(self, code: str, message: str, hint: str = "", /, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details
        self.kind = CODES[code]

    @property
    def exit(self) -> Exit:
        """The exit code of a command that ends with this refusal."""
        return self.kind.exit

    @property
    def retryable(self) -> bool:
        """True if the same command may succeed later, unchanged."""
        return self.kind.retryable

    def as_dict(self) -> dict[str, Any]:
        """The object under `error` in a JSON answer."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            "details": self.details,
        }
