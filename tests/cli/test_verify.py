"""`verify`, `checkpoint`, `blob`, `redact`, `doctor`: whatever somebody did to the files is found, or does no harm."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

import export.verify
import projections.halves
from domain import event
from domain.stores import apart
from export import looking
from export.looking import Looked
from tests.cli.clones import bare, clone, segments
from tests.cli.conftest import Crew, why


def store(crew: Crew) -> Path:
    return crew.folder / ".crewlog"


@pytest.fixture
def busy(crew: Crew) -> Crew:
    """A store with some history, all of it exported."""
    crew.submitted("one")
    crew.do("spawn two --slug two --body - --as zoe", stdin="b" * 5_000)
    crew.do("note two 'a note' --as ada")
    crew.do("export")
    crew.do("list")
    return crew


def codes(crew: Crew, line: str = "verify") -> list[str]:
    """What verify finds; its exit code says the same."""
    result = crew.run("--json", *crew.words(line))
    assert result.code == (0 if result.json["ok"] else 7), result
    return [finding["code"] for finding in result.json["findings"]]


def plainly(crew: Crew, *statements: str) -> None:
    """Change the database past crewlog, its triggers dropped."""
    connection = sqlite3.connect(store(crew) / "crewlog.db")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@contextmanager
def several(number: int) -> Generator[None]:
    """Have so many processes look at a log, however short it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "cores", lambda: number)
        for module in (export.verify, projections.halves):
            patch.setattr(module, "WORTHWHILE", 1)
        yield


def same_by_several(crew: Crew) -> Any:
    """What verify finds: one process, or two or three, must find the same."""
    found = crew.run("--json", "verify")
    for number in (2, 3):
        with several(number):
            again = crew.run("--json", "verify")
        assert (again.code, again.json) == (found.code, found.json)
    return found.json["findings"]


def test_a_store_that_nobody_touched_is_whole(busy: Crew) -> None:
    answer = busy.do("verify")

    assert (answer["ok"], answer["findings"], answer["events"]) == (True, [], 6)
    assert [row["seq"] for row in answer["replicas"]] == [6]
    assert "all is as the log says" in busy.run("verify").out


