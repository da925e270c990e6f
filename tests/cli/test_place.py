from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import place
from cli.binding import Binding, clear_binding, read_binding, write_binding
from cli.files import write_private
from cli.local import read_local, write_local
from cli.place import GitPlace, Located, find_git, guard, home_for_init, locate_store
from domain.refusals import Refusal

PROJECT = Path(__file__).resolve().parents[2]
needs_another_user = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give a folder to someone else"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def git(folder: Path, *arguments: str) -> str:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CEILING_DIRECTORIES": "/tmp",  # noqa: S108 - not a file of ours
    }
    who = ["-c", "user.name=ada", "-c", "user.email=ada@crew.invalid", "-c", "protocol.file.allow=always"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository(folder: Path, *options: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    return folder


def with_commit(folder: Path) -> Path:
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def store_in(folder: Path) -> Path:
    store = folder / ".crewlog"
    store.mkdir(mode=0o700)
    (store / "crewlog.db").touch()
    return store


def refused(code: str, ask: Callable[[], object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        ask()
    assert caught.value.code == code
    return caught.value


# --- git ---------------------------------------------------------------------------------------------------------


def test_outside_git_there_is_no_git_place(home: Path) -> None:
    assert find_git(str(home)) is None


def test_a_repository_is_found_from_its_folder_and_from_below(home: Path) -> None:
    code = repository(home / "code")
    (code / "src" / "deep").mkdir(parents=True)
    expected = GitPlace(str(code), str(code / ".git"), str(code / ".git"), str(code), linked=False)

    assert find_git(str(code)) == expected
    assert find_git(str(code / "src" / "deep")) == expected


def test_a_symlink_on_the_way_leads_to_the_same_place(home: Path) -> None:
    code = repository(home / "code")
    (home / "link").symlink_to(code)

    assert find_git(str(home / "link")) == find_git(str(code))


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_a_linked_worktree_names_the_main_one(home: Path, relative: bool) -> None:
    code = with_commit(repository(home / "code"))
    git(code, "worktree", "add", "-q", str(home / "linked"))
    if relative:
        (home / "linked" / ".git").write_text("gitdir: ../code/.git/worktrees/linked\n")
    (home / "linked" / "src").mkdir()

    found = find_git(str(home / "linked" / "src"))

    assert found == GitPlace(
        str(home / "linked"), str(code / ".git/worktrees/linked"), str(code / ".git"), str(code), linked=True
    )


def test_a_worktree_inside_the_store_is_one_of_the_code_repository(home: Path) -> None:
    code = with_commit(repository(home / "code"))
    git(store_in(code), "init", "-q")
    work = code / ".crewlog" / "work" / "t-3k9fa2mq"
    git(code, "worktree", "add", "-q", str(work))

    found = find_git(str(work))

    assert found is not None
    assert (found.worktree, found.main_worktree, found.linked) == (str(work), str(code), True)


@pytest.mark.parametrize("below", ["", "log/r-7d", ".git", ".git/refs"])
def test_inside_the_store_the_code_repository_is_meant_and_not_the_stores_own(home: Path, below: str) -> None:
    code = repository(home / "code")
    git(store_in(code), "init", "-q")
    (code / ".crewlog" / below).mkdir(parents=True, exist_ok=True)

    found = find_git(str(code / ".crewlog" / below))

    assert found is not None
    assert (found.git_dir, found.main_worktree) == (str(code / ".git"), str(code))


def test_a_store_with_a_repository_of_its_own_outside_git_is_in_no_repository(home: Path) -> None:
    git(store_in(home), "init", "-q")

    assert find_git(str(home / ".crewlog")) is None


def test_a_bare_repository_has_no_worktree(home: Path) -> None:
    bare = repository(home / "code.git", "--bare")
    expected = GitPlace(None, str(bare), str(bare), None, linked=False)

    assert find_git(str(bare)) == expected
    assert find_git(str(bare / "refs" / "heads")) == expected


def test_a_worktree_of_a_bare_repository_has_no_main_worktree(home: Path) -> None:
    code = with_commit(repository(home / "code"))
    git(home, "clone", "-q", "--bare", str(code), str(home / "code.git"))
    git(home / "code.git", "worktree", "add", "-q", str(home / "linked"))

    found = find_git(str(home / "linked"))

    assert found is not None
    assert (found.worktree, found.common_dir) == (str(home / "linked"), str(home / "code.git"))
    assert (found.main_worktree, found.linked) == (None, True)


def test_a_folder_around_a_hidden_bare_repository_is_no_worktree(home: Path) -> None:
    repository(home / "code")
    git(home, "clone", "-q", "--bare", str(home / "code"), str(home / "crew" / ".bare"))
    (home / "crew" / ".git").write_text("gitdir: ./.bare\n")

    bare = str(home / "crew" / ".bare")
    assert find_git(str(home / "crew")) == GitPlace(None, bare, bare, None, linked=False)


def test_a_submodule_is_a_repository_of_its_own(home: Path) -> None:
    library, code = with_commit(repository(home / "library")), with_commit(repository(home / "code"))
    git(code, "submodule", "--quiet", "add", str(library), "lib")
    modules = str(code / ".git" / "modules" / "lib")

    assert find_git(str(code / "lib")) == GitPlace(
        str(code / "lib"), modules, modules, str(code / "lib"), linked=False
    )


def test_a_worktree_of_a_submodule_names_the_submodule_as_its_main_worktree(home: Path) -> None:
    library, code = with_commit(repository(home / "library")), with_commit(repository(home / "code"))
    git(code, "submodule", "--quiet", "add", str(library), "lib")
    git(code / "lib", "worktree", "add", "-q", str(home / "linked"))

    found = find_git(str(home / "linked"))

    assert found is not None
    assert (found.main_worktree, found.linked) == (str(code / "lib"), True)


def test_with_the_git_directory_elsewhere_all_worktrees_agree_that_there_is_no_main_one(home: Path) -> None:
    """The common directory doesn't say which worktree is the main one, and a linked worktree must not guess."""
    code = with_commit(repository(home / "code", "--separate-git-dir", str(home / "elsewhere")))
    git(code, "worktree", "add", "-q", str(home / "linked"))

    main, linked = find_git(str(code)), find_git(str(home / "linked"))

    assert main is not None
    assert linked is not None
    assert (main.worktree, main.main_worktree, main.linked) == (str(code), None, False)
    assert (linked.common_dir, linked.main_worktree) == (main.common_dir, None)


def test_inside_a_git_directory_there_is_a_main_worktree_but_one_is_not_in_it(home: Path) -> None:
    code = repository(home / "code")

    found = find_git(str(code / ".git" / "refs"))

    assert found == GitPlace(None, str(code / ".git"), str(code / ".git"), str(code), linked=False)


def test_a_git_file_that_leads_nowhere_ends_the_search_as_in_git(home: Path) -> None:
    code = repository(home / "code")
    (code / "lost").mkdir()
    (code / "lost" / ".git").write_text("gitdir: /nowhere/.git/worktrees/lost\n")

    assert find_git(str(code / "lost")) is None


@pytest.mark.parametrize("content", [b"", b"gitdir:\n", b"\xff\xfe\x00", b"hello"])
def test_a_git_file_with_nonsense_in_it_is_no_repository(home: Path, content: bytes) -> None:
    (home / ".git").write_bytes(content)

    assert find_git(str(home)) is None


def test_an_empty_git_folder_is_passed_by_as_in_git(home: Path) -> None:
    code = repository(home / "code")
    (code / "sub" / ".git").mkdir(parents=True)

    found = find_git(str(code / "sub"))

    assert found is not None
    assert found.worktree == str(code)


def test_a_path_that_is_not_utf8_is_followed(home: Path) -> None:
    code = with_commit(repository(Path(os.fsdecode(os.fsencode(home) + b"/caf\xe9"))))
    git(code, "worktree", "add", "-q", str(home / "linked"))

    found = find_git(str(home / "linked"))

    assert found is not None
    assert found.main_worktree == str(code)


def test_what_git_itself_says_is_what_is_found(home: Path) -> None:
    code = with_commit(repository(home / "code"))
    git(code, "worktree", "add", "-q", str(home / "linked"))
    git(home, "clone", "-q", "--bare", str(code), str(home / "code.git"))
    (code / "src").mkdir()

    for folder in (code, code / "src", home / "linked", home / "code.git", code / ".git"):
        found = find_git(str(folder))
        assert found is not None
        said = [git(folder, "rev-parse", option) for option in ("--git-dir", "--git-common-dir")]
        assert [found.git_dir, found.common_dir] == [str((folder / path).resolve()) for path in said]


@pytest.mark.parametrize(
    ("setting", "bare"),
    [
        ("[core]\n\tbare = true\n", True),
        ("[core] bare\n", True),
        ("[CORE]\nBare = Yes ; really\n", True),
        ("[core]\nbare = false # true\n", False),
        ('[core "other"]\nbare = true\n', False),
        ("[other]\nbare = true\n", False),
        ("# [core] bare = true\n", False),
    ],
)
def test_gits_configuration_is_read_as_git_reads_it(home: Path, setting: str, bare: bool) -> None:
    code = repository(home / "code")
    (code / ".git" / "config").write_text(setting)

    found = find_git(str(code))

    assert found is not None
    assert (found.main_worktree is None) == bare


# --- the store ---------------------------------------------------------------------------------------------------


def test_the_option_goes_before_the_variable_before_the_repository_before_the_folders_above(
    home: Path,
) -> None:
    above, code = store_in(home), repository(home / "code")
    repositorys, variables, options = (
        store_in(code),
        store_in(repository(home / "v")),
        store_in(repository(home / "o")),
    )
    environ = {"CREWLOG_STORE": str(variables)}

    assert locate_store(str(code), environ, str(options)) == Located(str(options), "--store")
    assert locate_store(str(code), environ, None) == Located(str(variables), "CREWLOG_STORE")
    assert locate_store(str(code), {}, None) == Located(str(repositorys), "the repository's main worktree")
    assert locate_store(str(home), {}, None) == Located(str(above), f"found upward of {home}")


def test_a_linked_worktree_uses_the_main_worktrees_store_even_beside_one_of_its_own(home: Path) -> None:
    code = with_commit(repository(home / "code"))
    git(code, "worktree", "add", "-q", str(home / "linked"))
    store = store_in(code)
    store_in(home / "linked")

    assert locate_store(str(home / "linked"), {}, None).path == str(store)


def test_a_bare_repositorys_store_is_in_its_git_directory(home: Path) -> None:
    bare = repository(home / "code.git", "--bare")
    store = store_in(bare)

    assert locate_store(str(bare / "refs"), {}, None) == Located(str(store), "the repository's git directory")


def test_a_repository_without_a_store_uses_one_above_it(home: Path) -> None:
    store, code = store_in(home), repository(home / "code")
    (code / ".crewlog").mkdir()

    assert locate_store(str(code), {}, None).path == str(store)


def test_a_submodule_without_a_store_uses_the_one_of_the_repository_around_it(home: Path) -> None:
    library, code = with_commit(repository(home / "library")), with_commit(repository(home / "code"))
    git(code, "submodule", "--quiet", "add", str(library), "lib")
    store = store_in(code)

    assert locate_store(str(code / "lib"), {}, None).path == str(store)


@pytest.mark.parametrize("below", ["", "log/r-7d"])
def test_inside_a_store_that_store_is_meant(home: Path, below: str) -> None:
    store = store_in(home)
    (store / below).mkdir(parents=True, exist_ok=True)

    assert locate_store(str(store / below), {}, None).path == str(store)


@pytest.mark.parametrize("given", ["code", "code/.crewlog", "code/.crewlog/", "./code/src/..", "{home}/code"])
def test_a_store_is_named_by_its_folder_or_the_one_around_it(home: Path, given: str) -> None:
    store = store_in(repository(home / "code"))
    (home / "code" / "src").mkdir()
    given = given.format(home=home)

    assert locate_store(str(home), {}, given).path == str(store)
    assert locate_store(str(home), {"CREWLOG_STORE": given}, None).path == str(store)


def test_a_store_of_another_name_can_be_named(home: Path) -> None:
    store = store_in(home).rename(home / "backup")

    assert locate_store(str(home), {}, "backup").path == str(store)


def test_a_store_that_was_named_and_is_not_there_is_not_looked_for_elsewhere(home: Path) -> None:
    store_in(home)

    refusal = refused("no-store", lambda: locate_store(str(home), {}, "my project"))

    assert refusal.details["looked"] == [str(home / "my project"), str(home / "my project" / ".crewlog")]
    assert refusal.hint == f"crewlog init --store '{home}/my project'"


def test_where_there_is_no_store_the_refusal_names_where_it_was_looked_for(home: Path) -> None:
    code = repository(home / "code")
    (code / "src").mkdir()

    refusal = refused("no-store", lambda: locate_store(str(code / "src"), {}, None))

    assert str(code / ".crewlog") in refusal.message
    assert str(code / "src") in refusal.message
    assert refusal.hint == "crewlog init"


def on_server(folder: Path, address: str = "postgresql://db/crew?schema=one") -> str:
    """A store whose log is on a server; its address."""
    (folder / ".crewlog").mkdir()
    (folder / ".crewlog" / "store.url").write_text(f"{address}\n")
    return address


@pytest.mark.parametrize("address", ["postgresql://ada:s3cret@db/crew", "postgres://db/crew?password=s3cret"])
def test_an_address_with_a_password_is_refused_without_repeating_it(home: Path, address: str) -> None:
    for ask in (locate_store, home_for_init):
        by_option = refused("bad-value", lambda ask=ask: ask(str(home), {}, address))  # type: ignore[misc]
        refused("bad-value", lambda ask=ask: ask(str(home), {"CREWLOG_STORE": address}, None))  # type: ignore[misc]
        assert "s3cret" not in str(by_option.as_dict())


def test_a_store_on_a_server_is_found_like_any_other_and_says_which_server(home: Path) -> None:
    address = on_server(home)
    inside = home / "a" / "b"
    inside.mkdir(parents=True)

    assert locate_store(str(inside), {}, None) == Located(
        str(home / ".crewlog"), f"found upward of {inside}", address
    )
    assert locate_store("/", {}, str(home)) == Located(str(home / ".crewlog"), "--store", address)


def test_an_address_means_the_folder_here_that_has_its_log_there(home: Path) -> None:
    address = on_server(home)

    by_option = locate_store(str(home), {}, "postgres://db/crew?schema=one")
    by_variable = locate_store(str(home), {"CREWLOG_STORE": address}, None)
    assert (by_option.path, by_option.url) == (str(home / ".crewlog"), address)
    assert by_option.why.startswith("--store, and ")
    assert (by_variable.path, by_variable.url) == (str(home / ".crewlog"), address)


@pytest.mark.parametrize("other", ["postgresql://db/crew?schema=two", "postgresql://db/crew"])
def test_an_address_that_no_folder_here_belongs_to_is_refused(home: Path, other: str) -> None:
    refusal = refused("no-store", lambda: locate_store(str(home), {}, other))
    assert refusal.hint.startswith("crewlog init --store ")

    on_server(home)
    assert "schema=one" in refused("no-store", lambda: locate_store(str(home), {}, other)).message


def test_init_with_an_address_stands_where_init_would_stand_anyway(home: Path) -> None:
    found = home_for_init(str(home), {}, "postgres://db/crew")

    assert (found.path, found.url) == (str(home / ".crewlog"), "postgresql://db/crew?schema=crewlog")


def test_an_empty_option_is_refused_and_an_empty_variable_is_none(home: Path) -> None:
    store = store_in(home)

    refused("bad-value", lambda: locate_store(str(home), {}, ""))
    assert locate_store(str(home), {"CREWLOG_STORE": ""}, None).path == str(store)


def test_nothing_in_the_environment_of_git_is_honoured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, code = repository(home / "other"), repository(home / "code")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))

    found = find_git(str(code))

    assert found is not None
    assert found.worktree == str(code)


def test_init_makes_the_store_where_every_worktree_will_find_it(home: Path) -> None:
    code, bare = with_commit(repository(home / "code")), repository(home / "code.git", "--bare")
    git(code, "worktree", "add", "-q", str(home / "linked"))

    assert home_for_init(str(home / "linked"), {}, None).path == str(code / ".crewlog")
    assert home_for_init(str(bare), {}, None).path == str(bare / ".crewlog")


@pytest.mark.parametrize("given", ["code", "code/.crewlog"])
def test_init_takes_the_store_or_the_folder_around_it(home: Path, given: str) -> None:
    assert home_for_init(str(home), {}, given) == Located(str(home / "code" / ".crewlog"), "--store")
    assert home_for_init(str(home), {"CREWLOG_STORE": given}, None).why == "CREWLOG_STORE"


def test_outside_git_init_makes_the_store_in_the_current_folder_but_never_in_a_store(home: Path) -> None:
    store = store_in(home)
    (store / "log").mkdir()
    (home / "src").mkdir()

    assert home_for_init(str(home / "src"), {}, None).path == str(home / "src" / ".crewlog")
    assert home_for_init(str(store / "log"), {}, None).path == str(store)


# --- guard -------------------------------------------------------------------------------------------------------


def test_a_store_of_ones_own_passes(home: Path) -> None:
    store = store_in(home)
    (store / ".#config.toml").symlink_to("ada@laptop.4711")  # an editor's lock

    guard(str(store))


def test_a_store_reached_through_a_symlink_further_up_passes(home: Path) -> None:
    store_in(repository(home / "code"))
    (home / "link").symlink_to(home / "code")

    guard(locate_store(str(home), {}, "link").path)
    guard(locate_store(str(home / "link"), {}, None).path)


@pytest.mark.parametrize("given", [None, "code", "code/.crewlog", "code/.crewlog/"])
def test_a_store_that_is_a_symlink_is_refused(home: Path, given: str | None) -> None:
    real, code = store_in(home), repository(home / "code")
    (code / ".crewlog").symlink_to(real)
    located = locate_store(str(home if given else code), {}, given)

    assert located.path == str(code / ".crewlog")
    refused("unsafe-store", lambda: guard(located.path))


@pytest.mark.parametrize("name", ["crewlog.db", "log", "live.jsonl"])
def test_a_store_that_holds_a_symlink_is_refused(home: Path, name: str) -> None:
    store = store_in(home)
    (store / "crewlog.db").unlink()
    (store / name).symlink_to(home / "elsewhere")

    assert name in refused("unsafe-store", lambda: guard(str(store))).message


def test_a_store_that_is_a_file_is_refused(home: Path) -> None:
    (home / ".crewlog").touch()

    refused("unsafe-store", lambda: guard(str(home / ".crewlog")))


def test_a_store_that_went_away_is_no_store(home: Path) -> None:
    refused("no-store", lambda: guard(str(home / ".crewlog")))


def test_someone_elses_store_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(home)
    monkeypatch.setattr(os, "geteuid", lambda: store.stat().st_uid + 1)

    assert "another user" in refused("unsafe-store", lambda: guard(str(store))).message


@needs_another_user
def test_root_may_open_anyones_store(home: Path) -> None:
    store = store_in(home)
    os.chown(store, 4711, 4711)

    guard(str(store))


# --- the binding -------------------------------------------------------------------------------------------------


@pytest.fixture
def worktree(home: Path) -> GitPlace:
    found = find_git(str(repository(home / "code")))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "binding",
    [Binding("ada"), Binding("ada", "t-3k9fa2mq", "9f2c" * 16, "/work/.crewlog")],
    ids=["joined", "started"],
)
def test_a_binding_is_read_as_it_was_written(worktree: GitPlace, binding: Binding) -> None:
    write_binding(worktree, Binding("bob", "t-old", None, "/elsewhere"))
    write_binding(worktree, binding)

    assert read_binding(worktree) == binding


def test_a_binding_is_private_and_leaves_no_other_file(worktree: GitPlace) -> None:
    before = set(os.listdir(worktree.git_dir))
    write_binding(worktree, Binding("ada"))

    assert set(os.listdir(worktree.git_dir)) - before == {"crewlog.json"}
    assert stat.S_IMODE(os.stat(f"{worktree.git_dir}/crewlog.json").st_mode) == 0o600


def test_each_worktree_has_a_binding_of_its_own_and_git_does_not_see_it(home: Path) -> None:
    code = with_commit(repository(home / "code"))
    git(code, "worktree", "add", "-q", str(home / "linked"))
    main, linked = find_git(str(code)), find_git(str(home / "linked"))
    assert main
    assert linked

    write_binding(linked, Binding("bob"))

    assert read_binding(main) is None
    assert read_binding(linked) == Binding("bob")
    assert git(home / "linked", "status", "--porcelain") == ""


def test_an_unbound_worktree_has_no_binding_and_unbinding_it_is_fine(worktree: GitPlace) -> None:
    write_binding(worktree, Binding("ada"))

    clear_binding(worktree)
    clear_binding(worktree)

    assert read_binding(worktree) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"agent": 7}',
        b'{"agent": "Not A Name\\u001b"}',
        b'{"agent": "ada", "task": 7}',
        b'{"agent": "ada", "claim": {}}',
        b'{"agent": "ada", "store": null}',
        b'{"agent": "ada"' + b" " * 70_000 + b"}",
    ],
)
def test_a_damaged_binding_counts_as_none(worktree: GitPlace, content: bytes) -> None:
    Path(worktree.git_dir, "crewlog.json").write_bytes(content)

    assert read_binding(worktree) is None


