from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError

from domain.commands import Note
from domain.log import Log
from domain.refusals import Refusal
from domain.stores import sqlite
from tests.support.processes import alone, together
from tests.support.stores import SqliteStore, add_task, all_events, broken_links, do, new_stream
from tests.support.writers import append_below, create, fill_a_small_disk, pulse_often, use_without_rights

LARGE = "x" * 6_000


@pytest.fixture
def store(sqlite_store: SqliteStore) -> SqliteStore:
    """A new store."""
    return sqlite_store


@pytest.fixture
def used(store: SqliteStore) -> SqliteStore:
    """A store with a task, two notes, a blob and a pulse, closed."""
    log = store.open()
    stream = new_stream(log, body=LARGE)
    do(log, stream, Note("ada", "one"))
    do(log, stream, Note("ada", "two"))
    log.pulse("ada", {})
    log.close()
    return store


# --- events are immutable


REWRITES = {
    "update": "UPDATE stored_events SET topic = 'task.cancelled'",
    "update of a position": "UPDATE stored_events SET rowid = rowid + 100",
    "update or replace": "UPDATE OR REPLACE stored_events SET rowid = 1 WHERE rowid = 2",
    "delete": "DELETE FROM stored_events WHERE rowid = 2",
    "replace by position": "INSERT OR REPLACE INTO stored_events VALUES (2, 'task/x', 1, 'task.noted', x'00')",
    "replace into": "REPLACE INTO stored_events VALUES (2, 'task/x', 1, 'task.noted', x'00')",
    "replace by version": "INSERT OR REPLACE INTO stored_events (originator_id, originator_version, topic, state)"
    " SELECT originator_id, originator_version, topic, x'00' FROM stored_events WHERE rowid = 2",
    "replace by id": "INSERT OR REPLACE INTO stored_events (originator_id, originator_version, topic, state)"
    " SELECT originator_id, 99, topic, state FROM stored_events WHERE rowid = 2",
    "insert or ignore": "INSERT OR IGNORE INTO stored_events VALUES (2, 'task/x', 1, 'task.noted', x'00')",
    "upsert": "INSERT INTO stored_events VALUES (2, 'task/x', 1, 'task.noted', x'00')"
    " ON CONFLICT (rowid) DO UPDATE SET state = excluded.state",
    "upsert by version": "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
    " SELECT originator_id, originator_version, topic, x'00' FROM stored_events WHERE rowid = 2"
    " ON CONFLICT (originator_id, originator_version) DO UPDATE SET state = excluded.state",
    "update of a pulse": "UPDATE pulses SET state = x'00'",
    "replace of a pulse by position": "REPLACE INTO pulses VALUES (1, 'pulse/x', 1, 'agent.pulse', x'00')",
    "replace of a pulse by version": "REPLACE INTO pulses (originator_id, originator_version, topic, state)"
    " SELECT originator_id, originator_version, topic, x'00' FROM pulses",
}


@pytest.mark.parametrize("statement", REWRITES.values(), ids=REWRITES)
def test_no_statement_rewrites_an_event(used: SqliteStore, statement: str) -> None:
    before = used.rows("SELECT * FROM stored_events"), used.rows("SELECT * FROM pulses")

    with pytest.raises(sqlite3.IntegrityError):
        used.run(statement)
    assert (used.rows("SELECT * FROM stored_events"), used.rows("SELECT * FROM pulses")) == before


def test_positions_survive_vacuum(used: SqliteStore) -> None:
    log = used.open()
    # positions that VACUUM would count anew, were they implicit
    used.run("INSERT INTO stored_events VALUES (100, 'task/t-aaaaaaaa', 1, 'task.noted', x'00')")
    used.run("VACUUM")

    assert [row.id for row in log.lines(0)] == [1, 2, 3, 100]
    log.close()


def test_positions_of_pruned_pulses_are_never_used_again(used: SqliteStore) -> None:
    used.run("DELETE FROM pulses")
    log = used.open()
    log.pulse("ada", {})

    assert [found.position for found in log.pulses(0)] == [2]
    log.close()


# --- how it is opened


def test_the_database_says_what_it_is(store: SqliteStore) -> None:
    assert store.rows("PRAGMA application_id") == [(sqlite.APPLICATION_ID,)]
    assert sqlite.APPLICATION_ID.to_bytes(4, "big") == b"crew"
    assert store.rows("PRAGMA user_version") == [(sqlite.FORMAT,)]
    assert store.rows("PRAGMA journal_mode") == [("wal",)]


