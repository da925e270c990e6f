"""Where a command is: the git repository around it, and its store.

No process is started, no GIT_* variable is honoured, and only `os` is imported: who starts cheaply asks here first.
That is why the values below are plain classes; importing dataclasses and typing doubles the interpreter's start.
"""

from __future__ import annotations

import os
import stat

from cli.files import line_of, small
from cli.local import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from domain.refusals import Refusal

STORE = ".crewlog"
DATABASE = "crewlog.db"
ADDRESS = "store.url"
VARIABLE = "CREWLOG_STORE"
SCHEMES = ("postgresql://", "postgres://")  # `domain.stores.address` is loaded for who needs it


class Value:
    """Equality, hash and repr by fields."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._fields() == self._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._fields()!r}"


class GitPlace(Value):
    """A place inside a git repository. All paths are absolute and without symlinks.

    `worktree` is None in a bare repository and inside a git directory. `main_worktree` is None where the common
    directory does not say it (bare, `--separate-git-dir`), so that every worktree gets the same answer.
    """

    __slots__ = ("common_dir", "git_dir", "linked", "main_worktree", "worktree")

    def __init__(
        self, worktree: str | None, git_dir: str, common_dir: str, main_worktree: str | None, *, linked: bool
    ) -> None:
        self.worktree: Final = worktree
        self.git_dir: Final = git_dir
        self.common_dir: Final = common_dir
        self.main_worktree: Final = main_worktree
        self.linked: Final = linked


class Located(Value):
    """A store's folder and why it is this one. `url`: where its log is, if that is on a server."""

    __slots__ = ("path", "url", "why")

    def __init__(self, path: str, why: str, url: str | None = None) -> None:
        self.path: Final = path
        self.why: Final = why
        self.url: Final = url


# --- git -------------------------------------------------------------------------------------------------------------


def find_git(cwd: str) -> GitPlace | None:
    """The code repository that `cwd` is in, or None. The store's own little repository is never meant."""
    for folder in _upward(os.path.realpath(cwd)):
        if os.path.basename(folder) == STORE or f"/{STORE}/.git/" in f"{folder}/":
            continue
        entry = os.path.join(folder, ".git")
        if os.path.isfile(entry):
            # As in git: a .git file that leads nowhere ends the search, or a repository further up would be taken.
            return _git_place(_pointed(entry), folder)
        found = _git_place(entry, folder) or _git_place(folder, None)
        if found:
            return found
    return None


def _upward(folder: str) -> Iterator[str]:
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _pointed(file: str) -> str:
    """Where a `.git` file leads: `gitdir: PATH`, relative to the file's folder."""
    path = line_of(file).removeprefix("gitdir:").strip()
    return os.path.join(os.path.dirname(file), path) if path else ""


def _git_place(git_dir: str, worktree: str | None) -> GitPlace | None:
    common = _common_dir(git_dir) if git_dir else None
    if common is None:
        return None
    git_dir = os.path.realpath(git_dir)
    linked = git_dir != common
    core = _core(common)
    bare = core.get("bare", "").lower() in ("true", "yes", "on", "1")
    main = None if bare else _main_worktree(common, core.get("worktree", ""))
    return GitPlace(None if bare and not linked else worktree, git_dir, common, main, linked=linked)


def _common_dir(git_dir: str) -> str | None:
    """The common directory behind a git directory; None if it is no git directory."""
    if not os.path.isfile(os.path.join(git_dir, "HEAD")):
        return None
    common = os.path.realpath(os.path.join(git_dir, line_of(os.path.join(git_dir, "commondir"))))
    whole = all(os.path.isdir(os.path.join(common, part)) for part in ("objects", "refs"))
    return common if whole else None


def _main_worktree(common: str, stated: str) -> str | None:
    if stated:
        path = os.path.realpath(os.path.join(common, stated))
        return path if os.path.isdir(path) else None
    return os.path.dirname(common) if os.path.basename(common) == ".git" else None