TAMPERED: dict[str, tuple[str, set[str]]] = {
    "a word of an event": (
        "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), 'a note', 'a vote') AS BLOB)",
        {"bytes-changed"},
    ),
    "a quote of an event": (
        "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), '\"payload', '!payload') AS BLOB)",
        {"bytes-changed"},
    ),
    "an event as text": (
        "UPDATE stored_events SET state = CAST(state AS TEXT) WHERE topic = 'task.noted'",
        {"bytes-changed"},
    ),
    "the end of the chain": ("DELETE FROM chain", {"chain-end"}),
    "the states": ("DELETE FROM stream_state WHERE stream LIKE 'task/%'", {"state-wrong"}),
    "the kind of a row": (
        "UPDATE stored_events SET topic = 'task.noted' WHERE topic = 'task.started'",
        {"row-changed"},
    ),
    "an event taken out": (
        "DELETE FROM stored_events WHERE topic = 'task.started'",
        {"stream-broken", "gap"},
    ),
    "the newest event taken out": (
        "DELETE FROM stored_events WHERE topic = 'task.noted'",
        {"chain-end", "stray-rows"},
    ),
    "the newest event taken out everywhere": (
        (
            "DELETE FROM stored_events WHERE topic = 'task.noted';"
            "DELETE FROM event_id WHERE position = 6;"
            "DELETE FROM keys WHERE id NOT IN (SELECT id FROM event_id);"
            "UPDATE chain SET seq = 5, id = (SELECT id FROM event_id WHERE position = 5)"
        ),
        {"segment-unknown", "live-unknown", "heads-wrong"},
    ),
    "an event put in twice": (
        (
            "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
            " SELECT originator_id, originator_version + 9, topic, state FROM stored_events WHERE topic = 'task.noted'"
        ),
        {"stream-broken"},
    ),
    "the state of a task": (
        (
            "UPDATE stream_state SET state = CAST(replace(CAST(state AS TEXT), 'IN_REVIEW', 'COMPLETED') AS BLOB)"
            " WHERE CAST(state AS TEXT) LIKE '%IN_REVIEW%'"
        ),
        {"state-wrong"},
    ),
    "a text for the bytes of a state": (
        "UPDATE stream_state SET state = CAST(state AS TEXT) WHERE stream LIKE 'task/%'",
        {"state-wrong"},
    ),
    "how much of a task is unknown": ("UPDATE stream_state SET unknown = 1", {"state-wrong"}),
    "a state of no events in the place of another": (
        (
            "INSERT INTO stream_state SELECT 'task/none', 0, NULL, fold, 0 FROM stream_state WHERE stream LIKE 'task/%' LIMIT 1;"
            "DELETE FROM stream_state WHERE stream = (SELECT max(stream) FROM stream_state WHERE version > 0)"
        ),
        {"state-wrong"},
    ),
    "the heads of a stream": ("DELETE FROM stream_heads WHERE stream LIKE 'task/%'", {"heads-wrong"}),
    "a head that belongs to nothing": (
        "INSERT INTO stream_heads SELECT stream, 'ffff', ts FROM stream_heads WHERE stream LIKE 'task/%'",
        {"heads-wrong", "stray-rows"},
    ),
    "the time of a head": (
        "UPDATE stream_heads SET ts = '2999-01-01T00:00:00.000000Z' WHERE stream LIKE 'task/%'",
        {"heads-wrong"},
    ),
    "when an event came": ("UPDATE event_id SET arrived = 0 WHERE position = 3", {"arrival-wrong"}),
    "the table of ids": (
        "UPDATE event_id SET id = replace(id, substr(id, 1, 2), 'zz') WHERE position = 3",
        {"index-wrong"},
    ),
    "a blob": ("UPDATE blobs SET data = CAST('c' AS BLOB)", {"blob-changed"}),
    "a blob taken out": ("DELETE FROM blobs", {"blob-missing"}),
    "the keys taken out": ("DELETE FROM keys", {"keys-wrong"}),
    "all keys of one event": (
        "UPDATE keys SET id = (SELECT id FROM event_id WHERE position = 2)",
        {"keys-wrong"},
    ),
    "a key of an event that bears another": (
        "INSERT INTO keys VALUES ('ada', 'k', (SELECT id FROM event_id WHERE position = 2))",
        {"keys-wrong"},
    ),
    "a key that belongs to nothing": (
        "INSERT INTO keys VALUES ('ada', 'k', 'ffff')",
        {"stray-rows"},
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_changed_in_the_database_with_the_triggers_dropped_is_found(what: str, busy: Crew) -> None:
    script, expected = TAMPERED[what]
    plainly(busy, *script.split(";"))

    assert expected <= {finding["code"] for finding in same_by_several(busy)}


STRANGE: dict[str, dict[str, Any]] = {
    "no time": {"ts": None},
    "a number for a time": {"ts": 7},
    "no version": {"v": None},
    "a word for a version": {"v": "one"},
    "no stream": {"stream": None},
    "a list for a replica": {"replica": ["r"]},
    "a number for parents": {"parents": 3},
    "a list for a key": {"key": ["k"]},
    "a word for a number": {"seq": "six"},
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_row_that_hashes_to_its_id_and_is_no_event_is_found(what: str, busy: Crew) -> None:
    state = busy.do("verify")["state"]
    connection = sqlite3.connect(store(busy) / "crewlog.db")
    ((line,),) = connection.execute("SELECT state FROM stored_events WHERE rowid = 6").fetchall()
    connection.close()
    fields = {
        name: value for name, value in (orjson.loads(line) | STRANGE[what]).items() if value is not None
    }
    del fields["id"]
    content = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    event_id = sha256(b"crewlog.event.v1\0" + content).hexdigest()
    data = (b'{"id":"' + event_id.encode() + b'",' + content[1:]).hex()
    plainly(
        busy,
        f"UPDATE stored_events SET state = x'{data}' WHERE rowid = 6",  # noqa: S608
        f"UPDATE event_id SET id = '{event_id}' WHERE position = 6",  # noqa: S608
    )

    found = busy.run("--json", "verify")
    assert (found.code, found.json["findings"] != []) == (7, True)
    assert found.json["state"] == state  # of the states that are kept, which nobody touched
    found = busy.run("--json", "doctor", "--repair")
    assert (found.code, found.json["repaired"], found.json["findings"] != []) == (7, [], True)


def test_what_is_written_behind_a_row_that_is_no_event_is_acknowledged(busy: Crew) -> None:
    plainly(
        busy,
        "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), '\"ts\"', '\"tt\"') AS BLOB) WHERE rowid = 6",
    )
    before = busy.run("--json", "verify").json["events"]
    (store(busy) / "views.db").unlink()

    written = busy.run("spawn", "one more", "--as", "zoe")

    assert (written.code, busy.run("--json", "verify").json["events"]) == (0, before + 1)


def test_a_key_that_two_clones_used_stands_for_the_first_event_and_is_no_finding(busy: Crew) -> None:
    other = Crew(busy.folder / "other")
    other.folder.mkdir()
    other.do("init --as bob")
    for crew in (busy, other):
        crew.do("spawn once --key once --as zoe")
    other.do("export")

    busy.do("import other/.crewlog")

    assert codes(busy) == []


def test_behind_a_gap_a_chain_that_goes_on_is_no_fork(busy: Crew) -> None:
    busy.do("note two more --as ada")
    plainly(busy, "DELETE FROM stored_events WHERE rowid = 3")

    found = codes(busy)

    assert found.count("gap") == 1
    assert "fork" not in found


def test_views_that_were_edited_are_found_and_made_anew(busy: Crew) -> None:
    connection = sqlite3.connect(store(busy) / "views.db")
    connection.execute("UPDATE tasks SET title = 'three' WHERE slug = 'two'")
    connection.commit()
    connection.close()

    assert codes(busy) == ["views-wrong"]
    assert busy.do("doctor --repair")["repaired"] == ["views-wrong"]
    assert codes(busy) == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_state_that_was_edited_alike_in_the_log_and_in_the_views_is_found(number: int, busy: Crew) -> None:
    edited = 'replace(CAST({0} AS TEXT), \'"title":"two"\', \'"title":"three"\')'
    plainly(busy, f"UPDATE stream_state SET state = CAST({edited.format('state')} AS BLOB)")  # noqa: S608 - text from here
    connection = sqlite3.connect(store(busy) / "views.db")
    connection.execute(f"UPDATE tasks SET data = CAST({edited.format('data')} AS BLOB)")  # noqa: S608
    connection.commit()
    same = 'SELECT count(*) FROM tasks WHERE CAST(data AS TEXT) LIKE \'%"title":"three"%\''
    assert connection.execute(same).fetchone() == (1,)
    connection.close()

    with several(number):
        assert codes(busy) == ["views-wrong", "state-wrong"]


DROPPED = {
    "no table of the tasks": "DROP TABLE tasks",
    "no checkpoint": "DELETE FROM checkpoint",
    "a word for a checkpoint": "UPDATE checkpoint SET position = 'here'",
}


@pytest.mark.parametrize("how", ["no database", "pages of zeros", "half of it", *DROPPED])
def test_damaged_views_are_found_and_made_anew(how: str, busy: Crew) -> None:
    path = store(busy) / "views.db"
    if how in DROPPED:
        connection = sqlite3.connect(path)
        connection.execute(DROPPED[how])
        connection.commit()
        connection.close()
    else:
        data = path.read_bytes()
        third = len(data) // 3
        changed = {
            "no database": b"garbage" * 1_000,
            "pages of zeros": data[:third] + bytes(third) + data[2 * third :],
            "half of it": data[: len(data) // 8192 * 4096],
        }
        path.write_bytes(changed[how])

    assert [finding["code"] for finding in same_by_several(busy)] == ["views-wrong"]
    assert busy.do("rebuild")["same"] is False
    assert codes(busy) == []


def test_views_of_which_a_text_is_none_are_found_and_made_anew(busy: Crew) -> None:
    path = store(busy) / "views.db"
    path.write_bytes(path.read_bytes().replace(b'"pid" INTEGER', b'"pid" INT\xc5GER'))
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.OperationalError, match="decode"):
        connection.execute("PRAGMA table_info(agents)").fetchall()
    connection.close()

    assert [finding["code"] for finding in same_by_several(busy)] == ["views-wrong"]
    busy.do("rebuild")
    assert codes(busy) == []


@pytest.mark.parametrize("kind", ["table", "index"])
def test_views_of_which_the_tasks_cannot_be_read_are_found_and_not_taken_for_the_log(
    kind: str, busy: Crew
) -> None:
    path = store(busy) / "views.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    of = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'tasks' AND type = ? ORDER BY name LIKE 'sqlite%' DESC"
    (page,) = connection.execute(of, (kind,)).fetchone()
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    data = bytearray(path.read_bytes())
    data[size * (page - 1) : size * page] = bytes(size)
    path.write_bytes(data)

    assert [finding["code"] for finding in same_by_several(busy)] == ["views-wrong"]


def test_a_state_that_was_edited_is_folded_anew_by_doctor(busy: Crew) -> None:
    plainly(busy, TAMPERED["the state of a task"][0])

    found = busy.run("--json", "doctor")
    assert (found.code, "state-wrong" in [finding["code"] for finding in found.json["findings"]]) == (7, True)
    assert "state-wrong" in busy.do("doctor --repair")["repaired"]
    assert codes(busy) == []


FILES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a segment's byte": ("log", lambda data: data.replace(b"a note", b"a vote"), "segment-changed"),
    "a segment's line": ("log", lambda data: data[data.index(b"\n") + 1 :], "segment-changed"),
    "a segment's end": ("log", lambda data: data[: data.rindex(b"\n", 0, -1) + 1], "segment-cut"),
    "a segment's middle line": (
        "log",
        lambda data: b"\n".join([data.split(b"\n")[0], *data.split(b"\n")[2:]]),
        "segment-changed",
    ),
    "a segment's line twice": (
        "log",
        lambda data: b"\n".join([data.split(b"\n")[0], *data.split(b"\n")]),
        "segment-changed",
    ),
    "a segment's half line": ("log", lambda data: data[:-9], "segment-changed"),
    "a segment's lines swapped": (
        "log",
        lambda data: b"\n".join([*data.split(b"\n")[1::-1], *data.split(b"\n")[2:]]),
        "segment-changed",
    ),
    "a segment's blob": ("blobs", lambda data: data[:-1], "blob-changed"),
    "live.jsonl": ("live.jsonl", lambda data: data.replace(b"a note", b"a vote"), "live-changed"),
}


@pytest.mark.parametrize("what", FILES)
def test_what_was_changed_in_the_files_is_found_with_its_place(what: str, busy: Crew) -> None:
    place, change, code = FILES[what]
    path = next(path for path in [store(busy) / place, *store(busy).glob(f"{place}/*/*")] if path.is_file())
    path.write_bytes(change(path.read_bytes()))

    findings = [finding for finding in same_by_several(busy) if finding["code"] == code]

    assert findings
    assert findings[0]["path"] == str(path)


@pytest.mark.parametrize("helped", [True, False], ids=["by several", "by several that cannot be started"])
def test_several_look_at_a_log_of_two_clones_as_one_does(
    helped: bool, busy: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Crew(busy.folder / "other")
    other.folder.mkdir()
    other.do("init --as bob")
    for number in range(3):
        other.do(f"spawn theirs-{number} --as bob")
        other.do("export")
        busy.do("import other/.crewlog")
        busy.do(f"spawn ours-{number} --as zoe")
        busy.do(f"note two 'a word {number}' --as ada")
    busy.do("export")
    met: list[bool] = []

    def joined(looked: Sequence[Looked | None]) -> Looked | None:
        met.append((found := looking.joined(looked)) is not None)
        return found

    monkeypatch.setattr(export.verify, "joined", joined)
    if not helped:
        monkeypatch.setattr(sys, "executable", "/bin/false")

    assert same_by_several(busy) == []

    assert met == [helped]


@pytest.mark.parametrize("how", ["line by line", "beside the log"])
def test_each_flipped_byte_of_a_segment_is_found(crew: Crew, how: str) -> None:
    from domain.log import Log
    from domain.stores import sqlite
    from export.mirrors import Held
    from export.verify import verify_log, verify_segments

    crew.do("export")
    (path,) = segments(crew)
    whole = path.read_bytes()
    environment = sqlite.environment(str(store(crew) / "crewlog.db"), "", read_only=True)
    log = Log(environment, environment, "r-0", keep_open=True)
    folder = str(store(crew))

    def held() -> Held:
        return verify_log(log, None, folder).held if how == "beside the log" else {}

    assert len(held()) == (how == "beside the log")
    assert verify_segments(log, folder, None, held()) == []
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 0x01
        path.write_bytes(bytes(data))
        (finding, *_) = verify_segments(log, folder, None, held())
        assert (finding.code, finding.line, finding.offset) == ("segment-changed", 1, 0), place
    log.close()


@pytest.mark.parametrize("kind", ["a folder", "a pipe"])
def test_a_live_file_that_is_no_file_is_found(kind: str, busy: Crew) -> None:
    path = store(busy) / "live.jsonl"
    path.unlink()
    (path.mkdir if kind == "a folder" else lambda: os.mkfifo(path))()

    assert [finding["code"] for finding in same_by_several(busy)] == ["live-unsafe"]


def test_what_is_no_folder_of_segments_keeps_nobody_from_looking(busy: Crew) -> None:
    (folder,) = (store(busy) / "log").iterdir()
    folder.rename(busy.folder / "elsewhere")
    folder.write_text("")

    assert same_by_several(busy) == []


def test_a_file_elsewhere_that_bears_a_segments_name_is_read_as_well(busy: Crew) -> None:
    (path,) = segments(busy)
    other = path.parents[1] / "x" / "log" / path.parent.name / path.name
    other.parent.mkdir(parents=True)
    other.write_bytes(path.read_bytes().replace(b"a note", b"a vote"))

    (finding, *_) = same_by_several(busy)

    assert (finding["code"], finding["path"]) == ("segment-changed", str(other))


def test_a_segment_that_was_removed_is_missing(busy: Crew) -> None:
    busy.do("note two more --as ada")
    busy.do("export")
    segments(busy)[0].unlink()

    assert codes(busy) == ["segment-missing"]


@pytest.mark.parametrize("line", ["export --rebuild", "doctor --repair"])
@pytest.mark.parametrize("what", [what for what, (place, *_) in FILES.items() if place != "live.jsonl"])
def test_own_segments_and_blobs_that_were_changed_are_written_again_from_the_log(
    what: str, line: str, busy: Crew
) -> None:
    place, change, code = FILES[what]
    path = next(store(busy).glob(f"{place}/*/*"))
    whole = path.read_bytes()
    path.write_bytes(change(whole))

    assert "export --rebuild" in busy.run("--json", "verify").json["findings"][0]["hint"]
    answer = busy.do(line)

    assert code in answer.get("repaired", [code])
    assert path.read_bytes() == whole
    assert codes(busy) == []


def test_a_segment_with_an_event_that_the_log_lacks_is_never_written_over(busy: Crew) -> None:
    path = segments(busy)[0]
    first, rest = path.read_bytes().split(b"\n", 1)
    fields = {name: value for name, value in orjson.loads(first).items() if name != "id"}
    strange = event.seal({**fields, "ts": "2020-01-01T00:00:00.000000Z"})
    path.write_bytes(strange.line + b"\n" + rest)

    busy.run("export", "--rebuild")

    assert strange.line in path.read_bytes()


def test_a_file_of_a_blob_that_was_removed_is_found_and_the_next_export_writes_it_again(busy: Crew) -> None:
    (path,) = store(busy).glob("blobs/*/*")
    path.unlink()

    assert codes(busy) == ["blob-unexported"]
    assert busy.run("blob", "verify").code == 7
    assert busy.do("export")["blobs"] == 1
    assert codes(busy) == []


# --- checkpoints -------------------------------------------------------------------------------------------------


def test_a_checkpoint_proves_that_the_log_goes_on_from_it(busy: Crew) -> None:
    made = busy.do("checkpoint -o kept.json")
    busy.do("note two later --as ada")

    assert made["events"] == 6
    assert codes(busy, "verify --checkpoint kept.json") == []
    assert why(busy.refused("checkpoint -o kept.json")) == ("bad-value", 2)


def test_a_checkpoint_finds_a_log_that_was_rewritten_together_with_all_its_files(busy: Crew) -> None:
    busy.do("checkpoint -o kept.json")
    plainly(busy, *TAMPERED["the newest event taken out everywhere"][0].split(";"))
    plainly(
        busy,
        "DELETE FROM stream_heads",
        "DELETE FROM stream_state",
        "INSERT INTO stream_heads SELECT stream, max(id), '' FROM (SELECT originator_id AS stream, id, position FROM"
        " stored_events JOIN event_id ON position = rowid) GROUP BY stream HAVING max(position)",
    )
    for path in (*segments(busy), store(busy) / "live.jsonl"):
        path.unlink()

    found = codes(busy, "verify --checkpoint kept.json")

    assert "checkpoint-broken" in found


def test_a_checkpoint_that_was_edited_or_is_none_is_found(busy: Crew) -> None:
    busy.do("checkpoint -o kept.json")
    kept = busy.folder / "kept.json"
    kept.write_text(kept.read_text().replace('"seq": 6', '"seq": 5'))

    assert "checkpoint-changed" in codes(busy, "verify --checkpoint kept.json")
    kept.write_text("{}")
    assert why(busy.refused("verify --checkpoint kept.json")) == ("bad-value", 2)
    assert why(busy.refused("verify --checkpoint nowhere.json")) == ("not-found", 3)


# --- blobs -------------------------------------------------------------------------------------------------------


def test_a_blob_is_shown_by_its_hash_and_all_are_checked(busy: Crew) -> None:
    digest = busy.do("show two")["task"]["body"]["blob"]["sha256"]

    assert busy.do(f"blob show {digest[:10]}") == {"sha256": digest, "size": 5_000, "text": "b" * 5_000}
    assert busy.do("blob verify") == {"blobs": 1, "findings": []}
    assert why(busy.refused("blob show ffffffffff")) == ("not-found", 3)
    assert why(busy.refused("blob show")) == ("usage", 2)
    assert repr(digest[:7]) in busy.refused(f"blob show {digest[:7]}")["message"]
    assert why(busy.refused("blob eat ffffffffff")) == ("usage", 2)


def test_a_blob_in_a_pipe_is_the_bytes_that_were_hashed(busy: Crew) -> None:
    digest = busy.do("show two")["task"]["body"]["blob"]["sha256"]

    out = busy.run("blob", "show", digest).out

    assert sha256(out.encode()).hexdigest() == digest


def test_a_redacted_blob_leaves_its_hash_and_an_event_and_the_rest_stays_whole(busy: Crew) -> None:
    digest = busy.do("show two")["task"]["body"]["blob"]["sha256"]

    event = busy.do(f"redact {digest[:10]} --reason 'a password' --as zoe")["event"]

    refused = busy.refused(f"blob show {digest}")
    assert why(refused) == ("redacted", 3)
    assert f"crewlog redact {digest[:12]} --reason" in busy.refused(f"redact {digest[:10]} --as zoe")["hint"]
    assert refused["details"]["event"] == event
    assert not list(store(busy).glob(f"blobs/*/{digest}"))
    busy.do("export")
    assert codes(busy) == []
    again = busy.run("redact", digest, "--reason", "x", "--as", "zoe")
    assert (again.code, "before" in again.err) == (0, True)
    assert busy.do("show two")["task"]["body"]["blob"]["sha256"] == digest
    assert busy.run("show", "two", "--full").code == 0


# --- doctor ------------------------------------------------------------------------------------------------------


def test_doctor_finds_nothing_wrong_with_a_sound_store_and_says_what_it_stands_on(busy: Crew) -> None:
    answer = busy.do("doctor")

    assert (answer["findings"], answer["repaired"]) == ([], [])
    assert answer["facts"]["sqlite"] == sqlite3.sqlite_version
    assert answer["facts"]["events"] == 6


def test_doctor_gives_sizes_in_bytes(busy: Crew) -> None:
    size = (store(busy) / "live.jsonl").stat().st_size

    assert f"live: {size:,} bytes" in busy.run("doctor").out.splitlines()


def test_doctor_says_who_could_read_along_and_how_to_mend_it(busy: Crew) -> None:
    (store(busy) / "crewlog.db").chmod(0o644)

    (finding,) = busy.do("doctor")["findings"]

    assert finding["code"] == "open-to-others"
    assert finding["hint"].startswith("chmod 600")


def test_doctor_warns_where_nothing_keeps_the_checkpoint_race_of_sqlite_away(busy: Crew) -> None:
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        pytest.skip("this SQLite has the race mended")
    (store(busy) / "config.toml").write_text("[store]\nqueue = false\n")

    assert [finding["code"] for finding in busy.do("doctor")["findings"]] == ["sqlite-race"]


def test_doctor_mends_a_live_file_that_was_edited(busy: Crew) -> None:
    live = store(busy) / "live.jsonl"
    whole = live.read_bytes()
    live.write_bytes(whole.replace(b"a note", b"a vote"))

    assert busy.do("doctor --repair")["repaired"] == ["live-changed"]
    assert live.read_bytes() == whole


def test_doctor_names_the_locks_that_a_killed_git_left_behind(tmp_path: Path) -> None:
    crew = clone(bare(tmp_path), "ada")
    locks = [crew.folder / ".git/index.lock", store(crew) / ".git/index.lock"]
    for lock in locks:
        lock.touch()

    found = crew.do("doctor")["findings"]

    assert {(row["code"], row["path"]) for row in found} == {("git-locked", str(lock)) for lock in locks}


def test_what_is_damaged_is_said_in_verify_and_doctor_with_its_place_and_what_to_do(busy: Crew) -> None:
    busy.do("export")
    [path] = store(busy).glob("log/*/*.jsonl")
    path.write_bytes(b"X" + path.read_bytes()[1:])

    for command in ("verify", "doctor"):
        out = busy.run(command).out
        assert f"segment-changed  {path}:1 (byte 0)" in out
        assert "`crewlog export --rebuild`" in out
    assert "not as the log says: 2 findings of damage" in busy.run("audit").out


def test_nothing_is_made_anew_of_a_log_that_was_altered(busy: Crew) -> None:
    busy.do("export")
    live = store(busy) / "live.jsonl"
    whole = live.read_bytes()
    tamper(busy)

    mended = busy.run("--json", "doctor", "--repair")
    rewritten = busy.refused("export --rebuild")

    assert (mended.code, mended.json["repaired"]) == (7, [])
    assert {"bytes-changed", "live-changed"} <= {row["code"] for row in mended.json["findings"]}
    assert "the log itself was altered" in mended.err
    assert why(rewritten) == ("corrupt", 7)
    assert live.read_bytes() == whole


def test_a_store_whose_log_was_altered_goes_on_from_its_own_files_without_it(busy: Crew) -> None:
    tamper(busy)
    assert "bytes-changed" in codes(busy)
    for path in store(busy).glob("crewlog.db*"):
        path.rename(busy.folder / path.name)

    busy.do("init")

    assert codes(busy) == []
    assert "a note" in busy.run("log", "two").out


def tamper(crew: Crew) -> None:
    """Change what stands in the log."""
    plainly(crew, TAMPERED["a word of an event"][0])


@pytest.mark.parametrize("what", TAMPERED)
def test_doctor_ends_with_findings_whatever_was_done_to_the_log(what: str, busy: Crew) -> None:
    plainly(busy, *TAMPERED[what][0].split(";"))

    result = busy.run("--json", "doctor", "--repair")

    assert result.code in (0, 7), result
    assert result.code == 7 or not TAMPERED[what][1] - set(result.json["repaired"])
