"""`help`: topics that are generated from the code that they are about."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import MODULES, command, load
from cli.output import Answer
from domain.refusals import Refusal

TOPICS = ("agents", "states", "words", "exit-codes", "errors")


@command("help", "crewlog help states\ncrewlog help spawn")
def help_(
    call: Call,
    topic: Annotated[
        str | None,
        typer.Argument(metavar="[TOPIC]", help=f"{', '.join(TOPICS)}, or a command.", show_default=False),
    ] = None,
    snippet: Annotated[
        bool,
        typer.Option("--snippet", help="With agents: the lines for an AGENTS.md.", show_default=False),
    ] = False,
) -> None:
    """Explain a topic or a command. Topics are the agents' contract, the task machine, what words mean, exit codes, error codes."""
    from cli import topics

    if topic == "agents":
        lines = topics.agents(snippet=snippet)
    elif topic in MODULES:
        lines = command_help(topic).split("\n")
    elif topic == "states":
        lines = topics.states()
    elif topic == "words":
        lines = topics.words()
    elif topic == "exit-codes":
        lines = topics.exit_codes()
    elif topic == "errors":
        lines = topics.errors()
    elif topic is None:
        lines = [*topics.overview(), "", f"Topics: {', '.join(TOPICS)}, and every command."]
    else:
        raise Refusal(
            "not-found", f"there is no topic {topic[:40]!r}", f"Topics: {', '.join(TOPICS)}, and commands."
        )
    call.answer(Answer({"topic": topic or "overview", "text": "\n".join(lines)}, lines))


def command_help(name: str, width: int = 100) -> str:
    """The help text of a command, as `crewlog NAME --help` prints it."""
    built = load(name)
    context = built.make_context(f"crewlog {name}", [], resilient_parsing=True, terminal_width=width)
    return built.get_help(context)
