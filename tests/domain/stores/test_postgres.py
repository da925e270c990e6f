from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from domain.commands import Note, Start
from domain.decide import decide
from domain.draft import Draft
from domain.log import Engine, Log, Seen
from domain.log import IdempotencyKey as Key
from domain.refusals import CODES, Refusal
from domain.stores import postgres, sqlite_recorder
from domain.stores.address import parse
from domain.stores.postgres import placeholders
from domain.stores.postgres_refusals import refusal
from tests.support.postgres import PASSWORD, PostgresStore, Server
from tests.support.processes import together
from tests.support.stores import add_task, all_events, broken_links, do, new_stream
from tests.support.streams import ADA
from tests.support.writers import create

ENGINES: tuple[Callable[[dict[str, str]], Engine], ...] = (
    postgres.Factory,
    sqlite_recorder.Factory,
)  # mypy judges


@pytest.fixture
def store(postgres_store: PostgresStore) -> PostgresStore:
    """A new store on the server."""
    return postgres_store


@pytest.fixture
def used(store: PostgresStore) -> PostgresStore:
    """One task, one note, two pulses."""
    log = store.open()
    do(log, new_stream(log, body="b" * 5_000), Note(ADA, "hm"))
    log.pulse(ADA, {})
    log.pulse(ADA, {})
    log.close()
    return store


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_events SET state = 'x'",
        "DELETE FROM stored_events",
        "TRUNCATE stored_events",
        "UPDATE pulses SET state = 'x'",
        "TRUNCATE pulses",
        "INSERT INTO stored_events SELECT * FROM stored_events ON CONFLICT (notification_id) DO UPDATE SET topic = 'x'",
        "INSERT INTO stored_events SELECT originator_id, 9, topic, state, 1 FROM stored_events LIMIT 1",
        "INSERT INTO stored_events SELECT originator_id, 1, topic, state, 9 FROM stored_events LIMIT 1",
    ],
)
def test_no_statement_rewrites_an_event(used: PostgresStore, statement: str) -> None:
    before = used.rows("SELECT * FROM stored_events"), used.rows("SELECT * FROM pulses")

    with pytest.raises(psycopg.Error):
        used.rows(statement)
    assert (used.rows("SELECT * FROM stored_events"), used.rows("SELECT * FROM pulses")) == before


@pytest.mark.parametrize(
    ("statement", "translated"),
    [
        ("SELECT ? WHERE a = ?", b"SELECT %s WHERE a = %s"),
        ("SELECT '?' || ? || '50%' || 'it''s ?'", b"SELECT '?' || %s || '50%%' || 'it''s ?'"),
        ('SELECT "a?b" % ?', b'SELECT "a?b" %% %s'),
    ],
)
def test_a_question_mark_is_a_parameter_only_outside_of_quotes(statement: str, translated: bytes) -> None:
    assert placeholders(statement) == translated


def test_two_crews_share_a_database_and_nothing_else(store: PostgresStore, postgres_server: Server) -> None:
    other = PostgresStore(postgres_server, f"{store.schema}_2").create()
    mine, theirs = store.open(), other.open()
    add_task(mine)

    with mine.turn():  # one crew's turn keeps no other waiting
        add_task(theirs)
    assert (mine.position(), theirs.position()) == (1, 1)
    assert all_events(mine) != all_events(theirs)
    mine.close()
    theirs.close()


@pytest.mark.parametrize("queue", [True, False])
def test_creating_a_store_is_no_race(postgres_server: Server, store: PostgresStore, queue: bool) -> None:
    fresh = PostgresStore(postgres_server, f"{store.schema}_new")
    together(create, [(fresh, {"queue": queue})] * 4)

    log = fresh.open()
    add_task(log)
    assert log.position() == 1
    log.close()


def test_the_order_of_ids_is_that_of_their_bytes_whatever_the_language(store: PostgresStore) -> None:
    columns = store.rows(
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = %s AND data_type = 'text'",
        store.schema,
    )
    assert columns == [("C",)]


