"""`spawn --from`: many tasks, together or not at all."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.cli.conftest import Crew, why


def lines(*records: Any) -> str:
    return "".join(orjson.dumps(record).decode() + "\n" for record in records)


def test_blockers_may_stand_in_any_order_and_answers_come_in_the_order_of_the_lines(crew: Crew) -> None:
    outside = crew.spawn("Already here")
    text = lines(
        {"title": "last", "slug": "c", "after": ["b", "a"]},
        {"title": "middle", "slug": "b", "after": ["a", outside[:6]]},
        {"title": "first", "slug": "a"},
    )

    results = crew.do("spawn --from - --as zoe", stdin=text)["results"]

    last, middle, first = (row["task"] for row in results)
    shown = [crew.do(f"show {row['task']}")["task"] for row in results]
    assert [task["title"] for task in shown] == ["last", "middle", "first"]
    assert [task["after"] for task in shown] == [[middle, first], [first, outside], []]
    assert [row["id"] for row in crew.do("ready")["tasks"]] == [outside, first]
    assert last not in str(crew.do("ready"))


def test_each_line_says_all_that_a_spawn_can_say(crew: Crew) -> None:
    record = {
        "title": "Greet",
        "body": "by name",
        "priority": 0,
        "to": "ada",
        "labels": ["x"],
        "slug": "greet",
    }

    [row] = crew.do("spawn --from - --as zoe", stdin=lines(record))["results"]

    shown = crew.do(f"show {row['task']}")["task"]
    expected = {
        "title": "Greet",
        "body": "by name",
        "priority": 0,
        "assignee": "ada",
        "labels": ["x"],
        "slug": "greet",
    }
    assert {name: shown[name] for name in expected} == expected


def test_the_file_is_found_from_where_the_command_runs(crew: Crew) -> None:
    (crew.folder / "sub").mkdir()
    (crew.folder / "sub/tasks.jsonl").write_text('\n{"title":"one"}\n\n{"title":"two"}')

    answer = crew.run("spawn", "--from", "tasks.jsonl", "--as", "zoe", "-q", cwd=crew.folder / "sub")

    assert answer.code == 0
    assert [crew.state(task) for task in answer.out.split()] == ["ASSIGNED", "ASSIGNED"]


GOOD = '{"title":"good"}\n'


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("not json", "bad-value", "line 2: not JSON"),
        ("[1]", "bad-value", "line 2: not a JSON object"),
        ('{"titel":"x"}', "bad-value", "line 2: unknown field 'titel'"),
        ('{"body":"x"}', "bad-value", "line 2: the title is empty"),
        ('{"title":7}', "bad-value", "line 2: title must be text"),
        ('{"title":"x","priority":true}', "bad-value", "line 2: priority true is no integer"),
        ('{"title":"x","priority":10}', "bad-value", "line 2: priority 10"),
        ('{"title":"x","labels":"bug"}', "bad-value", "line 2: labels must be a list"),
        ('{"title":"x","to":"Ada"}', "bad-name", "line 2: name 'Ada'"),
        ('{"title":"x","slug":"a/b"}', "bad-value", "line 2: slug 'a/b'"),
        ('{"title":"x","after":["nope"]}', "not-found", "line 2: no task has the id or slug 'nope'"),
        ('{"title":"x","after":["t-zzzzzzzz"]}', "not-found", "line 2: there is no task t-zzzzzzzz"),
        (
            '{"title":"x","slug":"s"}\n{"title":"y","slug":"s"}',
            "bad-value",
            "line 3: slug 's' stands in line 2",
        ),
        ('{"title":"AKIA' + 'QYLPMN5HHHFPZAM2"}', "secret", "line 2: the text looks like"),
        ('{"title":"x","after":' + "[" * 3_000, "bad-value", "line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(crew: Crew, line: str, code: str, said: str) -> None:
    refused = crew.refused("spawn --from - --as zoe", stdin=GOOD + line + "\n")

    assert refused["code"] == code
    assert refused["message"].startswith(said)
    assert refused["details"]["line"] == int(said[5])
    assert crew.do("list")["tasks"] == []


def test_a_line_over_the_limit_is_named(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text("[limits]\nblob = 5000\n")

    refused = crew.refused("spawn --from - --as zoe", stdin=GOOD + lines({"title": "x", "body": "b" * 5_001}))

    assert why(refused) == ("too-large", 4)
    assert refused["message"].startswith("line 2: body is 5,001 bytes")
    assert crew.do("list")["tasks"] == []


def test_tasks_that_wait_for_each_other_are_refused(crew: Crew) -> None:
    text = lines({"title": "a", "slug": "a", "after": ["b"]}, {"title": "b", "slug": "b", "after": ["a"]})

    refused = crew.refused("spawn --from - --as zoe", stdin=text)

    assert why(refused) == ("bad-value", 2)
    assert refused["message"].startswith("these wait for each other: line ")
    assert (
        why(crew.refused("spawn --from - --as zoe", stdin='{"title":"a","slug":"a","after":["a"]}'))[1] == 2
    )


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_task_is_refused(crew: Crew, text: str) -> None:
    assert crew.refused("spawn --from - --as zoe", stdin=text)["message"] == "the file holds no task"


def test_a_file_that_cannot_be_read_is_refused(crew: Crew) -> None:
    assert why(crew.refused("spawn --from nowhere.jsonl --as zoe")) == ("not-found", 3)
    assert why(crew.refused("spawn --from . --as zoe")) == ("not-found", 3)
    assert why(crew.refused("spawn --from '' --as zoe")) == ("not-found", 3)


@pytest.mark.parametrize(
    "more", ["title", "-p 1", "--body x", "--to ada", "--label x", "--slug x", "--after x"]
)
def test_options_for_one_task_do_not_go_with_a_file(crew: Crew, more: str) -> None:
    assert why(crew.refused(f"spawn --from - {more} --as zoe", stdin=GOOD)) == ("usage", 2)


def test_five_hundred_tasks_are_one_transaction(crew: Crew) -> None:
    text = lines(*({"title": f"task {number}", "slug": f"s{number}"} for number in range(500)))

    results = crew.do("spawn --from - --as zoe", stdin=text)["results"]

    events = [orjson.loads(line) for line in crew.run("log", "-n", "1000", "--json").out.splitlines()]
    assert [event["stream"] for event in events[1:]] == [f"task/{row['task']}" for row in results]
    assert [event["seq"] for event in events] == list(range(1, 502))


def test_the_same_file_with_the_same_key_gives_the_first_answer(crew: Crew) -> None:
    text = lines({"title": "b", "slug": "b", "after": ["a"]}, {"title": "a", "slug": "a"})
    first = crew.do("spawn --from - --key k --as zoe", stdin=text)["results"]

    again = crew.run("spawn", "--from", "-", "--key", "k", "--as", "zoe", "--json", stdin=text)

    assert [row["event"] for row in again.json["results"]] == [row["event"] for row in first]
    assert all(row["replayed"] for row in again.json["results"])
    assert "nothing new was written" in again.err
    assert len(crew.do("list")["tasks"]) == 2


def test_another_file_with_the_same_key_is_refused(crew: Crew) -> None:
    crew.do("spawn --from - --key k --as zoe", stdin=GOOD)

    refused = crew.refused("spawn --from - --key k --as zoe", stdin=lines({"title": "other"}))

    assert why(refused) == ("key-reuse", 5)
    assert len(crew.do("list")["tasks"]) == 1