def test_a_binding_is_not_read_through_a_symlink_and_not_written_through_one(
    worktree: GitPlace, home: Path
) -> None:
    target = home / "target"
    target.write_text(json.dumps({"agent": "eve"}))
    Path(worktree.git_dir, "crewlog.json").symlink_to(target)

    assert read_binding(worktree) is None
    write_binding(worktree, Binding("ada"))

    assert read_binding(worktree) == Binding("ada")
    assert target.read_text() == json.dumps({"agent": "eve"})


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_binding_that_is_no_file_counts_as_none(worktree: GitPlace, make: Callable[[str], None]) -> None:
    make(f"{worktree.git_dir}/crewlog.json")

    assert read_binding(worktree) is None


def test_a_binding_that_cannot_be_written_is_refused_by_name(worktree: GitPlace) -> None:
    os.mkdir(f"{worktree.git_dir}/crewlog.json")

    for change in (lambda: write_binding(worktree, Binding("ada")), lambda: clear_binding(worktree)):
        assert "crewlog.json" in refused("unwritable", change).message


# --- private files -----------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(str(home / "file"), "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    refused("disk-full", lambda: write_private(str(home / "file"), "new"))

    assert [(path.name, path.read_text()) for path in home.iterdir()] == [("file", "old")]


def test_without_replace_the_first_writers_file_stays(home: Path) -> None:
    write_private(str(home / "replica"), "r-1\n", replace=False)
    write_private(str(home / "replica"), "r-2\n", replace=False)

    assert [(path.name, path.read_text()) for path in home.iterdir()] == [("replica", "r-1\n")]


