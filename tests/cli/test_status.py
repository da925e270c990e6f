"""`status`: what needs a person, each with a command that works when it is pasted."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from domain.task import STATES
from projections.attention import OVERDUE
from tests.cli.conftest import Crew
from tests.cli.test_liveness import Clock
from tests.cli.test_style import on_a_terminal


@pytest.fixture
def clock(crew: Crew) -> Clock:
    """The crew's clock."""
    crew.clock = Clock()
    return crew.clock


@pytest.fixture
def troubled(crew: Crew, clock: Clock) -> dict[str, str]:
    """One of each: something to review, to merge, that failed, a question, an overdue ack, a lost agent."""
    crew.do("join zoe --person --pid 1")
    crew.do("join bob --pid 1")
    found: dict[str, str] = {}
    lost = crew.spawn("left behind")
    crew.start(lost, "eve")
    crew.do("heartbeat --as eve")
    clock.pass_by(1)
    found["lost"] = lost
    found["ack"] = crew.do("send people 'the build is red' --needs-ack --as bob")["message"]
    clock.pass_by(660)
    found["question"] = crew.do("ask people 'which port?' --as bob")["message"]
    found["review"], _ = crew.submitted("to judge")
    merge, _ = crew.submitted("to merge")
    crew.do(f"approve {merge} --no-merge --as zoe")
    found["merge"] = merge
    failed = crew.spawn("too hard")
    claim = crew.start(failed, "bob")
    crew.do(f"fail {failed} --reason 'no such API' --claim {claim} --as bob")
    found["failed"] = failed
    return found


def filled_in(command: str) -> list[str]:
    """The words behind `crewlog`, with somebody's own words where there is a place for them."""
    program, *words = shlex.split(command)
    assert program == "crewlog"
    return ["my own words" if word == "…" else word for word in words]


def attention(crew: Crew, *more: str) -> list[dict[str, Any]]:
    """What waits, as zoe sees it."""
    answered: list[dict[str, Any]] = crew.do(f"status --as zoe {' '.join(more)}")["attention"]
    return answered


def test_everything_that_waits_for_a_person_is_there_oldest_first(
    crew: Crew, troubled: dict[str, str]
) -> None:
    rows = attention(crew)
    assert {row["kind"]: row["id"] for row in rows} == troubled
    assert [row["since"] for row in rows] == sorted(row["since"] for row in rows)
    assert [row["kind"] for row in rows][:2] == ["lost", "ack"]
    [failed] = [row for row in rows if row["kind"] == "failed"]
    assert (failed["who"], failed["text"], failed["title"]) == ("bob", "no such API", "too hard")


def test_every_command_pasted_succeeds_and_takes_its_line_off(crew: Crew, troubled: dict[str, str]) -> None:
    lines = crew.run("status", "--as", "zoe").out.splitlines()
    commands = [line.strip() for line in lines if line.startswith("       crewlog ")]
    assert len(commands) == len(troubled)
    for command in commands:
        before = len(attention(crew))
        words = filled_in(command)
        result = crew.run(*words)
        assert result.code == 0, (command, result)
        assert len(attention(crew)) == before - 1, command
    assert crew.run("status", "--as", "zoe").out.startswith("nothing needs you\n")


@pytest.mark.parametrize("place", range(3))
def test_the_other_commands_of_a_line_succeed_too(crew: Crew, troubled: dict[str, str], place: int) -> None:
    for row in attention(crew):
        for command in row["commands"][place : place + 1]:
            result = crew.run(*filled_in(command))
            assert result.code == 0, (command, result)


@pytest.mark.parametrize("viewer", ["", "--as ada", "--as bob", "--as zoe"])
def test_whoever_looks_gets_commands_that_they_may_give(
    crew: Crew, troubled: dict[str, str], viewer: str
) -> None:
    rows = crew.do(f"status {viewer}")["attention"]
    assert len(rows) == len(troubled)
    for row in rows:
        result = crew.run(*filled_in(row["command"]))
        assert result.code == 0, (row["command"], result)
    if viewer == "--as ada":  # who handed it in does not judge it
        assert [row["command"].split()[1] for row in rows if row["kind"] == "review"] == ["show"]


def test_where_persons_must_approve_no_agent_is_told_to(crew: Crew, troubled: dict[str, str]) -> None:
    (crew.folder / ".crewlog/config.toml").write_text('[review]\nby = "person"\n')
    told = {name: crew.do(f"status --as {name}")["attention"] for name in ("zoe", "bob")}
    verbs = {
        name: [row["command"].split()[1] for row in rows if row["kind"] == "review"]
        for name, rows in told.items()
    }
    assert verbs == {"zoe": ["approve"], "bob": ["show"]}


def test_on_a_terminal_the_name_may_be_left_out(crew: Crew, troubled: dict[str, str]) -> None:
    result = crew.run("status", terminal=True)
    assert f"       crewlog approve {troubled['review']}\n" in result.out


