"""send, ask, answer, inbox, read, ack, channel."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Crew, why

LARGE = "".join(f"line {number}: ü\n" for number in range(1_000))


@pytest.fixture
def mail(crew: Crew) -> Crew:
    """zoe, a person, and the agents ada and bob."""
    for name in ("ada", "bob"):
        crew.do(f"join {name}")
    return crew


def inbox(crew: Crew, name: str, more: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = crew.do(f"inbox {more} --as {name}")["messages"]
    return rows


def texts(crew: Crew, name: str) -> list[str]:
    return [row["text"] for row in inbox(crew, name)]


def sent(crew: Crew, line: str) -> str:
    return str(crew.do(f"send {line}")["message"])


# --- send and inbox ----------------------------------------------------------------------------------------------


def test_a_message_waits_in_the_inbox_until_it_is_acked(mail: Crew) -> None:
    first, second = sent(mail, "bob one --as ada"), sent(mail, "bob two --as zoe")

    assert [row["id"] for row in inbox(mail, "bob")] == [first, second]
    assert mail.do(f"ack {first} --as bob")["message"] == first
    assert [row["id"] for row in inbox(mail, "bob")] == [second]
    assert [row["id"] for row in inbox(mail, "bob", "--all")] == [first, second]
    assert inbox(mail, "ada") == []


def test_an_inbox_says_all_about_each_message(mail: Crew) -> None:
    task = mail.spawn()
    first = sent(mail, "ada hello --as bob")
    second = sent(mail, f"bob 'look at it' --needs-ack --reply {first} --task {task} --as ada")

    (row,) = inbox(mail, "bob")

    assert row.pop("at").endswith("Z")
    assert row.pop("position") > 0
    assert row == {
        "id": second,
        "from": "ada",
        "to": "bob",
        "text": "look at it",
        "question": False,
        "needs_ack": True,
        "reply": first,
        "task": task,
        "thread": first,
        "acked": None,
    }


def test_an_inbox_is_as_long_as_its_limit_and_says_how_many_more(mail: Crew) -> None:
    ids = [sent(mail, f"bob {number} --as ada") for number in range(5)]

    unread = mail.do("inbox --limit 2 --as bob")
    assert ([row["id"] for row in unread["messages"]], unread["more"]) == (ids[:2], 3)
    newest = mail.do("inbox --all --limit 2 --as bob")
    assert ([row["id"] for row in newest["messages"]], newest["more"]) == (ids[3:], 3)
    assert "3 more: --limit 5" in mail.run("inbox", "--limit", "2", "--as", "bob").err
    assert mail.run("inbox", "--quiet", "--as", "bob").out.split() == ids


def test_people_see_marks_and_the_beginning_of_a_message(mail: Crew) -> None:
    sent(mail, f"bob '{'long ' * 40}' --as ada")
    mail.do("ask bob 'which\nport?' --as zoe")
    sent(mail, "+ops hi --needs-ack --allow-unknown --as zoe")

    plain, question, _ = mail.run("inbox", "--as", "bob").out.rstrip("\n").split("\n")

    assert plain.endswith("…")
    assert len(plain) < 110
    assert question.split() == [question.split()[0], "zoe", "0s", "?", "which\\nport?"]
    assert "nothing unread" in mail.run("inbox", "--as", "zoe").err


@pytest.mark.parametrize(
    ("to", "stored", "readers"),
    [
        ("bob", "bob", {"bob"}),
        ("+ops", "#ops", {"bob"}),
        ("#ops", "#ops", {"bob"}),
        ("all", "*", {"bob", "zoe"}),
        ("*", "*", {"bob", "zoe"}),
        ("people", "#people", {"zoe"}),
        ("ada", "ada", {"ada"}),
    ],
)
def test_addresses_as_typed(mail: Crew, to: str, stored: str, readers: set[str]) -> None:
    mail.do("channel join ops --as ada")
    mail.do("channel join ops --as bob")

    assert mail.do(f"send '{to}' hello --as ada")["to"] == stored
    assert {name for name in ("ada", "bob", "zoe") if inbox(mail, name)} == readers


def test_a_name_that_was_never_here_is_refused_with_who_may_be_meant(mail: Crew) -> None:
    refused = mail.refused("send boob hello --as ada")

    assert why(refused) == ("not-found", 3)
    assert "Did you mean bob?" in refused["hint"]
    assert "waits until 'boob' comes" in refused["hint"]
    assert why(mail.refused("ask nemo hello --as ada")) == ("not-found", 3)


def test_what_is_sent_to_an_unknown_name_waits_for_it(mail: Crew) -> None:
    sent(mail, "nemo hello --allow-unknown --as ada")

    assert texts(mail, "nemo") == ["hello"]


def test_who_only_took_a_task_can_be_written_to(mail: Crew) -> None:
    mail.start(mail.spawn(), "eve")

    sent(mail, "eve hello --as ada")
    sent(mail, "all 'hello all' --as ada")

    assert texts(mail, "eve") == ["hello", "hello all"]


def test_a_group_of_nobody_is_accepted_with_a_remark(mail: Crew) -> None:
    result = mail.run("send", "+nobody", "hello", "--as", "ada")

    assert result.code == 0
    assert "nobody else is in +nobody now" in result.err


@pytest.mark.parametrize(
    ("line", "code", "exit_"),
    [
        ("send bob --as ada", "usage", 2),
        ("send bob ' ' --as ada", "bad-value", 2),
        ("send bob x --file y --as ada", "usage", 2),
        ("send bob --file absent --as ada", "not-found", 3),
        ("send Bob x --as ada", "bad-name", 2),
        ("send + x --as ada", "bad-name", 2),
        ("send bob x", "no-name", 2),
        ("send bob x --reply m-zzzz --as ada", "not-found", 3),
        ("send bob x --reply m-22222222 --as ada", "not-found", 3),
        ("send bob x --task t-22222222 --as ada", "not-found", 3),
        ("send bob AKIAIOSFODNN7EXAMPLQ --as ada", "secret", 4),
        ("answer m-22222222 x --as ada", "not-found", 3),
        ("ack m-22222222 --as ada", "not-found", 3),
        ("read m-22222222", "not-found", 3),
        ("inbox", "no-name", 2),
        ("channel join --as ada", "usage", 2),
        ("channel join people --as ada", "bad-name", 2),
        ("channel list nowhere", "not-found", 3),
        ("channel burn ops --as ada", "usage", 2),
    ],
)
def test_what_is_refused(mail: Crew, line: str, code: str, exit_: int) -> None:
    assert why(mail.refused(line)) == (code, exit_)


def test_a_secret_that_is_let_pass_is_recorded(mail: Crew) -> None:
    sent(mail, "bob AKIAIOSFODNN7EXAMPLQ --allow-secret --as ada")

    (event,) = [line for line in mail.run("log", "--json").out.split("\n") if "mail.sent" in line]
    assert '"allowed_secret"' in event


# --- large texts -------------------------------------------------------------------------------------------------


def test_a_large_text_from_standard_input_comes_back_whole(mail: Crew) -> None:
    message = mail.do("send bob - --as ada", stdin=LARGE)["message"]

    (row,) = inbox(mail, "bob")
    assert row["text"]["blob"]["size"] == len(LARGE.encode()) - 1
    assert LARGE.startswith(row["text"]["preview"])
    assert inbox(mail, "bob", "--full")[0]["text"] == LARGE.removesuffix("\n")
    assert mail.do(f"read {message} --full")["message"]["text"] == LARGE.removesuffix("\n")
    shown = mail.run("read", message).out
    assert "bytes in all; --full shows them" in shown
    assert "line 999: ü" not in shown
    assert "line 999: ü" in mail.run("read", message, "--full").out


def test_a_large_text_from_a_file_comes_back_whole(mail: Crew, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(LARGE, encoding="utf-8")
    question = mail.do("ask bob --file report.txt --as ada")["message"]
    mail.do(f"answer {question} --file report.txt --as bob")

    found = mail.do(f"read {question} --full")["message"]

    assert found["text"] == found["answers"][0]["text"] == LARGE.removesuffix("\n")


@pytest.mark.parametrize("content", [b"\xff\xfe", b""])
def test_a_file_that_is_no_text_is_refused(mail: Crew, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "strange").write_bytes(content)

    assert why(mail.refused("send bob --file strange --as ada")) == ("bad-value", 2)


def test_a_dash_for_the_file_is_standard_input(mail: Crew) -> None:
    mail.do("send bob --file - --as ada", stdin="from a pipe\n")

    assert texts(mail, "bob") == ["from a pipe"]


def test_a_file_over_the_limit_is_refused(mail: Crew, tmp_path: Path) -> None:
    (tmp_path / "huge").write_bytes(b"x" * (10 * 1024 * 1024 + 1))

    assert why(mail.refused("send bob --file huge --as ada")) == ("too-large", 4)


# --- ask and answer ----------------------------------------------------------------------------------------------


def test_a_question_without_a_wait_is_only_sent(mail: Crew) -> None:
    asked = mail.do("ask bob 'which port?' --as ada")

    assert asked["answer"] is None
    assert asked["next"] == [f"crewlog wait --reply {asked['message']} --timeout 100"]
    assert inbox(mail, "bob")[0]["question"] is True


def test_an_answer_acks_and_goes_to_the_asker(mail: Crew) -> None:
    question = mail.do("ask bob 'which port?' --as ada")["message"]

    mail.do(f"answer {question[:6]} '8080' --as bob")

    assert inbox(mail, "bob") == []
    (answer,) = mail.do(f"read {question}")["message"]["answers"]
    assert (answer["from"], answer["text"]) == ("bob", "8080")


def test_who_was_not_asked_does_not_answer(mail: Crew) -> None:
    question = mail.do("ask bob 'which port?' --as ada")["message"]

    for name in ("ada", "zoe"):
        assert why(mail.refused(f"answer {question} me --as {name}")) == ("not-allowed", 4)
        assert why(mail.refused(f"ack {question} --as {name}")) == ("not-allowed", 4)


def test_a_wait_without_an_answer_gives_the_id_and_exit_8(mail: Crew) -> None:
    started = time.monotonic()
    result = mail.run("ask", "bob", "which port?", "--wait", "0.2", "--as", "ada", "--json")

    assert 0.2 <= time.monotonic() - started < 10
    assert (result.code, result.error["code"]) == (8, "nothing-yet"), "as with every command that waits"
    message = result.error["details"]["message"]
    assert message == inbox(mail, "bob")[0]["id"]
    assert message in result.err, "also to who is interrupted"

    line = result.error["details"]["next"][0]
    assert line in result.error["hint"]
    mail.do(f"answer {message} 8080 --as bob")
    assert mail.do(line.removeprefix("crewlog "))["got"]["text"] == "8080"


def test_a_script_gets_the_id_of_a_question_that_was_not_answered_in_time(mail: Crew) -> None:
    result = mail.run("ask", "bob", "which port?", "--wait", "0.1", "--quiet", "--as", "ada")

    assert (result.code, result.out) == (8, f"{inbox(mail, 'bob')[0]['id']}\n")
    assert "[nothing-yet]" in result.err


def test_a_wait_prints_the_answer_as_soon_as_it_is_there(mail: Crew) -> None:
    answering = threading.Thread(target=_answer_when_asked, args=(mail, "bob", "8080\nor 80"))
    answering.start()
    asked = mail.run("ask", "bob", "which port?", "--wait", "60", "--as", "ada")
    answering.join()

    assert asked.code == 0
    head, *answer = asked.out.rstrip("\n").split("\n")
    assert head.startswith("bob answers m-")
    assert answer == ["    8080", "    or 80"]


def _answer_when_asked(crew: Crew, name: str, text: str) -> None:
    while not (rows := inbox(crew, name)):
        time.sleep(0.02)
    assert crew.run("answer", rows[0]["id"], text, "--as", name).code == 0


def test_a_question_asked_again_with_its_key_gets_the_answer_of_the_first(mail: Crew) -> None:
    question = mail.do("ask bob 'which port?' --key k --as ada")["message"]
    mail.do(f"answer {question} 8080 --as bob")

    again = mail.do("ask bob 'which port?' --key k --as ada")

    assert (again["message"], again["replayed"]) == (question, True)
    assert again["answer"]["text"] == "8080"
    assert len(inbox(mail, "bob", "--all")) == 1


# --- read, ack ---------------------------------------------------------------------------------------------------


def test_reading_shows_the_thread_and_acks_nothing(mail: Crew) -> None:
    first = sent(mail, "bob 'shall I?' --needs-ack --as ada")
    second = sent(mail, f"ada 'what?' --reply {first} --as bob")

    shown = mail.do(f"read {second}")

    assert [row["id"] for row in shown["thread"]] == [first, second]
    assert shown["message"]["thread"] == first
    assert shown["message"]["waiting"] == ["ada"]
    assert len(inbox(mail, "ada")) == 1
    text = mail.run("read", first).out
    assert "wants     an ack" in text
    assert f"thread {first}:" in text


def test_who_has_acked_and_who_has_not(mail: Crew) -> None:
    message = sent(mail, "all hello --as zoe")
    mail.do(f"ack {message} --as ada")

    found = mail.do(f"read {message}")["message"]

    assert [ack["name"] for ack in found["acks"]] == ["ada"]
    assert found["waiting"] == ["bob"]


def test_a_second_ack_does_nothing(mail: Crew) -> None:
    message = sent(mail, "bob hello --as ada")
    assert mail.do(f"ack {message} --as bob")["event"]

    again = mail.run("ack", message, "--as", "bob", "--json")

    assert (again.code, again.json["event"]) == (0, None)
    assert "it is so already" in again.err


def test_of_several_each_is_judged_alone(mail: Crew) -> None:
    mine, other = sent(mail, "bob one --as ada"), sent(mail, "ada two --as zoe")

    result = mail.run("ack", mine, other, "m-zzz", "--as", "bob", "--json")

    assert result.code == 4
    first, second, third = result.json["results"]
    assert first["message"] == mine
    assert (second["message"], second["error"]["code"]) == (other, "not-allowed")
    assert third["error"]["code"] == "not-found"
    assert "hint: `crewlog inbox --all` shows what you were sent." in result.err
    assert inbox(mail, "bob") == []


def test_what_an_agent_wrote_moves_no_cursor(mail: Crew) -> None:
    message = sent(mail, "bob 'red \x1b[31m\u202e' --as ada")

    for words in (["inbox", "--as", "bob"], ["read", message], ["inbox", "--json", "--as", "bob"]):
        assert mail.run(*words).out.replace("\n", "").isprintable()


# --- channels ----------------------------------------------------------------------------------------------------


def test_a_channel_reaches_who_joined_it_and_not_who_left(mail: Crew) -> None:
    assert mail.do("channel join +ops --as bob")["channel"] == "ops"
    mail.do("channel join ops --as ada")
    sent(mail, "+ops one --as zoe")
    assert mail.do("channel list")["channels"] == [{"channel": "ops", "members": ["ada", "bob"]}]
    mail.do("channel leave ops --as bob")
    sent(mail, "+ops two --as zoe")

    assert (texts(mail, "ada"), texts(mail, "bob")) == (["one", "two"], ["one"])
    assert mail.run("channel", "list", "ops").out == "+ops  ada\n"


def test_joining_twice_and_leaving_what_one_never_joined_do_nothing(mail: Crew) -> None:
    assert mail.do("channel join ops --as ada")["event"]
    assert mail.do("channel join ops --as ada") == {"channel": "ops", "listens": True, "event": None}
    assert mail.do("channel leave dev --as ada") == {"channel": "dev", "listens": False, "event": None}


def test_a_name_that_only_listens_can_be_written_to(crew: Crew) -> None:
    crew.do("channel join ops --as eve")

    sent(crew, "eve hello --as zoe")

    assert texts(crew, "eve") == ["hello"]


# --- retries, wrong words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("send bob hello --as ada", "send bob goodbye --as ada"),
        ("send bob hello --as ada", "send zoe hello --as ada"),
        ("send bob hello --as ada", "send bob hello --needs-ack --as ada"),
        ("send bob hello --as ada", "ask bob hello --as ada"),
        ("ask bob hello --as ada", "ask bob hello --reply {message} --as ada"),
        ("answer {message} yes --as bob", "answer {message} no --as bob"),
        ("answer {message} yes --as bob", "answer {second} yes --as bob"),
        ("ack {message} --as bob", "ack {second} --as bob"),
        ("channel join ops --as bob", "channel join dev --as bob"),
        ("channel join ops --as bob", "channel leave ops --as bob"),
    ],
)
def test_a_retry_with_the_same_key_gets_the_first_event(mail: Crew, line: str, other: str) -> None:
    ids = {"message": sent(mail, "bob first --as ada"), "second": sent(mail, "bob second --as ada")}
    line, other = line.format(**ids), other.format(**ids)
    first = mail.do(f"{line} --key k")

    again = mail.do(f"{line} --key k")

    assert (again["event"], again["replayed"]) == (first["event"], True)
    assert why(mail.refused(f"{other} --key k")) == ("key-reuse", 5)


def test_a_large_message_is_known_again_by_its_key(mail: Crew) -> None:
    first = mail.do("send bob - --key k --as ada", stdin=LARGE)
    assert mail.do("send bob - --key k --as ada", stdin=LARGE)["event"] == first["event"]

    refused = mail.run("send", "bob", "-", "--key", "k", "--as", "ada", "--json", stdin=LARGE + "more")

    assert refused.error["code"] == "key-reuse"


def test_a_key_goes_with_one_message(mail: Crew) -> None:
    one, two = sent(mail, "bob one --as ada"), sent(mail, "bob two --as ada")

    assert why(mail.refused(f"ack {one} {two} --key k --as bob")) == ("usage", 2)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mail --as bob", "inbox --as bob"),
        ("tell bob hello", "send bob hello"),
        ("msg bob hello", "send bob hello"),
        ("message bob hello", "send bob hello"),
        ("reply m-222 yes", "answer m-222 yes"),
        ("respond m-222 yes", "answer m-222 yes"),
        ("subscribe ops", "channel join ops"),
        ("unsubscribe ops", "channel leave ops"),
    ],
)
def test_a_wrong_word_is_answered_with_the_whole_line(crew: Crew, typed: str, meant: str) -> None:
    refused = crew.run("--json", *typed.split())

    assert refused.error["details"]["corrected"] == f"crewlog --json {meant}"