# --- local settings ----------------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True), st.text(st.characters(codec="utf-8")))
)
def test_local_settings_are_read_as_they_were_written_and_are_toml(
    home: Path, given_settings: dict[str, str]
) -> None:
    write_local(str(home), given_settings)

    assert read_local(str(home)) == given_settings
    assert tomllib.loads((home / "local.toml").read_text(encoding="utf-8")) == given_settings


def test_local_settings_that_people_write_are_understood(home: Path) -> None:
    lines = [
        "# mine",
        "",
        'me = "zoe"  # that is me',
        "editor='vi \\ #1'",
        '  tab = "a\\tb\\u00e9\\U0001F600\\""',
        "number = 7",
        'open = "never closed',
        '# me = "nobody"',
        "nonsense",
        "[section]",
        'me = "other"',
    ]
    (home / "local.toml").write_text("\n".join(lines), encoding="utf-8")

    assert read_local(str(home)) == {"me": "zoe", "editor": "vi \\ #1", "tab": 'a\tbé😀"'}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'me = "\\u12', b'me = "\\Uffffffff"'])
def test_damaged_local_settings_raise_nothing(home: Path, content: bytes) -> None:
    (home / "local.toml").write_bytes(content)

    assert set(read_local(str(home))) <= {"me"}


def test_without_local_settings_there_are_none(home: Path) -> None:
    assert read_local(str(home)) == {}


# --- start-up ----------------------------------------------------------------------------------------------------


def test_finding_the_store_imports_nothing_that_the_interpreter_has_not_loaded(home: Path) -> None:
    store_in(repository(home / "code"))
    code = (
        f"import sys; sys.path.insert(0, {str(PROJECT)!r}); before = set(sys.modules)\n"
        f"import cli.place; cli.place.guard(cli.place.locate_store({str(home / 'code')!r}, {{}}, None).path)\n"
        "print(*sorted(set(sys.modules) - before))"
    )

    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["__future__", "cli", "cli.files", "cli.local", "cli.place"]


def test_values_show_their_fields_and_compare_by_them() -> None:
    assert repr(Located("/a", "--store")) == "Located('/a', None, '--store')"
    assert Located("/a", "x") != Located("/a", "y")
    assert Located("/a", "x") != Binding("a", "x")
    assert len({Binding("ada"), Binding("ada"), Binding("bob")}) == 2
    assert place.STORE == ".crewlog"
