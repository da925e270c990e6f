"""Given a message, when somebody acks or answers it, then these events; and channels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from domain import channels, mail
from domain.agent import Agent
from domain.draft import Draft
from domain.event import Event, seal
from domain.mail import Ack, Message, Reply, Send
from domain.refusals import Refusal
from tests.support.streams import SOME_TIME


def folded(*history: tuple[str, Sequence[Draft]]) -> Message:
    """The message after what these names did, one after the other."""
    state: Message | None = None
    for number, (name, drafts) in enumerate(history, 1):
        for draft in drafts:
            state = mail.evolve(state, _sealed(number, name, draft))
    assert state is not None
    return state


def _sealed(number: int, name: str, draft: Draft) -> Event:
    fields = {"type": draft.type, "payload": draft.payload, "to": draft.to, "from": name}
    about = {"v": 1, "ts": SOME_TIME, "stream": "mail/m-22222222", "key": str(number)}
    return seal({**about, **fields, "replica": "r-1", "seq": number})


def sent(to: str = "bob", *, question: bool = False) -> Message:
    """A message of ada's."""
    return folded(("ada", mail.send(Send("ada", to, "hello", question=question))))


def test_a_message_says_only_what_it_has_to_say() -> None:
    assert mail.send(Send("ada", "bob", "hello")) == (Draft("mail.sent", {"text": "hello"}, {}, "bob"),)


def test_a_question_about_a_task_that_wants_an_ack_says_all_of_it() -> None:
    wanted = Send("ada", "#ops", "why?", question=True, needs_ack=True, reply="m-33333333", task="t-22222222")
    (draft,) = mail.send(wanted)
    assert draft.to == "#ops"
    assert draft.payload == {
        "text": "why?",
        "question": True,
        "needs_ack": True,
        "reply": "m-33333333",
        "task": "t-22222222",
    }


def test_an_ack_goes_to_the_sender_and_names_the_message_that_was_read() -> None:
    message = sent()
    assert mail.ack(Ack("bob"), message) == (Draft("mail.acked", {}, {"message": message.event}, "ada"),)


def test_a_second_ack_does_nothing() -> None:
    message = folded(("ada", mail.send(Send("ada", "bob", "hi"))), ("bob", mail.ack(Ack("bob"), sent())))
    assert message.acks == ("bob",)
    assert mail.ack(Ack("bob"), message) == ()


def test_an_answer_acks_and_can_be_given_again() -> None:
    question = sent(question=True)
    (first,) = mail.answer(Reply("bob", "8080"), question)
    message = folded(("ada", mail.send(Send("ada", "bob", "hi"))), ("bob", [first]), ("bob", [first]))
    assert (first.to, first.payload) == ("ada", {"text": "8080"})
    assert message.acks == ("bob",)
    assert [answer.text for answer in message.answers] == ["8080", "8080"]
    assert mail.ack(Ack("bob"), message) == ()


@pytest.mark.parametrize(
    ("to", "name", "may"),
    [
        ("bob", "bob", True),
        ("bob", "eve", False),
        ("bob", "ada", False),
        ("ada", "ada", True),
        ("#ops", "bob", True),
        ("#ops", "ada", False),
        ("*", "bob", True),
        ("*", "ada", False),
        ("#people", "zoe", True),
    ],
)
def test_only_an_addressee_acks_and_answers(to: str, name: str, may: bool) -> None:
    message = sent(to)
    if may:
        assert mail.ack(Ack(name), message)
        assert mail.answer(Reply(name, "yes"), message)
        return
    with pytest.raises(Refusal) as acking:
        mail.ack(Ack(name), message)
    with pytest.raises(Refusal) as answering:
        mail.answer(Reply(name, "yes"), message)
    for caught in (acking, answering):
        assert caught.value.code == "not-allowed"
        assert "inbox" in caught.value.hint


def test_a_message_comes_back_from_its_bytes() -> None:
    message = folded(
        ("ada", mail.send(Send("ada", "#ops", "ü", question=True, task="t-22222222"))),
        ("bob", mail.ack(Ack("bob"), sent("#ops"))),
        ("eve", mail.answer(Reply("eve", "yes"), sent("#ops"))),
    )
    assert mail.load(mail.dump(message)) == message


def test_who_listens_is_decided_on_what_they_listen_to() -> None:
    listening = Agent("bob", channels=("ops",))
    assert channels.subscribe("ops", None) == (Draft("agent.subscribed", {"channel": "ops"}, {}),)
    assert channels.subscribe("ops", listening) == ()
    assert channels.unsubscribe("ops", listening) == (Draft("agent.unsubscribed", {"channel": "ops"}, {}),)
    assert channels.unsubscribe("dev", listening) == ()
    assert channels.unsubscribe("ops", None) == ()


@pytest.mark.parametrize("typed", ["ops", "+ops", "#ops"])
def test_a_channel_is_typed_with_or_without_its_sign(typed: str) -> None:
    assert channels.check_channel(typed) == "ops"


@pytest.mark.parametrize("typed", ["people", "+people", "Ops", "", "++ops", "all ops"])
def test_what_is_no_channel_is_refused(typed: str) -> None:
    with pytest.raises(Refusal) as caught:
        channels.check_channel(typed)
    assert caught.value.code == "bad-name"
