"""Mail as the views have it: who was sent what is fixed when it is sent, and rebuilt equals caught up."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import channels, mail
from domain.commands import Spawn, Start
from domain.decide import decide, spawn
from domain.draft import Draft
from domain.log import Log, Seen, Transaction
from domain.mail import Ack, Message, Reply, Send
from domain.refusals import Refusal
from projections import folding
from projections import mail as view
from projections.database import connect_memory
from projections.views import Views, open_views
from tests.projections.histories import Pot
from tests.projections.test_plans import slow_steps, traced
from tests.projections.test_rebuilt import CHUNKS, few, folded_at_once, new_store
from tests.support.stores import SqliteStore

NAMES = ("ada", "bob", "eve", "zoe")
ADDRESSES = (*NAMES, "nemo", "#ops", "#dev", "*", "#people")
WORDS = ("join", "person", "leave", "subscribe", "unsubscribe", "start", "ack", "ack", "answer")
VERBS = (*WORDS, "send", "send", "send", "ask", "reply")


class Step(NamedTuple):
    """One thing that somebody does, on the `way`-th message or channel."""

    verb: str
    name: str
    to: str
    way: int


STEPS = st.lists(
    st.builds(
        Step, st.sampled_from(VERBS), st.sampled_from(NAMES), st.sampled_from(ADDRESSES), st.integers(0, 99)
    ),
    min_size=1,
    max_size=40,
)


class Crew:
    """Plays steps on a log; remembers the messages."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.messages: list[str] = []

    def play(self, steps: Sequence[Step]) -> None:
        """All steps, in one transaction."""
        with self.log.transaction() as transaction:
            for step in steps:
                with suppress(Refusal):
                    self._do(transaction, step)

    def send(self, name: str, to: str, text: str = "hello", **fields: Any) -> str:
        """Send a message and return its id."""
        wanted = Send(name, to, text)._replace(**fields)
        with self.log.transaction() as transaction:
            return self._send(transaction, wanted)

    def _send(self, transaction: Transaction, wanted: Send) -> str:
        written = transaction.append(None, wanted.actor, lambda _: mail.send(wanted))
        self.messages.append(written.events[0].subject)
        return self.messages[-1]

    def _do(self, transaction: Transaction, step: Step) -> None:
        if step.verb in ("send", "ask", "reply"):
            self._send(transaction, self._wanted(step))
        elif step.verb in ("ack", "answer"):
            if self.messages:
                stream = f"mail/{self._some(step)}"
                transaction.append(stream, step.name, lambda seen: _on_message(step, seen.state))
        elif step.verb == "start":
            task = transaction.append(None, step.name, lambda _: spawn(Spawn(step.name, "x", 2)))
            transaction.append(
                task.events[0].stream, step.name, lambda seen: decide(Start(step.name), seen.state)
            )
        else:
            transaction.append(f"agent/{step.name}", step.name, lambda seen: _about_agent(step, seen))

    def _some(self, step: Step) -> str:
        return self.messages[step.way % len(self.messages)]

    def _wanted(self, step: Step) -> Send:
        follows = self._some(step) if step.verb == "reply" and self.messages else None
        text = "x" * (5_000 if step.way % 10 == 0 else 5)
        return Send(step.name, step.to, text, step.verb == "ask", step.way % 3 == 0, follows)


def _on_message(step: Step, message: Message) -> Sequence[Draft]:
    if step.verb == "ack":
        return mail.ack(Ack(step.name), message)
    return mail.answer(Reply(step.name, f"answer {step.way}"), message)


def _about_agent(step: Step, seen: Seen) -> Sequence[Draft]:
    channel = ("ops", "dev")[step.way % 2]
    drafts: dict[str, Callable[[], Sequence[Draft]]] = {
        "join": lambda: (Draft("agent.joined", {}, {}),),
        "person": lambda: (Draft("agent.joined", {"person": step.way % 5 != 0}, {}),),
        "leave": lambda: (Draft("agent.left", {}, {}),),
        "subscribe": lambda: channels.subscribe(channel, seen.state),
        "unsubscribe": lambda: channels.unsubscribe(channel, seen.state),
    }
    return drafts[step.verb]()


