"""Messages: sent, acked, answered. What may happen to one, and its state folded from its events."""

from __future__ import annotations

import orjson

from domain.draft import Draft
from domain.event import Event, IllegalEventError, Json
from domain.named import NamedTuple
from domain.refusals import Refusal

FOLD = 3
GROUPS = ("*", "#")
MESSAGE_PREFIX = "m-"


class Answer(NamedTuple):
    """What somebody answered; `id` is that event's."""

    id: str
    by: str
    at: str
    text: str | Json


class Message(NamedTuple):
    """A message and what became of it. `acks` are the names that acked, in order."""

    id: str
    event: str
    sender: str
    to: str
    text: str | Json
    at: str
    question: bool
    needs_ack: bool
    reply: str | None
    task: str | None
    acks: tuple[str, ...]
    answers: tuple[Answer, ...]

    @property
    def is_group(self) -> bool:
        """True for a message to a channel, to all or to people."""
        return self.to.startswith(GROUPS)


class Send(NamedTuple):
    """Say something to somebody."""

    actor: str
    to: str
    text: str
    question: bool = False
    needs_ack: bool = False
    reply: str | None = None
    task: str | None = None


class Ack(NamedTuple):
    """Say that one has read a message."""

    actor: str


class Reply(NamedTuple):
    """Answer a message; that acks it, too."""

    actor: str
    text: str


def send(command: Send) -> tuple[Draft, ...]:
    """The event that begins a message's stream."""
    given = {
        "question": command.question,
        "needs_ack": command.needs_ack,
        "reply": command.reply,
        "task": command.task,
    }
    payload: Json = {"text": command.text, **{name: value for name, value in given.items() if value}}
    return (Draft("mail.sent", payload, {}, command.to),)


def ack(command: Ack, message: Message) -> tuple[Draft, ...]:
    """The event of an ack; () where it is acked already. Refused (`not-allowed`) for who it was not sent to."""
    _addressed(command.actor, message)
    if command.actor in message.acks:
        return ()
    return (Draft("mail.acked", {}, {"message": message.event}, message.sender),)


def answer(command: Reply, message: Message) -> tuple[Draft, ...]:
    """The event of an answer. Refused (`not-allowed`) for who the message was not sent to."""
    _addressed(command.actor, message)
    return (Draft("mail.answered", {"text": command.text}, {"message": message.event}, message.sender),)


def _addressed(name: str, message: Message) -> None:
    """A message to a group is for whoever but its sender; to a name, for that name."""
    if message.to == name or (message.is_group and message.sender != name):
        return
    hint = "`crewlog inbox` lists what is addressed to you."
    raise Refusal(
        "not-allowed", f"{message.id} is from {message.sender} to {message.to}, not to {name}", hint
    )


def evolve(message: Message | None, event: Event) -> Message:
    """The message after an event of its stream."""
    payload = event.payload
    if (message is None) != (event.type == "mail.sent"):
        raise IllegalEventError(event.id)
    if message is None:
        return Message(
            id=event.subject,
            event=event.id,
            sender=event.sender,
            to=event.to,
            text=payload["text"],
            at=event.ts,
            question=bool(payload.get("question")),
            needs_ack=bool(payload.get("needs_ack")),
            reply=payload.get("reply"),
            task=payload.get("task"),
            acks=(),
            answers=(),
        )
    acks = message.acks if event.sender in message.acks else (*message.acks, event.sender)
    if event.type == "mail.answered":
        given = Answer(event.id, event.sender, event.ts, payload["text"])
        return message._replace(acks=acks, answers=(*message.answers, given))
    return message._replace(acks=acks)


def dump(message: Message) -> bytes:
    """The state as JSON bytes."""
    answers = [answer._asdict() for answer in message.answers]
    return orjson.dumps({**message._asdict(), "answers": answers}, option=orjson.OPT_SORT_KEYS)


def load(data: bytes) -> Message:
    """The state that `dump` wrote."""
    fields: Json = orjson.loads(data)
    answers = tuple(Answer(**answer) for answer in fields.pop("answers"))
    acks = tuple(fields.pop("acks"))
    return Message(**fields, acks=acks, answers=answers)
