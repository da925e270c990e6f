"""What a store stands on: the SQLite library, the file system, permissions, sizes, locks, git, what is derived."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.verifying import STUMBLING, stumbled_over
from domain.refusals import Refusal
from export.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from export.live import Place
    from export.looking import Looked
    from export.mirrors import Held

# https://sqlite.org/releaselog/3_51_3.html: a checkpoint that meets a writer could lose pages of the WAL.
RACE_FIXED = (3, 51, 3)
# Their locks hold between processes of one machine only, or not at all.
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"})
MOUNTS = "/proc/self/mounts"
LARGE_WAL = 64 * 1024 * 1024
# What `Segments.mend` can mend, where the log has it.
FILES = frozenset(
    {
        "blob-changed",
        "blob-unexported",
        "segment-changed",
        "segment-cut",
        "segment-missing",
        "segment-unreadable",
    }
)
# Where these are found, what was made of the log may be all that still says what stood in it.
ALTERED = frozenset(
    {"bytes-changed", "chain-end", "no-event", "parent-missing", "row-changed", "stream-broken"}
)
GIT_LOCKS = ("index.lock", "HEAD.lock")
LOCKS = ("queue.lock", "views.lock", "live.lock", "segments.lock")


class Diagnosis:
    """One look at the store."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._store = call.store

    def facts(self) -> dict[str, Any]:
        """What is so, wrong or not."""
        store = self._store
        return {
            "store": store.folder,
            "replica": store.replica,
            "events": store.log.position(),
            "pending": store.log.pending(),
            "sqlite": sqlite3.sqlite_version,
            "filesystem": _filesystem(store.folder),
            "database": _size(store.path("crewlog.db")),
            "views": _size(store.path("views.db")),
            "live": _size(store.path("live.jsonl")),
            "blobs": len(store.log.blobs()),
        }

    def findings(self) -> list[Finding]:
        """What is wrong, or may become so."""
        looked = self._looked()
        looks = (
            self._sqlite,
            self._clock,
            self._files,
            self._permissions,
            self._locks,
            self._git_locks,
            self._pending,
            self._blobs,
            self._states,
            partial(self._live, looked.live),
            partial(self._segments, looked.held),
            self._views,
            self._git,
        )
        log = self._damage(looked)
        found = log.copy()
        for look in looks:
            try:
                found += look()
            except STUMBLING:
                if not log:
                    raise
        return found

    def repair(self, findings: list[Finding]) -> list[str]:
        """Make anew what is derived; which findings are settled by it. Nothing of a log that was altered."""
        codes = {finding.code for finding in findings}
        if codes & ALTERED:
            return []
        done: list[str] = []
        if "state-wrong" in codes:
            self._store.log.refold_all()
            done.append("state-wrong")
        if "views-wrong" in codes:
            self._store.views.rebuild()
            done.append("views-wrong")
        live = [code for code in codes if code.startswith("live-")]
        if live and self._is_live_rebuilt():
            done += live
        files = codes & FILES
        if files:
            self._store.segments.mend()
            done += sorted(files - {finding.code for finding in self._segments()})
        return done

    def _is_live_rebuilt(self) -> bool:
        """False also where the file has what the log has not: `export --rebuild` says what."""
        try:
            return self._store.live.rebuild().remark is None
        except Refusal:
            return False

    def _segments(self, held: Held = MappingProxyType({})) -> Iterator[Finding]:
        from export.verify import verify_blobs, verify_segments

        yield from verify_segments(self._store.log, self._store.folder, None, held)
        yield from verify_blobs(self._store.log, self._store.folder, self._referred)

    @cached_property
    def _referred(self) -> dict[str, str]:
        from export.verify import referred_blobs

        return referred_blobs(self._store.log)

    def _sqlite(self) -> Iterator[Finding]:
        if sqlite3.sqlite_version_info < RACE_FIXED:
            queue = self._store.config.queue
            message = f"SQLite {sqlite3.sqlite_version} has a race between a checkpoint and a writer, fixed in 3.51.3"
            hint = (
                "The writers' queue keeps it away."
                if queue
                else "Set [store] queue = true, which keeps it away."
            )
            if not queue:
                yield Finding("sqlite-race", "", message, hint)

    def _clock(self) -> Iterator[Finding]:
        from domain.event import format_time
        from export.importing import AHEAD

        log = self._store.log
        newest = log.read(max(0, log.position() - 1), 1)
        if newest and newest[0].arrived > log.now() + AHEAD:
            message = f"the newest event arrived at {format_time(newest[0].arrived)}, which is yet to come"
            hint = "Set the clock right. Where it is right now, it was ahead once: ages and leases count from then on."
            yield Finding("clock-behind", "", message, hint)

    def _files(self) -> Iterator[Finding]:
        kind = _filesystem(self._store.folder)
        if kind in NETWORK:
            hint = "Put the store on a disk of this machine; clones talk through `crewlog sync`."
            yield Finding("network-filesystem", self._store.folder, f"{kind} does not lock reliably", hint)
        wal = _size(self._store.path("crewlog.db-wal"))
        if wal > LARGE_WAL:
            hint = "A reader that never ends keeps it from being folded in: look for one."
            yield Finding(
                "large-wal", self._store.path("crewlog.db-wal"), f"the -wal has {wal:,} bytes", hint
            )

    def _permissions(self) -> Iterator[Finding]:
        for name in ("", "crewlog.db", "views.db", "live.jsonl", "config.toml", "signers"):
            path = os.path.join(self._store.folder, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_IMODE(found.st_mode) & 0o077:
                mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
                message = f"others on this machine may read it ({stat.S_IMODE(found.st_mode):o})"
                yield Finding("open-to-others", path, message, f"chmod {mode} {path}")
        if not os.access(self._store.folder, os.W_OK):
            yield Finding(
                "read-only", self._store.folder, "nothing can be written here", "Only reads will work."
            )

    def _locks(self) -> Iterator[Finding]:
        for name in LOCKS:
            path = self._store.path(name)
            pid = _holder(path)
            if pid:
                hint = f"`ps -p {pid}` says what it does; a lock goes with its process, no file has to be removed."
                yield Finding("lock-held", path, f"process {pid} holds it now", hint)

    def _git_locks(self) -> Iterator[Finding]:
        """Locks of git, of the code's repository and the store's own: they stay where git was killed."""
        folders = [self._store.path(".git")]
        folders += [self._call.code.git_dir, self._call.code.common_dir] if self._call.code else []
        for path in dict.fromkeys(os.path.join(folder, name) for folder in folders for name in GIT_LOCKS):
            if os.path.lexists(path):
                hint = "If `ps` shows no git at work, one was killed there: `git status` beside it says how to go on."
                yield Finding("git-locked", path, "git has a lock here", hint)

    def _pending(self) -> Iterator[Finding]:
        waiting = self._store.log.pending()
        if waiting:
            message = f"{waiting} events wait for one that is not here"
            yield Finding("pending", self._store.folder, message, "`crewlog sync` may bring it.")

    def _blobs(self) -> Iterator[Finding]:
        orphans = self._store.log.blobs().keys() - self._referred
        if orphans:
            message = f"{len(orphans)} blobs belong to no event"
            yield Finding(
                "orphan-blobs",
                self._store.folder,
                message,
                "No event needs them; `crewlog blob verify` looks whether they are whole.",
                id=min(orphans),
            )

    def _looked(self) -> Looked:
        """One pass over the log, and over the exported files beside it; or what keeps the log from being read."""
        from export.verify import verify_log

        try:
            return verify_log(self._store.log, None, self._store.folder)
        except STUMBLING as error:
            return stumbled_over(self._store.log, error)

    def _damage(self, looked: Looked) -> list[Finding]:
        """What is wrong with the log itself: then nothing is made anew of it."""
        from export.findings import is_damage
        from export.forks import settle

        return [*filter(is_damage, settle(self._store.log, looked.findings))]

    def _states(self) -> Iterator[Finding]:
        from export.verify import verify_states

        yield from (finding for finding in verify_states(self._store.log) if finding.code == "state-wrong")

    def _live(self, since: Place) -> Iterator[Finding]:
        found = self._store.live.compare(None, since)
        yield from (finding for finding in found if finding.code != "live-behind")

    def _views(self) -> Iterator[Finding]:
        same = self._store.views.compare()
        if same is False:
            message = "the views are not what the log says"
            yield Finding("views-wrong", self._store.path("views.db"), message, "`crewlog rebuild`")

    def _git(self) -> Iterator[Finding]:
        from export.git import Git

        folder = self._store.folder
        if self._call.git is None:
            return
        if not os.path.isdir(os.path.join(folder, ".git")):
            hint = "`crewlog init` makes it one; without, `git clean -fdx` in the code would remove it."
            yield Finding("no-repository", folder, "the store is no git repository of its own", hint)
            return
        try:
            branch = Git(folder, self._call.shell.environ).line("symbolic-ref", "--short", "HEAD")
        except Refusal as refusal:
            yield Finding("no-repository", folder, refusal.message, refusal.hint)
            return
        if branch != "crewlog":
            hint = f"`git -C {folder} switch crewlog`"
            yield Finding("other-branch", folder, f"the store's repository is on {branch}", hint)


def _filesystem(path: str) -> str:
    """The kind of file system that a path is on, "" where nobody says it."""
    best = ("", "")
    try:
        with open(MOUNTS, encoding="utf-8", errors="replace") as file:
            for line in file:
                _, mounted, kind, *_ = line.split(" ")
                inside = path == mounted or path.startswith(mounted.rstrip("/") + "/")
                if inside and len(mounted) >= len(best[0]):
                    best = mounted, kind
    except OSError:
        return ""
    return best[1]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _holder(path: str) -> str:
    """The process that holds a lock file right now, "" where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 16, 0).decode("ascii", "replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return ""
