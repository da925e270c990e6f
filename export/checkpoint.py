"""A checkpoint: how far each clone's chain was, in a few lines that fit on paper.

Each event names its predecessor by hash, so the end of a chain stands for all of it: who keeps a checkpoint can tell
later whether anything before it was taken out, put in or rewritten, even by somebody who owns this machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from domain.event import format_time, is_id
from domain.named import NamedTuple
from domain.refusals import Refusal
from export.findings import Finding
from export.signing import CHECKPOINT, signer

if TYPE_CHECKING:
    from domain.event import Event
    from domain.log import Log
    from export.looking import End

KIND = "crewlog checkpoint v1"
_SIZE = 10_000_000


class Checkpoint(NamedTuple):
    """`origin` is the first event of the log that it was made of, `ends` how far each replica's chain was."""

    at: str
    origin: str
    events: int
    ends: dict[str, tuple[int, str]]
    root: str

    def text(self) -> str:
        """The document, one JSON object in lines."""
        ends = {replica: {"seq": seq, "id": event_id} for replica, (seq, event_id) in self.ends.items()}
        document = {"kind": KIND, **self._asdict(), "ends": ends}
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        return orjson.dumps(document, option=options).decode()


def root(ends: Mapping[str, tuple[int, str]]) -> str:
    """One hash over the ends of all chains."""
    lines = (f"{replica} {seq} {event_id}\n" for replica, (seq, event_id) in sorted(ends.items()))
    return sha256(b"crewlog.checkpoint.v1\0" + "".join(lines).encode()).hexdigest()


def make(log: Log) -> Checkpoint:
    """The checkpoint of the log as it is."""
    ends, first = log.chains(), log.read(0, 1)
    if not first:
        raise Refusal("not-found", "the log is empty", "A checkpoint is of something.")
    return Checkpoint(
        format_time(log.clock()), first[0].event.id, sum(seq for seq, _ in ends.values()), ends, root(ends)
    )


class Kept(NamedTuple):
    """A checkpoint that somebody kept, the bytes that were signed, and the signature ("" where it has none)."""

    checkpoint: Checkpoint
    signed: bytes
    signature: str


def read(path: str) -> Kept:
    """The checkpoint in a file. Raises Refusal `not-found`, `bad-value`."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_SIZE)
    except FileNotFoundError as error:
        raise Refusal(
            "not-found", f"there is no {path}", "`crewlog checkpoint -o FILE` makes one."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "it is no text"
        hint = "Name the file that `crewlog checkpoint -o FILE` made."
        raise Refusal("bad-value", f"{path} cannot be read: {why}", hint) from error
    document, begin, armour = text.partition("-----BEGIN SSH SIGNATURE-----")
    try:
        found: Any = orjson.loads(document)
        ends = {str(name): (int(end["seq"]), str(end["id"])) for name, end in found["ends"].items()}
        parsed = Checkpoint(found["at"], found["origin"], int(found["events"]), ends, found["root"])
        known = found["kind"] == KIND and all(is_id(end[1]) for end in ends.values())
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        known, parsed = False, Checkpoint("", "", 0, {}, "")
    if not known:
        raise Refusal("bad-value", f"{path} is no checkpoint", "`crewlog checkpoint` makes one.")
    return Kept(parsed, document.encode(), begin + armour if begin else "")


def compare(log: Log, kept: Kept, path: str, ends: Mapping[str, End]) -> list[Finding]:
    """What keeps the log from being a continuation of the checkpoint. `ends`: how far each chain is whole."""
    mark, found = kept.checkpoint, list[Finding]()

    def say(code: str, message: str, event_id: str = "") -> None:
        found.append(Finding(code, path, message, _HINT, id=event_id))

    if root(mark.ends) != mark.root:
        say("checkpoint-changed", "its root is not that of the chains that it names")
    for replica, (seq, event_id) in mark.ends.items():
        event = log.event(event_id)
        if event is None or (event.replica, event.seq) != (replica, seq):
            say(
                "checkpoint-broken", f"event {seq} of {replica}, {event_id[:12]}, is not in the log", event_id
            )
        elif ends.get(replica, (0, ""))[0] < seq and not _is_whole(log, event):
            say("checkpoint-broken", f"the chain of {replica} is not whole up to {seq}", event_id)
    return found


def _is_whole(log: Log, last: Event) -> bool:
    """True if all that came before an event in its chain is here: where a chain forked only one branch was gone through."""
    found: Event | None = last
    while found and found.seq > 1:
        before = log.event(found.prev)
        follows = before and (before.replica, before.seq) == (last.replica, found.seq - 1)
        found = before if follows else None
    return found is not None


_HINT = "Something that was there when the checkpoint was made is gone or was rewritten; keep both, and look who could."


def signature_finding(
    kept: Kept, path: str, name: str, signers: str, environ: Mapping[str, str]
) -> Finding | None:
    """The finding that a checkpoint's signature is not good; None for a good one, or where no name was asked for."""
    if not name:
        return None
    if not kept.signature:
        return Finding("checkpoint-unsigned", path, "it bears no signature", "Make it with --sign KEY.")
    why = signer(kept.signature, CHECKPOINT, kept.signed, name, os.path.abspath(signers), environ)
    return Finding("checkpoint-signature", path, f"the signature is not {name}'s: {why}") if why else None
