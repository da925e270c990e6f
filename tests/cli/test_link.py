"""`link` and `unlink`: what waits, what is part of what, circles."""

from __future__ import annotations

import pytest

from domain.task import STATES
from tests.cli.conftest import Crew, why


@pytest.fixture
def three(crew: Crew) -> tuple[str, str, str]:
    """Three tasks that have nothing to do with each other."""
    return crew.spawn("first"), crew.spawn("second"), crew.spawn("third")


def finish(crew: Crew, task: str) -> None:
    """Bring a task to COMPLETED."""
    claim = crew.do(f"start {task} --as ada")["claim"]
    crew.do(f"done {task} --claim {claim} --as ada")
    crew.do(f"approve {task} --as zoe")


def ready(crew: Crew) -> list[str]:
    """What can be started."""
    return [row["id"] for row in crew.do("ready")["tasks"]]


def test_what_is_blocked_is_ready_when_its_blocker_is_completed(
    crew: Crew, three: tuple[str, str, str]
) -> None:
    first, second, third = three
    done = crew.do(f"link {first} --blocks {second} --as zoe")
    assert (done["task"], done["state"]) == (second, "ASSIGNED")
    assert ready(crew) == [first, third]
    shown = crew.do(f"show {second}")["task"]
    assert (shown["after"], shown["blocked_by"]) == ([first], [first])
    assert shown["links"] == [{"id": done["event"], "kind": "after", "to": first}]
    assert crew.do(f"show {first}")["task"]["blocks"] == [second]

    finish(crew, first)
    assert ready(crew) == [second, third]


