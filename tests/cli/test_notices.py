"""Notices: what others did to one's task and mail, told once, with any command."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import Crew


def notices(crew: Crew, name: str) -> list[str]:
    """What the name is told with its next command."""
    found: list[str] = crew.do(f"list --as {name}").get("notices", [])
    return found


def test_a_holder_is_told_once_that_the_task_was_rejected_and_why(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f'reject {task} --reason "no test" --as zoe')
    assert notices(crew, "ada") == [f"{task} was rejected by zoe: no test"]
    assert notices(crew, "ada") == []


def test_a_holder_is_told_of_approval_cancellation_and_a_forced_release(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe")
    assert notices(crew, "ada") == [f"{task} was approved by zoe"]
    other = crew.spawn()
    crew.start(other)
    crew.do(f'release {other} --force --reason "you were away" --as zoe')
    assert "released by zoe" in notices(crew, "ada")[0]
    crew.start(other)
    crew.do(f"cancel {other} --as zoe")
    assert "cancelled by zoe" in notices(crew, "ada")[0]


def test_the_old_session_is_told_that_the_task_was_resumed(crew: Crew) -> None:
    task = crew.spawn()
    crew.do(f"start {task} --as ada", environ={"CREWLOG_SESSION": "one"})
    crew.do(f"resume {task} --as ada", environ={"CREWLOG_SESSION": "two"})
    told = crew.do("list --as ada", environ={"CREWLOG_SESSION": "one"})
    assert "resumed by another session" in told["notices"][0]


def test_the_old_session_is_told_that_another_of_its_name_took_the_task_back(crew: Crew) -> None:
    task = crew.spawn()
    session = subprocess.Popen(["sleep", "600"])
    crew.do(f"start {task} --as ada --pid {session.pid}", environ={"CREWLOG_SESSION": "one"})
    session.kill()
    session.wait()
    assert crew.do("reap --as ada", environ={"CREWLOG_SESSION": "two"})["expired"]

    told = crew.do("list --as ada", environ={"CREWLOG_SESSION": "one"})["notices"]

    assert told == [f"{task} was taken from you, since you gave no sign of life"]


def test_what_one_does_oneself_is_no_news(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)
    crew.do(f"release {task} --claim {claim} --as ada")
    assert notices(crew, "ada") == []
    assert notices(crew, "zoe") == []


def test_unread_mail_is_told_until_something_new_comes(crew: Crew) -> None:
    crew.do("join ada")
    crew.do("send ada one --as zoe")
    assert notices(crew, "ada") == ["1 unread: `crewlog inbox`"]
    assert notices(crew, "ada") == []
    crew.do("send ada two --as zoe")
    assert notices(crew, "ada") == ["2 unread: `crewlog inbox`"]


def test_a_busy_inbox_is_told_when_it_has_doubled_and_not_under_each_command(crew: Crew) -> None:
    crew.do("join ada")
    told: list[str] = []
    for number in range(9):
        crew.do(f"send ada {number} --as zoe")
        told += notices(crew, "ada")

    assert [line.split()[0] for line in told] == ["1", "2", "4", "8"]


def test_mail_that_somebody_waits_for_is_told_at_once(crew: Crew) -> None:
    crew.do("join ada")
    for number in range(3):
        crew.do(f"send ada {number} --as zoe")
    assert notices(crew, "ada") == ["3 unread: `crewlog inbox`"]

    crew.do("ask ada 'which port?' --as zoe")
    assert notices(crew, "ada") == ["4 unread: `crewlog inbox`"]
    crew.do("send ada 'the house burns' --needs-ack --as zoe")
    assert notices(crew, "ada") == ["5 unread: `crewlog inbox`"]


def test_who_has_looked_since_is_told_of_the_next_message(crew: Crew) -> None:
    crew.do("join ada")
    for number in range(4):
        crew.do(f"send ada {number} --as zoe")
    assert notices(crew, "ada") == ["4 unread: `crewlog inbox`"]
    for row in crew.do("inbox --as ada")["messages"][:2]:
        crew.do(f"ack {row['id']} --as ada")

    crew.do("send ada five --as zoe")
    assert notices(crew, "ada") == ["3 unread: `crewlog inbox`"]


@pytest.mark.parametrize("line", ["inbox", "whoami", "prime", "wait --message --timeout 0", "read {message}"])
def test_what_an_answer_shows_itself_is_no_news_beside_it_nor_later(crew: Crew, line: str) -> None:
    crew.do("join ada")
    message = crew.do("send ada one --as zoe")["message"]

    assert "notices" not in crew.do(f"{line.format(message=message)} --as ada")
    assert notices(crew, "ada") == []


def test_an_answer_that_was_waited_for_is_not_told_again(crew: Crew) -> None:
    crew.do("join ada")
    for line in ("ask ada 'which port?' --key {key}", "wait --reply {message} --timeout 0"):
        key = line.split()[0]
        message = crew.do(f"ask ada 'which port?' --key {key} --as zoe")["message"]
        crew.do(f"answer {message} 8080 --as ada")
        assert "notices" not in crew.do(f"{line.format(message=message, key=key)} --as zoe"), line
        assert notices(crew, "zoe") == []


def test_who_asked_is_told_of_the_answer(crew: Crew) -> None:
    crew.do("join ada")
    crew.run("ask", "ada", "which port?", "--as", "zoe")
    message = crew.do("inbox --as ada")["messages"][0]["id"]
    crew.do(f"answer {message} 8080 --as ada")
    assert notices(crew, "zoe") == [f"ada answered {message}: 8080"]


def test_at_most_three_lines_and_people_read_them_on_stderr(crew: Crew) -> None:
    crew.do("join ada")
    tasks = [crew.spawn(f"task {number}") for number in range(5)]
    for task in tasks:
        crew.start(task)
    for task in tasks:
        crew.do(f"cancel {task} --as zoe")
    crew.do("send ada hello --as zoe")
    result = crew.run("list", "--as", "ada")
    told = [line for line in result.err.split("\n") if line.startswith("! ")]
    assert len(told) == 3
    assert "unread" in told[-1]
    assert not any(line.startswith("!") for line in result.out.split("\n"))


def test_nobody_in_particular_is_told_nothing(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe")
    assert "notices" not in crew.do("list")


@pytest.mark.parametrize(
    ("line", "code"),
    [("start", 8), ("wait --message --since 100 --timeout 0", 8), ("approve {task}", 4), ("start {task}", 5)],
)
def test_who_is_refused_or_waits_in_vain_is_told_as_well(crew: Crew, line: str, code: int) -> None:
    task, _ = crew.submitted()
    if code == 5:
        task = crew.spawn()
        crew.start(task, "bob")
    crew.do("send ada hello --as zoe")

    result = crew.run(*crew.words(line.format(task=task)), "--as", "ada", "--json")

    assert (result.code, result.json["notices"]) == (code, ["1 unread: `crewlog inbox`"])
    assert notices(crew, "ada") == []
    crew.do("send ada again --as zoe")
    said = crew.run(*crew.words(line.format(task=task)), "--as", "ada").err
    assert said.endswith("! 2 unread: `crewlog inbox`\n")


def test_who_is_refused_without_a_name_is_told_nothing(crew: Crew) -> None:
    crew.do("join ada")
    crew.do("send ada hello --as zoe")

    assert "notices" not in crew.run("wait", "--event", "task.spawned", "--timeout", "0", "--json").json
