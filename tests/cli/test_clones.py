"""Two clones work offline on the same tasks, and meet at a remote: one winner, nothing lost, no conflict for git."""

from __future__ import annotations

import importlib
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.stores.queue import turn
from tests.cli.clones import bare, clone, segments
from tests.cli.conftest import Crew, why
from tests.cli.repositories import commit, git


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Crew, Crew]:
    """Two clones that know of the same three tasks."""
    remote = bare(tmp_path)
    ada = clone(remote, "ada")
    for slug in ("one", "two", "three"):
        ada.do(f"spawn {slug} --slug {slug} --as ada")
    ada.do("sync")
    bob = clone(remote, "bob")
    bob.do("sync")
    ada.do("sync")
    return ada, bob


def hashes(*crews: Crew) -> set[str]:
    """The state of each clone."""
    return {crew.do("verify")["state"] for crew in crews}


def start(crew: Crew, task: str, name: str) -> str:
    return str(crew.do(f"start {task} --as {name} --no-branch")["claim"])


def test_what_one_clone_wrote_is_in_the_other_after_both_synced(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair

    assert [row["title"] for row in bob.do("list")["tasks"]] == ["one", "two", "three"]
    assert len(hashes(ada, bob)) == 1
    assert len(segments(ada)) == len(segments(bob)) == 2


def test_two_that_started_one_task_offline_have_one_winner_and_the_other_is_told_the_way_out(
    pair: tuple[Crew, Crew],
) -> None:
    ada, bob = pair
    first = start(ada, "one", "ada")
    second = start(bob, "one", "bob")
    bob.do("note one 'half of it' --as bob")

    ada.do("sync")
    came = bob.do("sync")
    ada.do("sync")

    assert len(hashes(ada, bob)) == 1
    assert came["conflicts"][0]["from"] == "bob"
    for crew in pair:
        (row,) = crew.do("conflicts")["conflicts"]
        assert (row["event"], row["from"], row["holder"]) == (second, "bob", "ada")
        assert any(line.startswith("crewlog resolve") for line in row["next"])
        assert crew.do("show one")["task"]["claim"] == first
        assert crew.do("show one")["task"]["conflicts"] == 1
        assert "half of it" in crew.run("log", "one").out
    late = bob.refused(f"done one --as bob --claim {second} --no-commit")
    assert why(late) == ("stale-claim", 5)


def test_who_lost_a_task_to_another_clone_is_told_once_with_the_next_command(
    pair: tuple[Crew, Crew],
) -> None:
    ada, bob = pair
    task = ada.do("show one")["task"]["id"]
    start(ada, "one", "ada")
    start(bob, "one", "bob")
    ada.do("sync")
    told = [bob.do("sync")["notices"]]  # in his own clone with the very command that brings the news
    ada.do("sync")
    told.append(ada.do("list --as bob")["notices"])

    sentence = f"your claim on {task} lost to another clone's: ada holds it; nothing is gone: `crewlog conflicts {task}`"
    assert told == [[sentence], [sentence]]
    for crew in pair:
        assert "notices" not in crew.do("list --as bob")
        assert "notices" not in crew.do("list --as ada")
        (waiting,) = crew.do("status --as bob")["attention"]
        assert (waiting["kind"], waiting["who"]) == ("conflict", "bob")
        assert waiting["command"] == f"crewlog conflicts {task} --as bob"
        assert "another clone's work came before that of bob" in crew.run("status", "--as", "bob").out


def test_what_was_settled_before_anyone_looked_is_no_news_for_who_lost(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    start(ada, "one", "ada")
    start(bob, "one", "bob")
    for crew in (ada, bob, ada):
        crew.do("sync")
    ada.do("resolve one --note 'bob takes two' --as zoe")
    ada.do("sync")
    bob.do("sync")

    assert "notices" not in bob.do("list --as bob")


def test_what_two_clones_did_at_once_is_no_last_event_to_undo(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    start(ada, "one", "ada")
    start(bob, "one", "bob")
    bob.do("sync")
    ada.do("sync")

    refused = ada.refused("undo one --as ada")
    assert (why(refused), "at once" in refused["message"]) == (("cannot-undo", 4), True)
    ada.do("note one 'both?' --as ada")
    assert why(ada.refused("undo one --as ada")) == ("cannot-undo", 4)  # a note has no inverse


def test_nothing_is_approved_before_the_conflict_is_settled_and_that_is_known_everywhere(
    pair: tuple[Crew, Crew],
) -> None:
    ada, bob = pair
    claim = start(ada, "one", "ada")
    ada.do(f"done one --as ada --claim {claim} --no-commit")
    start(bob, "one", "bob")
    for crew in (ada, bob, ada):
        crew.do("sync")

    for line in ("list", "show one", "review one"):
        assert "1 conflict" in bob.run(*bob.words(line)).out, line
    for line in ("show one", "review one"):
        assert "next: crewlog approve" not in bob.run(*bob.words(line)).out, line
    assert bob.do("review one")["next"] == [f"crewlog conflicts {bob.do('show one')['task']['id']}"]
    refused = bob.refused("approve one --as bob")
    assert why(refused) == ("conflicts", 4)
    assert "crewlog conflicts" in refused["hint"]
    ada.do("resolve one --note 'bob takes two' --as zoe")
    for crew in (ada, bob):
        crew.do("sync")

    assert bob.do("conflicts")["conflicts"] == []
    assert bob.do("approve one --as zoe")["state"] == "COMPLETED"


def test_many_syncs_of_two_clones_never_conflict_in_git_and_end_alike(pair: tuple[Crew, Crew]) -> None:
    chance = random.Random(7)
    for round_ in range(6):
        for crew, name in zip(pair, ("ada", "bob"), strict=True):
            for _ in range(chance.randrange(3)):
                task = chance.choice(("one", "two", "three"))
                crew.run(
                    *chance.choice(
                        (
                            ("start", task, "--as", name, "--no-branch"),
                            ("note", task, f"round {round_}", "--as", name),
                            ("edit", task, "--title", f"{name} {round_}", "--as", name),
                            ("cancel", task, "--as", name),
                            ("retry", task, "--as", name),
                        )
                    )
                )
        chance.choice(pair).do("sync")
    for crew in (*pair, *pair):
        crew.do("sync")

    assert len(hashes(*pair)) == 1
    assert [crew.do("verify")["findings"] for crew in pair] == [[], []]
    first, second = (git(crew.folder / ".crewlog", "rev-parse", "HEAD^{tree}") for crew in pair)
    assert first == second


def test_who_pushes_second_takes_in_what_came_first_and_pushes_too(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    ada.do("note one a --as ada")
    bob.do("note one b --as bob")

    ada.do("sync")
    came = bob.do("sync")
    ada.do("sync")

    assert (came["events"], came["pushed"]) == (1, True)
    assert ada.do("show one")["task"]["notes"] == 2


def test_a_dry_run_says_what_would_go_and_come_and_changes_nothing(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    ada.do("note one a --as ada")
    ada.do("sync")
    bob.do("note one b --as bob")
    bob.do("note one c --as bob")
    before = bob.do("verify")["events"], segments(bob)

    would = bob.do("sync --dry-run")

    assert (would["sealed"], would["incoming"], would["pushed"]) == (2, 1, False)
    assert (bob.do("verify")["events"], segments(bob)) == before


def test_the_answers_of_sync_have_the_shape_that_schema_prints(pair: tuple[Crew, Crew]) -> None:
    ada, _ = pair
    jsonschema: Any = importlib.import_module("jsonschema")  # it has no types
    schema: Any = orjson.loads(ada.run("schema").out)["$defs"]["sync"]

    for line in ("sync", "sync --dry-run"):
        jsonschema.Draft202012Validator(schema).validate(ada.do(line))


def test_a_clone_of_the_code_begins_with_what_the_others_wrote(pair: tuple[Crew, Crew]) -> None:
    ada, _ = pair
    ada.do("note one 'seen it' --as ada")
    ada.do("sync")

    eve = clone(ada.folder.parent / "origin.git", "eve")

    assert [row["title"] for row in eve.do("list")["tasks"]] == ["one", "two", "three"]
    assert eve.do("show one")["task"]["notes"] == 1
    assert eve.do("spawn four --as eve")["state"] == "ASSIGNED"
    eve.do("sync")
    ada.do("sync")
    assert len(hashes(ada, eve)) == 1


def test_settings_that_both_sides_changed_keep_the_remotes_and_say_so(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    for crew, by in ((ada, "person"), (bob, "other")):
        (crew.folder / ".crewlog/config.toml").write_text(f'[review]\nby = "{by}"\n')
    ada.do("sync")

    done = bob.run("sync")

    assert done.code == 0
    assert "config.toml: both sides changed it" in done.err
    assert 'by = "person"' in (bob.folder / ".crewlog/config.toml").read_text()


def meddle(crew: Crew, change: Callable[[Path], None]) -> None:
    """Somebody who may push changes the branch `crewlog` of the remote by hand."""
    sly = crew.folder.parent / "sly"
    git(sly.parent, "clone", "-q", "-b", "crewlog", str(crew.folder.parent / "origin.git"), str(sly))
    change(sly)
    git(sly, "add", "-A")
    git(sly, "commit", "-q", "-m", "sly")
    git(sly, "push", "-q", "origin", "crewlog")


def _link(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("/etc/passwd")

    return change


def _folder(folder: Path) -> None:
    (folder / "config.toml").unlink()
    (folder / "config.toml").mkdir()
    (folder / "config.toml/inside").touch()


def _linked_log(folder: Path) -> None:
    git(folder, "rm", "-r", "-q", "log")
    (folder / "log").symlink_to("/etc")


def _server(folder: Path) -> None:
    (folder / "store.url").write_text("postgresql://elsewhere/crew\n")


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link for the settings": (_link("config.toml"), "config.toml: on the remote it is a symbolic link"),
    "a link for the signers": (_link("signers"), "signers: on the remote it is a symbolic link"),
    "a folder for the settings": (_folder, "config.toml/inside: on the remote it is no file of a store"),
    "a link for all segments": (_linked_log, "log: on the remote it is a symbolic link"),
    "the address of a server": (_server, "store.url: on the remote it is no file of a store"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_of_a_store_is_left_out_of_what_the_remote_has_and_the_rest_goes_on(
    odd: str, pair: tuple[Crew, Crew]
) -> None:
    ada, bob = pair
    change, told = ODD[odd]
    settings = (ada.folder / ".crewlog/config.toml").read_text()
    bob.do("note one hello --as bob")
    bob.do("sync")
    meddle(ada, change)

    done = ada.run("sync")

    assert (done.code, told in done.err) == (0, True), done
    for crew in (bob, ada):  # what the remote has is sound again; each wrote again what is gone of its own
        assert told not in crew.run("sync").err
    assert ada.do("show one")["task"]["notes"] == 1
    assert (ada.folder / ".crewlog/config.toml").read_text() == settings
    assert not any(path.is_symlink() for path in (ada.folder / ".crewlog").iterdir())
    assert not (ada.folder / ".crewlog/store.url").exists()
    assert ada.do("verify")["findings"] == []
    eve = clone(ada.folder.parent / "origin.git", "eve")
    assert eve.do("show one")["task"]["notes"] == 1


def test_the_branch_of_a_task_under_review_goes_along(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    answer = ada.do("start one --as ada")
    work = Path(answer["dir"])
    (work / "hello.py").write_text("print('hello')\n")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "hello")
    ada.do(f"done one --as ada --claim {answer['claim']}", cwd=work)

    assert ada.do("sync")["branches"] == [answer["branch"]]
    bob.do("sync")

    there = git(bob.folder, "rev-parse", f"refs/remotes/origin/{answer['branch']}")
    assert there == git(work, "rev-parse", "HEAD")


def worked(crew: Crew, name: str) -> tuple[str, str, Path]:
    """Work on task one; its branch, the commit, and the claim with its folder."""
    answer = crew.do(f"start one --as {name}")
    work = Path(answer["dir"])
    return answer["branch"], commit(work, f"{name}.txt"), work


def test_a_worktree_that_git_is_just_making_keeps_nobody_from_syncing(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    _, _, work = worked(ada, "ada")
    ada.do(f"done one --as ada --claim {ada.do('show one')['task']['claim']}", cwd=work)
    ada.do("sync")
    git(bob.folder, "worktree", "add", "-q", "--detach", str(bob.folder.parent / "new"))
    head, held = bob.folder / ".git/worktrees/new/HEAD", threading.Event()
    commit_id = head.read_text()
    head.write_text("0" * 40 + "\n")  # as git has it for a moment

    def finish() -> None:
        with turn(str(bob.folder / ".crewlog/worktrees.lock")):
            held.set()
            time.sleep(0.5)
            head.write_text(commit_id)

    refused = bob.run("--json", "sync")
    making = threading.Thread(target=finish)
    making.start()
    held.wait()

    assert refused.json["error"]["code"] == "git"
    assert "git worktree remove" in refused.json["error"]["hint"]
    assert bob.do("sync")["branches"] == []
    making.join()


@pytest.mark.parametrize("handed_in", [True, False])
def test_the_branch_of_work_that_lost_leaves_its_clone_and_is_named_everywhere(
    handed_in: bool, pair: tuple[Crew, Crew]
) -> None:
    ada, bob = pair
    _, _, first = worked(ada, "ada")
    branch, there, second = worked(bob, "bob")
    ada.do("done --as ada", cwd=first)
    if handed_in:
        bob.do("done --as bob", cwd=second)
    ada.do("sync")

    assert branch in bob.do("sync")["branches"]
    ada.do("sync")

    for crew in pair:
        rows = crew.do("conflicts")["conflicts"]
        assert {(row["branch"], row["commit"]) for row in rows} == {(branch, there)}
        assert f"branch {branch} at {there[:12]}" in crew.run("conflicts").out
        found = crew.run("--json", "verify", "--git").json["findings"]
        assert [finding["code"] for finding in found] == []


def test_a_branch_that_lost_and_has_not_come_yet_is_said_to_be_missing(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    worked(ada, "ada")
    branch, _, _ = worked(bob, "bob")
    ada.do("sync")
    bob.do("export")
    ada.do("import ../bob/.crewlog")

    (row,) = ada.do("conflicts")["conflicts"]

    assert (row["branch"], row["commit"]) == (branch, None)
    assert f"branch {branch} not here: `crewlog sync` where bob works" in ada.run("conflicts").out


def test_conflicts_are_listed_where_git_is_not_installed(pair: tuple[Crew, Crew], tmp_path: Path) -> None:
    ada, bob = pair
    start(ada, "one", "ada")
    start(bob, "one", "bob")
    ada.do("sync")
    bob.do("sync")

    listed = bob.do("conflicts", environ={"PATH": str(tmp_path / "nothing")})

    assert [row["from"] for row in listed["conflicts"]] == ["bob"]


def test_without_a_repository_or_a_remote_sync_says_what_is_missing(tmp_path: Path, crew: Crew) -> None:
    assert why(crew.refused("sync")) == ("git", 6)
    lonely = Crew(tmp_path / "lonely")
    lonely.folder.mkdir()
    git(lonely.folder, "init", "-q")
    lonely.do("init --as zoe")
    refused = lonely.refused("sync")
    assert "no remote origin" in refused["message"]
    assert refused["hint"].startswith("git remote add")


def test_a_remote_that_cannot_be_reached_leaves_everything_as_it_was(pair: tuple[Crew, Crew]) -> None:
    ada, _ = pair
    git(ada.folder, "remote", "set-url", "origin", str(ada.folder / "nowhere.git"))
    ada.do("note one a --as ada")

    refused = ada.refused("sync")
    assert why(refused) == ("git", 6)
    assert "cannot be reached" in refused["message"]
    assert "Nothing is lost" in refused["hint"]
    assert ada.do("show one")["task"]["notes"] == 1
    git(ada.folder, "remote", "set-url", "origin", str(ada.folder.parent / "origin.git"))
    assert ada.do("sync")["pushed"]


def test_a_damaged_segment_of_another_clone_is_told_and_the_rest_comes_in(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    ada.do("note one a --as ada")
    ada.do("export")
    newest = max(segments(ada), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes().replace(b'"a"', b'"b"'))
    git(ada.folder / ".crewlog", "add", "log")
    git(ada.folder / ".crewlog", "commit", "-q", "-m", "tampered")
    git(ada.folder / ".crewlog", "push", "-q", str(ada.folder.parent / "origin.git"), "crewlog")

    done = bob.run("--json", "sync")

    assert done.code == 7
    (finding,) = done.json["findings"]
    assert (finding["code"], finding["line"], finding["offset"]) == ("bad-line", 1, 0)
    assert finding["path"].endswith(newest.name)


def test_a_clones_own_segment_that_another_one_changed_is_kept_as_it_wrote_it(
    pair: tuple[Crew, Crew],
) -> None:
    ada, bob = pair
    (own,) = (path for path in segments(ada) if b'"one"' in path.read_bytes())
    whole = own.read_bytes()
    remote = ada.folder.parent / "origin.git"
    sly = ada.folder.parent / "sly"
    git(sly.parent, "clone", "-q", "-b", "crewlog", str(remote), str(sly))
    theirs = sly / own.relative_to(ada.folder / ".crewlog")
    theirs.write_bytes(whole.replace(b'"one"', b'"two"'))
    git(sly, "commit", "-q", "-a", "-m", "sly")
    git(sly, "push", "-q", "origin", "crewlog")

    done = ada.run("sync")

    assert (done.code, "this clone's own is kept" in done.err) == (0, True), done
    assert own.read_bytes() == whole
    theirs.write_bytes(whole.replace(b'"one"', b'"six"'))  # the same line again, past what ada pushed
    git(sly, "commit", "-q", "-a", "-m", "sly")
    git(sly, "push", "-q", "--force", "origin", "crewlog")
    ada.do("sync")
    assert own.read_bytes() == whole
    bob.do("sync")
    assert [crew.do("verify")["findings"] for crew in pair] == [[], []]


def test_sync_says_how_many_events_went_and_leaves_the_settings_private(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    (ada.folder / ".crewlog/config.toml").write_text("# ours\n")
    (ada.folder / ".crewlog/signers").write_text("# nobody\n")
    ada.do("note one a --as ada")
    ada.do("note one b --as ada")

    assert ada.do("sync")["sent"] == 2
    assert "0 events pushed" in bob.run("sync").out
    eve = clone(ada.folder.parent / "origin.git", "eve")
    for crew in (bob, eve):
        for name in ("config.toml", "signers"):
            assert (crew.folder / ".crewlog" / name).stat().st_mode & 0o077 == 0, name


def test_show_tells_the_events_of_a_task_in_the_order_in_which_every_clone_folds_them(
    pair: tuple[Crew, Crew],
) -> None:
    ada, bob = pair
    ada.do("note one a --as ada")
    bob.do("note one b --as bob")
    for crew in (ada, bob, ada):
        crew.do("sync")

    assert ada.do("show one")["events"] == bob.do("show one")["events"]
    assert ada.run("show", "one").out == bob.run("show", "one").out


def test_a_conflict_that_came_with_its_settlement_is_not_told_as_one(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    start(ada, "one", "ada")
    start(bob, "one", "bob")
    for crew in (ada, bob):
        crew.do("sync")
    bob.do("resolve one --note 'bob takes two' --as zoe")
    bob.do("sync")

    assert ada.do("sync")["conflicts"] == []


def test_verify_finds_the_lost_head_of_a_fork_whichever_of_the_two_it_is(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    for task in ("one", "two", "three"):
        ada.do(f"note {task} here --as ada")
        bob.do(f"note {task} there --as bob")
    ada.do("sync")
    bob.do("sync")
    path = bob.folder / ".crewlog/crewlog.db"
    with closing(sqlite3.connect(path)) as log:
        heads = log.execute("SELECT stream, id, ts FROM stream_heads").fetchall()
    forked = {stream for stream, _, _ in heads if sum(other == stream for other, _, _ in heads) == 2}
    assert len(forked) == 3
    for head in heads:
        if head[0] not in forked:
            continue
        with closing(sqlite3.connect(path)) as log, log:
            log.execute("DELETE FROM stream_heads WHERE id = ?", (head[1],))
        found = bob.run("--json", "verify").json["findings"]
        assert [(row["code"], head[0] in row["message"]) for row in found] == [("heads-wrong", True)], head
        with closing(sqlite3.connect(path)) as log, log:
            log.execute("INSERT INTO stream_heads VALUES (?, ?, ?)", head)
    assert bob.do("verify")["ok"]