class Expected:
    """What the rules say, folded as plainly as can be: one event after the other, nothing kept in tables."""

    def __init__(self, log: Log) -> None:
        self.here: dict[str, bool] = {}
        self.people: set[str] = set()
        self.listening: set[tuple[str, str]] = set()
        self.sent: list[str] = []
        self.delivered: dict[tuple[str, str], bool] = {}
        for stored in log.read(0, 10_000):
            self._fold(stored.event)

    def _fold(self, event: Any) -> None:
        name, payload = event.sender, event.payload
        self.here.setdefault(name, True)
        if event.type in ("agent.joined", "task.started"):
            self.here[name] = True
        if "person" in payload:
            (self.people.add if payload["person"] else self.people.discard)(name)
        if event.type == "agent.left":
            self.here[name] = False
        if event.type == "agent.subscribed":
            self.listening.add((payload["channel"], name))
        if event.type == "agent.unsubscribed":
            self.listening.discard((payload["channel"], name))
        if event.type == "mail.sent":
            self.sent.append(event.subject)
            self.delivered |= {(to, event.subject): False for to in self._addressees(name, event.to)}
        if event.type in ("mail.acked", "mail.answered") and (name, event.subject) in self.delivered:
            self.delivered[name, event.subject] = True

    def _addressees(self, sender: str, to: str) -> set[str]:
        if to in (*NAMES, "nemo"):
            return {to}
        here = {name for name, present in self.here.items() if present}
        groups = {"*": here, "#people": here & self.people}
        channel = {name for name in here if (to.removeprefix("#"), name) in self.listening}
        return groups.get(to, channel) - {sender}

    def unread(self, name: str) -> list[str]:
        """The messages in an inbox, oldest first."""
        return [one for one in self.sent if self.delivered.get((name, one)) is False]


