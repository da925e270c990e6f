"""`--key`: the same command again gets its first answer; another command is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.conftest import Crew, why


def assigned(crew: Crew) -> str:
    return crew.spawn()


def working(crew: Crew) -> str:
    task = crew.spawn()
    crew.start(task)
    return task


def in_review(crew: Crew) -> str:
    return crew.submitted()[0]


def approved(crew: Crew) -> str:
    task = in_review(crew)
    crew.do(f"approve {task} --no-merge --as zoe")
    return task


def cancelled(crew: Crew) -> str:
    task = crew.spawn()
    crew.do(f"cancel {task} --as zoe")
    return task


LINES: dict[str, tuple[Callable[[Crew], str], str]] = {
    "start": (assigned, "start {task} --as ada"),
    "resume": (working, "resume {task} --as ada"),
    "progress": (working, "progress {task} --percent 5 --as ada --claim {claim}"),
    "note": (working, "note {task} hm --as ada"),
    "done": (working, "done {task} --as ada --claim {claim}"),
    "done --withdraw": (in_review, "done {task} --withdraw --as ada --claim {claim}"),
    "fail": (working, "fail {task} --reason no --as ada --claim {claim}"),
    "release": (working, "release {task} --as ada --claim {claim}"),
    "approve": (in_review, "approve {task} --as ada2"),
    "reject": (in_review, "reject {task} --reason no --as ada2"),
    "merge": (approved, "merge {task} --as ada2"),
    "cancel": (assigned, "cancel {task} --as ada2"),
    "retry": (cancelled, "retry {task} --as ada2"),
    "assign": (assigned, "assign {task} --to bob --as ada2"),
    "edit": (assigned, "edit {task} -p 0 --as ada2"),
    "undo": (assigned, "undo {task} --as zoe"),
}


@pytest.mark.parametrize("name", list(LINES))
def test_a_retry_with_the_same_key_gets_the_first_event(crew: Crew, name: str) -> None:
    make, line = LINES[name]
    task = make(crew)
    claim = crew.do(f"show {task}")["task"]["claim"] or ""
    line = line.format(task=task, claim=claim)
    first = crew.do(f"{line} --key run-17")
    written = crew.events(task)

    again = crew.do(f"{line} --key run-17")

    assert (again["event"], again["replayed"]) == (first["event"], True)
    assert again.get("claim") == first.get("claim")
    assert crew.events(task) == written


def test_a_retry_answers_with_the_state_as_it_is_now(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.do(f"start {task} --as ada --key s")["claim"]
    crew.do(f"done {task} --as ada --claim {claim}")

    again = crew.do(f"start {task} --as ada --key s")

    assert (again["event"], again["state"], again["claim"]) == (claim, "IN_REVIEW", claim)


def test_a_spawn_is_repeated_by_its_title(crew: Crew) -> None:
    first = crew.do("spawn Greet --key k --as zoe")

    again = crew.run("spawn", "Greet", "--key", "k", "--as", "zoe", "--json")

    assert (again.json["task"], again.json["replayed"]) == (first["task"], True)
    assert "nothing new was written" in again.err
    assert why(crew.refused("spawn Other --key k --as zoe")) == ("key-reuse", 5)


def test_start_without_a_task_gets_the_same_task_again(crew: Crew) -> None:
    crew.spawn("first")
    crew.spawn("second")
    first = crew.do("start --key k --as ada")

    again = crew.do("start --key k --as ada")

    assert (again["task"], again["claim"], again["replayed"]) == (first["task"], first["claim"], True)
    assert crew.do("start --key k2 --as ada")["task"] != first["task"]


def test_start_without_a_task_gets_its_answer_when_nothing_is_ready_any_more(crew: Crew) -> None:
    task = crew.spawn()
    crew.do("start --key k --as ada")
    crew.do(f"cancel {task} --as zoe")

    assert crew.do("start --key k --as ada")["state"] == "CANCELLED"


def test_join_is_repeated_too(crew: Crew) -> None:
    first = crew.do("join ada --key k")

    assert crew.do("join ada --key k")["event"] == first["event"]


@pytest.mark.parametrize(
    "line",
    [
        "spawn Greet --as ada",
        "note {task} hm --as ada",
        "start {other} --as ada",
        "done {task} --as ada --claim {claim}",
        "join ada",
    ],
)
def test_a_key_of_another_command_is_refused(crew: Crew, line: str) -> None:
    task, other = crew.spawn(), crew.spawn()
    claim = crew.do(f"start {task} --as ada --key k")["claim"]

    refused = crew.refused(f"{line.format(task=task, other=other, claim=claim)} --key k")

    assert why(refused) == ("key-reuse", 5)
    assert refused["message"] == f"key 'k' already belongs to task.started on {task}"
    assert refused["details"]["event"] == claim
    assert refused["hint"] == "Use a new key for a new command."


def test_each_name_has_keys_of_its_own(crew: Crew) -> None:
    task = crew.spawn()
    crew.do(f"note {task} one --key k --as ada")

    assert "replayed" not in crew.do(f"note {task} two --key k --as bob")


def test_a_refused_command_leaves_its_key_free(crew: Crew) -> None:
    task = crew.spawn()
    crew.refused(f"merge {task} --key k --as zoe")

    assert "replayed" not in crew.do(f"note {task} hm --key k --as zoe")


def test_a_retried_start_never_answers_with_another_holders_claim(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.do(f"start {task} --as ada --key k")["claim"]
    crew.do(f"release {task} --force --reason gone --as zoe")
    crew.start(task, "bob")

    assert crew.do(f"start {task} --as ada --key k")["claim"] == claim
