"""The store's branch `crewlog` and the code repository's remote: fetch, merge, push, and what goes along.

The store's repository has no remote of its own settings: it is told the address that the code repository has, so that
one place says where the crew meets. Segments are never edited and blobs are named by their hash, so merging them is
never a conflict; of the settings, which people edit, the remote's are kept where both sides changed them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property

from cli.files import make_private
from cli.git.cleansing import cleansed
from cli.git.keeping import content, is_own, is_sound, keep_sealed
from cli.git.losing import branches
from cli.git.repository import worktrees_turn
from cli.git.storing import BRANCH, SETTINGS, WHO, commit
from cli.place import find_git
from cli.store import Store
from domain.refusals import Refusal
from domain.task import APPROVED, BRANCHES, IN_REVIEW, claim_of, submission_of
from export.git import Git
from export.segments import BLOBS, LOG, Span, is_whole, span
from export.sources import Places, Ref
from projections.tasks import conflicts, folded

FETCHED = "refs/remotes/origin/crewlog"
SIDES = ("HEAD", FETCHED)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
TRIES = 8
# While git makes a worktree this has a HEAD of zeros, which a fetch takes for a commit that is missing.
_UNFINISHED = "bad object worktrees/"
# No file of a store becomes another one, however alike they are. (Not every git heeds the first of these.)
_AS_THEY_ARE = ("-c", "merge.renames=false", "-c", "merge.directoryRenames=false")
CONFLICTS = 10_000  # so many are looked through for branches


class Sharing:
    """One store and one remote of its code repository."""

    def __init__(self, crew: Store, remote: str) -> None:
        """Raises Refusal `git` where there is no repository around the store."""
        around = find_git(os.path.dirname(crew.folder))
        if around is None:
            hint = "`crewlog export` and `crewlog import FOLDER` do without git."
            raise Refusal("git", "sync needs a git repository around the store", hint)
        self.crew = crew
        self.remote = remote
        self.code = Git(around.main_worktree or around.common_dir, crew.shell.environ)
        self.store = Git(crew.folder, crew.shell.environ)

    @cached_property
    def address(self) -> str:
        """Where the remote is. Raises Refusal `git` where there is none of this name."""
        return address(self.code, self.remote)

    def check(self) -> None:
        """Refuse (`git`) a store that is no repository of its own, and a remote that is not there."""
        if not os.path.isdir(os.path.join(self.crew.folder, ".git")):
            message = f"{self.crew.folder} is no git repository of its own"
            raise Refusal("git", message, "`crewlog init` makes it one.")
        self.store.check_version()
        _ = self.address

    def commit(self) -> str | None:
        """Commit what was sealed."""
        return commit(self.store, "sync")

    def fetch(self) -> bool:
        """Get the remote's branch; False where it has none yet."""
        return fetch(self.store, self.address)

    def adopt(self) -> bool:
        """Begin with what the clone of the code brought along; False where that has no branch `crewlog`.

        Nobody is asked over the network: `init` works offline.
        """
        came = f"refs/remotes/{self.remote}/{BRANCH}"
        done = self.code.run("show-ref", "--verify", "--quiet", "--", came, codes=(0, 1, 128))
        if done.code:
            return False
        self.store.run(
            "fetch", "--quiet", "--no-tags", "--end-of-options", self.code.folder, f"+{came}:{FETCHED}"
        )
        self.crew.warnings += self.merge()
        return True

    def would_send(self) -> int:
        """How many events the next sync would bring to the remote, as it was fetched last."""
        known = self.store.run("rev-parse", "--quiet", "--verify", FETCHED, codes=(0, 1)).code == 0
        there: set[Span | None] = {file.span for file in Ref(self.store, FETCHED).files()} if known else set()
        sealed = Places([self.crew.folder]).files() if os.path.isdir(self.crew.path(LOG)) else []
        here = {file.span for file in sealed} - there
        return self.crew.segments.unsealed() + sum(item.last - item.first + 1 for item in here if item)

    def parted(self) -> list[str]:
        """Whole segments under this clone's ids that the remote has with other events: another store wrote them."""
        if self.store.says("merge-base", "--is-ancestor", FETCHED, "HEAD"):
            return []
        own = [f"{LOG}/{replica}" for replica in self.crew.segments.replicas]
        line = ("diff", "--name-only", "--no-renames", "--diff-filter=MT", "-z", "HEAD", FETCHED, "--", *own)
        changed = self.store.run(*line).parts
        return [path for path in changed if self._is_whole_there(path) and is_sound(self.store, "HEAD", path)]

    def make_way(self, paths: list[str]) -> list[str]:
        """Keep the remote's segments under their names, and this clone's beside them; remarks."""
        set_aside = self.crew.segments.set_aside
        aside = [set_aside(path, content(self.store, "HEAD", path), self._theirs(path)) for path in paths]
        if aside:
            self.commit()
        return [
            f"{path}: another store wrote under this one's id; its own is kept as {kept}"
            for path, kept in zip(paths, aside, strict=True)
        ]

    def merge(self) -> list[str]:
        """Take the remote's files in, but for this clone's own segments; remarks on what both sides had changed."""
        if self.store.says("merge-base", "--is-ancestor", FETCHED, "HEAD"):
            return []
        before, sound = self.store.line("rev-parse", "HEAD"), cleansed(self.store, FETCHED)
        line = (
            *_AS_THEY_ARE,
            "merge",
            "--quiet",
            "--no-edit",
            "--no-verify",
            "--no-gpg-sign",
            "--allow-unrelated-histories",
        )
        done = self.store.run(*line, "-m", "sync", sound.commit, codes=(0, 1), environ=WHO)
        remarks = [
            *sound.remarks,
            *(self._settle(done.err) if done.code else []),
            *keep_sealed(self.crew, self.store, before),
        ]
        for name in SETTINGS:  # git writes files that others may read
            make_private(self.crew.path(name))
        return remarks

    def outgoing(self) -> int:
        """How many events the next push brings to the remote."""
        known = self.store.run("rev-parse", "--quiet", "--verify", FETCHED, codes=(0, 1)).line
        line = (
            "diff",
            "--name-only",
            "--no-renames",
            "--diff-filter=A",
            "-z",
            known or EMPTY_TREE,
            "HEAD",
            "--",
            LOG,
        )
        spans = (span(path) for path in self.store.run(*line).parts)
        return sum(item.last - item.first + 1 for item in spans if item)

    def _settle(self, said: str) -> list[str]:
        """Of what git could not merge keep the side that is as it must be; all else is nobody's to decide."""
        parts = self.store.run("diff", "--name-only", "--diff-filter=U", "-z").parts
        gone = [path for path in parts if not any(content(self.store, side, path) for side in SIDES)]
        sides = {path: self._side(path) for path in parts if path not in gone}
        strange = [path for path, side in sides.items() if not side]
        if strange or not parts:
            self.store.run("merge", "--abort", codes=(0, 128))
            message = f"the branch {BRANCH} cannot be merged: {', '.join(strange) or said.strip()[:200]}"
            hint = f"Two clones wrote one segment; look with `git -C {self.store.folder} log --all --stat`."
            raise Refusal("corrupt", message, hint, files=strange)
        for path, side in sides.items():
            self.store.run("checkout", "--quiet", side, "--", path)
        for path in gone:  # taken out on both sides, where git saw two files made of it
            self.store.run("rm", "--quiet", "--cached", "--", path)
        self.store.run("commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", "sync", environ=WHO)
        theirs = [path for path, side in sides.items() if side == FETCHED and not path.startswith(BLOBS)]
        return [f"{path}: both sides changed it; the remote's is kept" for path in theirs]

    def _side(self, path: str) -> str:
        """The commit that has the file as it must be: of settings the remote's, else the only one that is sound, or ""."""
        if path in SETTINGS:
            return FETCHED
        here, there = (is_sound(self.store, side, path) for side in SIDES)
        if here != there:
            return "HEAD" if here else FETCHED
        return "HEAD" if is_own(self.crew, path) and not there else ""

    def _is_whole_there(self, path: str) -> bool:
        sealed = span(path)
        return sealed is not None and is_whole(self._theirs(path), sealed)

    def _theirs(self, path: str) -> bytes:
        return content(self.store, FETCHED, path)

    def push(self) -> bool:
        """Push the branch; False where somebody else was quicker."""
        line = ("push", "--quiet", "--no-verify", "--end-of-options", self.address)
        done = self.store.run(*line, f"refs/heads/{BRANCH}:refs/heads/{BRANCH}", codes=(0, 1))
        if done.code and not any(
            word in done.err for word in ("fetch first", "non-fast-forward", "cannot lock")
        ):
            raise Refusal("git", f"push to {self.remote}: {' '.join(done.err.split())[:300]}", _PUSH_HINT)
        return done.code == 0

    def is_pushed(self) -> bool:
        """True if the remote, when last fetched, had all that is committed here."""
        known = self.store.run("rev-parse", "--quiet", "--verify", FETCHED, codes=(0, 1)).code == 0
        return known and self.store.says("merge-base", "--is-ancestor", "HEAD", FETCHED)

    # --- the code under review

    def under_review(self) -> list[str]:
        """The branches here of tasks that wait for review or for their merge."""
        self.crew.views.catch_up()
        found: list[str] = []
        for task in folded(self.crew.views.connection, (IN_REVIEW, APPROVED)):
            submission, claim = submission_of(task), claim_of(task)
            branch = (submission.code or {}).get("branch") if submission else None
            branch = branch or (claim.branch if claim else None)
            if submission and submission.commit and branch and self._is_at(branch, submission.commit):
                found.append(branch)
        return found

    def in_conflict(self) -> list[str]:
        """The branches here of claims and submissions that lost to another clone's and that nobody has settled.

        Only this clone's own work, and only branches that `start` made: anything else is the user's to push.
        """
        unsettled, _ = conflicts(self.crew.views.connection, None, CONFLICTS)
        events = (self.crew.log.event(event_id) for found in unsettled.values() for event_id in found)
        own = self.crew.segments.replicas
        named = [
            name
            for name in branches(one for one in events if one and one.replica in own)
            if name.startswith(BRANCHES)
        ]
        heads = (
            self.code.line("for-each-ref", "--format=%(refname)", "refs/heads/").split("\n") if named else []
        )
        here = {*heads}
        return [branch for branch in named if f"refs/heads/{branch}" in here]

    def outgoing_branches(self) -> list[str]:
        """The branches here that others need: to review them, or to save what of them is worth it."""
        return list(dict.fromkeys((*self.under_review(), *self.in_conflict())))

    def _is_at(self, branch: str, commit_id: str) -> bool:
        line = ("show-ref", "--verify", "--hash", "--", f"refs/heads/{branch}")
        done = self.code.run(*line, codes=(0, 1, 128))
        return done.code == 0 and done.line == commit_id

    def push_branches(self, branches: list[str]) -> list[str]:
        """Push these branches of the code; those that the remote refused, with its words."""
        refused: list[str] = []
        for branch in branches:
            ref = f"refs/heads/{branch}"
            line = ("push", "--quiet", "--no-verify", "--end-of-options", self.remote, f"{ref}:{ref}")
            done = self.code.run(*line, codes=(0, 1))
            if done.code:
                refused.append(f"{branch}: {' '.join(done.err.split())[:200]}")
        return refused

    def fetch_branches(self) -> None:
        """Get the branches of the crew, so that others can review them; nothing is checked out."""
        spec = f"+refs/heads/crew/*:refs/remotes/{self.remote}/crew/*"
        line = ("fetch", "--quiet", "--no-tags", "--end-of-options", self.remote, spec)
        try:
            self.code.run(*line)
        except Refusal as refusal:
            if _UNFINISHED not in refusal.message:
                raise
            with worktrees_turn(self.crew):  # so nobody is making one now
                self._fetch_again(line)

    def _fetch_again(self, line: Sequence[str]) -> None:
        try:
            self.code.run(*line)
        except Refusal as refusal:
            hint = "Was git killed while it made that worktree? `git worktree list`, then `git worktree remove -f -f` it."
            raise Refusal(refusal.code, refusal.message, hint, **refusal.details) from refusal


