"""The life of views.db: made, caught up, deleted, damaged, outdated, read-only, full."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from hashlib import sha256

import pytest

from domain.commands import Edit, Note
from domain.log import Log
from domain.refusals import Refusal
from domain.stores import queue
from domain.stores.apart import Apart
from projections import database, folding, task_rows
from projections import views as views_module
from projections.halves import Anew
from projections.tasks import full
from projections.views import Views, open_views
from tests.projections.histories import ACTORS, STREAMS, Crew, Drop, Pot, some_steps
from tests.projections.workers import NOBODY, as_nobody, expected, on_a_full_disk, read_without, titles
from tests.support.processes import alone
from tests.support.stores import SqliteStore, add_task, do, new_stream


@pytest.fixture
def busy(log: Log) -> Log:
    """A log in which something happened."""
    Crew(log).play(some_steps(200, seed=1))
    return log


def path_of(store: SqliteStore) -> str:
    """The file of the views."""
    return os.path.join(store.folder, "views.db")


# --- made and caught up ------------------------------------------------------------------------------------------


def test_views_of_an_empty_log_are_empty(views: Views) -> None:
    assert views.catch_up() == 0
    assert titles(views) == []
    assert views.rebuild().same


def test_the_files_can_be_read_by_their_owner_only(store: SqliteStore, busy: Log, views: Views) -> None:
    views.catch_up()
    views.rebuild()
    mine = [name for name in os.listdir(store.folder) if name.startswith("views.")]
    assert sorted(mine) == ["views.db", "views.db-shm", "views.db-wal", "views.lock", "views.open"]
    for name in mine:
        assert stat.S_IMODE(os.stat(os.path.join(store.folder, name)).st_mode) == 0o600


def test_a_command_sees_its_own_write(log: Log, views: Views) -> None:
    for number in range(3):
        new_stream(log, title=f"task {number}")
        assert titles(views) == [f"task {number}" for number in range(number + 1)]


def test_catching_up_with_nothing_new_takes_no_lock_and_writes_nothing(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    assert views.catch_up() > 0
    with closing(sqlite3.connect(path_of(store))) as other:
        before = other.execute("PRAGMA data_version").fetchone()
        with queue.turn(os.path.join(store.folder, "views.lock")):
            assert views.catch_up() == 0
        assert other.execute("PRAGMA data_version").fetchone() == before


def test_a_writer_does_not_wait_for_views_that_somebody_else_catches_up(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    with queue.turn(os.path.join(store.folder, "views.lock")):
        assert views.catch_up(wait=False) == 0
    assert views.catch_up(wait=False) > 0


def test_the_wal_of_the_views_does_not_grow_for_ever_where_each_process_is_soon_gone(
    store: SqliteStore, log: Log
) -> None:
    sizes: list[int] = []
    made = open_views(store.folder, log)
    made.catch_up()
    made.close()
    for number in range(120):
        add_task(log, body=f"{number} {'x' * 3_000}")
        views = open_views(store.folder, log)
        views.catch_up()
        sizes.append(os.path.getsize(f"{path_of(store)}-wal"))
        views.close()

    assert max(sizes) < 2 * 1024 * 1024
    assert sum(sizes[number] < sizes[number - 1] for number in range(1, len(sizes))) >= 2


def test_the_names_of_the_tables_are_those_that_the_hash_reads(busy: Log, views: Views) -> None:
    views.catch_up()
    there = {
        row[0]
        for row in views.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not row[0].startswith(("sqlite_", "_sqlite"))
    }
    assert there == set(views.tables())
    assert len(views.tables()) == len(there)


def test_the_hash_sees_every_table(store: SqliteStore, busy: Log, views: Views) -> None:
    views.catch_up()
    seen = {views.state_hash()}
    filled = [name for name in views.tables() if views.connection.execute(f"SELECT 1 FROM {name}").fetchone()]  # noqa: S608
    assert {"checkpoint", "tasks", "task_labels", "links", "counts", "agents"} <= {*filled}
    for table in filled:
        with closing(sqlite3.connect(path_of(store), isolation_level=None)) as other:
            other.execute(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")  # noqa: S608
        assert views.state_hash() not in seen, table
        seen.add(views.state_hash())


# What each view makes of the same events. Another digest is another LAYOUT in projections.folding (or FOLD in domain).
CONTENTS = {"tasks": "ace137293a21", "agents": "06e3e46287e1"}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_view_whose_contents_change_needs_a_new_version(
    name: str, store: SqliteStore, views: Views
) -> None:
    chance = random.Random(1)
    kinds = [
        f"task.{verb}"
        for verb in ("spawned", "started", "started", "submitted", "approved", "merged", "edited")
    ]
    kinds += ["task.rejected", "task.released", "task.cancelled", "task.noted", "task.dreamt", "agent.joined"]
    drops = [
        Drop(
            chance.choice(kinds),
            chance.choice(STREAMS),
            chance.choice(ACTORS),
            fits=True,
            way=chance.randrange(2**16),
        )
        for _ in range(300)
    ]
    Pot(store).pour(drops)
    views.catch_up()
    (view,) = (view for view in folding.MAIN.views if view.name == name)
    digest = sha256()
    for table in view.tables:
        rows = views.connection.execute(f"SELECT * FROM {table.name} ORDER BY {table.order}")  # noqa: S608
        columns = [column[0] for column in rows.description]
        indexes = views.connection.execute(
            "SELECT m.name, i.name FROM sqlite_master m JOIN pragma_index_info(m.name) i"
            " WHERE m.type = 'index' AND m.tbl_name = ? AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, i.seqno",
            (table.name,),
        )
        digest.update(repr((columns, rows.fetchall(), indexes.fetchall())).encode())
    assert digest.hexdigest()[:12] == CONTENTS[name]


# --- deleted, outdated, damaged ----------------------------------------------------------------------------------


def _delete(path: str) -> None:
    os.remove(path)


def _delete_all(path: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        os.remove(path + suffix)


def _empty(path: str) -> None:
    os.truncate(path, 0)


def _cut(path: str) -> None:
    os.truncate(path, os.path.getsize(path) // 2)


def _cut_the_header(path: str) -> None:
    os.truncate(path, 50)


def _garbage(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(b"this is no database " * 1_000)


def _zero_the_middle(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(bytes(os.path.getsize(path) - 8192))


def _outdate(path: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 1")
        other.execute("DROP TABLE tasks")


def _make_newer(path: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {folding.VERSION + 1}")


def _drop(path: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE tasks")


def _drop_the_checkpoint(path: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE checkpoint")


HARM = [
    *(_delete, _delete_all, _empty, _cut, _cut_the_header, _garbage, _zero_the_middle),
    *(_outdate, _make_newer, _drop, _drop_the_checkpoint),
]


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__.strip("_"))
@pytest.mark.parametrize("behind", [False, True], ids=["current", "behind"])
def test_views_that_came_to_harm_are_made_anew(
    harm: Callable[[str], None], behind: bool, store: SqliteStore, busy: Log
) -> None:
    first = open_views(store.folder, busy)
    first.catch_up()
    before = titles(first)
    first.close()
    harm(path_of(store))
    if behind:
        new_stream(busy, title="while it was broken", priority=9)
    views = open_views(store.folder, busy)
    assert titles(views) == before + ["while it was broken"] * behind
    assert (views.state_hash(), views.remark) == (expected(busy), "")
    views.close()


# What a flipped bit may do to a value while the pages around it stay whole.
VALUES = {
    "no JSON": "UPDATE tasks SET data = CAST('{' AS BLOB)",
    "JSON of another kind": "UPDATE tasks SET data = CAST('[]' AS BLOB)",
    "a member that is gone": """UPDATE tasks SET data = CAST('{"state":"ASSIGNED"}' AS BLOB)""",
    "an unknown state": 'UPDATE tasks SET data = replace(CAST(data AS TEXT), \'"state":"\', \'"state":"X\')',
    "no UTF-8": "UPDATE tasks SET data = CAST(x'ff' AS BLOB), heads = CAST(x'ff' AS TEXT)",
    "a checkpoint that is no UTF-8": "UPDATE checkpoint SET event = CAST(x'ff' AS TEXT)",
    "a checkpoint of another kind": "UPDATE checkpoint SET position = 'x'",
    "a row that was never written": "INSERT INTO task_labels SELECT 'new', state, 1, created, id FROM tasks",
}


def _change_values(store: SqliteStore, statement: str) -> None:
    with closing(sqlite3.connect(path_of(store))) as other, other:
        other.execute(statement)


@pytest.mark.parametrize("what", sorted(VALUES))
def test_values_that_came_to_harm_are_made_anew_by_who_folds_on(
    what: str, store: SqliteStore, log: Log
) -> None:
    stream = new_stream(log, title="one", priority=1)
    first = open_views(store.folder, log)
    first.catch_up()
    first.close()
    _change_values(store, VALUES[what])
    do(log, stream, Edit("zoe", add_labels=("new",)))
    views = open_views(store.folder, log)
    views.catch_up()
    assert (views.state_hash(), views.remark) == (expected(log), "")
    views.close()


@pytest.mark.parametrize("what", ["no JSON", "JSON of another kind", "a member that is gone"])
def test_values_that_came_to_harm_are_made_anew_by_who_asks_for_them(
    what: str, store: SqliteStore, log: Log
) -> None:
    task = new_stream(log, title="one").removeprefix("task/")
    views = open_views(store.folder, log)
    views.catch_up()
    _change_values(store, VALUES[what])
    assert views.ask(lambda connection: full(connection, task))["title"] == "one"
    assert views.state_hash() == expected(log)
    views.close()


def test_a_rebuild_says_that_values_had_come_to_harm(store: SqliteStore, log: Log) -> None:
    new_stream(log, title="one")
    for statement in VALUES.values():
        views = open_views(store.folder, log)
        views.catch_up()
        _change_values(store, statement)
        assert views.compare() is False, statement
        assert (views.rebuild().same, views.rebuild().same) == (False, True), statement
        views.close()


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each time that the whole log is folded anew a 1."""
    done: list[int] = []
    begun = Anew.begun

    def counted(anew: Anew, apart: Apart | None) -> AbstractContextManager[Anew]:
        done.append(1)
        return begun(anew, apart)

    monkeypatch.setattr(Anew, "begun", counted)
    return done


