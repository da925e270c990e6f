"""`start`, `resume`: taking a task, and what its claim fences."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Crew, why
from tests.cli.repositories import linked, repository


def test_the_event_that_starts_a_task_is_its_claim(crew: Crew) -> None:
    task = crew.spawn()

    answer = crew.do(f"start {task} --as ada")

    assert (answer["state"], answer["claim"]) == ("WORKING", answer["event"])
    assert answer["dir"] == str(crew.folder)
    assert answer["next"] == [f"crewlog done {task} --as ada --claim {answer['claim'][:12]}"]
    shown = crew.do(f"show {task}")["task"]
    assert (shown["holder"], shown["claim"]) == ("ada", answer["claim"])


@pytest.mark.parametrize("what", ["dir", "task", "claim"])
def test_print_gives_one_thing_only(crew: Crew, what: str) -> None:
    task = crew.spawn()

    out = crew.run("start", task, "--as", "ada", "--print", what).out.strip()

    shown = crew.do(f"show {task}")["task"]
    assert out == {"dir": str(crew.folder), "task": task, "claim": shown["claim"]}[what]


def test_without_a_task_mine_come_first_then_anyones_by_priority_then_age(crew: Crew) -> None:
    old = crew.spawn("old")
    urgent = crew.spawn("urgent", "-p 0")
    mine = crew.spawn("mine", "-p 9 --to ada")
    crew.spawn("bob's", "-p 0 --to bob")

    taken = [crew.do("start --as ada")["task"] for _ in range(3)]

    assert taken == [mine, urgent, old]
    assert why(crew.refused("start --as ada")) == ("nothing-yet", 8)


def test_a_blocked_task_is_not_taken_until_its_blocker_is_completed(crew: Crew) -> None:
    first, claim = crew.submitted("first")
    second = crew.spawn("second", f"--after {first}")
    assert crew.refused("start --as bob")["retryable"]

    crew.do(f"approve {first} --as zoe")

    assert claim
    assert crew.do("start --as bob")["task"] == second


def test_who_finds_nothing_is_sent_where_it_says_what_the_tasks_wait_for(crew: Crew) -> None:
    refused = crew.refused("start --as ada")
    assert why(refused) == ("nothing-yet", 8)
    assert "crewlog start --wait" in refused["hint"], "there is no task at all to explain"

    bobs = crew.spawn("parse", "--to bob")
    waits = crew.spawn("print", f"--after {bobs}")
    hint = crew.refused("start --as ada")["hint"]
    said = crew.do(hint.split("`")[1].removeprefix("crewlog "))["waiting"]

    assert {row["id"]: row["why"] for row in said} == {
        bobs: ["It is for bob."],
        waits: [f"It waits for {bobs} (parse), which is ASSIGNED: `crewlog show {bobs}`."],
    }


def test_a_blocker_is_advice_to_who_names_the_task(crew: Crew) -> None:
    blocked = crew.spawn("second", f"--after {crew.spawn('first')}")

    assert crew.do(f"start {blocked} --as ada")["state"] == "WORKING"


def test_a_task_that_another_holds_is_not_started_again(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task, "ada")

    refused = crew.refused(f"start {task} --as bob")

    assert why(refused) == ("held", 5)
    assert refused["message"].startswith(f"{task} is held by ada since ")
    assert refused["details"]["holder"] == "ada"
    assert "`crewlog start` without a task" in refused["hint"]


def test_a_second_start_under_the_same_name_is_refused_too(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task, "ada")

    refused = crew.refused(f"start {task} --as ada")

    assert why(refused) == ("held", 5)
    assert f"`crewlog resume {task}`" in refused["hint"]


def test_a_task_that_is_for_another_is_not_started(crew: Crew) -> None:
    task = crew.spawn("x", "--to bob")

    refused = crew.refused(f"start {task} --as ada")

    assert why(refused) == ("not-assignee", 4)
    assert refused["details"]["assignee"] == "bob"
    assert f"`crewlog assign {task} --to ada`" in refused["hint"]


def test_an_empty_task_is_no_wish_for_any_task(crew: Crew) -> None:
    task = crew.spawn()

    assert why(crew.refused("start '' --as ada")) == ("bad-value", 2)
    assert crew.state(task) == "ASSIGNED"


def test_unknown_tasks_are_not_found(crew: Crew) -> None:
    for typed in ("t-zzzzzzzz", "nope"):
        refused = crew.refused(f"start {typed} --as ada")
        assert why(refused) == ("not-found", 3)
        assert "`crewlog list`" in refused["hint"]


def test_a_prefix_that_fits_several_tasks_lists_them(crew: Crew) -> None:
    first, second = crew.spawn("first", "--slug greet"), crew.spawn("second", "--slug greet")

    refused = crew.refused("start greet --as ada")

    assert why(refused) == ("ambiguous", 3)
    assert {one["id"] for one in refused["details"]["candidates"]} == {first, second}
    text = crew.run("start", "greet", "--as", "ada").err
    assert f"  {first}  ASSIGNED   first" in text
    assert "hint: Type more of the id" in text


def test_a_prefix_that_fits_one_task_will_do(crew: Crew) -> None:
    task = crew.spawn()

    assert crew.do(f"start {task[2:6]} --as ada")["task"] == task


def test_resume_makes_the_old_claim_stale(crew: Crew) -> None:
    task = crew.spawn()
    old = crew.start(task)

    new = crew.do(f"resume {task} --as ada")["claim"]

    refused = crew.refused(f"done {task} --as ada --claim {old}")
    assert why(refused) == ("stale-claim", 5)
    assert "ada holds it since" in refused["message"]
    assert crew.do(f"done {task} --as ada --claim {new[:8]}")["state"] == "IN_REVIEW"


def test_only_the_holders_name_may_resume(crew: Crew) -> None:
    task = crew.spawn()
    assert why(crew.refused(f"resume {task} --as ada")) == ("wrong-state", 4)
    crew.start(task)

    assert why(crew.refused(f"resume {task} --as bob")) == ("held", 5)


def test_a_stale_claim_names_who_holds_the_task_now(crew: Crew) -> None:
    task = crew.spawn()
    old = crew.start(task, "ada")
    crew.do(f'release {task} --force --reason "she is gone" --as zoe')
    crew.start(task, "bob")

    for command in ("done", "release", "progress --percent 5", "fail --reason x", "done --withdraw"):
        verb, _, rest = command.partition(" ")
        refused = crew.refused(f"{verb} {task} {rest} --as ada --claim {old}")
        assert why(refused) == ("stale-claim", 5), command
        assert (refused["details"]["holder"], refused["details"]["state"]) == ("bob", "WORKING")
        assert f"`crewlog log {task}`" in refused["hint"]


def test_what_needs_a_claim_is_refused_without_one(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task)

    for command in ("done", "release", "progress --percent 5", "fail --reason x"):
        verb, _, rest = command.partition(" ")
        refused = crew.refused(f"{verb} {task} {rest} --as ada")
        assert why(refused) == ("no-claim", 4), command
        assert "`crewlog whoami --as ada`" in refused["hint"]


def test_a_claim_is_worth_nothing_under_another_name(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task, "ada")

    refused = crew.refused(f"done {task} --as bob --claim {claim}")

    assert why(refused) == ("held", 5)
    assert refused["details"]["holder"] == "ada"


def test_too_short_a_claim_proves_nothing(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    assert why(crew.refused(f"done {task} --as ada --claim {claim[:3]}")) == ("stale-claim", 5)


def test_the_session_process_can_be_named(crew: Crew) -> None:
    task = crew.spawn()

    assert why(crew.refused(f"start {task} --as ada --pid 4194399")) == ("bad-value", 2)
    crew.do(f"start {task} --as ada --pid 1")

    started = crew.do(f"show {task}")["events"][-1]
    assert started["payload"]["process"]["pid"] == 1


def test_the_answer_says_which_process_ends_the_claim(crew: Crew) -> None:
    task = crew.spawn()

    assert crew.do(f"start {task} --as ada --pid 1")["process"]["pid"] == 1
    assert crew.do(f"resume {task} --as ada --pid 1")["process"]["pid"] == 1


def test_who_takes_a_second_task_is_reminded_of_the_first_and_where_it_is(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "code"))
    crew.do("init --as zoe")
    there = linked(crew.folder, "side")
    first, second, third = (crew.spawn(f"task {number}") for number in range(3))
    claim = crew.do(f"start {first} --as ada", cwd=there)["claim"]

    again = crew.run("start", second, "--as", "ada", "--json", cwd=there)

    assert again.json["also_holds"] == [first]
    assert f"you still work on {first}" in again.err
    crew.do(f"done {first} --as ada --claim {claim} --no-commit")
    crew.do(f"done {second} --as ada --claim {again.json['claim']} --no-commit")
    assert "also_holds" not in crew.do(f"start {third} --as ada", cwd=there)