def ids(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


@few
@given(parts=st.lists(STEPS, min_size=1, max_size=3), chunk=CHUNKS, other=CHUNKS)
def test_rebuilt_equals_caught_up_whatever_the_chunks(
    parts: list[list[Step]], chunk: int, other: int
) -> None:
    with new_store() as (store, log):
        crew, views = Crew(log), open_views(store.folder, log, chunk=chunk)
        for part in parts:
            crew.play(part)
            views.catch_up()
        found = views.state_hash()
        assert found == folded_at_once(log, other)
        assert views.rebuild().same
        views.close()


@few
@given(steps=STEPS, chunk=CHUNKS)
def test_inboxes_hold_what_the_rules_say(steps: list[Step], chunk: int) -> None:
    with new_store() as (store, log):
        Crew(log).play(steps)
        expected, views = Expected(log), open_views(store.folder, log, chunk=chunk)
        views.catch_up()
        connection = views.connection
        for name in (*NAMES, "nemo"):
            unread, all_ = (
                expected.unread(name),
                [o for o in expected.sent if (name, o) in expected.delivered],
            )
            first = view.inbox(connection, name, 2)
            assert ids(first.rows) == unread[:2]
            assert len(first.rows) + first.more == len(unread) == view.unread_count(connection, name)
            assert ids(view.everything(connection, name, 99).rows) == all_
            assert view.is_known(connection, name) == (name in expected.here)
        views.close()


@few
@given(steps=STEPS, chunk=CHUNKS)
def test_a_message_is_what_the_log_folds_it_to(steps: list[Step], chunk: int) -> None:
    with new_store() as (store, log):
        crew = Crew(log)
        crew.play(steps)
        expected, views = Expected(log), open_views(store.folder, log, chunk=chunk)
        views.catch_up()
        for one in crew.messages:
            _check_message(views.connection, log.state(f"mail/{one}"), expected)
        states = [log.state(f"mail/{one}") for one in crew.messages]
        assert ids(view.unanswered(views.connection)) == [
            s.id for s in states if s.question and not s.answers
        ]
        overdue = [s.id for s in states if s.needs_ack and _waiting(s.id, expected)]
        assert ids(view.unacked(views.connection)) == overdue
        views.close()


def _waiting(message: str, expected: Expected) -> list[str]:
    return sorted(to for (to, one), acked in expected.delivered.items() if one == message and not acked)


def _check_message(connection: sqlite3.Connection, state: Message, expected: Expected) -> None:
    found = view.message(connection, state.id)
    assert (found["from"], found["to"], found["text"]) == (state.sender, state.to, state.text)
    assert (found["question"], found["needs_ack"], found["reply"]) == (
        state.question,
        state.needs_ack,
        state.reply,
    )
    assert [(one["id"], one["from"], one["text"]) for one in found["answers"]] == [
        (one.id, one.by, one.text) for one in state.answers
    ]
    assert found["waiting"] == _waiting(state.id, expected)
    assert {ack["name"] for ack in found["acks"]} <= set(state.acks)


# --- the rules, one by one ---------------------------------------------------------------------------------------


def does(crew: Crew, line: str) -> None:
    """Play `name verb` words, like `ada join` or `bob subscribe` (to ops)."""
    name, verb = line.split()
    crew.play([Step(verb, name, "", 2 if verb == "person" else 0)])


@pytest.fixture
def crew(log: Log) -> Crew:
    """The crew of a log: zoe is a person, ada and bob are agents."""
    made = Crew(log)
    for line in ("zoe person", "ada join", "bob join"):
        does(made, line)
    return made


def inboxes(views: Views) -> dict[str, list[str]]:
    """Everybody's unread messages, without empty inboxes."""
    views.catch_up()
    found = {name: ids(view.inbox(views.connection, name, 99).rows) for name in (*NAMES, "nemo")}
    return {name: rows for name, rows in found.items() if rows}


def test_a_message_to_all_is_for_who_is_here_when_it_is_sent(crew: Crew, views: Views) -> None:
    does(crew, "bob leave")
    first = crew.send("ada", "*")
    does(crew, "eve join")
    does(crew, "bob start")
    second = crew.send("ada", "*")
    assert inboxes(views) == {"zoe": [first, second], "eve": [second], "bob": [second]}


def test_a_message_to_people_is_for_persons(crew: Crew, views: Views) -> None:
    first = crew.send("ada", "#people")
    crew.send("zoe", "#people")
    assert inboxes(views) == {"zoe": [first]}


def test_a_message_to_a_channel_is_for_its_members_then_but_the_sender(crew: Crew, views: Views) -> None:
    crew.send("zoe", "#ops")
    for name in ("ada", "bob"):
        does(crew, f"{name} subscribe")
    second = crew.send("ada", "#ops")
    does(crew, "ada unsubscribe")
    third = crew.send("zoe", "#ops")
    does(crew, "bob leave")
    crew.send("zoe", "#ops")
    assert inboxes(views) == {"bob": [second, third]}


def test_a_message_to_oneself_is_delivered(crew: Crew, views: Views) -> None:
    mine = crew.send("ada", "ada")
    assert inboxes(views) == {"ada": [mine]}


def test_what_a_name_that_never_came_was_sent_waits_for_it(crew: Crew, views: Views) -> None:
    early = crew.send("ada", "nemo")
    assert inboxes(views) == {"nemo": [early]}
    assert not view.is_known(views.connection, "nemo")
    assert view.names(views.connection) == ["ada", "bob", "zoe"]


def test_who_only_did_something_counts_as_here(log: Log, views: Views) -> None:
    crew = Crew(log)
    crew.send("eve", "ada", "first word")
    again = crew.send("ada", "*")
    views.catch_up()
    assert ids(view.inbox(views.connection, "eve", 9).rows) == [again]


def test_a_message_is_delivered_to_who_is_shown_before(crew: Crew, views: Views) -> None:
    does(crew, "bob subscribe")
    for address in ADDRESSES:
        views.catch_up()
        shown = view.addressees(views.connection, "ada", address)
        one = crew.send("ada", address)
        views.catch_up()
        assert view.message(views.connection, one)["waiting"] == shown


def test_a_thread_begins_at_the_message_that_follows_none(crew: Crew, views: Views) -> None:
    first = crew.send("ada", "bob")
    second = crew.send("bob", "ada", reply=first)
    crew.send("zoe", "ada")
    third = crew.send("ada", "bob", reply=second)
    views.catch_up()
    for one in (first, second, third):
        thread = view.thread(views.connection, one)
        assert ids(thread) == [first, second, third]
        assert {row["thread"] for row in thread} == {first}


def test_answers_behind_a_position_are_found_by_message_and_by_asker(
    crew: Crew, log: Log, views: Views
) -> None:
    one = crew.send("ada", "bob", question=True)
    crew.play([Step("answer", "bob", "", 0)])
    position = log.position()
    crew.play([Step("answer", "bob", "", 7)])
    views.catch_up()
    for rows in (
        view.answers_to(views.connection, one, position),
        view.answers_for(views.connection, "ada", position),
    ):
        assert [(row["message"], row["from"], row["text"]) for row in rows] == [(one, "bob", "answer 7")]
    assert len(view.answers_to(views.connection, one)) == 2
    assert view.answers_for(views.connection, "bob", 0) == []


def test_what_was_delivered_behind_a_position_counts_also_if_it_was_acked(crew: Crew, views: Views) -> None:
    crew.send("ada", "bob")
    views.catch_up()
    (first,) = view.inbox(views.connection, "bob", 9).rows
    second = crew.send("ada", "bob")
    crew.play([Step("ack", "bob", "", 1)])
    views.catch_up()
    assert ids(view.delivered_since(views.connection, "bob", first["position"])) == [second]
    assert view.delivered_since(views.connection, "bob", 10_000) == []


def test_a_message_is_found_by_its_id_a_prefix_or_its_event(crew: Crew, views: Views) -> None:
    one = crew.send("ada", "bob")
    crew.send("ada", "bob")
    views.catch_up()
    event = view.message(views.connection, one)["event"]
    for text in (one, one[:-1], one[2:], event, event[:12]):
        assert view.resolve_message(views.connection, text) == one


@pytest.mark.parametrize("text", ["", "m-", "m-2", "zz", "m-00000000", "f" * 64, "no such"])
def test_a_message_that_is_not_there_is_refused(text: str, crew: Crew, views: Views) -> None:
    views.catch_up()
    with pytest.raises(Refusal) as caught:
        view.resolve_message(views.connection, text)
    assert caught.value.code == "not-found"


def test_a_prefix_of_several_messages_is_ambiguous(crew: Crew, views: Views) -> None:
    sent: list[str] = []
    while True:
        sent.append(crew.send("ada", "bob", f"message {len(sent)}"))
        alike = [one for one in sent if one[:4] == sent[-1][:4]]
        if len(alike) > 1:
            break
    views.catch_up()
    with pytest.raises(Refusal) as caught:
        view.resolve_message(views.connection, alike[0][:4])
    assert caught.value.code == "ambiguous"
    assert sorted(one["id"] for one in caught.value.details["candidates"]) == sorted(alike)


def test_channels_are_listed_with_who_listens(crew: Crew, views: Views) -> None:
    for line in ("bob subscribe", "ada subscribe", "zoe subscribe", "zoe unsubscribe"):
        does(crew, line)
    views.catch_up()
    assert view.channels(views.connection) == [{"channel": "ops", "members": ["ada", "bob"]}]
    assert view.members(views.connection, "dev") == []


def test_an_event_that_cannot_be_folded_is_kept_with_its_reason(store: SqliteStore, views: Views) -> None:
    pot = Pot(store)
    pot.add("mail.sent", "m-22222222", text="good")
    bad = [
        pot.add("mail.sent", "m-22222222", text="again"),
        pot.add("mail.sent", "m-33333333"),
        pot.add("mail.sent", "m-33333333", text=7),
        pot.add("mail.acked", "m-33333333"),
        pot.add("mail.answered", "m-22222222"),
        pot.add("agent.subscribed", "x", channel=["ops"]),
    ]
    pot.version = 2
    bad.append(pot.add("mail.sent", "m-44444444", text="from the future"))
    views.catch_up()
    rows = views.connection.execute("SELECT event, reason FROM unread ORDER BY position").fetchall()
    assert [row[0] for row in rows] == [item.id for item in bad]
    reasons = [row[1].partition(":")[0] for row in rows]
    assert reasons == [
        "illegal",
        *["unreadable"] * 2,
        "illegal",
        *["unreadable"] * 2,
        "newer version",
    ]
    assert view.message(views.connection, "m-22222222")["answers"] == []
    assert views.rebuild().same


# --- what it costs -----------------------------------------------------------------------------------------------

Query = Callable[[sqlite3.Connection], object]


def _some(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT max(id) FROM messages").fetchone()[0])


QUERIES: dict[str, Query] = {
    "inbox": lambda c: view.inbox(c, "ada", 3),
    "everything": lambda c: view.everything(c, "ada", 3),
    "delivered since": lambda c: view.delivered_since(c, "ada", 3),
    "unread count": lambda c: view.unread_count(c, "ada"),
    "message": lambda c: view.message(c, _some(c)),
    "thread": lambda c: view.thread(c, _some(c)),
    "answers to": lambda c: view.answers_to(c, _some(c), 3),
    "answers for": lambda c: view.answers_for(c, "ada", 3),
    "resolve a prefix": lambda c: view.resolve_message(c, _some(c)[:9]),
    "unacked": view.unacked,
    "unanswered": view.unanswered,
    "is known": lambda c: view.is_known(c, "ada"),
    "addressees": lambda c: [view.addressees(c, "ada", to) for to in ("bob", "#ops", "#people")],
    "members": lambda c: view.members(c, "ops"),
}


def busy(log: Log) -> None:
    """Mail of every kind."""
    crew = Crew(log)
    for number in range(300):
        verb, name = VERBS[number % len(VERBS)], NAMES[number % 3]
        crew.play([Step(verb, name, ADDRESSES[number % len(ADDRESSES)], number)])


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_reads_no_whole_table(query: str, log: Log, views: Views) -> None:
    busy(log)
    views.catch_up()
    connection = views.connection
    statements = traced(connection, lambda: QUERIES[query](connection))
    assert statements
    for statement in statements:
        assert slow_steps(connection, statement) == [], statement


def test_catching_up_reads_no_whole_table(log: Log) -> None:
    connection = connect_memory()
    folding.create(connection)
    busy(log)
    statements = traced(connection, lambda: [folding.fold_chunk(connection, log, 1) for _ in range(300)])
    for statement in set(statements):
        assert slow_steps(connection, statement) == [], statement
