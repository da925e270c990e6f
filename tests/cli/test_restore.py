"""Databases that were copied, moved, lost or put back: never one number for two events, and nothing forgotten."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.clones import bare, clone, segments
from tests.cli.conftest import Crew, why

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks at processes through /proc"
)


def store(crew: Crew) -> Path:
    return crew.folder / ".crewlog"


def replicas(crew: Crew) -> list[str]:
    """The replica of each event, in the order of the log."""
    result = crew.run("log", "--json", "-n", "1000")
    return [crew_line["replica"] for crew_line in map(_parsed, result.out.splitlines())]


def _parsed(line: str) -> Any:
    import orjson

    return orjson.loads(line)


def sound(crew: Crew) -> bool:
    """True if verify finds nothing."""
    return bool(crew.do("verify")["ok"])


def lose(crew: Crew) -> None:
    """Lose the database, and what SQLite keeps beside it."""
    for path in store(crew).glob("crewlog.db*"):
        path.unlink()


def test_a_backup_is_a_whole_copy_and_never_written_over_anything(crew: Crew) -> None:
    task = crew.spawn()

    made = crew.do("backup safe.db")

    assert (made["events"], made["size"]) == (2, os.path.getsize(crew.folder / "safe.db"))
    assert (crew.folder / "safe.db").stat().st_mode & 0o777 == 0o600
    assert why(crew.refused("backup safe.db")) == ("bad-value", 2)
    assert why(crew.refused("backup nowhere/safe.db")) == ("unwritable", 6)
    assert crew.state(task) == "ASSIGNED"


def test_a_lost_database_comes_back_under_a_new_id(crew: Crew) -> None:
    task = crew.spawn()
    crew.do("backup safe.db")
    before = crew.do("init")["replica"]
    lose(crew)
    (store(crew) / "live.jsonl").unlink()

    restored = crew.do("restore safe.db")

    assert restored["restored"]
    assert restored["replica"] not in ("", before)
    crew.do(f"note {task} on --as zoe")
    assert replicas(crew) == [before, before, restored["replica"]]
    assert sound(crew)


def test_a_backup_beside_newer_segments_takes_in_what_they_hold(crew: Crew) -> None:
    task = crew.spawn()
    crew.do("backup safe.db")
    for text in ("sealed", "too"):
        crew.do(f"note {task} {text} --as zoe")
    crew.do("export")
    crew.do(f"note {task} 'in live.jsonl only' --as zoe")
    lose(crew)

    restored = crew.do("restore safe.db")

    assert restored["events"] == 3
    assert crew.do(f"show {task}")["task"]["notes"] == 3
    crew.do(f"note {task} on --as zoe")
    assert len(set(replicas(crew))) == 2
    assert sound(crew)


def test_a_restore_into_a_store_that_is_there_replaces_nothing_and_adds_what_is_absent(
    crew: Crew, tmp_path: Path
) -> None:
    crew.spawn("here")
    other = Crew(tmp_path / "other")
    other.folder.mkdir()
    other.do("init --as bob")
    long = other.do("spawn there --body - --as bob", stdin="x" * 5_000)["task"]
    other.do(f"backup {tmp_path}/safe.db")

    restored = crew.do("restore safe.db")

    assert (restored["restored"], restored["events"], restored["blobs"]) == (False, 2, 1)
    assert len(crew.do("list")["tasks"]) == 2
    assert crew.do(f"show {long} --full")["task"]["body"] == "x" * 5_000
    assert sound(crew)


@pytest.mark.parametrize("what", ["nothing", "rubbish", "a database of somebody else"])
def test_what_is_no_backup_is_refused_and_the_store_is_left_alone(what: str, crew: Crew) -> None:
    import sqlite3

    path = crew.folder / "safe.db"
    if what == "rubbish":
        path.write_bytes(b"rubbish" * 1_000)
    elif what != "nothing":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (x)")
        connection.close()
    lose(crew)

    refused = crew.refused("restore safe.db")

    assert refused["code"] == ("not-found" if what == "nothing" else "corrupt")
    assert not list(store(crew).glob("crewlog.db*"))


def put_back(crew: Crew, copy: Path) -> None:
    """Put an old copy of the database back, in place: the same file, as far as the system says."""
    for path in store(crew).glob("crewlog.db-*"):
        path.unlink()
    (store(crew) / "crewlog.db").write_bytes(copy.read_bytes())


@pytest.mark.parametrize("sealed", [True, False])
def test_an_old_database_put_back_in_place_takes_in_what_its_own_files_still_say(
    sealed: bool, crew: Crew
) -> None:
    task = crew.spawn()
    crew.do("backup old.db")
    crew.do(f"note {task} forgotten --as zoe")
    if sealed:
        crew.do("export")
        (store(crew) / "live.jsonl").unlink()
    put_back(crew, crew.folder / "old.db")

    result = crew.run("note", task, "next", "--as", "zoe")

    assert result.code == 0
    assert "older than its own files" in result.err
    texts = [
        _parsed(line)["payload"].get("text") for line in crew.run("log", task, "--json").out.splitlines()
    ]
    assert texts == [None, "forgotten", "next"]
    assert len(set(replicas(crew))) == 2
    assert sound(crew)
    crew.do("export")
    assert [path.parent.name for path in segments(crew)]


def test_a_copied_store_goes_on_under_an_id_of_its_own(crew: Crew, tmp_path: Path) -> None:
    task = crew.spawn()
    copy = Crew(tmp_path / "copy")
    copy.folder.mkdir()
    shutil.copytree(store(crew), store(copy))

    told = copy.run("note", task, "in the copy", "--as", "bob")
    crew.do(f"note {task} 'in the original' --as zoe")

    assert "was copied or moved" in told.err
    assert replicas(copy)[-1] != replicas(crew)[-1] == replicas(crew)[0]
    for one in (copy, crew):
        one.do("export")
    crew.do("import copy/.crewlog")
    assert crew.do(f"show {task}")["task"]["notes"] == 2
    assert sound(crew)
    assert copy.run("note", task, "again", "--as", "bob").err == ""


def test_what_was_not_sealed_before_a_move_is_sealed_after_it(crew: Crew, tmp_path: Path) -> None:
    crew.spawn()
    moved = Crew(tmp_path / "moved")
    moved.folder.mkdir()
    shutil.copytree(store(crew), store(moved))
    shutil.rmtree(store(crew))
    moved.spawn("after the move")

    answer = moved.do("export")

    assert answer["sealed"] == 3
    assert len(answer["segments"]) == 2


def test_reading_a_copy_changes_nothing_in_it(crew: Crew, tmp_path: Path) -> None:
    crew.spawn()
    copy = Crew(tmp_path / "copy")
    copy.folder.mkdir()
    shutil.copytree(store(crew), store(copy))
    before = (store(copy) / "replica").read_text()

    copy.do("list")
    copy.run("log")

    assert (store(copy) / "replica").read_text() == before


def test_a_line_that_somebody_wrote_into_the_live_file_is_no_reason_for_a_new_id(crew: Crew) -> None:
    crew.spawn()
    live = store(crew) / "live.jsonl"
    with live.open("ab") as file:
        file.write(b'{"id":"' + b"0" * 64 + b'","v":1}\n')

    result = crew.run("spawn", "more", "--as", "zoe")

    assert result.code == 0
    assert "is no event of this log" in result.err
    assert len(set(replicas(crew))) == 1


def test_the_views_of_the_lost_database_are_made_anew_by_restore(crew: Crew) -> None:
    crew.do("backup safe.db")
    crew.spawn("two")
    crew.do("export")
    crew.spawn("three")
    for path in (crew.folder / ".crewlog").glob("crewlog.db*"):
        path.unlink()

    crew.do("restore safe.db")

    assert crew.do("verify")["findings"] == []
    crew.do("list")
    assert crew.do("verify")["findings"] == []


def test_a_file_in_the_place_of_the_folder_to_restore_into_is_named(crew: Crew) -> None:
    crew.do("backup safe.db")
    (crew.folder / "file").touch()

    refused = crew.refused("--store file/.crewlog restore safe.db")

    assert why(refused) == ("unwritable", 6)


def with_a_lost_holder(crew: Crew) -> str:
    """A task whose holder's session has ended, and a backup of that."""
    task = crew.spawn()
    session = subprocess.Popen(["sleep", "600"])
    crew.do(f"start {task} --as ada --pid {session.pid}")
    session.kill()
    session.wait()
    crew.do("backup safe.db")
    return task


