"""What the mail commands share: addresses, texts, the message that is meant, the write and its answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import text_from
from cli.blobs import whole_text
from cli.call import Call
from cli.output import Answer, Columns
from cli.text import age, cut, safe, safe_line
from cli.writes import REPLAYED
from domain.event import parse_time
from domain.mail import MESSAGE_PREFIX
from domain.names import TASK_DIGITS, stored_address
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.style import Style
    from domain.draft import Draft
    from domain.log import Seen, Written
    from domain.mail import Message

PREVIEW_WIDTH = 72
BODY_LINES = 30
EXAMPLE = 'Example: crewlog send bob "the parser is ready"'

MessageArg = Annotated[
    str, typer.Argument(metavar="ID", help="The message: its id or a unique prefix.", show_default=False)
]
ToArg = Annotated[
    str, typer.Argument(metavar="TO", help="A name, +CHANNEL, all or people.", show_default=False)
]
TextArg = Annotated[
    str | None, typer.Argument(metavar="[TEXT]", help="What to say; - reads stdin.", show_default=False)
]
FileOption = Annotated[
    str | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Says what FILE holds; - reads stdin.", show_default=False
    ),
]
NeedsAckOption = Annotated[
    bool,
    typer.Option(
        "--needs-ack",
        help="Stands in `status` as overdue from 10 minutes on, until it is acked.",
        show_default=False,
    ),
]
ReplyOption = Annotated[
    str | None,
    typer.Option("--reply", metavar="ID", help="The message that this one follows.", show_default=False),
]
AboutOption = Annotated[
    str | None, typer.Option("--task", metavar="TASK", help="The task that it is about.", show_default=False)
]
UnknownOption = Annotated[
    bool, typer.Option("--allow-unknown", help="To a name that was never here, too.", show_default=False)
]


def address(typed: str) -> str:
    """What is stored for an address as typed. What is stored is understood, too: answers show it."""
    if typed.startswith("#"):
        return stored_address("+" + typed[1:])
    return stored_address("all" if typed == "*" else typed)


def shown_address(stored: str) -> str:
    """How an address is typed."""
    return {"*": "all", "#people": "people"}.get(stored, stored.replace("#", "+", 1))


def message_text(call: Call, text: str | None, file: str | None = None) -> str:
    """What is to be said: as typed, from standard input or from a file. Refused where there is nothing."""
    if (text is None) == (file is None):
        raise Refusal("usage", "a message is TEXT, - for standard input, or --file FILE", EXAMPLE)
    content = _from_file(call, file) if file is not None else text_from(call, text, "message")
    if not content.strip():
        raise Refusal("bad-value", "the message is empty", EXAMPLE)
    return content


def _from_file(call: Call, file: str) -> str:
    if file == "-":
        return text_from(call, file, "message")
    try:
        with open(os.path.join(call.shell.cwd, file), "rb") as opened:
            data = opened.read(call.store.config.blob + 1)
    except OSError as error:
        raise Refusal("not-found", f"cannot read {file}: {error.strerror}", "Name a text file.") from error
    if (
        len(data) > call.store.config.blob
    ):  # else the cut might fall into a character, and be called bad UTF-8
        message = f"{file} is over {call.store.config.blob:,} bytes"
        raise Refusal("too-large", message, "Commit the file and name it, or raise [limits] blob.")
    try:
        return data.decode("utf-8-sig").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise Refusal("bad-value", f"{file} is not valid Unicode", "Save it as UTF-8.") from error


def message_id(call: Call, text: str) -> str:
    """The id of the message that is meant."""
    if text.startswith(MESSAGE_PREFIX) and len(text) == len(MESSAGE_PREFIX) + TASK_DIGITS:
        return text
    from projections.mail import resolve_message

    call.store.views.catch_up()
    return resolve_message(call.store.views.connection, text)


def no_message(message: str) -> Refusal:
    """What is said where there is no such message."""
    hint = "`crewlog inbox --all` shows what you were sent."
    return Refusal("not-found", f"there is no message {message}", hint, given=message)


def write(
    call: Call,
    message: str,
    command: str,
    decided: Callable[[Message], Sequence[Draft]],
    text: str | None = None,
) -> Written:
    """Decide on the message's true state and append what comes of it. Refused (`not-found`) where there is none."""

    def checked(seen: Seen) -> Sequence[Draft]:
        if seen.state is None:
            raise no_message(message)
        return decided(seen.state)

    fields = {} if text is None else key_fields(call, "mail.answered", {"text": text})
    with call.writing([text]) as transaction:
        return transaction.append(
            f"mail/{message}",
            call.actor,
            call.marked(checked, [text]),
            retry=call.retry(command, **fields),
        )