def _core(common: str) -> dict[str, str]:
    """The section `core` of a repository's own configuration, where `bare` and `worktree` are."""
    found: dict[str, str] = {}
    for name in ("config", "config.worktree"):
        section = ""
        for line in os.fsdecode(small(os.path.join(common, name), follow=True)).split("\n"):
            head, bracket, rest = line.strip().partition("]")
            if head.startswith("[") and bracket:
                section = head[1:].strip().lower()
            setting = rest if head.startswith("[") else line
            key, equals, value = setting.partition("=")
            if section == "core" and key.strip():
                found[key.strip().lower()] = _config_value(value) if equals else "true"
    return found


def _config_value(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        return quoted(text) or ""
    return text.partition("#")[0].partition(";")[0].strip()


# --- the store -------------------------------------------------------------------------------------------------------


def locate_store(cwd: str, environ: Mapping[str, str], option: str | None) -> Located:
    """The store that a command in `cwd` means; `option` is what `--store` says.

    The order: the option, CREWLOG_STORE, the repository's own, the nearest one upward. A server's address means the
    folder here that `init` made for it. Raises Refusal `no-store` (details: `looked`), `unwritable` for a folder that
    may not be entered, `bad-value` for an address that is none.
    """
    named = _named(cwd, environ, option)
    server = _server(named)
    if named and server:
        return _folder_of(server, named[1], cwd)
    return _named_store(*named) if named else _found(cwd, "crewlog init")


def address_in(folder: str) -> str | None:
    """The address of the server that the store in this folder has its log on; None for an embedded one."""
    return os.fsdecode(small(os.path.join(folder, ADDRESS))).strip() or None


def _located(path: str, why: str) -> Located:
    return Located(path, why, address_in(path))


def _server(named: tuple[str, str] | None) -> str | None:
    """The address, whole and checked, where the user gave one and no folder."""
    if named is None or not named[0].startswith(SCHEMES):
        return None
    from domain.stores.address import parse

    return parse(*named).text


def _folder_of(server: str, source: str, cwd: str) -> Located:
    """The folder around `cwd` whose log is on this server."""
    import shlex

    found = _found(cwd, f"crewlog init --store {shlex.quote(server)}")
    if found.url == server:
        return Located(found.path, f"{source}, and {found.why}", server)
    message = f"{source} names {server}, and the log of {found.path} is {found.url or 'in that folder'}"
    raise _no_store(message, f"Leave {source} out, or go to a folder of that crew.", [found.path])


def _found(cwd: str, hint: str) -> Located:
    cwd = os.path.realpath(cwd)
    git = find_git(cwd)
    looked = [_home(git)] if git else []
    if git and holds_store(looked[0]):
        return _located(looked[0], _home_why(git))
    for folder in _upward(cwd):
        for path in (folder, os.path.join(folder, STORE)):
            if os.path.basename(path) == STORE and holds_store(path):
                return _located(path, f"found upward of {cwd}")
    message = "".join(f"no store at {path}, and " for path in looked)
    message += f"no {STORE} with a store in {cwd} or a folder above it"
    raise _no_store(message, hint, [*looked, _store_in(cwd)])


def home_for_init(cwd: str, environ: Mapping[str, str], option: str | None) -> Located:
    """Where `init` makes the store, whether there is one already or not; `url`: the address that was given.

    Raises Refusal `bad-value` for an address that is none.
    """
    named = _named(cwd, environ, option)
    server = _server(named)
    if server:
        home = home_for_init(cwd, {}, None)
        return Located(home.path, home.why, server)
    if named:
        path, why = named
        is_store = os.path.basename(path) == STORE or holds_store(path)
        return Located(path if is_store else _store_in(path), why)
    cwd = os.path.realpath(cwd)
    git = find_git(cwd)
    if git:
        return Located(_home(git), _home_why(git))
    around = next((folder for folder in _upward(cwd) if os.path.basename(folder) == STORE), None)
    return Located(around or _store_in(cwd), "the current directory, which is in no git repository")


def check_path(path: str) -> None:
    """Refuse (`bad-value`) a path that SQLite cannot open: it takes UTF-8 only."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        hint = "Rename the folder, or name another one with --store."
        raise _refusal("bad-value", f"the path of the store, {path}, is not valid UTF-8", hint) from error


def guard(path: str) -> None:
    """Refuse (`unsafe-store`) a store that is a symlink, holds symlinks of ours, or belongs to someone else.

    Root may open anyone's. How the user got to the folder is not judged: /tmp is a symlink on some systems.
    """
    check_path(path)
    try:
        info = os.lstat(path)
        _guard_folder(path, info)
        with os.scandir(path) as entries:
            links = sorted(
                entry.name for entry in entries if entry.is_symlink() and not _is_editors(entry.name)
            )
    except FileNotFoundError as error:
        raise _no_store(f"there is no {path}", "crewlog init", [path]) from error
    except OSError as error:
        raise _unwritable(error, path) from error
    if links:
        raise _unsafe(os.path.join(path, links[0]), "is a symbolic link")


def _guard_folder(path: str, info: os.stat_result) -> None:
    if stat.S_ISLNK(info.st_mode):
        raise _unsafe(path, "is a symbolic link")
    if not stat.S_ISDIR(info.st_mode):
        raise _unsafe(path, "is not a directory")
    if os.geteuid() not in (0, info.st_uid):
        raise _unsafe(path, f"belongs to another user (uid {info.st_uid})")


def _is_editors(name: str) -> bool:
    return name.startswith(".#")  # Emacs marks a file that it edits by a dangling link


def _named(cwd: str, environ: Mapping[str, str], option: str | None) -> tuple[str, str] | None:
    """The path, or the address of a server, that the user gave, and by what."""
    if option == "":
        raise _refusal("bad-value", "--store is empty", "Leave it out, or name a folder.")
    value, source = (option, "--store") if option else (environ.get(VARIABLE, ""), VARIABLE)
    if not value:
        return None
    if value.startswith(SCHEMES):
        return value, source
    head, tail = os.path.split(os.path.normpath(os.path.join(os.path.realpath(cwd), value)))
    # The last part stays as it was given, so that `guard` sees whether it is a symlink.
    return os.path.join(os.path.realpath(head), tail), source


def _named_store(path: str, source: str) -> Located:
    inside = _store_in(path)
    for candidate in (path, inside):
        if holds_store(candidate):
            return _located(candidate, source)
    import shlex

    hint = f"crewlog init --store {shlex.quote(path)}"
    raise _no_store(f"{source} names {path}, and there is no store in it", hint, [path, inside])


def _home(git: GitPlace) -> str:
    return os.path.join(git.main_worktree or git.common_dir, STORE)


def _home_why(git: GitPlace) -> str:
    return "the repository's main worktree" if git.main_worktree else "the repository's git directory"


def _store_in(folder: str) -> str:
    return os.path.join(os.path.realpath(folder), STORE)


def holds_store(path: str) -> bool:
    """True if the folder has a log, or says which server has it."""
    if os.path.isfile(os.path.join(path, DATABASE)):
        return True
    if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
        from errno import EACCES

        raise _unwritable(PermissionError(EACCES, os.strerror(EACCES)), path)
    return os.path.isfile(os.path.join(path, ADDRESS))


# --- refusals: their module imports enum and typing, which only an answer needs ---------------------------------------


def _refusal(code: str, message: str, hint: str, **details: object) -> Refusal:
    from domain.refusals import Refusal

    return Refusal(code, message, hint, **details)


def _no_store(message: str, hint: str, looked: list[str]) -> Refusal:
    return _refusal("no-store", message, hint, looked=looked)


def _unsafe(path: str, fault: str) -> Refusal:
    hint = "A store is a folder of your own that holds real files; look who made it."
    return _refusal("unsafe-store", f"{path} {fault}", hint, path=path)


def _unwritable(error: OSError, path: str) -> Refusal:
    from domain.stores.queue import unwritable

    return unwritable(error, path)