@needs_proc
def test_a_store_that_is_restored_in_its_place_may_take_back_what_the_lost_one_gave(crew: Crew) -> None:
    task = with_a_lost_holder(crew)
    lose(crew)
    crew.do("restore safe.db")

    assert [row["task"] for row in crew.do("reap --as zoe")["expired"]] == [task]


@needs_proc
@pytest.mark.parametrize("how", ["restored elsewhere", "copied"])
def test_a_claim_of_the_store_that_this_one_is_a_copy_of_is_taken_back_by_force_and_all_that_shows_it_says_so(
    how: str, crew: Crew, tmp_path: Path
) -> None:
    task = with_a_lost_holder(crew)
    copy = Crew(tmp_path / "copy")
    copy.folder.mkdir()
    if how == "copied":
        shutil.copytree(store(crew), store(copy))
    else:
        copy.do("restore ../safe.db")
    copy.do("join zoe --person")
    way_out = f"crewlog release {task} --force --reason"

    [kept] = copy.do("reap --as zoe")["kept"]
    assert (kept["task"], kept["verdict"]) == (task, "remote")
    assert way_out in copy.run("reap", "--as", "zoe").out
    assert way_out in copy.run("agents").err
    [lost] = copy.do("status --as zoe")["attention"]
    assert lost["kind"] == "lost"
    assert lost["command"].startswith(way_out)
    assert "only if nobody works there any more" in lost["text"]
    claim = copy.do(f"show {task}")["task"]["claim"]
    for line in (f"start {task} --as eve", f"done {task} --as eve --claim {claim}"):
        assert way_out in copy.refused(line)["hint"]
    assert "resume" in copy.refused(f"start {task} --as ada")["hint"]  # her own name needs no force

    released = copy.do(f"release {task} --force --reason 'that machine is gone' --as zoe")
    assert released["state"] == "ASSIGNED"
    assert copy.do(f"start {task} --as eve")["state"] == "WORKING"
    assert [row["verdict"] for row in copy.do("reap --as zoe")["kept"]] != ["remote"]  # recorded here


