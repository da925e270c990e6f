"""`search`: words in all that was written."""

from __future__ import annotations

import pytest

from cli.style import plain
from cli.text import width
from tests.cli.conftest import Crew, why
from tests.cli.test_style import on_a_terminal


@pytest.fixture
def task(crew: Crew) -> str:
    """A task whose body, note, review and mail say something to look for."""
    stdin = "x " * 3_000 + "deep needle"
    task = str(crew.do("spawn 'Greet by name' --body - --as zoe", stdin=stdin)["task"])
    crew.do("join ada")
    crew.do(f"note {task} 'use foo-bar, not \"foo\"' --as ada")
    crew.do(f"send ada 'is the needle in foo-bar?' --task {task} --as zoe")
    return task


def hits(crew: Crew, line: str) -> list[str]:
    """The types of the events that are found."""
    return [hit["type"] for hit in crew.do(f"search {line}")["hits"]]


def test_words_are_found_in_titles_bodies_notes_messages_and_large_texts(crew: Crew, task: str) -> None:
    assert hits(crew, "greeting") == ["task.spawned"]
    assert sorted(hits(crew, "needle")) == ["mail.sent", "task.spawned"]
    assert sorted(hits(crew, "foo-bar")) == ["mail.sent", "task.noted"]
    assert hits(crew, "'\"foo\"' not") == ["task.noted"]
    assert hits(crew, "needle --type mail") == ["mail.sent"]
    assert hits(crew, "foo --from ada") == ["task.noted"]
    assert len(hits(crew, f"foo-bar --task {task}")) == 2
    assert hits(crew, "foo --since 1h -n 1 --newest") == ["mail.sent"]
    assert hits(crew, "foo --since 2090-01-01") == []
    assert hits(crew, "--raw 'zzz OR greet'") == ["task.spawned"]


def test_a_hit_says_where_the_words_are(crew: Crew, task: str) -> None:
    [hit] = crew.do("search deep needle")["hits"]
    assert [hit["excerpt"][begin:end] for begin, end in hit["matches"]] == ["deep", "needle"]
    assert (hit["about"], hit["from"]) == (task, "zoe")
    assert crew.do(f"show {task}")["events"][0]["id"] == hit["event"]


def test_what_matches_is_marked_for_people(crew: Crew, task: str) -> None:
    assert "[deep needle]" in crew.run("search", "deep needle").out.replace("] [", " ")
    assert "\x1b[1mneedle\x1b[0m" in on_a_terminal(crew, "search", "needle", COLUMNS="120")
    assert crew.run("search", "zzz").err.strip() == "nothing found"
    assert crew.run("search", '"').err.strip() == "there is no word in that"
    assert "1 more" in crew.run("search", "needle", "-n", "1").err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("search x --type task.dreamt", ("bad-value", 2)),
        ("search x --since soon", ("bad-value", 2)),
        ("search x --since 2026-13-01", ("bad-value", 2)),
        ("search --raw '\"'", ("bad-value", 2)),
        ("search x --task nope", ("not-found", 3)),
        ("search", ("usage", 2)),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_reason(
    crew: Crew, line: str, expected: tuple[str, int]
) -> None:
    assert why(crew.refused(line)) == expected


def test_a_text_cannot_move_the_cursor_of_who_searches(crew: Crew) -> None:
    crew.do("spawn 'evil needle' --body - --as zoe", stdin="needle \x1b[2J \u202e \x02 \x03 x")
    out = on_a_terminal(crew, "search", "needle", NO_COLOR="1", COLUMNS="200")
    assert not {"\x1b", "\u202e", "\x02", "\x03"} & {*out}


def test_a_store_that_cannot_be_written_is_searched_all_the_same(crew: Crew, task: str) -> None:
    folder = crew.folder / ".crewlog"
    crew.do("search needle")
    (folder / "search.lock").unlink()
    (folder / "search.db").chmod(0o400)
    assert len(hits(crew, "needle")) == 2


@pytest.mark.parametrize("columns", [60, 80, 100, 110, 120, 160])
def test_what_matches_is_in_sight_and_marked_on_every_terminal(crew: Crew, columns: int) -> None:
    task = crew.spawn("Sharpen it", "--slug sharp")
    crew.do(f"note {task} 'one two three four five six seven eight nine needle ten eleven twelve' --as ada")

    out = on_a_terminal(crew, "search", "needle", COLUMNS=str(columns))

    assert "\x1b[1mneedle\x1b[0m" in out
    assert "sharp: Sharpen it" in plain(out)
    assert all(width(plain(line)) <= columns for line in out.splitlines())


def test_a_hit_names_the_task_that_it_is_about_also_where_it_is_a_message(crew: Crew, task: str) -> None:
    found = crew.do("search needle")["hits"]

    assert {(hit["type"], hit["title"]) for hit in found} == {
        ("mail.sent", "Greet by name"),
        ("task.spawned", "Greet by name"),
    }
    assert crew.run("search", "needle").out.count("Greet by name") >= len(found)
    assert task in crew.run("search", "needle").out
