"""The contract of `--json`: every answer and every error has the shape that `crewlog schema` prints."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.grammar import COMMON, MODULES, OTHER_WORDS, load
from tests.cli.conftest import Crew, why
from tests.cli.repositories import commit, repository
from tests.support.foreign import bead, write

# This prints a document, not an answer.
WITHOUT_ANSWER = {"schema"}
ELSEWHERE = {"demo", "sync", "move"}  # tests/cli/test_demo.py, test_clones.py, test_server.py
LINES = {"log", "tail", "replay"}


def problems(answer: Any, schema: Any) -> list[str]:
    """What the schema has against the answer."""
    jsonschema: Any = importlib.import_module("jsonschema")  # it has no types
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]


@pytest.fixture
def schemas(crew: Crew) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(crew.run("schema").out)["$defs"]
    return found


def scenario(crew: Crew) -> Iterator[str]:
    """Lines that try every command, in an order in which each succeeds."""
    yield from begin()
    one = crew.spawn("one", "--slug one -l a:b --to ada")
    long = crew.do("spawn long --body - --as zoe", stdin="b" * 5_000)["task"]
    yield from steer(one, long)
    yield from work(crew, one)
    yield from review(crew, one)
    yield from give_up(crew, long)
    yield f"cancel {long} {one} nope --as zoe"  # partly refused
    yield from mail(crew, one)
    yield from look()
    write(crew.folder / "issues.jsonl", [bead(1, labels=["a"]), "no record"])
    yield "import --from beads . --as zoe"  # partly left out
    yield "show bd-1"
    yield from keep()


def begin() -> Iterator[str]:
    yield "init"
    yield "where"
    yield "join ada"
    yield "join zoe --person --pid 1"


def steer(task: str, other: str) -> Iterator[str]:
    yield f"spawn 'after one' --after {task} --as zoe"
    yield "spawn --from - --as zoe --full"
    yield f"assign {task} --to anyone --as zoe"
    yield f"assign {task} --to anyone --as zoe"  # nothing to do
    yield f"edit {task} -p 1 --title first --as zoe"
    yield f"resolve {task} --as zoe"  # nothing to do
    yield f"link {task} --parent {task} --relates {other} --as zoe"  # partly refused
    yield f"link {task} --parent {other} --as zoe"
    yield f"unlink {task} --relates {other} --as zoe"
    yield f"show {other}"


def work(crew: Crew, task: str) -> Iterator[str]:
    yield f"start {task} --as ada"
    yield f"resume {task} --as ada --full"
    holding = f"--as ada --claim {crew.do('whoami --as ada')['claim']}"
    yield "whoami --as ada"
    yield "whoami"
    yield "prime --as ada"
    yield "heartbeat --as ada --note hm"
    yield f"progress {task} --percent 5 {holding}"
    yield f"show {task}"
    yield f"note {task} hm --as bob"
    yield f"done {task} --evidence - {holding}"
    yield f"done {task} --withdraw {holding}"
    yield f"show {task} --full"
    crew.do(f"done {task} {holding}")
    yield f"undo {task} --as ada"
    crew.do(f"done {task} {holding}")
    yield f"reject {task} --reason no --as zoe"
    crew.do(f"done {task} {holding}")


def review(crew: Crew, task: str) -> Iterator[str]:
    yield f"approve {task} --no-merge --as zoe"
    yield "list --full"
    yield f"show {task}"
    yield f"merge {task} --as zoe"
    yield f"merge {task} --as zoe"  # nothing to do
    yield f"wait --task {task} --timeout 0"
    yield f"show {task}"


def give_up(crew: Crew, task: str) -> Iterator[str]:
    yield f"run {task} --as kim -- true"
    yield f"cancel {task} --reason - --as zoe"
    yield f"retry {task} --as zoe"
    claim = crew.do(f"start {task} --as kim")["claim"]
    yield f"release {task} --as kim --claim {claim} --reason later"
    claim = crew.do(f"start {task} --as kim")["claim"]
    yield f"fail {task} --reason no --as kim --claim {claim}"
    yield f"show {task}"
    yield f"show {task} --full"


def look() -> Iterator[str]:
    yield "ready --explain"
    yield "ready --as ada -n 1"
    yield "list -n 1"
    yield "list --full --label a:b"
    yield "search one -n 1"
    yield "search '-'"
    yield "status"
    yield "status --since 1h"
    yield "status --brief --as ada"
    yield "top"
    yield "report r.html"
    yield "graph"
    yield "graph one"
    yield "agents"
    yield "log"
    yield "log one -n 2"
    yield "tail -n 3"
    yield "tail --pulses"
    yield "help"
    yield "help states"
    yield "help spawn"
    yield "completion bash"


def keep() -> Iterator[str]:
    yield "reap --dry-run"
    yield "reap --as zoe"
    yield "prune --pulses --as zoe"
    yield "serve stop"
    yield "leave --as bob"
    yield "export"
    yield "export --rebuild"
    yield "rebuild"
    yield "import"
    yield "verify"
    yield "checkpoint"
    yield "doctor"
    yield "audit"
    yield "replay --agent ada"
    yield "conflicts"
    yield "backup safe.db"
    yield "restore safe.db"
    yield "blob verify"
    digest = sha256(b"b" * 5_000).hexdigest()
    yield f"blob show {digest}"
    yield f"redact {digest} --reason 'not needed' --as zoe"


def mail(crew: Crew, task: str) -> Iterator[str]:
    """Lines that try every command about messages."""
    yield "join bob"
    yield "channel join ops --as bob"
    yield "channel join ops --as bob"  # nothing to do
    yield "channel list"
    yield f"send bob 'the parser is ready' --task {task} --needs-ack --as zoe"
    yield "send +ops - --as zoe"
    yield "ask bob 'which port?' --as zoe"
    question = crew.do("ask bob 'which host?' --as zoe")["message"]
    yield "inbox --as bob"
    yield "inbox --all --as bob"
    yield f"answer {question} 'this one' --as bob"
    yield f"read {question} --as zoe"
    yield f"wait --reply {question} --timeout 0 --as zoe"
    waiting = [row["id"] for row in crew.do("inbox --as bob")["messages"]]
    yield f"ack {waiting[0]} --as bob"
    yield f"ack {' '.join(waiting[1:])} nope --as bob"  # partly refused
    yield "inbox --as bob"
    yield "channel leave ops --as bob"
    yield "prime --as bob"


def in_a_repository(crew: Crew) -> Iterator[str]:
    """Lines that are about code."""
    task, second = crew.spawn("one"), crew.spawn("two")
    yield f"start {task} --as ada"
    claim = crew.do("whoami --as ada")["claim"]
    folder = crew.folder / ".crewlog/work" / task
    yield f"show {task}"
    commit(folder)
    yield f"done {task} --check 'echo {'x' * 5_000}' --ran 'all of it' --as ada --claim {claim}"
    yield f"note {task} hm --as bob"
    yield f"review {task}"
    yield "review --full"
    yield f"diff {task}"
    yield f"approve {task} --as zoe"
    yield f"merge {task} --dry-run --as zoe"
    yield "merge --all --dry-run --as zoe"
    yield "merge --all --as zoe"
    yield f"show {task} --full"
    claim = crew.do(f"start {second} --as bob")["claim"]
    commit(crew.folder / ".crewlog/work" / second, text="other\n")
    crew.do(f"done {second} --as bob --claim {claim}")
    crew.do(f"approve {second} --as zoe")
    commit(crew.folder, text="third\n")
    yield f"merge {second} --dry-run --as zoe"
    yield "merge --all --as zoe"  # refused
    yield f"show {second}"
    yield f"review {second}"
    yield "cleanup --dry-run --as zoe"
    yield "cleanup --as zoe"
    yield "verify --git"


def test_every_answer_has_its_shape(crew: Crew, schemas: dict[str, Any], tmp_path: Path) -> None:
    in_git = Crew(repository(tmp_path / "code"))
    in_git.do("init --as zoe")
    tried = assert_shapes(crew, scenario(crew), schemas) | assert_shapes(
        in_git, in_a_repository(in_git), schemas
    )

    assert set(MODULES) - WITHOUT_ANSWER - ELSEWHERE - tried == set(), "the scenario does not try these"


def assert_shapes(crew: Crew, lines: Iterator[str], schemas: dict[str, Any]) -> set[str]:
    """Each line is answered as its schema says; the commands that were tried."""
    wrong: list[str] = []
    tried: set[str] = set()
    for line in lines:
        name = line.split()[0]
        stdin = '{"title":"a","slug":"s"}\n{"title":"b","after":["s"]}\n' if "--from" in line else "x" * 5_000
        result = crew.run("--json", *crew.words(line), stdin=stdin)
        assert result.code in (0, 4), (line, result)
        tried.add(name)
        answers = [orjson.loads(text) for text in result.out.splitlines()]
        assert len(answers) == 1 or name in LINES, line
        for answer in answers:
            if name not in LINES:
                answer["notices"] = ["what any answer may carry"]
            wrong += [f"{line}: {problem}" for problem in problems(answer, schemas[name])]

    assert not wrong, "\n".join(wrong)
    return tried


REFUSED = [
    "",
    "--nope",
    "frobnicate",
    "create x",
    "list --limit x",
    "list --state x",
    "list extra",
    "completion",
    "show nope",
    "show ''",
    "start --as ada",
    "spawn x",
    "spawn '' --as zoe",
    "spawn --from nowhere --as zoe",
    "spawn x --as A",
    "note",
    "done t-zzzzzzzz --as ada",
    "undo t-zzzzzzzz --as ada",
    "schema nope",
    "help nope",
    "init nowhere",
    "list --store nowhere",
    "join --pid 0 --as ada",
    "wait",
]


@pytest.mark.parametrize("line", REFUSED)
def test_every_error_is_one_object_with_code_message_hint_retryable_and_details(
    crew: Crew, schemas: dict[str, Any], line: str
) -> None:
    result = crew.run("--json", *crew.words(line))

    assert result.code in (2, 3, 6, 8)
    assert problems(result.json, schemas["error"]) == []
    assert result.error["message"]
    assert result.error["hint"]
    assert result.err == ""


def test_a_text_error_is_a_sentence_with_its_code_and_a_hint_on_stderr(crew: Crew) -> None:
    result = crew.run("show", "nope")

    assert result.out == ""
    assert result.err == (
        "crewlog: no task has the id or slug 'nope' [not-found]\n"
        "  hint: `crewlog list` shows the tasks there are.\n"
    )


def test_a_bug_is_a_typed_error_and_shows_where_it_happened_only_when_asked(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("cli.place.guard", broken)

    result = crew.run("list", "--json")
    assert (result.code, result.error["code"], result.err) == (1, "internal", "")
    assert result.error["message"] == "ZeroDivisionError: by zero"
    assert "CREWLOG_DEBUG=1" in result.error["hint"]
    assert "Traceback" in crew.run("list", environ={"CREWLOG_DEBUG": "1"}).err


def test_schema_prints_one_answer_or_all_of_them(crew: Crew, schemas: dict[str, Any]) -> None:
    assert set(MODULES) - WITHOUT_ANSWER <= set(schemas)

    whole = orjson.loads(crew.run("schema").out)
    one = orjson.loads(crew.run("schema", "where").out)
    assert one == {"$schema": whole["$schema"], **schemas["where"]}


def test_the_schema_is_a_schema(crew: Crew) -> None:
    jsonschema: Any = importlib.import_module("jsonschema")

    jsonschema.Draft202012Validator.check_schema(orjson.loads(crew.run("schema").out))


def test_options_of_every_command_go_before_it_and_behind_it() -> None:
    common = {name for name, _, _ in COMMON}

    for name in MODULES:
        assert common <= {parameter.name for parameter in load(name).params}, name


@pytest.mark.parametrize(
    ("line", "spelled"),
    [
        ("{} --as ada --json whoami", "whoami --as ada --json"),
        ("--json {} --as ada whoami", "--as ada whoami --json"),
    ],
)
def test_where_a_common_option_stands_makes_no_difference(crew: Crew, line: str, spelled: str) -> None:
    store = f"--store {crew.folder}"

    first = crew.run(*line.format(store).split(), cwd=crew.folder.parent)
    second = crew.run(*spelled.split(), "--store", str(crew.folder), cwd=crew.folder.parent)

    assert first == second
    assert first.json["name"] == "ada"


def test_the_option_behind_the_command_goes_before_the_one_in_front(crew: Crew) -> None:
    assert crew.do("--as ada whoami --as bob")["name"] == "bob"


@pytest.mark.parametrize(("typed", "meant"), list(OTHER_WORDS.items()))
def test_a_wrong_word_is_answered_with_the_whole_line_corrected(crew: Crew, typed: str, meant: str) -> None:
    refused = crew.refused(f"--as ada {typed} 'a b' --store here -p 1")

    assert why(refused) == ("unknown-command", 2)
    assert refused["hint"] == f"crewlog --json --as ada {meant} 'a b' --store here -p 1"
    assert refused["details"]["corrected"] == refused["hint"]


def test_no_wrong_word_is_a_right_one() -> None:
    assert not OTHER_WORDS.keys() & MODULES.keys()
    assert {line.split()[0] for line in OTHER_WORDS.values()} <= set(MODULES)


@pytest.mark.parametrize(("typed", "meant"), [("spwan", "spawn"), ("aprove", "approve"), ("lits", "list")])
def test_a_slip_of_the_finger_is_corrected(crew: Crew, typed: str, meant: str) -> None:
    assert crew.refused(typed)["hint"] == f"crewlog --json {meant}"


@pytest.mark.parametrize("typed", ["frobnicate", "stop", "", "x"])
def test_a_word_that_is_like_none_is_not_guessed_at(crew: Crew, typed: str) -> None:
    refused = crew.refused(f"'{typed}' t-3k9f")

    assert refused["hint"] == "`crewlog --help` lists the commands."
    assert refused["details"]["corrected"] is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dep p1 p2", "link p1 --after p2"),
        ("dep add p1 p2", "link p1 --after p2"),
        ("block p1 p2 --as zoe", "link p1 --blocks p2 --as zoe"),
        ("--as zoe link p1 p2", "--as zoe link p1 --after p2"),
        ("unlink p1 p2", "unlink p1 --after p2"),
    ],
)
def test_a_line_of_another_tool_is_answered_with_one_that_works(crew: Crew, typed: str, meant: str) -> None:
    for slug in ("p1", "p2"):
        crew.spawn(slug, f"--slug {slug}")

    hint = crew.refused(typed)["hint"]

    assert hint == f"crewlog --json {meant}"
    crew.do(hint.removeprefix("crewlog --json "), environ={"CREWLOG_AGENT": "zoe"})


@pytest.mark.parametrize(("typed", "meant"), [("open", "open"), ("in_review", "in_review")])
def test_a_state_without_its_option_is_answered_with_the_whole_line(
    crew: Crew, typed: str, meant: str
) -> None:
    assert crew.refused(f"list {typed}")["hint"] == f"crewlog --json list --state {meant}"
    assert "crewlog list --help" in crew.refused("list nonsense")["hint"]


@pytest.mark.parametrize(("line", "command"), [("list --label", "crewlog list"), ("--store", "crewlog")])
def test_a_missing_value_hints_the_help_of_its_command(crew: Crew, line: str, command: str) -> None:
    refused = crew.refused(line)

    assert why(refused) == ("usage", 2)
    assert refused["hint"] == f"`{command} --help` shows how it is typed."


def test_who_has_no_name_is_not_told_about_writes(crew: Crew) -> None:
    refused = crew.refused("inbox")

    assert why(refused) == ("no-name", 2)
    assert "write" not in refused["message"]


def test_a_note_with_one_word_is_told_what_is_missing(crew: Crew) -> None:
    crew.spawn("one", "--slug p1")

    about = crew.refused("note p1 --as zoe")
    text = crew.refused("note 'it fails' --as zoe")

    assert "The text is missing" in about["message"]
    assert about["hint"] == 'Example: crewlog note p1 "what I found"'
    assert "Only a text was given" in text["message"]
    assert text["hint"].endswith("crewlog note t-3k9f 'it fails'")


@pytest.mark.parametrize("line", ["search word --since yesterday", "status --since yesterday"])
def test_no_time_is_answered_with_examples_of_dates(crew: Crew, line: str) -> None:
    assert "2026-11-23T17:31" in crew.refused(line)["hint"]


@pytest.mark.parametrize("line", ["search word --since 7 days", "status --since 7"])
def test_a_number_without_a_unit_is_no_age(crew: Crew, line: str) -> None:
    refused = crew.refused(line)

    assert why(refused) == ("bad-value", 2)
    assert "7d is days" in refused["hint"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("log --at 2020-01-01", "no events: nothing had happened by then\n"),
        ("log --after 99999", "no events behind position 99,999: the newest is 1\n"),
    ],
)
def test_a_log_of_nothing_says_so(crew: Crew, line: str, said: str) -> None:
    done = crew.run(*line.split())

    assert (done.code, done.out, done.err) == (0, "", said)
