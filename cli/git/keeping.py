"""What was sealed stays on the branch as it was sealed, whatever somebody does to a clone's files, or to the branch.

Others go by the branch: for an auditor it is all there is, and for a clone that is gone nobody else has its segments.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from cli.git.storing import commit
from export.segments import BLOBS, LOG, blob_path, is_whole, span

if TYPE_CHECKING:
    from cli.store import Store
    from export.git import Git


def protect(crew: Store, store: Git) -> list[str]:
    """Put back what was sealed and somebody changed or removed here, before that is committed; remarks."""
    redacted = {blob_path(digest) for digest in crew.log.redacted()}
    changed = [path for path in _changed(store, "HEAD", "--", LOG, BLOBS) if path not in redacted]
    sound = [path for path in changed if is_sound(store, "HEAD", path)]
    _put_back(store, "HEAD", sound)
    fresh = store.run("ls-files", "--others", "-z", "--", LOG).parts
    broken = [path for path in fresh if is_own(crew, path) and not _is_sound_here(crew, path)]
    if broken or crew.segments.has_gap():
        crew.segments.mend()
    return [f"{path}: it was changed or removed here; what was sealed is kept" for path in (*sound, *broken)]


def keep_sealed(crew: Store, store: Git, before: str) -> list[str]:
    """Undo what a merge did to segments; remarks. This clone's own are written again from its log, others stay as they came.

    Blobs are not looked at: a clone that has not read of it yet must not bring back what was taken out.
    """
    changed = _changed(store, before, "HEAD", "--", LOG)
    own = [path for path in changed if is_own(crew, path)]
    others = [
        path
        for path in changed
        if not is_own(crew, path) and is_sound(store, before, path) and not is_sound(store, "HEAD", path)
    ]
    _put_back(store, before, others)
    if own:
        crew.segments.mend()
        crew.segments.seal()
    if own or others:
        commit(store, "sync")
    return [
        *(f"{path}: another clone changed it; this clone's own is kept" for path in own),
        *(f"{path}: it was changed or removed on the branch; what was sealed is kept" for path in others),
    ]


def is_own(crew: Store, path: str) -> bool:
    """True for a segment that only this clone writes."""
    sealed = span(path)
    return sealed is not None and sealed.replica in crew.segments.replicas


def content(store: Git, commit_id: str, path: str) -> bytes:
    """What a commit has at a path; nothing where there is no such file."""
    return store.run("cat-file", "blob", f"{commit_id}:{path}", codes=(0, 128)).out


def _changed(store: Git, *between: str) -> list[str]:
    return store.run("diff", "--name-only", "--no-renames", "--diff-filter=MDT", "-z", *between).parts


def is_sound(store: Git, commit_id: str, path: str) -> bool:
    """True for a segment or a blob that is committed as it was written."""
    return _is_as_written(path, content(store, commit_id, path))


def _is_sound_here(crew: Store, path: str) -> bool:
    with open(crew.path(path), "rb") as file:
        return _is_as_written(path, file.read())


def _is_as_written(path: str, data: bytes) -> bool:
    sealed = span(path)
    return is_whole(data, sealed) if sealed else path == blob_path(sha256(data).hexdigest())


def _put_back(store: Git, commit_id: str, paths: list[str]) -> None:
    if paths:
        named = "".join(f"{path}\0" for path in paths).encode()
        line = ("restore", f"--source={commit_id}", "--staged", "--worktree", "--pathspec-from-file=-")
        store.run(*line, "--pathspec-file-nul", stdin=named)