def test_counts_are_there_for_every_state_and_brief_is_one_line(crew: Crew, troubled: dict[str, str]) -> None:
    crew.spawn("waits", f"--after {crew.spawn('ready')}")
    answered = crew.do("status --as zoe")
    assert set(answered["counts"]) == set(STATES)
    assert (answered["counts"]["ASSIGNED"], answered["ready"]) == (2, 1)
    [line] = crew.run("status", "--brief", "--as", "zoe").out.splitlines()
    assert line.startswith("6 need you: 1 reviews, 1 merges, 1 failed, 1 questions, 1 acks, 1 lost agents; ")
    assert line.endswith("2 assigned (1 ready), 1 working, 1 in review, 1 approved, 1 failed")


def test_an_ack_is_overdue_only_after_a_while(crew: Crew, clock: Clock) -> None:
    crew.do("join bob --pid 1")
    crew.do("send bob 'read this' --needs-ack --as zoe")
    assert attention(crew) == []
    clock.pass_by(660)
    [row] = attention(crew)
    assert (row["kind"], row["command"].split()[1]) == ("ack", "read")
    assert "not read by bob" in row["text"]


def test_the_help_says_when_an_ack_is_overdue(crew: Crew) -> None:
    said = " ".join(crew.run("send", "--help").out.split())
    assert f"as overdue from {OVERDUE // 60} minutes on" in said


def test_since_says_what_came_to_rest_and_why(crew: Crew, troubled: dict[str, str], clock: Clock) -> None:
    crew.run("status", "--as", "zoe")
    clock.pass_by(3_600)
    new = crew.spawn("new one")
    crew.do(f"approve {troubled['review']} --as zoe")
    crew.do(f"retry {troubled['failed']} --as zoe")
    claim = crew.start(troubled["failed"], "ada")
    crew.do(f"fail {troubled['failed']} --reason 'still no API' --claim {claim} --as ada")
    crew.run("status", "--brief", "--as", "zoe")  # a glance is no look: it forgets nothing
    for since in ("last", "30m"):
        found = crew.do(f"status --since {since} --as zoe")["since"]
        counted = {word: found[word]["count"] for word in ("completed", "failed", "cancelled", "spawned")}
        assert counted == {"completed": 1, "failed": 1, "cancelled": 0, "spawned": 1}
        [failed] = found["failed"]["tasks"]
        assert (failed["by"], failed["reason"]) == ("ada", "still no API")
        assert [task["id"] for task in found["spawned"]["tasks"]] == [new]
    assert "nothing changed" in crew.run("status", "--since", "last", "--as", "zoe").out
    assert "still no API" in crew.run("status", "--since", "30m", "--as", "zoe").out


def test_what_agents_wrote_is_only_text(crew: Crew, clock: Clock) -> None:
    task = crew.spawn("\u202eevil $(reboot)")
    claim = crew.start(task, "bob")
    crew.run("fail", task, "--reason", "\x1b[2J`rm`", "--claim", claim, "--as", "bob")
    out = on_a_terminal(crew, "status", "--as", "zoe", NO_COLOR="1", COLUMNS="60")
    assert not {"\x1b", "\u202e"} & {*out}
    assert f"       crewlog retry {task} --as zoe\n" in out
    assert all(len(line) <= 60 for line in out.splitlines())


def test_status_is_a_command_and_no_slip_of_start(crew: Crew) -> None:
    assert crew.do("status")["attention"] == []
    assert crew.run("status").out == "nothing needs you\n\nno tasks\n"


def test_who_is_no_person_is_not_told_to_answer_for_the_people(crew: Crew, troubled: dict[str, str]) -> None:
    for name, verb in (("zoe", "answer"), ("ada", "read")):
        rows = crew.do(f"status --as {name}")["attention"]
        [question] = [row for row in rows if row["kind"] == "question"]
        assert question["command"].split()[1] == verb, name
        assert (" answer " in " ".join(question["commands"])) == (verb == "answer")


@pytest.mark.parametrize(
    "words",
    [
        "answer {question} … --as zoe",
        "reject {review} --reason … --as zoe",
        "note {review} …",
        "send zoe … --as bob",
    ],
)
def test_what_stands_for_words_is_no_text(crew: Crew, troubled: dict[str, str], words: str) -> None:
    before = crew.do("status")["counts"]
    refused = crew.refused(words.format(**troubled))
    assert refused["code"] == "bad-value"
    assert "your own words" in refused["hint"]
    assert crew.do("status")["counts"] == before


def test_what_waits_for_something_cancelled_is_there_with_the_command_that_frees_it(crew: Crew) -> None:
    gone = crew.spawn("gone")
    waits = crew.spawn("waits", f"--after {gone}")
    crew.do(f"cancel {gone} --as zoe")
    [row] = attention(crew)
    assert (row["kind"], row["id"]) == ("stuck", waits)
    assert f"{gone} (gone), which is CANCELLED" in row["text"]
    [reason] = crew.do("ready --explain")["waiting"][0]["why"]
    assert f"`crewlog unlink {waits} --after {gone}` or `crewlog retry {gone}`" in reason
    crew.run(*filled_in(row["command"]))
    assert attention(crew) == []
    assert [task["id"] for task in crew.do("ready")["tasks"]] == [waits]