_PUSH_HINT = "`git push` in the code repository says whether you may; nothing is lost, run sync again."

_OFFLINE_HINT = "Nothing is lost: work on, and run `crewlog sync` again when it can be reached."


def address(code: Git, remote: str) -> str:
    """Where the remote is. A path is made whole: the store lies deeper than the code. Raises Refusal `git`."""
    done = code.run("remote", "get-url", "--", remote, codes=(0, 2, 128))
    if done.code:
        message = f"the code repository has no remote {remote}"
        raise Refusal("git", message, "git remote add origin URL", remote=remote)
    path = os.path.join(code.folder, done.line)
    return path if ":" not in done.line and os.path.isdir(path) else done.line


def fetch(store: Git, where: str) -> bool:
    """Get the branch `crewlog` of a remote into the store's repository; False where the remote has none."""
    ref = f"refs/heads/{BRANCH}"
    listed = store.run("ls-remote", "--heads", "--end-of-options", where, ref, codes=(0, 128))
    if listed.code:
        said = " ".join(listed.err.split())[:300]
        raise Refusal("git", f"the remote cannot be reached: {said}", _OFFLINE_HINT)
    if not listed.line:
        return False
    store.run("fetch", "--quiet", "--no-tags", "--end-of-options", where, f"+{ref}:{FETCHED}")
    return True
