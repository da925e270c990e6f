"""What a person sees: aligned, coloured on a terminal, plain elsewhere, cut to the room there is, in local time."""

from __future__ import annotations

import io
import time

import pytest

from cli.app import run
from cli.output import Columns
from cli.shell import Shell
from cli.style import Style, plain
from cli.text import width
from tests.cli.conftest import Crew, Terminal

ESCAPE = "\x1b["


def on_a_terminal(crew: Crew, *words: str, **environ: str) -> str:
    """What a command prints where a person looks at it."""
    out = Terminal()
    code = run(list(words), Shell(io.StringIO(), out, io.StringIO(), environ, str(crew.folder)))
    assert code == 0
    return out.getvalue()


@pytest.fixture
def busy(crew: Crew) -> tuple[str, str, str]:
    """A task that waits for ada, one that bob works on, one for anyone, with a long title."""
    mine = crew.spawn("for ada", "--to ada")
    crew.start(held := crew.spawn("held by bob"), "bob")
    return mine, held, crew.spawn("größer " * 30)


def test_one_column_says_who_is_assigned_and_who_holds(crew: Crew, busy: tuple[str, str, str]) -> None:
    lines = crew.run("list").out.splitlines()
    assert sorted(line.split()[3] for line in lines) == ["-", "bob", "→ada"]
    # With the blanks, as an id may hold any two characters.
    assert len({line.index(" p2 ") for line in lines}) == 1


@pytest.mark.parametrize("words", [("list",), ("graph",), ("log",), ("tail",), ("show", "{}")])
def test_colours_are_for_terminals_only(
    crew: Crew, busy: tuple[str, str, str], words: tuple[str, ...]
) -> None:
    crew.do(f"link {busy[0]} --blocks {busy[1]} --as zoe")
    line = [word.format(busy[1]) for word in words]
    assert ESCAPE in on_a_terminal(crew, *line)
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert ESCAPE not in on_a_terminal(crew, *line, **environ)
    assert ESCAPE not in crew.run(*line).out


def test_a_colour_changes_no_letter_and_no_place(crew: Crew, busy: tuple[str, str, str]) -> None:
    for words in (["list"], ["log"]):
        coloured = on_a_terminal(crew, *words, COLUMNS="300")
        assert plain(coloured) == on_a_terminal(crew, *words, COLUMNS="300", NO_COLOR="1")


def test_a_name_has_one_colour_everywhere(crew: Crew, busy: tuple[str, str, str]) -> None:
    painted = Style(colour=True).name("bob")
    assert painted in on_a_terminal(crew, "list")
    assert painted in on_a_terminal(crew, "log")


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(crew: Crew, busy: tuple[str, str, str], columns: int) -> None:
    crew.do(f"link {busy[0]} --blocks {busy[1]} --as zoe")
    for words in (["list"], ["log"], ["graph"], ["ready"]):
        lines = on_a_terminal(crew, *words, COLUMNS=str(columns)).splitlines()
        assert all(width(plain(line)) <= columns for line in lines), words
        assert any(name in "".join(lines) for name in busy)


def test_a_narrow_terminal_gives_the_title_a_line_of_its_own() -> None:
    table = Columns(room=30)
    table.add("t-aaaaaaaa", "IN_REVIEW", "p2", "a title that is long")
    table.add("t-bbbbbbbb", "WORKING", "p2", "short")
    assert table.lines() == [
        "t-aaaaaaaa  IN_REVIEW  p2",
        "    a title that is long",
        "t-bbbbbbbb  WORKING    p2",
        "    short",
    ]


def test_rows_that_come_later_line_up_with_earlier_ones() -> None:
    table = Columns()
    table.add("a long cell", "x")
    first = table.lines()
    table.add("short", "y")
    assert [line.index(last) for line, last in zip(first + table.lines(), "xy", strict=True)] == [13, 13]
    table.add("größer 宽", Style(colour=True).name("zoe"), "z")
    assert plain(table.lines()[0]) == "größer 宽    zoe  z"


def test_times_are_local_and_utc_where_one_asks(crew: Crew, far_east: None) -> None:
    task = crew.spawn()
    stored = crew.do(f"show {task}")["events"][0]["ts"]
    [utc] = crew.run("log", task, "--utc").out.splitlines()
    [local] = crew.run("log", task).out.splitlines()
    assert utc.startswith(f"{stored[:10]} {stored[11:19]}Z  ")
    there, here = (time.strptime(line[:19], "%Y-%m-%d %H:%M:%S") for line in (utc, local))
    assert (time.mktime(here) - time.mktime(there)) == 9 * 3_600
    assert f"{stored[:10]} {stored[11:19]}Z" in crew.run("tail", "--utc").out
    assert f"{stored[:10]} {stored[11:19]}Z" in crew.run("show", task, "--utc").out


def test_nothing_is_cut_with_full(crew: Crew, busy: tuple[str, str, str]) -> None:
    assert "größer " * 29 in on_a_terminal(crew, "list", "--full", COLUMNS="40")