def test_views_that_are_sound_are_no_cause_of_an_error_and_nobody_looks_twice(
    store: SqliteStore, busy: Log, folds: list[int]
) -> None:
    for _ in range(3):
        views = open_views(store.folder, busy)
        views.catch_up()
        assert not views.mend(KeyError())
        views.close()
    assert len(folds) == 2  # once to make them, once to look
    os.remove(path_of(store).replace(".db", ".found"))
    _change_values(store, VALUES["no JSON"])
    other = open_views(store.folder, busy)
    assert other.connection.in_transaction is False
    views = open_views(store.folder, busy)
    assert not views.mend(KeyError())  # nobody has read it here
    views.catch_up()
    assert views.mend(KeyError())
    assert other.mend(KeyError())  # it stumbled over the same, and came later
    assert len(folds) == 3
    assert not views.mend(KeyError())
    assert other.state_hash() == expected(busy)
    views.close()
    other.close()


def test_an_answer_that_is_half_read_does_not_make_sound_views_damaged_ones(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    views.catch_up()
    half = views.connection.execute("SELECT * FROM tasks")
    assert half.fetchone()
    new_stream(busy, title="meanwhile")
    assert not views.mend(KeyError())
    assert views.state_hash() == expected(busy)


def test_a_query_that_is_wrong_folds_the_log_anew_once_an_hour(
    store: SqliteStore, busy: Log, folds: list[int]
) -> None:
    def wrong(_: sqlite3.Connection) -> None:
        raise KeyError("a bug")

    for _ in range(3):
        views = open_views(store.folder, busy)
        with pytest.raises(KeyError, match="a bug"):
            views.ask(wrong)
        views.close()
    assert len(folds) == 2
    os.utime(path_of(store).replace(".db", ".found"), (0, time.time() - 3_700))
    views = open_views(store.folder, busy)
    with pytest.raises(KeyError, match="a bug"):
        views.ask(wrong)
    views.close()
    assert len(folds) == 3


def test_a_handler_that_is_wrong_folds_the_log_anew_once_an_hour(
    store: SqliteStore, busy: Log, views: Views, folds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    views.catch_up()

    def wrong(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(task_rows, "step", wrong)
    for number in range(3):
        new_stream(busy, title=f"task {number}")
        reader = open_views(store.folder, busy)
        with pytest.raises(KeyError, match="a bug"):
            reader.catch_up(wait=False)
        with pytest.raises(KeyError, match="a bug"):
            reader.catch_up()
        reader.close()
    assert len(folds) == 2


@pytest.mark.parametrize("place", [18, 19, 44, 47, 56])
def test_a_header_of_another_kind_is_no_end_of_it(
    place: int, store: SqliteStore, busy: Log, views: Views
) -> None:
    views.catch_up()
    views.close()
    with closing(sqlite3.connect(path_of(store))) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path_of(store), "r+b") as file:
        file.seek(place)
        file.write(b"\x7f")
    reader = open_views(store.folder, busy)
    assert reader.compare() is (place not in (19, 47))  # the others say nothing that anybody needs
    new_stream(busy, title="two")
    reader.catch_up()
    assert (reader.state_hash(), reader.remark) == (expected(busy), "")
    reader.close()


def _garbage_in(path: str, name: str) -> None:
    """Overwrite the first page of a table or an index."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = other.execute("PRAGMA page_size").fetchone()[0]
        (page,) = other.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xee" * size)


def test_a_damaged_index_is_the_cause_though_all_rows_are_what_they_were(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    views.catch_up()
    views.close()
    _garbage_in(path_of(store), "tasks_by_state")
    with pytest.raises(sqlite3.DatabaseError, match="malformed") as raised:
        views.connection.execute("SELECT * FROM tasks ORDER BY state, priority").fetchall()
    assert views.mend(raised.value)
    assert views.state_hash() == expected(busy)
    assert views.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_event_that_nobody_can_read_is_told_at_once_and_no_views_are_made_anew_for_it(
    store: SqliteStore, busy: Log, views: Views, folds: list[int]
) -> None:
    views.catch_up()
    before = views.state_hash()
    new_stream(busy, title="two")
    with closing(sqlite3.connect(store.path)) as other, other:
        for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            other.execute(f"DROP TRIGGER {name}")
        other.execute(
            "UPDATE stored_events SET state = CAST('{' AS BLOB)"
            " WHERE rowid = (SELECT max(rowid) FROM stored_events)"
        )
    for _ in range(2):
        reader = open_views(store.folder, busy)
        with pytest.raises(ValueError, match="unexpected end") as raised:
            reader.catch_up()
        assert not reader.mend(raised.value)
        assert reader.state_hash() == before
        reader.close()
    assert len(folds) == 1


def test_views_deleted_while_a_long_lived_reader_has_them_open_do_not_mislead_it(
    store: SqliteStore, log: Log, views: Views
) -> None:
    new_stream(log, title="one")
    assert titles(views) == ["one"]
    os.remove(path_of(store))
    new_stream(log, title="two")
    other = open_views(store.folder, log)
    assert titles(other) == ["one", "two"]
    new_stream(log, title="three")
    assert titles(views) == titles(other) == ["one", "two", "three"]
    other.close()


def test_damaged_views_that_another_process_keeps_open_are_left_alone_and_folded_in_memory(
    store: SqliteStore, busy: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "REMOVE_SECONDS", 0.05)
    keeper, reader = open_views(store.folder, busy), open_views(store.folder, busy)
    titles(keeper)
    inode = os.stat(path_of(store)).st_ino
    _garbage(path_of(store))
    reader.catch_up()
    assert "keeps the damaged views open" in reader.remark
    assert reader.state_hash() == expected(busy)
    assert os.stat(path_of(store)).st_ino == inode
    keeper.close()
    reader.close()
    last = open_views(store.folder, busy)
    last.catch_up()
    assert (last.remark, last.state_hash()) == ("", expected(busy))
    last.close()


def test_views_of_another_log_are_made_anew(
    store: SqliteStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = store.open()
    for number in range(5):
        new_stream(log, title=f"ours {number}")
    views = open_views(store.folder, log)
    assert len(titles(views)) == 5
    views.close()
    log.close()
    for number in (5, 2, 7):  # the same length, shorter, longer
        other = SqliteStore(str(tmp_path_factory.mktemp("other"))).create()
        log = other.open()
        for index in range(number):
            new_stream(log, title=f"theirs {index}")
        log.close()
        store.remove()
        for suffix in ("", "-wal"):
            shutil.copy(other.path + suffix, store.path + suffix)
        log = store.open()
        views = open_views(store.folder, log)
        assert titles(views) == [f"theirs {index}" for index in range(number)]
        views.close()
        log.close()


def test_views_reached_through_a_symbolic_link_are_refused(
    store: SqliteStore, busy: Log, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "views.db"
    elsewhere.write_bytes(b"")
    os.symlink(elsewhere, path_of(store))
    views = open_views(store.folder, busy)
    with pytest.raises(Refusal) as caught:
        views.catch_up()
    assert caught.value.code == "unsafe-store"
    assert elsewhere.read_bytes() == b""


# --- rebuilt -----------------------------------------------------------------------------------------------------


def test_a_rebuild_tells_what_it_did_and_how_far_it_is(store: SqliteStore, busy: Log) -> None:
    calls: list[tuple[int, int]] = []
    views = open_views(store.folder, busy, chunk=10)
    rebuilt = views.rebuild(lambda done, total: calls.append((done, total)))
    end = busy.position()
    assert (rebuilt.events, rebuilt.same, rebuilt.hash_before) == (end, True, "")
    assert calls[0] == (10, end)
    assert calls[-1] == (end, end)
    assert rebuilt.seconds > 0
    views.close()


def test_a_rebuild_finds_and_mends_rows_that_were_changed(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    views.catch_up()
    with closing(sqlite3.connect(path_of(store), isolation_level=None)) as other:
        other.execute("UPDATE tasks SET title = 'changed' WHERE rowid = 1")
    rebuilt = views.rebuild()
    assert not rebuilt.same
    assert rebuilt.hash_before != rebuilt.hash_after == expected(busy) == views.state_hash()
    assert views.rebuild().same


def test_a_rebuild_keeps_the_file_that_others_have_open(store: SqliteStore, busy: Log, views: Views) -> None:
    views.catch_up()
    inode = os.stat(path_of(store)).st_ino
    connection = views.connection
    views.rebuild()
    assert os.stat(path_of(store)).st_ino == inode
    assert views.connection is connection


def test_views_of_which_most_of_the_log_is_new_are_folded_anew_and_are_the_same(
    store: SqliteStore, log: Log, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> int:
        raise AssertionError

    crew = Crew(log)
    crew.play(some_steps(20, seed=1))
    views.catch_up()
    inode = os.stat(path_of(store)).st_ino
    crew.play(some_steps(200, seed=2))
    monkeypatch.setattr(views_module, "FAR", 10)
    with monkeypatch.context() as patch:
        patch.setattr(folding, "fold_chunk", never)
        assert views.catch_up() == log.position()
    crew.play(some_steps(20, seed=3))
    views.catch_up()

    assert os.stat(path_of(store)).st_ino == inode
    assert views.rebuild().same


def test_what_a_killed_rebuild_left_behind_is_removed_by_the_next_write(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    left = os.path.join(store.folder, "views.new.db")
    makers: list[Callable[[], int]] = [views.catch_up, lambda: views.rebuild().events]
    for make in makers:
        with open(left, "wb") as file:
            file.write(b"half a database")
        assert make() > 0
        assert not os.path.exists(left)


# --- where nothing can be written --------------------------------------------------------------------------------


@pytest.fixture
def foreign() -> Iterator[SqliteStore]:
    """A store in a folder that an unprivileged user may read."""
    folder = tempfile.mkdtemp(dir="/tmp")  # pytest's own folders cannot be entered by others
    yield SqliteStore(folder).create()
    os.chmod(folder, 0o700)
    shutil.rmtree(folder)


def _closed_down(store: SqliteStore) -> None:
    for name in os.listdir(store.folder):
        path = os.path.join(store.folder, name)
        os.chmod(path, 0o400)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    if os.geteuid() == 0:
        os.chown(store.folder, NOBODY, NOBODY)
    os.chmod(store.folder, 0o500)


@pytest.mark.parametrize("there", ["missing", "behind", "current", "damaged", "changed"])
def test_a_folder_that_cannot_be_written_is_read_all_the_same(there: str, foreign: SqliteStore) -> None:
    log = foreign.open()
    stream = new_stream(log, title="one")
    if there != "missing":
        views = open_views(foreign.folder, log)
        views.catch_up()
        views.close()
    if there == "behind":
        new_stream(log, title="two")
    if there == "damaged":
        _garbage(path_of(foreign))
    if there == "changed":
        _change_values(foreign, VALUES["no JSON"])
        do(log, stream, Note("zoe", "a note"))
    digest, names = expected(log), ["one", "two"][: 1 + (there == "behind")]
    log.close()
    _closed_down(foreign)
    found, hashed, remark, caught_up = alone(as_nobody, foreign)
    assert (found, hashed) == (names, digest)
    assert "cannot write" in remark or "no write access" in remark
    assert caught_up == {"missing": 1, "behind": 1, "current": 0, "damaged": 1, "changed": 2}[there]


def test_a_folder_where_a_file_should_be_made_is_gone_around(store: SqliteStore, busy: Log) -> None:
    os.mkdir(os.path.join(store.folder, "views.new.db"))
    views = open_views(store.folder, busy)
    views.catch_up()
    assert views.state_hash() == expected(busy)
    assert "views.new.db" in views.remark
    with pytest.raises(Refusal, match=r"views\.new\.db"):
        views.rebuild()
    views.close()


@pytest.mark.faults
@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("limit", [0, 5_000, 40_000])
def teston_a_full_disk_reading_goes_on_in_memory_and_the_next_run_writes(
    made: bool, limit: int, store: SqliteStore, busy: Log
) -> None:
    views = open_views(store.folder, busy)
    if made:
        views.catch_up()
        views.close()
        Crew(busy).play(some_steps(300, seed=2))
    assert alone(on_a_full_disk, store, limit) == (expected(busy), True, 0)
    assert views.catch_up() > 0
    assert (views.state_hash(), views.remark) == (expected(busy), "")
    assert "views.new.db" not in os.listdir(store.folder)
    views.close()


# --- hot path ----------------------------------------------------------------------------------------------------


def test_importing_the_views_imports_nothing_heavy(store: SqliteStore) -> None:
    code = (
        "import sys; import domain.log, domain.stores.sqlite; before = {*sys.modules};"
        "import projections.views, projections.agents, export.live;"
        "print(*sorted({*sys.modules} - before))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    ours = ("projections", "export", "domain", "gc", "errno", "fcntl", "signal")
    assert [name for name in found if not name.startswith(ours)] == []


def test_reading_and_catching_up_never_import_sqlite_utils(
    store: SqliteStore, busy: Log, views: Views
) -> None:
    views.catch_up()
    assert alone(read_without, store) == []