def test_a_commit_is_synced_before_it_is_acknowledged(store: SqliteStore) -> None:
    log = store.open()
    with log.transaction() as transaction:
        assert transaction._tables._one("PRAGMA synchronous")[0] == 2
        assert transaction._tables._one("PRAGMA journal_mode")[0] == "wal"
    log.close()


@pytest.mark.parametrize("statement", ["DELETE FROM keys", "CREATE TABLE x (y)", "PRAGMA user_version = 7"])
def test_who_reads_cannot_write(used: SqliteStore, statement: str) -> None:
    log = used.open()
    with pytest.raises(Refusal) as caught, log._checked("reader").reading() as cursor:
        cursor.execute(statement)

    assert caught.value.code == "unwritable"
    assert log.position() == 3
    log.close()


def test_the_write_lock_is_taken_before_anything_is_read(used: SqliteStore) -> None:
    log, other = used.open(queue=False), used.open(queue=False, wait=1)
    with log.transaction():
        with pytest.raises(Refusal) as caught, other.transaction():
            pass
        assert caught.value.code == "locked"
    log.close()
    other.close()


@pytest.mark.parametrize(
    "name", ["with space", "per%20cent", "què?mode=ro", "ha#sh", "a&b=c", "x'y", "-dash"]
)
def test_a_store_may_lie_in_any_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    store = SqliteStore(str(folder)).create()
    log = store.open()
    add_task(log)

    assert log.position() == 1
    assert {path.name for path in tmp_path.iterdir()} == {name}
    log.close()


def test_a_store_may_lie_in_a_folder_whose_name_is_no_unicode(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.mkdir(folder)
    log = SqliteStore(folder).create().open()
    add_task(log)

    assert log.position() == 1
    log.close()


@pytest.mark.parametrize("queue", [True, False])
def test_creating_a_store_is_no_race(tmp_path: Path, queue: bool) -> None:
    store = SqliteStore(str(tmp_path))
    Path(store.path).touch()
    together(create, [(store, {"queue": queue})] * 6)

    log = store.open()
    assert add_task(log).events[0].seq == 1
    log.close()


# --- what it costs


def scans(step: str) -> bool:
    """True for a step that reads a whole table; the one row of a SELECT without FROM is none, nor a row to join to."""
    return "SCAN" in step and step not in ("SCAN CONSTANT ROW", "SCAN one_row")


def test_no_statement_of_a_hot_command_scans_a_table(
    used: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*where: Any, **how: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*where, **how)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    log = used.open()
    written = add_task(log, key="k-1", body=LARGE)
    stream, event_id = written.events[0].stream, written.events[0].id
    do(log, stream, Note("ada", "hm"))
    log.pulse("ada", {})
    for read in (log.position, log.newest_pulse, lambda: log.read(1), lambda: log.pulses(1)):
        read()
    log.state(stream)
    log.stream(stream, after=1)
    log.find(event_id[:8])
    log.event(event_id)
    list(log.pulses_of("ada"))
    log.close()

    asked = {line for line in statements if line.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))}
    plans = {line: [row[3] for row in used.rows(f"EXPLAIN QUERY PLAN {line}")] for line in asked}
    assert len(plans) > 20
    assert {line: plan for line, plan in plans.items() if any(map(scans, plan))} == {}


WAL_LIMIT = 2 * 1024 * 1024


def test_a_wal_does_not_grow_for_ever_where_each_process_writes_once_and_is_gone(store: SqliteStore) -> None:
    sizes: list[int] = []
    log = store.open()
    stream = new_stream(log)
    log.close()

    for number in range(120):
        log = store.open()
        do(log, stream, Note("ada", f"{number} {LARGE[:3_000]}"))
        log.close()
        sizes.append(os.path.getsize(f"{store.path}-wal"))

    assert max(sizes) < WAL_LIMIT
    assert sum(sizes[number] < sizes[number - 1] for number in range(1, len(sizes))) >= 2
    assert store.rows("PRAGMA integrity_check") == [("ok",)]
    assert store.rows("SELECT count(*) FROM stored_events") == [(121,)]


def test_a_wal_that_somebody_reads_in_stays_and_the_next_writer_empties_it(store: SqliteStore) -> None:
    log = store.open()
    stream = new_stream(log)
    log.close()
    with store.plain() as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM stored_events").fetchall()
        for _ in range(60):
            log = store.open()
            do(log, stream, Note("ada", LARGE[:3_000]))
            log.close()
        grown = os.path.getsize(f"{store.path}-wal")
        reading.execute("ROLLBACK")

        log = store.open()
        do(log, stream, Note("ada", "one more"))
        log.close()

        assert grown > 0
        assert os.path.getsize(f"{store.path}-wal") == 0
    assert store.rows("SELECT count(*) FROM stored_events") == [(62,)]