def test_arrivals_and_pulses_are_in_the_servers_time(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is a year behind neither looks dead nor makes the others look so."""
    log = store.open()
    year = 365 * 86_400 * 1_000_000
    monkeypatch.setattr(log, "clock", lambda: time.time_ns() // 1_000 - year)
    new_stream(log)
    log.pulse(ADA, {})

    [stored], [pulse] = log.read(0), log.pulses(0)
    now = log.now()
    assert now - stored.arrived < year // 2
    assert pulse.event.ts > stored.event.ts[:4]
    assert now > log.clock() + year // 2
    log.close()


# --- turns and connections -----------------------------------------------------------------------------------------


def test_who_waits_too_long_is_told_who_holds_the_log(store: PostgresStore) -> None:
    holder, waiting = store.open(), store.open(wait=0.2)
    with holder.turn(), pytest.raises(Refusal) as caught:
        new_stream(waiting)

    assert (caught.value.code, caught.value.retryable) == ("locked", True)
    assert "crewlog " in caught.value.message
    assert isinstance(caught.value.details["pid"], int)
    holder.close()
    waiting.close()


def test_somebody_elses_lock_on_the_table_is_waited_for_too(store: PostgresStore) -> None:
    log = store.open(wait=0.3)
    with store.server.connect() as other, other.transaction():
        other.execute(f"LOCK TABLE {store.schema}.stored_events IN SHARE MODE".encode())
        with pytest.raises(Refusal) as caught:
            new_stream(log)
        assert caught.value.code == "locked"

    new_stream(log)
    log.close()


def end_all(store: PostgresStore) -> None:
    """End every connection of crewlog, as a restart of the server does."""
    store.server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'crewlog%'"
    )


def test_a_log_that_was_idle_survives_a_restart_of_the_server(store: PostgresStore) -> None:
    log = store.open(keep_open=True)
    stream = new_stream(log)
    for _ in range(2):
        end_all(store)
        do(log, stream, Note(ADA, "hm"))
        end_all(store)
        assert log.lines(0)

    assert log.position() == 3
    log.close()


def test_what_was_not_committed_when_the_connection_broke_was_not_written(store: PostgresStore) -> None:
    log = store.open()
    stream = new_stream(log)

    def break_in_the_middle() -> None:
        with log.transaction() as transaction:
            transaction.append(stream, ADA, note)
            end_all(store)
            transaction.append(stream, ADA, note)

    with pytest.raises(Refusal) as caught:
        break_in_the_middle()
    assert (caught.value.code, caught.value.retryable) == ("unreachable", True)
    assert log.position() == 1
    do(log, stream, Note(ADA, "hm"))
    log.close()


def note(seen: Seen) -> Sequence[Draft]:
    """A note, decided on what is there."""
    return decide(Note(ADA, "hm"), seen.state)


def test_a_commit_whose_answer_is_lost_says_so_and_a_retry_with_its_key_is_safe(store: PostgresStore) -> None:
    """The commit waits for a lock, and the connection breaks while it does: the server commits nevertheless, or not."""
    store.rows(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$"
    )
    store.rows(
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON stored_events DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    log = store.open()
    found: list[Refusal] = []

    def write() -> None:
        with suppress(Refusal):
            try:
                add_task(log, key="k-1")
            except Refusal as caught:
                found.append(caught)

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: bool(store.server.run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")))
    end_all(store)
    writer.join(60)

    assert [(caught.code, caught.retryable) for caught in found] == [("unacknowledged", True)]
    assert "--key" in found[0].hint
    store.rows("DROP TRIGGER slow ON stored_events")
    first = add_task(log, key="k-1")
    assert add_task(log, key="k-1").events == first.events
    assert log.position() == 1
    assert broken_links(all_events(log)) == []
    log.close()


def until(happened: Any) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_writer_that_was_stopped_in_the_middle_keeps_the_others_waiting_for_a_while_only(
    store: PostgresStore,
) -> None:
    sleeper, other = store.open(wait=2.0), store.open()
    stream = new_stream(other)
    transaction = sleeper.transaction()
    transaction.__enter__()

    do(other, stream, Note(ADA, "hm"))  # as soon as the server has given up on the sleeper
    with pytest.raises(Refusal) as caught:
        transaction.__exit__(None, None, None)
    assert caught.value.retryable
    sleeper.close()
    other.close()


# --- listening -----------------------------------------------------------------------------------------------------


@pytest.fixture
def log(store: PostgresStore) -> Iterator[Log]:
    """The log of a new store."""
    opened = store.open(keep_open=True)
    yield opened
    opened.close()


def test_the_server_tells_of_events_and_of_pulses_each_to_who_listens_for_them(
    store: PostgresStore, log: Log
) -> None:
    readers = store.open(), store.open()
    events, pulses = readers[0].listen(), readers[1].listen(pulses=True)
    assert events is not None
    assert pulses is not None
    assert events.wait(0)  # what came before it listened
    assert pulses.wait(0)
    assert not events.wait(0.01)

    new_stream(log)
    assert events.wait(30)
    assert not pulses.wait(0.01)
    log.pulse(ADA, {})
    assert pulses.wait(30)
    assert not events.wait(0.01)
    for reader in readers:
        reader.close()


def test_what_is_told_while_one_reads_is_not_missed(store: PostgresStore, log: Log) -> None:
    reader = store.open()
    listener = reader.listen()
    assert listener is not None
    listener.wait(0)

    new_stream(log)
    assert reader.position() == 1  # the notice comes with this answer
    assert listener.wait(30)
    reader.close()


def test_what_ends_in_a_refusal_tells_nobody(store: PostgresStore, log: Log) -> None:
    stream = new_stream(log)
    do(log, stream, Start(ADA))
    reader = store.open()
    listener = reader.listen()
    assert listener is not None
    listener.wait(0)

    with pytest.raises(Refusal):
        do(log, stream, Start("bob"))
    assert not listener.wait(0.1)
    reader.close()


def test_who_listened_when_the_connection_broke_looks_again(store: PostgresStore, log: Log) -> None:
    reader = store.open()
    listener = reader.listen()
    assert listener is not None
    listener.wait(0)
    end_all(store)

    with pytest.raises(Refusal) as caught:
        listener.wait(30)
    assert caught.value.code == "unreachable"
    assert listener.wait(0)
    new_stream(log)
    assert listener.wait(30)
    reader.close()


# --- who may --------------------------------------------------------------------------------------------------------


@pytest.fixture
def guest(postgres_server: Server, used: PostgresStore) -> str:
    """A role that may read the store and no more."""
    name = f"guest_{used.schema}"
    postgres_server.run(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    postgres_server.run(f"GRANT USAGE ON SCHEMA {used.schema} TO {name}")
    postgres_server.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA {used.schema} TO {name}")
    return name


def open_as(
    store: PostgresStore, user: str, password: str, *, port: int = 0, database: str = "postgres"
) -> Log:
    """The store as another user sees it."""
    text = f"postgresql://{user}@127.0.0.1:{port or store.server.port}/{database}?schema={store.schema}"
    environ = {"PGPASSWORD": password} if password else {}
    address = parse(text, "the test")
    writer, reader = (postgres.environment(address, environ, read_only=reads) for reads in (False, True))
    return Log(writer, reader, "r-guest")


def test_who_may_only_read_reads_and_is_refused_to_write(used: PostgresStore, guest: str) -> None:
    log = open_as(used, guest, PASSWORD)
    assert log.position() == 2
    assert log.state(log.read(0)[0].event.stream).card.notes == 1

    for write in (lambda: new_stream(log), lambda: log.pulse(ADA, {})):
        with pytest.raises(Refusal) as caught:
            write()
        assert (caught.value.code, caught.value.retryable) == ("unwritable", False)
    assert log.position() == 2
    log.close()


@pytest.mark.parametrize(("password", "said"), [("wrong", "authentication failed"), ("", "no password")])
def test_a_wrong_password_is_refused_at_once_and_never_repeated(
    used: PostgresStore, guest: str, password: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    log = open_as(used, guest, password)

    for use in (log.position, lambda: new_stream(log)):
        with pytest.raises(Refusal) as caught:
            use()
        assert (caught.value.code, caught.value.retryable) == ("no-access", False)
        assert said in caught.value.message
        assert not password or password not in str(caught.value.as_dict())
    log.close()


def test_a_password_file_is_honoured(used: PostgresStore, guest: str, tmp_path: Any) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{guest}:{PASSWORD}\n")
    passfile.chmod(0o600)
    address = parse(f"{used.server.url(guest)}?schema={used.schema}", "the test")
    environ = {"PGPASSFILE": str(passfile)}
    log = Log({}, postgres.environment(address, environ, read_only=True), "r-guest")

    assert log.position() == 2
    log.close()


def test_a_service_file_is_honoured(
    used: PostgresStore, guest: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = tmp_path / "pg_service.conf"
    lines = (
        "[crew]",
        "host=127.0.0.1",
        f"port={used.server.port}",
        "dbname=postgres",
        f"user={guest}",
        f"password={PASSWORD}",
    )
    services.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    address = parse(f"postgresql:///?service=crew&schema={used.schema}", "the test")
    log = Log({}, postgres.environment(address, {}, read_only=True), "r-guest")

    assert log.position() == 2
    log.close()


def test_a_database_that_is_not_there_and_a_server_that_is_not_there_are_two_refusals(
    store: PostgresStore,
) -> None:
    for log, code in (
        (open_as(store, "postgres", "", database="nowhere"), "no-access"),
        (open_as(store, "postgres", "", port=1), "unreachable"),
    ):
        for use in (log.position, lambda log=log: new_stream(log)):
            with pytest.raises(Refusal) as caught:
                use()
            assert caught.value.code == code
            assert caught.value.retryable == CODES[code].retryable
            assert caught.value.details["store"].startswith("postgresql://postgres@127.0.0.1")
        log.close()


def test_who_may_not_make_a_schema_is_told_so_and_one_that_was_made_for_them_is_used(
    store: PostgresStore, guest: str
) -> None:
    mine = PostgresStore(store.server, f"{store.schema}_mine")
    log = open_as(mine, guest, PASSWORD)
    with pytest.raises(Refusal) as caught:
        log.create()
    assert (caught.value.code, caught.value.retryable) == ("unwritable", False)

    store.server.run(f"CREATE SCHEMA {mine.schema} AUTHORIZATION {guest}")
    log.create()
    new_stream(log)
    assert log.position() == 1
    log.close()


def test_an_error_that_is_a_bug_stays_itself() -> None:
    for error in (
        psycopg.errors.SyntaxError("a bug"),
        psycopg.errors.UniqueViolation("a bug"),
        ValueError("a bug"),
    ):
        assert refusal(error, "somewhere") is error


def test_a_key_is_unique_whatever_the_library_tries_again(store: PostgresStore, log: Log) -> None:
    add_task(log, actor=ADA, key="k-1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        store.rows("INSERT INTO keys SELECT actor, key, 'another' FROM keys")
    assert add_task(log, actor=ADA, key="k-1").replayed
    assert Key("k-1", frozenset(), {}).matches(None, log.read(0)[0].event)
