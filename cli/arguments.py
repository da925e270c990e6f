"""Arguments and options that several commands share, and where long texts come from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.call import Call
from cli.completion import complete_label, complete_name, complete_task
from domain.refusals import Refusal
from domain.registry import PRIORITY_LAST, TITLE_LIMIT

TaskArg = Annotated[
    str | None,
    typer.Argument(
        metavar="[TASK]",
        help="Id, unique prefix or slug; may be left out where the worktree or CREWLOG_TASK says it.",
        autocompletion=complete_task,
        show_default=False,
    ),
]
OptionalTaskArg = Annotated[
    str | None,
    typer.Argument(
        metavar="[TASK]",
        help="Id, unique prefix or slug; without it everything.",
        autocompletion=complete_task,
        show_default=False,
    ),
]
TasksArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TASK]...",
        help="Ids, unique prefixes or slugs; each is judged alone.",
        autocompletion=complete_task,
        show_default=False,
    ),
]
ClaimOption = Annotated[
    str,
    typer.Option(
        "--claim",
        metavar="ID",
        help="What `start` printed; a prefix will do [env: CREWLOG_CLAIM].",
        show_default=False,
    ),
]
ReasonOption = Annotated[
    str,
    typer.Option("--reason", "-r", metavar="TEXT", help="Why; - reads standard input.", show_default=False),
]
PidOption = Annotated[
    int | None,
    typer.Option(
        "--pid", metavar="PID", help="The session's process, if not the one found.", show_default=False
    ),
]
MOST_LIMIT = 100_000
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST_LIMIT, help="How many at most.")]
CursorOption = Annotated[
    str,
    typer.Option("--cursor", metavar="CURSOR", help="Go on where the last page ended.", show_default=False),
]
NameOption = Annotated[
    str | None, typer.Option("--to", metavar="NAME", autocompletion=complete_name, show_default=False)
]
UtcOption = Annotated[
    bool, typer.Option("--utc", help="Times in UTC, as stored, not local.", show_default=False)
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        "-l",
        metavar="LABEL",
        help="A label; may be repeated.",
        autocompletion=complete_label,
        show_default=False,
    ),
]


PLACEHOLDERS = ("…", "...")


def text_from(call: Call, given: str | None, what: str) -> str:
    """The text as given, or all of standard input for `-`. Refused (`bad-value`) where that is no text."""
    if given != "-":
        if given is not None and given.strip() in PLACEHOLDERS:
            hint = "It stands for your own words in the lines that crewlog prints: put them there."
            raise Refusal("bad-value", f"{given.strip()} is no {what}", hint, field=what)
        return _unicode(given or "", what)
    try:
        text = call.shell.stdin.read(call.store.config.blob + 1)
    except UnicodeDecodeError as error:
        raise Refusal("bad-value", f"{what} is not valid Unicode", "Save it as UTF-8.") from error
    return _unicode(text, what).removesuffix("\n")


def _unicode(text: str, what: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refusal("bad-value", f"{what} is not valid Unicode", "Save it as UTF-8.") from error
    return text


def checked_title(title: str) -> str:
    """The title without outer blanks; refused where it is empty, over-long or more than one line."""
    title = _unicode(title, "title").strip()
    hint = 'Example: crewlog spawn "Fix the login page" --body "What is wrong, and how to see it."'
    if not title:
        raise Refusal("bad-value", "the title is empty", hint, field="title")
    if len(title) > TITLE_LIMIT:
        message = f"the title is {len(title):,} characters; the limit is {TITLE_LIMIT}"
        raise Refusal("bad-value", message, "Say it in one line; the rest goes into --body.", field="title")
    if any(ord(c) < 32 or c == "\x7f" for c in title):
        raise Refusal(
            "bad-value", "the title must be one line without control characters", hint, field="title"
        )
    return title


def checked_priority(priority: int) -> int:
    """The priority; refused outside 0 to 9."""
    if 0 <= priority <= PRIORITY_LAST:
        return priority
    raise Refusal(
        "bad-value", f"priority {priority} is not 0 to {PRIORITY_LAST}", "0 is first; the default is 2."
    )


def anyone_or_name(text: str | None) -> str | None:
    """A name, or None for `anyone`."""
    from domain.names import check_name

    return None if text in (None, "anyone") else check_name(text or "")


def needed_reason(
    call: Call, reason: str, command: str, example: str = 't-3k9f --reason "tests fail"'
) -> str:
    """The reason; refused where there is none, with an example of what follows the command."""
    text = text_from(call, reason, "reason")
    if text.strip():
        return text
    raise Refusal("usage", f"{command} needs --reason", f"Example: crewlog {command} {example}")


def values(items: list[Any] | None) -> list[Any]:
    """What a repeated option gathered."""
    return list(items or ())