@needs_proc
def test_a_holder_elsewhere_of_whom_nothing_says_that_it_is_lost_is_not_to_be_released_by_force(
    crew: Crew, tmp_path: Path
) -> None:
    task = crew.spawn()
    session = subprocess.Popen(["sleep", "600"])
    crew.do(f"start {task} --as ada --pid {session.pid}")
    copy = Crew(tmp_path / "copy")
    copy.folder.mkdir()
    shutil.copytree(store(crew), store(copy))

    at_work = copy.refused(f"start {task} --as eve")
    session.kill()
    session.wait()
    gone = copy.refused(f"start {task} --as eve")

    assert (why(at_work), why(gone)) == (("held", 5), ("held", 5))
    assert "crewlog ask ada" in at_work["hint"]
    assert "--force" not in at_work["hint"]
    assert f"crewlog release {task} --force" in gone["hint"]


def test_a_database_that_was_put_back_takes_in_what_it_forgot_in_the_order_in_which_it_had_come(
    tmp_path: Path,
) -> None:
    ada = clone(bare(tmp_path), "ada")
    ada.do("sync")
    bob = clone(tmp_path / "origin.git", "bob")
    bob.spawn("earlier, and known later")
    bob.do("sync")
    ada.do("backup safe.db")
    ada.spawn("later, and known earlier")
    ada.do("sync")
    ada.spawn("after both")
    order = ada.run("log", "--quiet").out
    for lost in (True, False):
        lose(ada)
        if not lost:
            shutil.copy(ada.folder / "safe.db", store(ada) / "crewlog.db")

        ada.do("init" if lost else "export")

        ada.spawn("and on")
        assert ada.do("verify")["findings"] == []
        assert ada.run("log", "--quiet").out.startswith(order)


def test_a_store_that_lost_its_database_and_has_no_backup_is_whole_again_after_init(crew: Crew) -> None:
    task = crew.spawn("sealed")
    crew.do("export")
    crew.do(f"note {task} 'only in live.jsonl' --as ada")
    crew.spawn("the same")
    lose(crew)

    crew.do("init")

    assert crew.do("verify")["findings"] == []
    assert crew.do(f"show {task}")["task"]["notes"] == 1
    assert len(crew.do("list")["tasks"]) == 2
    crew.spawn("later")
    assert len(set(replicas(crew))) == 2
