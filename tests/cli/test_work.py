"""`progress`, `note`, `done`, `fail`, `release`: what a holder says."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Crew, why


def test_done_hands_the_work_in_with_its_evidence(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    answer = crew.do(f"done {task} --as ada --claim {claim} --evidence -", stdin="all 31 tests pass\n")

    assert (answer["state"], answer["claim"]) == ("IN_REVIEW", claim)
    assert answer["next"][0] == f"crewlog approve {task} --as NAME"
    submission = crew.do(f"show {task}")["task"]["submission"]
    assert (submission["id"], submission["by"]) == (answer["event"], "ada")
    assert submission["evidence"] == "all 31 tests pass"


def test_done_again_replaces_the_submission_and_voids_its_approval(crew: Crew) -> None:
    task, claim = crew.submitted()
    crew.do(f"approve {task} --no-merge --as zoe")

    answer = crew.do(f"done {task} --as ada --claim {claim} -e better")

    assert answer["state"] == "IN_REVIEW"
    shown = crew.do(f"show {task}")["task"]
    assert (shown["submission"]["id"], shown["approval"]) == (answer["event"], None)


def test_withdraw_takes_the_submission_back(crew: Crew) -> None:
    task, claim = crew.submitted()

    answer = crew.do(f"done {task} --withdraw --reason 'one more test' --as ada --claim {claim}")

    assert (answer["state"], answer["claim"]) == ("WORKING", claim)
    assert crew.events(task)[-1] == "task.withdrawn"
    again = crew.refused(f"done {task} --withdraw --as ada --claim {claim}")
    assert why(again) == ("wrong-state", 4)


def test_a_reason_goes_with_withdrawing_only(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    refused = crew.refused(f"done {task} --reason x --as ada --claim {claim}")

    assert why(refused) == ("usage", 2)
    assert "--evidence" in refused["hint"]


def test_progress_is_kept_and_shown(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    crew.do(f"progress {task} --percent 60 --text 'parser done' --as ada --claim {claim}")

    progress = crew.do(f"show {task}")["task"]["progress"]
    assert (progress["percent"], progress["text"]) == (60, "parser done")
    assert "60% parser done" in crew.run("show", task).out


@pytest.mark.parametrize(
    ("options", "code"),
    [("", "usage"), ("--percent 101", "bad-value"), ("--percent -1", "bad-value"), ("--text ' '", "usage")],
)
def test_progress_that_says_nothing_or_too_much_is_refused(crew: Crew, options: str, code: str) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    assert why(crew.refused(f"progress {task} {options} --as ada --claim {claim}")) == (code, 2)


def test_anyone_may_note_something_in_any_state(crew: Crew) -> None:
    task, _ = crew.submitted()

    crew.do(f"note {task} 'look at the fixture' --as bob")
    crew.do(f"approve {task} --as zoe")
    crew.do(f"note {task} - --as bob", stdin="from standard input\n")

    notes = [event for event in crew.do(f"show {task}")["events"] if event["type"] == "task.noted"]
    assert [note["payload"]["text"] for note in notes] == ["look at the fixture", "from standard input"]
    assert crew.do(f"show {task}")["task"]["notes"] == 2


def test_an_empty_note_is_refused(crew: Crew) -> None:
    task = crew.spawn()

    assert why(crew.refused(f"note {task} ' ' --as bob")) == ("bad-value", 2)
    assert why(crew.refused(f"note {task} - --as bob")) == ("bad-value", 2)
    assert why(crew.refused("note --as bob")) == ("usage", 2)
    assert why(crew.refused(f"note {task} --as bob")) == ("usage", 2)


def test_fail_gives_the_task_up_with_a_reason(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    assert why(crew.refused(f"fail {task} --as ada --claim {claim}")) == ("usage", 2)
    answer = crew.do(f"fail {task} --reason 'needs a decision' --as ada --claim {claim}")

    assert (answer["state"], answer["next"]) == ("FAILED", [f"crewlog retry {task} --as ada"])
    assert crew.do(f"show {task}")["task"]["end"]["reason"] == "needs a decision"


def test_release_gives_the_task_back(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)

    assert crew.do(f"release {task} --as ada --claim {claim}")["state"] == "ASSIGNED"
    assert crew.do(f"start {task} --as bob")["state"] == "WORKING"


def test_anyone_may_release_by_force_with_a_reason(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task)

    assert why(crew.refused(f"release {task} --reason gone --as zoe")) == ("held", 5)
    unreasoned = crew.refused(f"release {task} --force --as zoe")
    assert why(unreasoned) == ("bad-value", 2)
    assert unreasoned["details"]["field"] == "reason"

    assert crew.do(f"release {task} --force --reason gone --as zoe")["state"] == "ASSIGNED"
    assert "by force gone" in crew.run("log", task).out


ALWAYS = {"edit", "note", "link", "unlink"}
LEGAL = {
    "ASSIGNED": {"start", "cancel", "assign", *ALWAYS},
    "WORKING": {"resume", "done", "cancel", "fail", "release", *ALWAYS, "progress"},
    "IN_REVIEW": {"done", "done --withdraw", "reject", "approve", "cancel", *ALWAYS},
    "APPROVED": {"done", "reject", "merge", "cancel", *ALWAYS},
    "COMPLETED": {*ALWAYS},
    "CANCELLED": {"retry", *ALWAYS},
    "FAILED": {"cancel", "retry", *ALWAYS},
}
LINES = {
    "start": "start {task} --as kim",
    "resume": "resume {task} --as ada",
    "done": "done {task} --as ada --claim {claim}",
    "done --withdraw": "done {task} --withdraw --as ada --claim {claim}",
    "reject": "reject {task} --reason no --as zoe",
    "approve": "approve {task} --as zoe",
    "merge": "merge {task} --as zoe",
    "cancel": "cancel {task} --as zoe",
    "fail": "fail {task} --reason no --as ada --claim {claim}",
    "release": "release {task} --as ada --claim {claim}",
    "retry": "retry {task} --as zoe",
    "assign": "assign {task} --to bob --as zoe",
    "progress": "progress {task} --percent 5 --as ada --claim {claim}",
}


def bring(crew: Crew, state: str) -> tuple[str, str]:
    """A task in this state, and the claim of its last holder."""
    task = crew.spawn()
    if state == "ASSIGNED":
        return task, "0" * 64
    claim = crew.start(task)
    steps = {
        "WORKING": (),
        "IN_REVIEW": ("done",),
        "APPROVED": ("done", "approve --no-merge"),
        "COMPLETED": ("done", "approve"),
        "CANCELLED": ("cancel",),
        "FAILED": ("fail",),
    }[state]
    for step in steps:
        name, _, more = step.partition(" ")
        crew.do(LINES[name].format(task=task, claim=claim) + " " + more)
    assert crew.state(task) == state
    return task, claim


@pytest.mark.parametrize("state", list(LEGAL))
def test_what_a_state_does_not_allow_is_refused_and_says_what_it_allows(crew: Crew, state: str) -> None:
    task, claim = bring(crew, state)
    events = crew.events(task)
    illegal = set(LINES) - LEGAL[state]
    if state == "COMPLETED":
        illegal -= {"merge"}  # nothing to do, successfully

    for command in sorted(illegal):
        refused = crew.refused(LINES[command].format(task=task, claim=claim))
        # A claim or a holder says more than the state, where there is one.
        assert why(refused) in {("wrong-state", 4), ("stale-claim", 5), ("held", 5)}, command
        if refused["code"] == "wrong-state":
            assert f"{task} is {state}" in refused["message"]
            assert refused["details"]["state"] == state
            assert LEGAL[state] <= set(refused["details"]["legal"]) <= LEGAL[state] | {"reap"}
            assert refused["hint"].startswith("Legal now: ")

    assert crew.events(task) == events


@pytest.mark.parametrize("state", list(LEGAL))
def test_what_a_state_allows_is_done(crew: Crew, state: str) -> None:
    for command in sorted(LEGAL[state] - ALWAYS):
        task, claim = bring(crew, state)
        crew.do(LINES[command].format(task=task, claim=claim))
