"""The store as a small git repository of its own: branch `crewlog`, which tracks settings, segments and blobs.

Being a repository is also what protects it: `git clean -fdx`, `git stash -a` and a switch of branches in the code
repository around it pass a repository by.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from cli.files import make_folder, write_private
from export.git import Git

BRANCH = "crewlog"
SETTINGS = ("config.toml", "signers")
TRACKED = (*SETTINGS, "log", "blobs")
IGNORED = "# Only what is to be shared; all else is this clone's own.\n/*\n" + "".join(
    f"!/{name}\n" for name in TRACKED
)
WHO = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "crewlog"), ("EMAIL", "crewlog@crew.invalid"))
}
# The same first commit everywhere, so that the branches of clones that began apart have a past in common.
_BEGINNING = {f"GIT_{role}_DATE": "@1700000000 +0000" for role in ("AUTHOR", "COMMITTER")}


def make_repository(store: str, environ: Mapping[str, str]) -> None:
    """Make the store a repository, or complete it. Raises Refusal `git`, after which the store works without."""
    git = Git(store, environ)
    git.check_version()
    git.run("init", "--quiet", "--template=", "--object-format=sha1", f"--initial-branch={BRANCH}")
    info = os.path.join(store, ".git", "info")
    make_folder(info)
    write_private(os.path.join(info, "exclude"), IGNORED)
    if git.run("rev-parse", "--quiet", "--verify", f"refs/heads/{BRANCH}", codes=(0, 1)).code:
        tree = git.line("hash-object", "-t", "tree", "-w", "--stdin")
        first = git.run("commit-tree", tree, "-m", "a crew's log", environ={**WHO, **_BEGINNING}).line
        git.run("update-ref", f"refs/heads/{BRANCH}", first, "")
    commit(git, "settings", SETTINGS)


def commit(git: Git, why: str, names: Sequence[str] = TRACKED) -> str | None:
    """Commit what is tracked (of these names), if that changed; the commit. `git` is in the store's folder."""
    there = [name for name in names if os.path.lexists(os.path.join(git.folder, name))]
    git.run("add", "--", *there)
    if git.says("diff", "--cached", "--quiet"):
        return None
    git.run("commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", why, environ=WHO)
    return git.line("rev-parse", "HEAD")
