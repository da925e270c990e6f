"""`verify --git`: every commit that the log names, looked up in the repository; and merges that the log does not name."""

from __future__ import annotations

from collections.abc import Iterable

from cli.git.repository import HEADS, KEPT, Repository
from domain.event import Event
from domain.named import NamedTuple
from domain.task import BY_EVENT
from export.findings import Finding

CHUNK = 1_000
FETCHED = "refs/remotes/*/"  # what another clone pushed


class Named(NamedTuple):
    """A commit that an event names: `role` is `work` or `merge`, `base` and `branch` where it should be."""

    commit: str
    role: str
    event: str
    task: str
    base: str
    branch: str
    replica: str


class Names(NamedTuple):
    """All that the log says of commits."""

    commits: list[Named]
    bases: dict[str, str]  # base → the earliest commit of it that an event names
    begins: dict[str, str]  # merge commit → where its base was
    waiting: dict[str, Named]  # task → what was handed in last, while nobody has approved it
    approved: list[tuple[str, str]]  # commits that were approved, and where their work begins


def findings(found: Repository) -> list[Finding]:
    """What in the repository is not as the log says."""
    names = _names(_events(found))
    here = _present(found, {named.commit for named in names.commits})
    return [
        *_missing(found, names, here),
        *_astray(found, names, here),
        *_shared(found, names),
        *_unnamed(found, names),
        *_unapproved(found, names, here),
    ]


def _events(found: Repository) -> Iterable[Event]:
    log, position = found.call.store.log, 0
    while rows := log.read(position, CHUNK):
        yield from (row.event for row in rows if row.event.type in BY_EVENT)
        position = rows[-1].position


def _names(events: Iterable[Event]) -> Names:
    commits: list[Named] = []
    bases: dict[str, str] = {}
    merges: dict[str, str] = {}
    where: dict[str, tuple[str, str]] = {}  # task → base and branch of what was handed in last
    waiting: dict[str, Named] = {}
    approved: list[tuple[str, str]] = []
    begins: dict[str, str] = {}  # commit → where its work begins
    for event in events:
        payload = event.payload
        if event.type == "task.submitted" and payload.get("commit"):
            where[event.subject] = (payload.get("base", ""), payload.get("branch", ""))
            begins[payload["commit"]] = payload.get("base_commit", "")
            waiting[event.subject] = _named(event, payload["commit"], *where[event.subject])
        if event.type == "task.approved" and payload.get("commit"):
            waiting.pop(event.subject, None)
            approved.append((payload["commit"], begins.get(payload["commit"], "")))
        base, branch = where.get(event.subject, ("", ""))
        base = payload.get("base", base)
        if event.type in ("task.submitted", "task.approved", "task.merging", "task.merged") and payload.get(
            "commit"
        ):
            commits.append(_named(event, payload["commit"], base, branch))
        if event.type == "task.merged" and payload.get("merge"):
            commits.append(_named(event, payload["merge"], base, branch, "merge"))
        if event.type == "task.merging":
            bases.setdefault(base, payload["base_commit"])
            merges[payload["merge"]] = payload["base_commit"]
        if event.type == "task.cleaned":
            commits.append(_named(event, payload["commit"], "", payload["branch"]))
    return Names(commits, bases, merges, waiting, approved)


def _named(event: Event, commit: str, base: str, branch: str, role: str = "work") -> Named:
    return Named(commit, role, event.id, event.subject, base, branch, event.replica)


def _present(found: Repository, commits: set[str]) -> set[str]:
    asked = "".join(f"{commit}\n" for commit in sorted(commits))
    said = found.git.line("cat-file", "--batch-check=%(objecttype)", stdin=asked.encode())
    kinds = [line.split(" ")[-1] for line in said.split("\n")] if asked else []
    return {commit for commit, kind in zip(sorted(commits), kinds, strict=True) if kind == "commit"}


def _finding(found: Repository, code: str, message: str, event: str = "", hint: str = "") -> Finding:
    return Finding(code, found.place.common_dir, message, hint, id=event)


def _missing(found: Repository, names: Names, here: set[str]) -> list[Finding]:
    """Commits that are not here: damage, unless another clone made them and may just not have pushed them."""
    own = found.call.store.log.members() | {*found.call.store.segments.replicas}
    absent = [named for named in names.commits if named.commit not in here]
    made_here = {named.commit for named in absent if named.replica in own}
    return [
        _gone(found, named)
        if named.commit in made_here or _is_passed(found, named, names)
        else _not_here(found, named)
        for named in _once(absent)
    ]


def _gone(found: Repository, named: Named) -> Finding:
    message = f"commit {named.commit[:12]} of {named.task} is not in the repository"
    return _finding(found, "commit-missing", message, named.event, "Fetch it from where the work was done.")