# --- stores made before

AS_BEFORE = (
    "CREATE TABLE chain (replica TEXT PRIMARY KEY, seq BIGINT NOT NULL, id TEXT NOT NULL)",
    "CREATE TABLE stream_heads (stream TEXT NOT NULL, id TEXT NOT NULL, ts TEXT NOT NULL, PRIMARY KEY (stream, id))",
    "CREATE TABLE event_id (id TEXT PRIMARY KEY, position BIGINT NOT NULL UNIQUE, arrived BIGINT NOT NULL)",
    "CREATE TABLE keys (actor TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (actor, key))",
)


def test_a_store_whose_tables_have_rowids_and_keys_apart_works_as_a_new_one_does(store: SqliteStore) -> None:
    for statement in AS_BEFORE:
        store.run(f"DROP TABLE {statement.split()[2]}")
        store.run(statement)
    log = store.open()
    first = add_task(log, key="k-1")
    stream = first.events[0].stream
    do(log, stream, Note("ada", "one"))

    again = add_task(log, key="k-1")
    second = do(log, stream, Note("ada", "two"))

    assert again.replayed
    assert again.events == first.events
    assert [item.position for item in log.read(0)] == [1, 2, 3]
    assert log.position_of(second.events[0].id) == 3
    assert log.chains() == {"r-1": (3, second.events[0].id)}
    assert broken_links(all_events(log)) == []
    log.close()


# --- what is not ours


def foreign(path: str, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE stored_events (x)")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


@pytest.mark.parametrize("version", [0, 1, 7])
@pytest.mark.parametrize("use", ["read", "write", "create"])
def test_the_database_of_another_program_is_refused_and_left_alone(
    version: int, use: str, tmp_path: Path
) -> None:
    store = SqliteStore(str(tmp_path))
    foreign(store.path, version)
    log = store.open()
    uses: dict[str, Callable[[], object]] = {
        "read": log.position,
        "write": lambda: new_stream(log),
        "create": log.create,
    }

    with pytest.raises(Refusal) as caught:
        uses[use]()
    assert caught.value.code == "corrupt"
    log.close()
    assert store.rows("SELECT name FROM sqlite_master") == [("stored_events",)]


def test_an_empty_file_is_no_store_until_it_is_created(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path))
    Path(store.path).touch()
    log = store.open()

    with pytest.raises(Refusal) as caught:
        log.position()
    assert caught.value.code == "corrupt"
    log.create()
    assert log.position() == 0
    log.close()


def test_a_damaged_page_is_refused_as_corrupt(used: SqliteStore) -> None:
    used.run("PRAGMA wal_checkpoint(TRUNCATE)")
    size = os.path.getsize(used.path)
    with open(used.path, "r+b") as file:
        file.seek(4_096)
        file.write(b"\xa5" * (size - 4_096))
    log = used.open()

    with pytest.raises(Refusal) as caught:
        log.read(0)
    assert caught.value.code == "corrupt"
    assert caught.value.details == {"path": used.path}
    log.close()


def test_a_damaged_blob_is_refused_as_corrupt(used: SqliteStore) -> None:
    log = used.open()
    [spawned, *_] = all_events(log)
    digest = spawned.payload["body"]["blob"]["sha256"]
    assert log.blob(digest) == LARGE.encode()
    used.run("UPDATE blobs SET data = CAST('something else' AS BLOB)")

    with pytest.raises(Refusal) as caught:
        log.blob(digest)
    assert (caught.value.code, caught.value.details) == ("corrupt", {"sha256": digest})
    log.close()


# --- when it cannot be written


def test_a_database_that_another_connection_holds_too_long_is_locked(used: SqliteStore) -> None:
    log = used.open(wait=1)
    with used.plain() as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refusal) as caught:
            new_stream(log)
        assert (caught.value.code, caught.value.retryable) == ("locked", True)
        assert log.position() == 3  # who reads does not wait
        connection.execute("ROLLBACK")

    new_stream(log)
    assert log.position() == 4
    log.close()


@pytest.mark.parametrize("queue", [True, False])
def test_pulses_of_one_name_from_many_processes_are_all_kept(store: SqliteStore, queue: bool) -> None:
    ids = together(pulse_often, [(store, "ada", 10, {"queue": queue})] * 4)

    log = store.open()
    stored = log.pulses(0)
    assert sorted(found.event.id for found in stored) == sorted(id_ for some in ids for id_ in some)
    assert [found.version for found in stored] == list(range(1, 41))
    log.close()


