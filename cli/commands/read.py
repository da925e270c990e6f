"""`read`: one message with everything."""

from __future__ import annotations

from typing import Any

from cli.arguments import UtcOption
from cli.call import Call
from cli.grammar import command
from cli.mailing import MessageArg, body, marks, message_id, rows_with_texts, shown_address, table, when
from cli.output import Answer
from cli.style import Style
from cli.text import safe_line


@command("read", "crewlog read m-7kq2\ncrewlog read m-7kq2 --full")
def read(call: Call, message: MessageArg, utc: UtcOption = False) -> None:
    """Show a message, its answers and its thread. It stays in your inbox until you `ack`; --full shows long texts."""
    from projections import mail

    name = message_id(call, message)
    seen = call.store.views.ask(lambda views: (mail.message(views, name), mail.thread(views, name)))
    (found,), thread = _with_answers(call, [seen[0]]), _with_answers(call, seen[1])
    style = call.style(utc=utc)
    lines = [*_head(call, style, found), *body(call, found["text"]), *_answers(call, style, found["answers"])]
    if len(thread) > 1:
        lines += ["", f"  thread {found['thread']}:", *(f"    {line}" for line in table(call, thread))]
    call.answer(Answer({"message": found, "thread": thread}, lines, [name], tells=_told(found, thread)))


def _told(found: dict[str, Any], thread: list[dict[str, Any]]) -> list[str]:
    """The ids of what is shown whole, or at least by its beginning."""
    return [*(row["id"] for row in (found, *thread)), *(answer["id"] for answer in found["answers"])]


def _with_answers(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "answers": rows_with_texts(call, row["answers"])} for row in rows_with_texts(call, rows)]


def _head(call: Call, style: Style, found: dict[str, Any]) -> list[str]:
    facts = {
        "from": f"{found['from']} to {shown_address(found['to'])}",
        "sent": when(call, style, found["at"]),
        "wants": {"?": "an answer", "!": "an ack", "?!": "an answer and an ack"}.get(marks(found)),
        "task": found["task"],
        "follows": found["reply"],
        "acked": ", ".join(f"{ack['name']} {style.when(ack['at'])}" for ack in found["acks"]),
        "unread": ", ".join(found["waiting"]),
    }
    return [found["id"], *(f"  {name:<10}{safe_line(value)}" for name, value in facts.items() if value), ""]


def _answers(call: Call, style: Style, answers: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for one in answers:
        lines += ["", f"  {one['from']} answered {when(call, style, one['at'])}:", *body(call, one["text"])]
    return lines
