"""`rebuild`, `export`: what can be made anew from the log."""

from __future__ import annotations

import shutil

from tests.cli.conftest import Crew, why


def test_rebuilt_views_equal_those_that_were_kept_up(crew: Crew) -> None:
    crew.submitted()
    before = crew.do("list --full")

    answer = crew.do("rebuild")

    assert (answer["same"], answer["events"]) == (True, 4)
    assert answer["hash_before"] == answer["hash_after"]
    assert crew.do("list --full") == before
    assert "the same as before" in crew.run("rebuild").out


def test_views_that_were_deleted_come_back_by_themselves(crew: Crew) -> None:
    crew.submitted()
    before = crew.do("list --full")
    for path in (crew.folder / ".crewlog").glob("views.db*"):
        path.unlink()

    assert crew.do("list --full") == before


def test_export_has_nothing_to_do_after_a_write(crew: Crew) -> None:
    crew.spawn()

    answer = crew.do("export")

    assert (answer["written"], answer["events"]) == (0, 2)
    assert answer["path"] == str(crew.folder / ".crewlog/live.jsonl")


def test_a_live_file_that_was_deleted_comes_back(crew: Crew) -> None:
    crew.spawn()
    live = crew.folder / ".crewlog/live.jsonl"
    before = live.read_bytes()
    live.unlink()

    assert crew.do("export")["written"] == 2
    assert live.read_bytes() == before


def test_an_edited_live_file_is_reported_and_left_alone_until_it_is_rebuilt(crew: Crew) -> None:
    crew.spawn("one")
    live = crew.folder / ".crewlog/live.jsonl"
    whole, inode = live.read_bytes(), live.stat().st_ino
    live.write_bytes(whole.replace(b'"one"', b'"two"'))

    noticed = crew.run("spawn", "next", "--as", "zoe")
    assert noticed.code == 0
    assert "`crewlog export --rebuild`" in noticed.err
    refused = crew.refused("export")
    assert why(refused) == ("corrupt", 7)
    assert refused["details"]["finding"]["path"] == str(live)
    assert "`crewlog export --rebuild`" in refused["hint"]
    assert b'"two"' in live.read_bytes()

    crew.do("export --rebuild")

    assert live.read_text() == crew.run("log", "--json").out
    assert live.stat().st_ino == inode
    assert crew.run("spawn", "quiet again", "--as", "zoe").err == ""


def test_a_torn_last_line_is_completed(crew: Crew) -> None:
    crew.spawn()
    live = crew.folder / ".crewlog/live.jsonl"
    whole = live.read_bytes()
    live.write_bytes(whole[:-40])

    crew.do("export")

    assert live.read_bytes() == whole


def test_settings_that_nobody_knows_are_warned_of(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text("[review]\nby = 'other'\ncolour = 'red'\n")

    result = crew.run("list")

    assert (result.code, "config.toml: unknown key [review] colour" in result.err) == (0, True)


def test_settings_that_are_wrong_are_refused(crew: Crew) -> None:
    for text in ("[review]\nby = 'nobody'\n", "[store]\nwait = 'soon'\n", "not toml"):
        (crew.folder / ".crewlog/config.toml").write_text(text)
        refused = crew.refused("spawn x --as zoe")
        assert why(refused) == ("bad-value", 2)
        assert "config.toml" in refused["message"] or "[store] wait" in refused["message"]
        assert refused["hint"]


def test_a_store_that_was_copied_elsewhere_can_be_read_there(crew: Crew) -> None:
    task = crew.spawn()
    shutil.copytree(crew.folder / ".crewlog", crew.folder / "copy/.crewlog")

    assert crew.do("list --store copy")["tasks"][0]["id"] == task


def test_a_live_file_with_an_event_that_the_log_lacks_is_not_cut(crew: Crew) -> None:
    other = Crew(crew.folder.parent / "other")
    other.folder.mkdir()
    other.do("init --as eve")
    other.spawn("from elsewhere")
    theirs = (other.folder / ".crewlog/live.jsonl").read_bytes()
    crew.spawn()
    live = crew.folder / ".crewlog/live.jsonl"
    live.write_bytes(live.read_bytes() + theirs + b"{}\n")
    edited = live.read_bytes()

    refused = crew.refused("export --rebuild")
    assert why(refused) == ("corrupt", 7)
    assert f"crewlog import {live}" in refused["hint"]
    assert "live-unknown" not in crew.run("--json", "doctor", "--repair").json["repaired"]
    assert live.read_bytes() == edited

    assert crew.run("import", str(live)).code == 7  # its last line is none
    crew.do("export --rebuild")
    assert crew.do("verify")["findings"] == []
    assert len(crew.do("list")["tasks"]) == 2