def test_a_file_that_may_not_grow_is_a_clean_refusal_and_nothing_half_written(store: SqliteStore) -> None:
    log = store.open()
    stream = new_stream(log)
    log.close()

    outcomes = alone(append_below, store, stream, range(0, 400_000, 8_192))
    codes = {code for code, _ in outcomes}
    acknowledged = [found for _, found in outcomes if found]
    assert codes <= {"", "disk-full", "unwritable"}
    assert len(codes) > 1  # some were refused, some were not
    log = store.open()
    assert [found.id for found in log.stream(stream)[1:]] == acknowledged
    assert broken_links(all_events(log)) == []
    assert log.state(stream).card.notes == len(acknowledged)
    for found in log.stream(stream)[1:]:
        assert len(log.blob(found.payload["text"]["blob"]["sha256"])) > 9_000
    new_stream(log)
    log.close()
    assert store.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_full_disk_is_a_clean_refusal_and_the_next_command_works_when_there_is_room(tmp_path: Path) -> None:
    result = alone(fill_a_small_disk, str(tmp_path))
    if result is None:
        pytest.skip("mounting a small file system is not allowed here")

    assert result["refusals"] == ["disk-full"] * 3
    assert result["acknowledged"]
    assert result["stored"] == result["acknowledged"]
    assert result["found"]
    assert result["links"] == []


@pytest.fixture
def public_store() -> Iterator[SqliteStore]:
    """A store that everybody may read and only its owner may write, though not root's."""
    folder = tempfile.mkdtemp(prefix="crewlog-test-")
    store = SqliteStore(folder).create()
    log = store.open()
    new_stream(log)
    log.close()
    yield store
    os.chmod(folder, 0o700)
    shutil.rmtree(folder)


def forbid_writing(store: SqliteStore) -> None:
    for name in os.listdir(store.folder):
        os.chmod(os.path.join(store.folder, name), 0o444)
    os.chmod(store.folder, 0o555)  # noqa: S103 - as somebody else's folder looks


@pytest.mark.parametrize("queue", [True, False])
@pytest.mark.parametrize("in_use", [True, False])
def test_a_store_that_may_not_be_written_can_be_read(
    public_store: SqliteStore, queue: bool, in_use: bool
) -> None:
    log = public_store.open(keep_open=in_use)
    [stream] = {found.stream for found in all_events(log)}
    do(log, stream, Note("ada", "hm"))
    if not in_use:
        log.close()
        public_store.run("PRAGMA wal_checkpoint(TRUNCATE)")
    assert os.path.exists(public_store.path + "-wal") == in_use
    forbid_writing(public_store)

    found = alone(use_without_rights, public_store, stream, queue)
    assert found == {"read": [1, 2], "notes": 1, "note": "unwritable", "pulse": "unwritable", "read again": 2}
    log.close()


def test_a_store_without_its_lock_file_in_a_read_only_folder_is_unwritable(public_store: SqliteStore) -> None:
    [stream] = {found.stream for found in all_events(public_store.open())}
    os.remove(public_store.lock)
    forbid_writing(public_store)

    assert alone(use_without_rights, public_store, stream, True)["note"] == "unwritable"


# --- which refusal stands for which error

ERRORS = {
    "SQLITE_FULL": "disk-full",
    "SQLITE_BUSY": "locked",
    "SQLITE_BUSY_SNAPSHOT": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_PROTOCOL": "locked",
    "SQLITE_READONLY": "unwritable",
    "SQLITE_READONLY_DBMOVED": "unwritable",
    "SQLITE_CANTOPEN": "unwritable",
    "SQLITE_PERM": "unwritable",
    "SQLITE_IOERR_WRITE": "unwritable",
    "SQLITE_CORRUPT": "corrupt",
    "SQLITE_NOTADB": "corrupt",
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_the_engine_is_a_refusal_that_names_the_path(name: str, tmp_path: Path) -> None:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = getattr(sqlite3, name)
    wrapped = OperationalError(error)
    wrapped.__cause__ = error

    path = str(tmp_path / "crewlog.db")
    for cause in (error, wrapped):
        refusal = sqlite.refusal(cause, path)
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.details) == (ERRORS[name], {"path": path})
        assert refusal.hint


@pytest.mark.parametrize("error", [sqlite3.IntegrityError("a bug"), OperationalError("a bug")], ids=repr)
def test_an_error_that_is_a_bug_stays_itself(error: Exception) -> None:
    assert sqlite.refusal(error, "/x") is error


def test_closing_twice_and_using_again_is_fine(store: SqliteStore) -> None:
    log: Log = store.open()
    log.close()
    new_stream(log)
    log.close()
    log.close()