def _not_here(found: Repository, named: Named) -> Finding:
    message = f"commit {named.commit[:12]} of {named.task} was made in another clone, and has not come here"
    hint = "`crewlog sync` there pushes the branches of open work, and here fetches them."
    if named.role == "merge":
        message = f"merge commit {named.commit[:12]} of {named.task} was made in another clone: {named.base} was not"
        message += " pushed from there, or not fetched here"
        hint = f"`git push` of {named.base} there, `git fetch` here."
    return _finding(found, "commit-not-here", message, named.event, hint)


def _is_passed(found: Repository, named: Named, names: Names) -> bool:
    """True if the base has gone on, without this merge, from where it was merged."""
    begin = names.begins.get(named.commit, "")
    if named.role != "merge" or not begin or not found.has(begin):
        return False
    return any(tip != begin and found.is_ancestor(begin, tip) for tip in _tips(found, *_base(named.base)))


def _base(base: str) -> tuple[str, str]:
    """Where a base's history may be: in its branch here, or as it was fetched."""
    return HEADS + base, FETCHED + base


def _ends(found: Repository, base: str) -> list[str]:
    """Where a base is: its branch here, or as it was fetched where there is none."""
    return _tips(found, HEADS + base) or _tips(found, FETCHED + base)


def _tips(found: Repository, *refs: str) -> list[str]:
    listed = found.git.line("for-each-ref", "--format=%(objectname)", *refs)
    return [tip for tip in listed.split("\n") if tip]


def _once(commits: list[Named]) -> list[Named]:
    """Each commit of a task once, with the first event that names it."""
    seen = {(named.task, named.commit): named for named in reversed(commits)}
    return [named for named in commits if seen[named.task, named.commit] is named]


def _astray(found: Repository, names: Names, here: set[str]) -> list[Finding]:
    """Merge commits that are no longer in their base, and work that nothing holds any more."""
    histories: dict[tuple[str, ...], set[str]] = {}

    def is_in(commit: str, *refs: str) -> bool:
        if refs not in histories:
            histories[refs] = _history(found, refs)
        return commit in histories[refs]

    rows: list[Finding] = []
    for named in _once(names.commits):
        commit, task = named.commit[:12], named.task
        if named.commit not in here or (named.base and is_in(named.commit, *_base(named.base))):
            continue
        if named.role == "merge":
            message = f"merge commit {commit} of {task} is not in {named.base}"
            rows.append(_finding(found, "merge-lost", message, named.event, "Look who moved that branch."))
        elif not is_in(named.commit, HEADS + named.branch, FETCHED + named.branch, KEPT + task):
            message = f"commit {commit} of {task} is neither in {named.base or 'its base'} nor on its branch"
            rows.append(_finding(found, "commit-astray", message, named.event))
    return rows


def _history(found: Repository, refs: tuple[str, ...]) -> set[str]:
    """All commits that these refs, or those below them, hold."""
    tips = _tips(found, *refs)
    return set(found.git.line("rev-list", "--end-of-options", *tips).split("\n")) if tips else set()


def _shared(found: Repository, names: Names) -> list[Finding]:
    tasks: dict[str, dict[str, str]] = {}
    for named in names.commits:
        if named.role == "work":
            tasks.setdefault(named.commit, {}).setdefault(named.task, named.event)
    return [
        _finding(
            found,
            "commit-shared",
            f"commit {commit[:12]} was handed in for {' and '.join(sorted(by))}",
            list(by.values())[-1],
            "One of them did not do the work: `crewlog log` of both tells.",
        )
        for commit, by in tasks.items()
        if len(by) > 1
    ]


def _unnamed(found: Repository, names: Names) -> list[Finding]:
    """Merges into a base, since crewlog first merged into it, that no event names."""
    known = {named.commit for named in names.commits if named.role == "merge"}
    rows: list[Finding] = []
    for base, first in names.bases.items():
        tips = _ends(found, base)
        if not tips or not found.has(first):
            continue
        line = ("rev-list", "--first-parent", "--merges", "--end-of-options", *tips, f"^{first}")
        merges = [commit for commit in found.git.line(*line).split("\n") if commit]
        rows += [
            _finding(found, "merge-unnamed", f"{commit[:12]} was merged into {base}, and no event says so")
            for commit in merges
            if commit not in known
        ]
    return rows


def _unapproved(found: Repository, names: Names, here: set[str]) -> list[Finding]:
    """Work that is in its base though nobody approved it, alone or as a part of what was approved."""
    return [
        _finding(
            found,
            "unapproved-in-base",
            f"commit {named.commit[:12]} of {named.task} is in {named.base}, and nobody approved it",
            named.event,
            f"`crewlog review {named.task}` shows it.",
        )
        for named in names.waiting.values()
        if named.commit in here
        and named.base
        and any(found.is_ancestor(named.commit, tip) for tip in _ends(found, named.base))
        and not _is_part(found, named.commit, names.approved, here)
    ]


def _is_part(found: Repository, commit: str, approved: list[tuple[str, str]], here: set[str]) -> bool:
    """True if the commit is among those of which approved work consists."""
    return any(
        found.is_ancestor(commit, tip)
        for tip, begin in approved
        if tip in here and begin and not (found.has(begin) and found.is_ancestor(commit, begin))
    )
