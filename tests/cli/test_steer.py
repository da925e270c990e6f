"""`cancel`, `retry`, `assign`, `edit`, `undo`: steering tasks."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Crew, why


def test_cancelled_tasks_can_be_taken_back(crew: Crew) -> None:
    task = crew.spawn()

    cancelled = crew.do(f"cancel {task} --reason 'done upstream' --as zoe")

    assert (cancelled["state"], cancelled["next"]) == ("CANCELLED", [f"crewlog retry {task} --as zoe"])
    assert crew.do(f"show {task}")["task"]["end"]["reason"] == "done upstream"
    assert crew.do(f"retry {task} --reason 'not quite' --as zoe")["state"] == "ASSIGNED"
    assert crew.do(f"show {task}")["task"]["attempts"] == 2


def test_cancelling_a_held_task_makes_its_claim_stale(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    crew.do(f"cancel {task} --as zoe")

    refused = crew.refused(f"done {task} --as ada --claim {claim}")
    assert why(refused) == ("stale-claim", 5)
    assert "nobody holds it: it is CANCELLED" in refused["message"]


def test_several_tasks_are_cancelled_at_once(crew: Crew) -> None:
    tasks = [crew.spawn(), crew.spawn()]

    results = crew.do(f"cancel {' '.join(tasks)} --as zoe")["results"]

    assert [(row["task"], row["state"]) for row in results] == [(task, "CANCELLED") for task in tasks]
    assert crew.run("cancel", *tasks, "--as", "zoe").code == 4


def test_a_key_goes_with_one_task(crew: Crew) -> None:
    assert why(crew.refused(f"cancel {crew.spawn()} {crew.spawn()} --key k --as zoe")) == ("usage", 2)


def test_an_empty_task_cancels_nothing(crew: Crew) -> None:
    task = crew.spawn()

    refused = crew.refused("cancel '' --as zoe", environ={"CREWLOG_TASK": task})

    assert why(refused) == ("bad-value", 2)
    assert crew.state(task) == "ASSIGNED"


def test_a_waiting_task_is_given_to_a_name_or_to_anyone(crew: Crew) -> None:
    task = crew.spawn()

    crew.do(f"assign {task} --to bob --as zoe")
    assert crew.do(f"show {task}")["task"]["assignee"] == "bob"
    crew.do(f"assign {task} --to anyone --as zoe")
    assert crew.do(f"show {task}")["task"]["assignee"] is None


@pytest.mark.parametrize(
    "line", ["assign {task} --to anyone", "edit {task} -p 2 --title Greet --remove-label x"]
)
def test_a_change_to_what_is_so_already_writes_nothing(crew: Crew, line: str) -> None:
    task = crew.spawn("Greet")

    result = crew.run(*line.format(task=task).split(), "--as", "zoe", "--json")

    assert (result.code, result.json["event"]) == (0, None)
    assert "nothing to do" in result.err
    assert crew.events(task) == ["task.spawned"]


def test_edit_changes_what_is_named_and_leaves_the_rest(crew: Crew) -> None:
    task = crew.spawn("Greet", "--label a --label b --slug greet")

    crew.do(
        f"edit {task} --title 'Greet by name' -p 0 --label c --remove-label a --body - --as zoe", stdin="how"
    )

    shown = crew.do(f"show {task}")["task"]
    assert (shown["title"], shown["priority"], shown["body"]) == ("Greet by name", 0, "how")
    assert (shown["labels"], shown["slug"]) == (["b", "c"], "greet")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("", "usage"),
        ("--title ''", "bad-value"),
        (f"--title {'x' * 501}", "bad-value"),
        ("-p 11", "bad-value"),
        ("--slug ''", "bad-value"),
        ("--label 'a b'", "bad-value"),
    ],
)
def test_an_edit_that_is_wrong_is_refused(crew: Crew, options: str, code: str) -> None:
    task = crew.spawn()

    assert why(crew.refused(f"edit {task} {options} --as zoe")) == (code, 2)
    assert crew.events(task) == ["task.spawned"]


def test_undo_of_each_event_that_has_an_inverse(crew: Crew) -> None:
    def undone(task: str, name: str) -> tuple[str, str]:
        return crew.do(f"undo {task} --as {name}")["state"], crew.events(task)[-1]

    task = crew.spawn()
    assert undone(task, "zoe") == ("CANCELLED", "task.cancelled")

    task = crew.spawn()
    crew.do(f"cancel {task} --as zoe")
    assert undone(task, "zoe") == ("ASSIGNED", "task.retried")

    task = crew.spawn("x", "--to ada")
    crew.do(f"assign {task} --to bob --as zoe")
    assert undone(task, "zoe") == ("ASSIGNED", "task.assigned")
    assert crew.do(f"show {task}")["task"]["assignee"] == "ada"

    claim = crew.start(task, "ada")
    assert undone(task, "ada") == ("ASSIGNED", "task.released")
    assert why(crew.refused(f"done {task} --as ada --claim {claim}")) == ("stale-claim", 5)

    claim = crew.start(task, "ada")
    crew.do(f"done {task} --as ada --claim {claim}")
    assert undone(task, "ada") == ("WORKING", "task.withdrawn")


def test_undo_of_an_edit_gives_back_what_was_there(crew: Crew) -> None:
    task = crew.spawn("Greet", "--label a --slug greet")
    before = crew.do(f"show {task}")["task"]
    crew.do(f"edit {task} --title Other -p 0 --slug other --label b --remove-label a --as zoe")

    crew.do(f"undo {task} --as zoe")

    after = crew.do(f"show {task}")["task"]
    for name in ("title", "priority", "slug", "labels"):
        assert after[name] == before[name]


def test_only_my_own_last_event_is_undone(crew: Crew) -> None:
    task = crew.spawn()
    crew.do(f"note {task} hm --as bob")

    refused = crew.refused(f"undo {task} --as zoe")

    assert why(refused) == ("cannot-undo", 4)
    assert "bob's task.noted, not yours" in refused["message"]
    assert f"`crewlog log {task}`" in refused["hint"]


def test_what_has_no_inverse_is_refused_and_says_what_is_legal(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe")

    refused = crew.refused(f"undo {task} --as zoe")

    assert why(refused) == ("cannot-undo", 4)
    assert refused["hint"] == "Legal now: edit, note, link, unlink."
    assert why(crew.refused("undo t-zzzzzzzz --as zoe")) == ("not-found", 3)
