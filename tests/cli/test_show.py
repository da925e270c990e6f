"""`show`: one task with everything."""

from __future__ import annotations

from tests.cli.conftest import Crew, why

LONG = "".join(f"line {number} of a long body\n" for number in range(400))


def test_people_see_the_task_its_facts_its_last_events_and_what_to_type_next(crew: Crew) -> None:
    first = crew.spawn("first")
    task = crew.spawn("Greet by name", f"--slug greet -p 1 -l ui --to ada --after {first} -b 'by name'")
    claim = crew.start(task)
    crew.do(f"progress {task} --percent 60 --as ada --claim {claim}")
    crew.do(f"done {task} -e 'it greets' --as ada --claim {claim}")

    lines = crew.run("show", "greet").out.splitlines()

    assert lines[0] == f"{task}  IN_REVIEW  p1  Greet by name"
    facts = dict(line.strip().split(None, 1) for line in lines[1:12] if line.strip())
    assert (facts["slug"], facts["for"], facts["labels"], facts["evidence"]) == (
        "greet",
        "ada",
        "ui",
        "it greets",
    )
    assert f"  held by   ada, claim {claim[:12]}" in lines
    assert f"  after     {first}" in lines
    assert "    by name" in lines
    assert "  4 events:" in lines
    assert lines[-2:] == [
        f"  next: crewlog approve {task} --as NAME",
        f'  next: crewlog reject {task} --reason "…" --as NAME',
    ]


def test_a_single_event_is_one_event(crew: Crew) -> None:
    assert "  1 event:" in crew.run("show", crew.spawn()).out.splitlines()


def test_json_holds_the_task_and_its_events_as_stored(crew: Crew) -> None:
    task, claim = crew.submitted()

    answer = crew.do(f"show {task}")

    assert (answer["task"]["claim"], answer["task"]["holder"]) == (claim, "ada")
    stored = crew.run("log", task, "--json").out.splitlines()
    assert [event["id"] for event in answer["events"]] == [line[7:71] for line in stored]


def test_a_long_body_is_cut_for_people_and_a_reference_for_programs(crew: Crew) -> None:
    task = crew.do("spawn Long --body - --as zoe", stdin=LONG)["task"]

    text = crew.run("show", task).out
    body = crew.do(f"show {task}")["task"]["body"]

    assert "line 0 of a long body" in text
    assert "line 399" not in text
    assert f"{len(LONG) - 1:,} bytes in all; --full shows them" in text
    assert body["blob"]["size"] == len(LONG) - 1
    assert body["preview"].startswith("line 0")


def test_full_shows_it_whole(crew: Crew) -> None:
    task = crew.do("spawn Long --body - --as zoe", stdin=LONG)["task"]

    answer = crew.do(f"show {task} --full")

    assert answer["task"]["body"] == LONG.removesuffix("\n")
    assert answer["events"][0]["payload"]["body"] == LONG.removesuffix("\n")
    assert "    line 399 of a long body" in crew.run("show", task, "--full").out


def test_only_the_last_events_are_shown_unless_full(crew: Crew) -> None:
    task = crew.spawn()
    for number in range(12):
        crew.do(f"note {task} 'note {number}' --as zoe")

    assert "  13 events, the last 10:" in crew.run("show", task).out
    assert "note 1\n" not in crew.run("show", task).out
    assert "note 1\n" in crew.run("show", task, "--full").out


def test_a_completed_task_shows_who_approved_it_and_on_what_evidence(crew: Crew) -> None:
    task = crew.spawn()
    claim = crew.start(task)
    crew.do(f"done {task} -e 'it greets' --as ada --claim {claim}")
    crew.do(f"approve {task} --as zoe")

    lines = crew.run("show", task).out.splitlines()

    assert "  evidence  it greets" in lines
    assert "  approved  by zoe, not signed" in lines
    assert "  ended     by zoe" in lines


def test_blockers_show_on_both_sides(crew: Crew) -> None:
    first = crew.spawn("first")
    second = crew.spawn("second", f"--after {first}")

    assert crew.do(f"show {first}")["task"]["blocks"] == [second]
    assert crew.do(f"show {second}")["task"]["blocked_by"] == [first]


def test_quiet_prints_the_id(crew: Crew) -> None:
    task = crew.spawn("x", "--slug greet")

    assert crew.run("show", "greet", "-q").out == f"{task}\n"


def test_what_is_not_there_is_not_found(crew: Crew) -> None:
    assert why(crew.refused("show t-zzzzzzzz")) == ("not-found", 3)
    assert why(crew.refused("show nope")) == ("not-found", 3)
    assert why(crew.refused("show ''")) == ("bad-value", 2)
    assert why(crew.refused("show")) == ("usage", 2)


HOSTILE = "red \x9b31m \u202eesrever\u202c \u200b next"


def test_what_agents_wrote_cannot_move_a_terminals_cursor(crew: Crew) -> None:
    task = crew.do("spawn x --body - --as zoe", stdin="\x1b]0;owned\x07 \x1b[2J\r\n" + HOSTILE)["task"]
    claim = crew.do(f"start {task} --as ada")["claim"]
    crew.run("edit", task, "--title", HOSTILE, "--as", "zoe")
    crew.run("done", task, "-e", "\x1b[1A" + HOSTILE, "--as", "ada", "--claim", claim)
    crew.run("reject", task, "-r", "\x1b[1A" + HOSTILE, "--as", "zoe")
    crew.run("note", task, "\x1b[1A\r" + HOSTILE, "--as", "bob")

    for line in (
        f"show {task}",
        f"show {task} --full",
        "list",
        "log",
        f"log {task}",
        "tail",
        "ready",
        "agents",
    ):
        for more in ([], ["--json"], ["-q"]):
            result = crew.run(*line.split(), *more)
            printed = (result.out + result.err).replace("\n", "")
            assert printed.isprintable(), (line, more, printed)
            assert result.code == 0


def test_hostile_text_is_whole_in_json(crew: Crew) -> None:
    task = crew.run("spawn", HOSTILE, "--as", "zoe", "-q").out.strip()

    assert crew.do(f"show {task}")["task"]["title"] == HOSTILE
    assert crew.do("list")["tasks"][0]["title"] == HOSTILE


def test_a_refusal_does_not_repeat_hostile_text_as_it_is(crew: Crew) -> None:
    for words in (
        ["show", HOSTILE],
        ["spawn", "x", "--to", HOSTILE],
        [HOSTILE],
        ["list", "--state", HOSTILE],
    ):
        result = crew.run(*words, "--as", "zoe")
        assert result.code in (2, 3)
        assert result.err.replace("\n", "").isprintable(), result.err