def test_after_is_blocks_seen_from_the_other_side(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, third = three
    answered = crew.do(f"link {third} --after {first} --after {second} --as zoe")
    assert [row["task"] for row in answered["results"]] == [third, third]
    assert crew.do(f"show {third}")["task"]["blocked_by"] == sorted([first, second])
    assert crew.do(f"link {first} --blocks {third} --as zoe")["event"] is None


def test_what_is_unlinked_is_ready_again(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, _ = three
    crew.do(f"link {first} --blocks {second} --as zoe")
    assert crew.do(f"unlink {first} --blocks {second} --as zoe")["task"] == second
    assert ready(crew) == list(three)
    assert crew.do(f"unlink {first} --blocks {second} --as zoe")["event"] is None


def test_a_link_can_be_undone(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, _ = three
    crew.do(f"link {first} --blocks {second} --as zoe")
    crew.do(f"undo {second} --as zoe")
    assert crew.do(f"show {second}")["task"]["links"] == []


def test_a_circle_is_refused_with_the_way_round_and_nothing_is_written(
    crew: Crew, three: tuple[str, str, str]
) -> None:
    first, second, third = three
    crew.do(f"link {first} --blocks {second} --as zoe")
    crew.do(f"link {second} --blocks {third} --as zoe")
    refused = crew.refused(f"link {third} --blocks {first} --as zoe")
    assert why(refused) == ("circle", 4)
    assert refused["details"]["path"] == [third, second, first]
    assert f"{first} waits for {third} waits for {second} waits for {first}" in refused["message"]
    assert crew.do(f"show {first}")["task"]["links"] == []
    assert why(crew.refused(f"link {first} --after {first} --as zoe")) == ("bad-value", 2)


def test_a_circle_of_parents_is_refused_and_kinds_do_not_mix(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, third = three
    crew.do(f"link {second} --parent {first} --as zoe")
    crew.do(f"link {third} --parent {second} --as zoe")
    assert why(crew.refused(f"link {first} --parent {third} --as zoe")) == ("circle", 4)
    crew.do(f"link {first} --after {third} --as zoe")
    crew.do(f"link {first} --relates {third} --as zoe")
    crew.do(f"link {third} --relates {first} --as zoe")


def test_an_epic_counts_its_parts_by_state(crew: Crew) -> None:
    epic = crew.spawn("epic")
    parts = [crew.spawn(f"part {number}", f"--parent {epic}") for number in range(3)]
    finish(crew, parts[0])
    crew.do(f"start {parts[1]} --as ada")
    shown = crew.do(f"show {epic}")["task"]
    assert shown["parts"] == {"COMPLETED": 1, "WORKING": 1, "ASSIGNED": 1}
    assert "1 of 3 done: 1 ASSIGNED, 1 WORKING" in crew.run("show", epic).out
    assert set(shown["parts"]) <= set(STATES)
    assert crew.do(f"show {parts[0]}")["task"]["parent"] == epic


def test_a_part_moves_from_one_epic_to_another(crew: Crew) -> None:
    old, new = crew.spawn("old"), crew.spawn("new")
    part = crew.spawn("part", f"--parent {old}")
    crew.do(f"link {part} --parent {new} --as zoe")
    assert crew.do(f"show {part}")["task"]["parent"] == new
    assert (crew.do(f"show {old}")["task"]["parts"], crew.do(f"show {new}")["task"]["parts"]) == (
        {},
        {"ASSIGNED": 1},
    )


def test_one_bad_link_of_several_keeps_no_other_from_being_made(
    crew: Crew, three: tuple[str, str, str]
) -> None:
    first, second, third = three
    crew.do(f"link {first} --blocks {second} --as zoe")
    ran = crew.run("link", second, "--blocks", first, "--blocks", third, "--as", "zoe", "--json")
    assert ran.code == 4
    codes = [row.get("error", {}).get("code") for row in ran.json["results"]]
    assert codes == ["circle", None]
    assert crew.do(f"show {third}")["task"]["after"] == [second]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("link {} --as zoe", ("usage", 2)),
        ("unlink {} --as zoe", ("usage", 2)),
        ("link {} --blocks nope --as zoe", ("not-found", 3)),
        ("link {} --blocks t-zzzzzzzz --as zoe", ("not-found", 3)),
        ("link {} --after t-zzzzzzzz --as zoe", ("not-found", 3)),
        ("spawn part --parent t-zzzzzzzz --as zoe", ("not-found", 3)),
    ],
)
def test_a_link_to_nothing_is_refused(crew: Crew, line: str, expected: tuple[str, int]) -> None:
    assert why(crew.refused(line.format(crew.spawn("one")))) == expected


def test_parts_come_from_a_file_with_their_epic(crew: Crew) -> None:
    text = '{"title":"part","parent":"epic"}\n{"title":"epic","slug":"epic"}\n'
    part, epic = [row["task"] for row in crew.do("spawn --from - --as zoe", stdin=text)["results"]]
    assert crew.do(f"show {part}")["task"]["parent"] == epic
    circle = '{"title":"a","slug":"a","parent":"b"}\n{"title":"b","slug":"b","parent":"a"}\n'
    assert why(crew.refused("spawn --from - --as zoe", stdin=circle)) == ("bad-value", 2)


def test_an_epic_counts_the_whole_tree_below_it(crew: Crew) -> None:
    epic = crew.spawn("epic")
    chapters = [crew.spawn(f"chapter {number}", f"--parent {epic}") for number in range(2)]
    page = crew.spawn("page", f"--parent {chapters[0]}")
    line = crew.spawn("line", f"--parent {page}")
    finish(crew, line)

    assert crew.do(f"show {epic}")["task"]["parts"] == {"ASSIGNED": 3, "COMPLETED": 1}
    listed = {row["id"]: row.get("parts") for row in crew.do("list")["tasks"]}
    assert (listed[epic], listed[chapters[0]]) == (
        {"ASSIGNED": 3, "COMPLETED": 1},
        {"ASSIGNED": 1, "COMPLETED": 1},
    )
    assert (listed[page], listed[chapters[1]]) == ({"COMPLETED": 1}, None)
    assert "1 of 4 done: 3 ASSIGNED" in crew.run("graph").out
    crew.do(f"unlink {page} --parent {chapters[0]} --as zoe")
    assert crew.do(f"show {epic}")["task"]["parts"] == {"ASSIGNED": 2}


# --- what people read ----------------------------------------------------------------------------------------------


def test_unlink_says_that_a_link_is_gone_and_not_what_link_says(
    crew: Crew, three: tuple[str, str, str]
) -> None:
    first, second, _ = three
    line = f"{second} after {first}"

    linked = crew.run("link", second, "--after", first, "--as", "zoe")
    unlinked = crew.run("unlink", second, "--after", first, "--as", "zoe")

    assert f"  linked: {line}\n" in linked.out
    assert f"  unlinked: {line}\n" in unlinked.out


def test_unlinking_what_never_was_linked_says_so(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, _ = three

    done = crew.run("unlink", second, "--after", first, "--as", "zoe")

    assert done.err == f"nothing to do: {second} after {first} is not linked\n"
    assert "unlinked" not in done.out


def test_linking_what_is_linked_says_so(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, _ = three
    crew.do(f"link {second} --after {first} --as zoe")

    done = crew.run("link", second, "--after", first, "--as", "zoe")

    assert done.err == f"nothing to do: {second} after {first} is linked already\n"


@pytest.mark.parametrize("command", ["link", "unlink"])
def test_without_an_option_the_hint_shows_the_command_that_was_typed(crew: Crew, command: str) -> None:
    refused = crew.refused(f"{command} {crew.spawn()} --as zoe")

    assert refused["hint"] == f"Example: crewlog {command} t-3k9f --after t-8hq2"


@pytest.mark.parametrize("command", ["log", "tail", "show"])
def test_the_line_of_a_link_says_to_what(crew: Crew, three: tuple[str, str, str], command: str) -> None:
    first, second, _ = three
    crew.do(f"link {second} --after {first} --as zoe")
    crew.do(f"unlink {second} --after {first} --as zoe")

    lines = crew.run(command, *([] if command == "tail" else [second])).out.splitlines()

    made, gone = (next(line for line in lines if kind in line) for kind in ("task.linked", "task.unlinked"))
    assert made.endswith(f"{second}  after {first}")
    assert gone.endswith(f"{second}  after {first}")


def test_show_parts_each_word_from_what_it_names(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, _ = three
    crew.do(f"link {second} --relates {first} --as zoe")

    assert f"  relates   {first}\n" in crew.run("show", second).out


# --- what waits ----------------------------------------------------------------------------------------------------


def test_nobody_is_sent_to_start_what_waits(crew: Crew) -> None:
    blocker = crew.spawn("first")

    spawned = crew.do(f"spawn later --after {blocker} --as zoe")
    shown = crew.run("show", spawned["task"])

    assert spawned["next"] == [f"crewlog show {blocker}"]
    assert f"  next: crewlog show {blocker}\n" in shown.out
    finish(crew, blocker)
    assert f"  next: crewlog start {spawned['task']}\n" in crew.run("show", spawned["task"]).out


def test_who_starts_what_waits_is_told_what_for(crew: Crew, three: tuple[str, str, str]) -> None:
    first, second, third = three
    crew.do(f"link {second} --after {first} --as zoe")

    told = crew.run("--json", "start", second, "--as", "ada")
    free = crew.run("--json", "start", third, "--as", "bob")

    assert told.json["blocked_by"] == [first]
    assert f"it waits for {first}, not COMPLETED yet: `crewlog graph {second}`" in told.err
    assert "blocked_by" not in free.json
    assert "waits for" not in free.err


def test_an_epic_is_ready_when_none_of_its_parts_is_open(crew: Crew) -> None:
    epic = crew.spawn("epic", "-p 0")
    part, other = crew.spawn("part", f"--parent {epic}"), crew.spawn("other", f"--parent {epic}")
    assert ready(crew) == [part, other]
    assert crew.do("status")["ready"] == 2
    [row] = crew.do("ready --explain")["waiting"]
    assert row["id"] == epic
    [reason] = row["why"]
    assert reason.startswith("It has 2 open parts: ")
    assert f"`crewlog graph {epic}`" in reason

    assert crew.do("start --as bob")["task"] == part
    crew.do(f"release {part} --force --reason 'only to see' --as zoe")
    crew.do(f"cancel {other} --as zoe")
    assert ready(crew) == [part]
    finish(crew, part)
    assert ready(crew) == [epic]
    crew.do(f"retry {other} --as zoe")
    assert ready(crew) == [other]
    crew.do(f"unlink {other} --parent {epic} --as zoe")
    assert ready(crew) == [epic, other]
    assert crew.do("rebuild")["same"]


def test_a_part_that_waits_for_its_own_epic_is_a_circle(crew: Crew) -> None:
    epic = crew.spawn("epic", "--slug epic")
    part = crew.spawn("part", f"--parent {epic}")
    between = crew.spawn("between", f"--after {epic}")
    lines = '{"title": "e", "slug": "e"}\n{"title": "p", "parent": "e", "after": ["e"]}\n'
    for command in (
        f"spawn x --parent {epic} --after {epic} --as zoe",
        f"spawn x --parent {epic} --after {between} --as zoe",
        f"link {part} --after {epic} --as zoe",
        f"link {part} --after {between} --as zoe",
        f"link {between} --parent {epic} --as zoe",
    ):
        assert why(crew.refused(command)) == ("circle", 4), command
    refused = crew.refused("spawn --from - --as zoe", stdin=lines)
    assert why(refused) == ("bad-value", 2)
    assert "wait for each other" in refused["message"]
    assert len(crew.do("list")["tasks"]) == 3
