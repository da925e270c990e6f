"""The full-text index: what is found, in which order, and that it holds what the log says."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import Edit, Note
from domain.log import Log
from domain.refusals import Refusal
from projections import search as searching
from projections.database import connect_memory
from projections.search import BEGIN, END, Found, Wanted, named, open_index, quoted, search
from projections.search_rows import INSERT, create_words, word
from projections.views import Views
from tests.projections.histories import Crew, some_steps
from tests.support.stores import SqliteStore, do, new_stream


@pytest.fixture
def index(store: SqliteStore, log: Log) -> Generator[Views]:
    """The index of the store, as a command opens it."""
    opened = open_index(store.folder, log)
    yield opened
    opened.close()


def found(index: Views, log: Log, text: str, limit: int = 20, **filters: Any) -> Found:
    """What a search for words finds."""
    index.catch_up()
    return search(index.connection, log, Wanted(quoted(text))._replace(**filters), limit)


def subjects(hits: Found) -> list[str]:
    """What the hits are about."""
    return [hit.event.subject for hit in hits.hits]


def test_a_title_counts_more_than_a_body_and_the_excerpt_marks_what_matches(index: Views, log: Log) -> None:
    deep = new_stream(log, title="something else", body=f"{'words ' * 40}the parser is slow {'words ' * 40}")
    titled = new_stream(log, title="Parser")
    hits = found(index, log, "parser")
    assert subjects(hits) == [titled[5:], deep[5:]]
    assert f"the {BEGIN}parser{END} is slow" in hits.hits[1].excerpt
    assert len(hits.hits[1].excerpt) < 200
    assert (hits.total, hits.ranked) == (2, True)


def test_all_words_must_occur_and_endings_and_accents_do_not_matter(index: Views, log: Log) -> None:
    stream = new_stream(log, title="Greeting the Größe of foo-bar", body='it\'s "quoted"')
    for text in (
        "greet",
        "greets foo",
        "größe",
        "GROß*",
        "foo-bar",
        '"quoted"',
        "it's",
        '" foo -',
    ):
        assert subjects(found(index, log, text)) == [stream[5:]], text
    for text in ("greet nothing", "bar-foo", '"'):
        expression = quoted(text)
        assert not expression or not found(index, log, text).hits


def test_filters_narrow_by_type_sender_task_and_time(index: Views, log: Log) -> None:
    one, two = new_stream(log, title="parser one"), new_stream(log, title="parser two")
    do(log, one, Note("ada", "parser noted"))
    do(log, two, Note("bob", "parser noted"))
    later = log.clock() + 3_600_000_000
    log.clock = lambda: later + 1_000_000
    last = do(log, two, Note("ada", "parser noted late")).events[0]
    assert len(found(index, log, "parser", kind="task.noted").hits) == 3
    assert len(found(index, log, "parser", kind="task").hits) == 5
    assert len(found(index, log, "parser", kind="task.noted", sender="ada").hits) == 2
    assert subjects(found(index, log, "parser", sender="bob")) == [two[5:]]
    assert len(found(index, log, "parser", about=one[5:]).hits) == 2
    assert [hit.event.id for hit in found(index, log, "parser", since=later).hits] == [last.id]
    assert "noted" in found(index, log, "parser", sender="bob").hits[0].excerpt


def test_a_large_text_is_found_in_its_blob(index: Views, log: Log) -> None:
    stream = new_stream(log, title="long", body=f"{'filler ' * 1_000}needle {'filler ' * 1_000}")
    [hit] = found(index, log, "needle").hits
    assert (hit.event.subject, f"{BEGIN}needle{END}" in hit.excerpt) == (stream[5:], True)


def test_what_comes_later_is_found_and_the_index_is_only_caught_up_by_a_search(
    store: SqliteStore, index: Views, log: Log
) -> None:
    stream = new_stream(log, title="first")
    assert not os.path.exists(os.path.join(store.folder, "search.db"))
    assert not found(index, log, "second").hits
    do(log, stream, Edit("zoe", title="the second title"))
    assert subjects(found(index, log, "second")) == [stream[5:]]
    assert index.catch_up() == 0


def test_an_index_that_grew_bit_by_bit_finds_what_a_rebuilt_one_finds(index: Views, log: Log) -> None:
    crew = Crew(log)
    for seed in range(5):
        crew.play(some_steps(60, seed))
        index.catch_up()
    grown = [found(index, log, text, 500) for text in ("title", "works", "seen", "hard on", "login")]
    assert index.rebuild().same
    rebuilt = [found(index, log, text, 500) for text in ("title", "works", "seen", "hard on", "login")]
    assert grown == rebuilt
    assert grown[0].hits


def test_a_deleted_or_damaged_index_is_made_anew(store: SqliteStore, index: Views, log: Log) -> None:
    stream = new_stream(log, title="needle")
    found(index, log, "needle")
    index.close()
    path = os.path.join(store.folder, "search.db")
    with open(path, "r+b") as file:
        file.write(b"garbage!" * 400)
    again = open_index(store.folder, log)
    with closing(again):
        assert subjects(found(again, log, "needle")) == [stream[5:]]


def test_of_too_many_hits_the_newest_come_first(
    index: Views, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "RANKED", 3)
    monkeypatch.setattr(searching, "COUNTED", 5)
    streams = [new_stream(log, title=f"needle {number}")[5:] for number in range(5)]
    few = found(index, log, "needle", limit=2)
    assert (subjects(few), few.total, few.ranked) == (streams[:2:-1], 5, False)

    streams += [new_stream(log, title=f"needle {number}")[5:] for number in range(5, 9)]
    few = found(index, log, "needle", limit=2)
    assert (subjects(few), few.total, few.ranked) == (streams[:6:-1], 6, False)
    assert len(found(index, log, "needle", limit=8).hits) == 8
    assert found(index, log, "needle 7", limit=2).ranked is True
    assert found(index, log, "needle", limit=9, newest=True).ranked is False


def test_a_part_of_a_text_without_spaces_finds_it_and_is_shown_as_it_stands(index: Views, log: Log) -> None:
    stream = new_stream(log, title="登录页面无法打开", body="サーバーを直す: the 登录 form")[5:]
    new_stream(log, title="页登面录")

    for text in ("登录", "页面", "录页*", "无法打开", "サーバー", "form 登录"):
        assert subjects(found(index, log, text)) == [stream], text
    assert found(index, log, "页面").hits[0].excerpt.replace(BEGIN, "").replace(END, "") == "登录页面无法打开"
    assert subjects(found(index, log, "登打")) == []
    assert subjects(search(index.connection, log, Wanted("页面 NOT 打开 OR title : 登录"), 5)) == [stream]


def test_a_tasks_id_or_its_beginning_finds_what_is_about_the_task(index: Views, log: Log) -> None:
    new_stream(log, title="another one")
    task = "t-e"
    while not task[-1].isdigit():  # without its last letter an id can have the stem of the whole one
        task = new_stream(log, title="the long title of a task", body="needle")[5:]
    mention = new_stream(log, title="it waits", body=f"for {task}")[5:]

    whole = found(index, log, task, named=named(task))
    beginning = found(index, log, task[:-1], named=named(task[:-1]))

    assert {hit.event.subject: hit.excerpt for hit in whole.hits} == {
        task: "the long title of a task",
        mention: f"for {BEGIN}{task}{END}",
    }
    assert [(hit.event.subject, hit.excerpt) for hit in beginning.hits] == [
        (task, "the long title of a task")
    ]


@pytest.mark.parametrize("text", ["", "t-", "t-polo", "t-ab1", "bd-12", "two words", "t-abcdefghi"])
def test_what_is_no_beginning_of_a_tasks_id_names_no_task(text: str) -> None:
    assert named(text) == ""


@pytest.mark.parametrize("bad", ['"', "foo AND", "(", "nocolumn : foo", "NEAR(", "foo ^^", ") OR (1"])
def test_an_expression_that_cannot_be_read_is_refused(index: Views, log: Log, bad: str) -> None:
    new_stream(log, title="foo")
    index.catch_up()
    with pytest.raises(Refusal, match="that is no search") as caught:
        search(index.connection, log, Wanted(bad), 5)
    assert caught.value.code == "bad-value"
    assert search(index.connection, log, Wanted("foo OR bar"), 5).total == 1


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_whatever_is_typed_is_no_syntax_and_finds_itself(text: str) -> None:
    with closing(connect_memory()) as small:
        create_words(small)
        small.execute(INSERT, (1, "", text, word("ada"), "", ""))
        expression = quoted(text.replace("*", " "))
        rows = small.execute("SELECT rowid FROM words WHERE words MATCH ?", (expression or '""',)).fetchall()
        only_words = all(part.isascii() and part.isalnum() for part in text.split())
        assert rows == [(1,)] or not only_words or not expression
