"""What a look at the store found: a code, a place, a sentence, and what to do about it."""

from __future__ import annotations

from typing import Any

from domain.named import NamedTuple


class Kind(NamedTuple):
    """What a finding's code stands for; `damage`: something is lost, changed or not as it should be (exit 7)."""

    damage: bool
    meaning: str


FINDINGS = {
    "approval-signature": Kind(True, "the signature of an approval is not the approver's"),
    "approval-unchecked": Kind(False, "an approval is signed, and nothing says whose key is whose"),
    "approval-unsigned": Kind(True, "an approval under `[review] by = signed` bears no signature"),
    "arrival-wrong": Kind(True, "an event is said to have come before the one in front of it"),
    "bad-blob": Kind(True, "an imported blob does not match its hash; it was left out"),
    "bad-line": Kind(True, "an imported line is not sound; the rest of its file was left out"),
    "blob-changed": Kind(True, "a blob does not match its hash"),
    "blob-missing": Kind(True, "a blob that an event refers to is not here"),
    "blob-unexported": Kind(True, "a segment refers to a blob, and the blob's file is not there"),
    "bytes-changed": Kind(True, "the bytes of an event do not hash to its id"),
    "chain-end": Kind(True, "the last event of a clone's chain is missing"),
    "checkpoint-broken": Kind(True, "the log does not continue the checkpoint"),
    "checkpoint-changed": Kind(True, "the checkpoint does not agree with itself"),
    "checkpoint-signature": Kind(True, "the checkpoint's signature is not that name's"),
    "checkpoint-unsigned": Kind(True, "the checkpoint bears no signature"),
    "clock-behind": Kind(False, "this clock is behind the time at which the newest event arrived"),
    "commit-astray": Kind(True, "a commit is neither in its base nor on its branch"),
    "commit-missing": Kind(True, "a commit that the log names is not in the repository"),
    "commit-not-here": Kind(
        False, "a commit that another clone made was not pushed there, or not fetched here"
    ),
    "commit-shared": Kind(True, "one commit was handed in for several tasks"),
    "cut-segment": Kind(True, "an imported segment ends too early"),
    "fork": Kind(True, "a clone's chain has two events with one number"),
    "fork-settled": Kind(False, "a chain that forked, and that somebody settled (`resolve --fork`)"),
    "future": Kind(False, "an event's time is more than ten minutes ahead of this clock"),
    "gap": Kind(True, "events of a clone's chain are missing"),
    "git-locked": Kind(False, "git has a lock on a repository, or was killed there"),
    "heads-wrong": Kind(
        True, "the kept heads of a stream, or their times, are not those that its events say"
    ),
    "index-wrong": Kind(True, "the table of ids does not say what the log says"),
    "keys-wrong": Kind(True, "an idempotency key does not stand for the first event that bears it"),
    "large-wal": Kind(False, "SQLite's -wal has grown large"),
    "live-absent": Kind(False, "there is no live.jsonl"),
    "live-behind": Kind(False, "live.jsonl has not all events yet"),
    "live-changed": Kind(True, "a line of live.jsonl is not that of the log"),
    "live-edited": Kind(True, "somebody else wrote into live.jsonl"),
    "live-locked": Kind(False, "another process held live.jsonl for too long"),
    "live-missing": Kind(True, "live.jsonl leaves events out"),
    "live-repeated": Kind(True, "live.jsonl has an event twice, or too late"),
    "live-torn": Kind(False, "the last line of live.jsonl is half a line"),
    "live-unknown": Kind(True, "live.jsonl has an event that is not in the log"),
    "live-unreadable": Kind(True, "live.jsonl cannot be read"),
    "live-unsafe": Kind(True, "live.jsonl is no regular file"),
    "live-unwritable": Kind(False, "live.jsonl cannot be written"),
    "lock-held": Kind(False, "a process holds a lock of the store right now"),
    "merge-lost": Kind(True, "a merge commit is no longer in its base"),
    "merge-unnamed": Kind(False, "something was merged into a base, and no event says so: a pull, say"),
    "network-filesystem": Kind(False, "the store lies where locks do not hold"),
    "no-repository": Kind(False, "the store is no git repository of its own"),
    "no-event": Kind(True, "what is stored as an event is none, though its bytes hash to its id"),
    "not-a-segment": Kind(True, "a file among the segments is not named like one"),
    "open-to-others": Kind(False, "other users may read a file of the store"),
    "orphan-blobs": Kind(False, "blobs belong to no event"),
    "other-branch": Kind(False, "the store's repository is not on its branch"),
    "parent-missing": Kind(True, "a parent of an event is not in front of it"),
    "pending": Kind(False, "events wait for one that is not here"),
    "read-only": Kind(False, "nothing can be written to the store"),
    "row-changed": Kind(True, "stream or type of a row is not that of its event"),
    "segment-changed": Kind(True, "a line of a segment is not what it was"),
    "segment-cut": Kind(True, "a segment ends too early"),
    "segment-missing": Kind(True, "a segment between others is missing"),
    "segment-unknown": Kind(True, "a segment has an event that is not in the log"),
    "segment-unreadable": Kind(True, "a segment cannot be read"),
    "sqlite-race": Kind(False, "this SQLite needs the writers' queue, and it is switched off"),
    "state-wrong": Kind(True, "the kept state of a stream is not what its events come to"),
    "stray-rows": Kind(True, "rows of the log's own tables belong to no event"),
    "stream-broken": Kind(True, "an event of a stream is missing, or there twice"),
    "unapproved-in-base": Kind(True, "work that nobody approved is in its base"),
    "unknown-type": Kind(False, "an event of a newer crewlog; it changes nothing here"),
    "views-unchecked": Kind(False, "the views were not compared with the log: nothing can be written there"),
    "views-wrong": Kind(True, "the views are not what the log says"),
}


class Finding(NamedTuple):
    """Something that is not as it should be. `line` counts from 1 and `offset` in bytes from 0; -1 where unknown."""

    code: str
    path: str
    message: str
    hint: str = ""
    line: int = -1
    offset: int = -1
    id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding in a JSON answer; what is unknown is left out."""
        known = {name: value for name, value in self._asdict().items() if value not in (-1, "")}
        return {"code": self.code, "path": self.path, "message": self.message, **known}


def is_damage(finding: Finding) -> bool:
    """True where something is lost, changed or not as it should be."""
    kind = FINDINGS.get(finding.code)
    return kind is None or kind.damage