def key_fields(call: Call, event: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as it is stored, large texts as their blobs: what an earlier event with this key must hold."""
    from domain.blobs import check_in

    return check_in(event, payload, call.store.config.blob)[0] if call.options.key is not None else {}


def written_answer(
    call: Call, written: Written, lines: Sequence[str], remarked: Sequence[str] = (), **extra: Any
) -> Answer:
    """The answer of a command that wrote to one message: `{"message", "event", …}`."""
    message: Message = written.state
    data: dict[str, Any] = {
        "message": message.id,
        "event": written.events[0].id if written.events else None,
        **({"replayed": True} if written.replayed else {}),
        **extra,
    }
    remarks = [*remarked]
    if written.events and not written.replayed:
        remarks += call.store.after_write()
    if not written.events:
        remarks.append("nothing to do: it is so already")
    if written.replayed:
        remarks.append(REPLAYED)
    return Answer(data, lines, [message.id], remarks)


# --- showing -----------------------------------------------------------------------------------------------------


def rows_with_texts(call: Call, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows; with `--full` their texts are whole, also where only a claim check is stored."""
    if not call.options.full:
        return list(rows)
    return [{**row, "text": whole_text(call, row["text"])} for row in rows]


def table(call: Call, rows: Sequence[dict[str, Any]], me: str = "") -> list[str]:
    """A line a message: id, who to whom, age, marks (`?` wants an answer, `!` an ack), the beginning of the text."""
    columns = Columns()
    for row in rows:
        columns.add(
            row["id"], _route(row, me), age(_seconds(call, row["at"])), marks(row), _beginning(call, row)
        )
    return columns.lines()


def _route(row: dict[str, Any], me: str) -> str:
    return str(row["from"]) if row["to"] == me else f"{row['from']}→{shown_address(row['to'])}"


def marks(row: dict[str, Any]) -> str:
    """`?` for a question, `!` for what wants an ack."""
    return ("?" if row["question"] else "") + ("!" if row["needs_ack"] else "") or "-"


def _beginning(call: Call, row: dict[str, Any]) -> str:
    from domain.blobs import preview

    text = safe_line(preview(row["text"]))
    return text if call.options.full else cut(text, PREVIEW_WIDTH)


def _seconds(call: Call, at: str) -> float:
    return (call.shell.clock() - parse_time(at)) / 1_000_000


def when(call: Call, style: Style, at: str) -> str:
    """A time with its age."""
    return f"{style.when(at)} ({age(_seconds(call, at))} ago)"


def body(call: Call, text: str | dict[str, Any]) -> list[str]:
    """The text, indented; cut after BODY_LINES lines or a claim check's preview unless `--full`."""
    from domain.blobs import preview

    lines = [f"    {line}" for line in safe(preview(text)).split("\n")]
    if call.options.full or (isinstance(text, str) and len(lines) <= BODY_LINES):
        return lines
    size = text["blob"]["size"] if isinstance(text, dict) else len(text.encode())
    return [*lines[:BODY_LINES], f"    … {size:,} bytes in all; --full shows them"]
