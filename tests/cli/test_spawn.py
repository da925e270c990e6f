"""`spawn`: one task."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Crew, why


def test_a_task_is_for_anyone_unless_a_name_is_given(crew: Crew) -> None:
    answer = crew.do('spawn "Greet by name" --as zoe')

    assert answer["state"] == "ASSIGNED"
    assert answer["next"] == [f"crewlog start {answer['task']}"]
    shown = crew.do(f"show {answer['task']}")["task"]
    assert (shown["assignee"], shown["priority"], shown["spawner"]) == (None, 2, "zoe")


def test_a_task_keeps_all_that_was_said_about_it(crew: Crew) -> None:
    first = crew.spawn("Parse")

    task = crew.spawn("Greet", f"--body - -p 0 --to ada -l a:b -l c -l a:b --slug greet --after {first}")

    shown = crew.do(f"show {task}")["task"]
    assert (shown["priority"], shown["assignee"], shown["slug"]) == (0, "ada", "greet")
    assert (shown["labels"], shown["after"]) == (["a:b", "c"], [first])


def test_the_body_is_read_from_standard_input(crew: Crew) -> None:
    task = crew.do("spawn Greet --body - --as zoe", stdin="one\ntwo\n")["task"]

    assert crew.do(f"show {task}")["task"]["body"] == "one\ntwo"


def test_text_and_quiet_answers_name_the_task(crew: Crew) -> None:
    text = crew.run("spawn", "Greet by name", "--as", "zoe").out.split("\n")
    quiet = crew.run("spawn", "Greet by name", "--as", "zoe", "--quiet").out

    assert text[0].endswith("ASSIGNED   Greet by name")
    assert text[1].startswith("  next: crewlog start t-")
    assert crew.state(quiet.strip()) == "ASSIGNED"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["spawn", ""], "bad-value", "the title is empty"),
        (["spawn", " \t "], "bad-value", "the title is empty"),
        (["spawn", "x" * 501], "bad-value", "501 characters; the limit is 500"),
        (["spawn", "two\nlines"], "bad-value", "one line"),
        (["spawn", "escape \x1b[31m"], "bad-value", "without control characters"),
        (["spawn"], "usage", "a task needs a title"),
        (["spawn", "x", "-p", "10"], "bad-value", "priority 10 is not 0 to 9"),
        (["spawn", "x", "-p", "-1"], "bad-value", "priority -1 is not 0 to 9"),
        (["spawn", "x", "-p", "high"], "usage", "'high' is not a whole number"),
        (["spawn", "x", "--to", "Ada"], "bad-name", "name 'Ada' is not a name like"),
        (["spawn", "x", "--to", ""], "bad-name", "name '' is not"),
        (["spawn", "x", "--label", "a b"], "bad-value", "label 'a b'"),
        (["spawn", "x", "--slug", "../x"], "bad-value", "slug '../x'"),
        (["spawn", "x", "--slug", "t-abcdefgh"], "bad-value", "slug 't-abcdefgh'"),
        (["spawn", "x", "--slug", ""], "bad-value", "slug ''"),
        (["spawn", "x", "--as", "A B"], "bad-name", "name 'A B'"),
        (["spawn", "x", "--key", ""], "bad-value", "--key must be 1 to 128"),
        (["spawn", "x", "--key", "k" * 129], "bad-value", "--key must be 1 to 128"),
        (["spawn", "x", "--key", "é"], "bad-value", "printable ASCII"),
    ],
)
def test_wrong_input_is_refused_with_a_hint_and_nothing_is_written(
    crew: Crew, words: list[str], code: str, said: str
) -> None:
    before = crew.do("where")["events"]

    result = crew.run(*words, "--json", environ={"CREWLOG_AGENT": "zoe"})

    assert (result.code, result.error["code"]) == (2, code)
    assert said in result.error["message"]
    assert result.error["hint"]
    assert crew.do("where")["events"] == before


def test_a_bad_name_is_answered_with_one_that_would_do(crew: Crew) -> None:
    assert crew.refused("spawn x --as 'Ada L.'")["hint"].endswith("at most 64: ada.l.")


def test_too_many_labels_are_refused(crew: Crew) -> None:
    refused = crew.refused("spawn x --as zoe " + " ".join(f"-l l{number}" for number in range(33)))

    assert why(refused) == ("bad-value", 2)
    assert "33 labels; the limit is 32" in refused["message"]


def test_an_unknown_blocker_is_refused(crew: Crew) -> None:
    assert why(crew.refused("spawn x --after nope --as zoe")) == ("not-found", 3)
    assert why(crew.refused("spawn x --after t-zzzzzzzz --as zoe")) == ("not-found", 3)


def test_a_body_over_the_limit_is_refused_whole(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text("[limits]\nblob = 5000\n")

    fits = crew.do("spawn x --body - --as zoe", stdin="b" * 5_000)["task"]
    refused = crew.refused("spawn x --body - --as zoe", stdin="b" * 5_001)

    assert why(refused) == ("too-large", 4)
    assert refused["details"] == {"field": "body"}
    assert "[limits] blob" in refused["hint"]
    assert [row["id"] for row in crew.do("list")["tasks"]] == [fits]


def test_a_raised_limit_lets_a_longer_text_in_unshortened(crew: Crew) -> None:
    (crew.folder / ".crewlog/config.toml").write_text("[limits]\nblob = 20_000_000\n")
    body = "b" * (11 * 1024 * 1024)

    task = crew.do("spawn x --body - --as zoe", stdin=body)["task"]

    assert crew.do(f"show {task} --full")["task"]["body"] == body


SECRET = "AKIA" + "QYLPMN5HHHFPZAM2"


def test_a_text_that_looks_like_a_key_is_refused_unless_allowed(crew: Crew) -> None:
    refused = crew.refused(f'spawn "Rotate {SECRET}" --as zoe')

    assert why(refused) == ("secret", 4)
    assert SECRET not in str(refused)
    task = crew.spawn(f"Rotate {SECRET}", "--allow-secret")
    [event] = crew.do(f"show {task}")["events"]
    assert event["payload"]["allowed_secret"] == refused["details"]["rule"]


def test_several_words_without_quotes_are_noticed(crew: Crew) -> None:
    refused = crew.refused("spawn Fix the page --as zoe")

    assert why(refused) == ("usage", 2)
    assert "quotes" in refused["hint"]


def test_a_star_that_became_file_names_is_noticed(crew: Crew) -> None:
    for name in ("a.txt", "b.txt"):
        (crew.folder / name).touch()

    refused = crew.refused("spawn a.txt b.txt --as zoe")

    assert why(refused) == ("usage", 2)
    assert "a.txt, b.txt are files here: did the shell expand a *?" in refused["hint"]


def test_a_title_that_begins_with_a_dash_comes_behind_two(crew: Crew) -> None:
    task = crew.do('spawn --as zoe -- "--json is missing"')["task"]

    assert crew.do(f"show {task}")["task"]["title"] == "--json is missing"
