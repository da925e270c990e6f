"""`approve`, `reject`, `merge`: what a reviewer says."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Crew, why


def test_approving_completes_a_task_that_has_no_commit(crew: Crew) -> None:
    task, _ = crew.submitted()

    answer = crew.do(f"approve {task} --note 'fine work' --as zoe")

    assert answer["state"] == "COMPLETED"
    assert crew.events(task)[-2:] == ["task.approved", "task.merged"]
    shown = crew.do(f"show {task}")["task"]
    approval = shown["approval"]
    assert (approval["id"], approval["by"], approval["policy"]) == (answer["event"], "zoe", "other")
    assert "fine work" in crew.run("log", task).out


def test_without_merge_it_waits_for_merge(crew: Crew) -> None:
    task, _ = crew.submitted()

    approved = crew.do(f"approve {task} --no-merge --as zoe")
    assert (approved["state"], approved["next"]) == ("APPROVED", [f"crewlog merge {task} --as zoe"])

    assert crew.do(f"merge {task} --as bob")["state"] == "COMPLETED"


def test_merging_a_completed_task_does_nothing_successfully(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe")
    before = crew.do("where")["events"]

    result = crew.run("merge", task, "--as", "zoe", "--json")

    assert (result.code, result.json["event"], result.json["state"]) == (0, None, "COMPLETED")
    assert "nothing to do" in result.err
    assert crew.do("where")["events"] == before


def test_nobody_approves_what_they_handed_in(crew: Crew) -> None:
    task, _ = crew.submitted()

    refused = crew.refused(f"approve {task} --as ada")

    assert why(refused) == ("own-approval", 4)
    assert refused["details"]["holders"] == ["ada"]
    assert f"`crewlog approve {task} --as NAME`" in refused["hint"]


def test_nobody_approves_what_they_held_earlier_in_this_attempt(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task, "ada")
    crew.do(f"release {task} --as ada --claim {claim}")
    claim = crew.start(task, "bob")
    crew.do(f"done {task} --as bob --claim {claim}")

    for name in ("ada", "bob"):
        assert why(crew.refused(f"approve {task} --as {name}")) == ("own-approval", 4)
    assert crew.do(f"approve {task} --as zoe")["state"] == "COMPLETED"


def test_who_lost_the_task_by_force_or_rejection_does_not_approve_it(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"reject {task} --reason 'someone else' --to bob --as zoe")
    claim = crew.start(task, "bob")
    crew.do(f"release {task} --force --reason gone --as zoe")
    crew.do(f"assign {task} --to kim --as zoe")
    claim = crew.start(task, "kim")
    crew.do(f"done {task} --as kim --claim {claim}")

    for name in ("ada", "bob", "kim"):
        assert why(crew.refused(f"approve {task} --as {name}")) == ("own-approval", 4)


def test_who_worked_on_an_earlier_attempt_may_approve_the_next_one(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task, "ada")
    crew.do(f"fail {task} --reason stuck --as ada --claim {claim}")
    crew.do(f"retry {task} --as zoe")
    claim = crew.start(task, "bob")
    crew.do(f"done {task} --as bob --claim {claim}")

    assert crew.do(f"approve {task} --as ada")["state"] == "COMPLETED"


def test_who_spawned_the_task_may_approve_it(crew: Crew) -> None:
    task, _ = crew.submitted()

    assert crew.do(f"approve {task} --as zoe")["state"] == "COMPLETED"


def test_each_of_several_tasks_is_judged_alone(crew: Crew) -> None:
    first, _ = crew.submitted("first")
    waiting = crew.spawn("waiting")
    third, _ = crew.submitted("third")

    result = crew.run("approve", first, waiting, "nope", third, "--as", "zoe", "--json")

    assert result.code == 4
    rows = result.json["results"]
    assert [row["task"] for row in rows] == [first, waiting, "nope", third]
    assert [row.get("state") or row["error"]["code"] for row in rows] == [
        "COMPLETED",
        "wrong-state",
        "not-found",
        "COMPLETED",
    ]
    assert [crew.state(task) for task in (first, waiting, third)] == ["COMPLETED", "ASSIGNED", "COMPLETED"]


def test_for_people_the_refused_ones_are_remarks(crew: Crew) -> None:
    first, _ = crew.submitted()
    waiting = crew.spawn()

    result = crew.run("approve", first, waiting, "--as", "zoe", "-q")

    assert (result.code, result.out.split()) == (4, [first])
    assert result.err.startswith(f"{waiting} is ASSIGNED; approve needs IN_REVIEW [wrong-state]")


def test_a_task_named_twice_is_judged_once(crew: Crew) -> None:
    task, _ = crew.submitted()

    assert crew.do(f"approve {task} {task} --as zoe")["state"] == "COMPLETED"


def test_a_submission_that_was_replaced_is_not_judged(crew: Crew) -> None:
    task, claim = crew.submitted()
    seen = crew.do(f"show {task}")["task"]["submission"]["id"]
    crew.do(f"done {task} -e better --as ada --claim {claim}")

    for command in ("approve", "reject --reason no"):
        verb, _, rest = command.partition(" ")
        refused = crew.refused(f"{verb} {task} {rest} --submission {seen} --as zoe")
        assert why(refused) == ("stale-review", 5)
        assert f"`crewlog show {task}`" in refused["hint"]
    current = crew.do(f"show {task}")["task"]["submission"]["id"]
    assert crew.do(f"approve {task} --submission {current[:8]} --as zoe")["state"] == "COMPLETED"


def test_a_submission_goes_with_one_task(crew: Crew) -> None:
    assert why(crew.refused("approve a b --submission 1234 --as zoe")) == ("usage", 2)


def test_rejected_work_goes_back_to_its_holder_with_the_same_claim(crew: Crew) -> None:
    task, claim = crew.submitted()

    answer = crew.do(f"reject {task} --reason 'no test for empty input' --as zoe")

    assert (answer["state"], answer["claim"]) == ("WORKING", claim)
    assert crew.do(f"done {task} --as ada --claim {claim}")["state"] == "IN_REVIEW"


def test_rejected_work_can_go_to_someone_else(crew: Crew) -> None:
    task, claim = crew.submitted()

    assert crew.do(f"reject {task} --reason no --to bob --as zoe")["state"] == "ASSIGNED"

    assert why(crew.refused(f"done {task} --as ada --claim {claim}")) == ("stale-claim", 5)
    assert why(crew.refused(f"start {task} --as ada")) == ("not-assignee", 4)
    assert crew.do("start --as bob")["task"] == task


def test_approved_work_can_still_be_rejected(crew: Crew) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --no-merge --as zoe")

    assert crew.do(f"reject {task} --reason 'found a bug' --as zoe")["state"] == "WORKING"


@pytest.mark.parametrize("options", ["", "--reason ''", "--reason ' '"])
def test_a_rejection_needs_a_reason(crew: Crew, options: str) -> None:
    task, _ = crew.submitted()

    assert why(crew.refused(f"reject {task} {options} --as zoe")) == ("usage", 2)
    assert why(crew.refused(f"reject {task} --reason no --to '' --as zoe")) == ("bad-name", 2)


def test_nobody_rejects_their_own_work(crew: Crew) -> None:
    task, _ = crew.submitted()

    refused = crew.refused(f"reject {task} --reason no --as ada")

    assert why(refused) == ("not-allowed", 4)
    assert "done --withdraw" in refused["hint"]


def test_where_persons_review_others_may_not(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text('[review]\nby = "person"\n')
    task, _ = crew.submitted()
    crew.do("join bob")

    refused = crew.refused(f"approve {task} --as bob")

    assert why(refused) == ("not-allowed", 4)
    assert "`crewlog join bob --person`" in refused["hint"]
    assert why(crew.refused(f"approve {task} --as nobody")) == ("not-allowed", 4)
    crew.do(f"approve {task} --as zoe")  # she ran `init`
    assert crew.do(f"show {task}")["task"]["approval"]["policy"] == "person"


def test_a_person_does_not_approve_their_own_work_either(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text('[review]\nby = "person"\n')
    task = crew.spawn()
    claim = crew.start(task, "zoe")
    crew.do(f"done {task} --as zoe --claim {claim}")

    assert why(crew.refused(f"approve {task} --as zoe")) == ("own-approval", 4)
