"""Help topics, generated from the tables that the program runs by."""

from __future__ import annotations

from cli.grammar import GROUPS, SHORT_HELP, load
from cli.output import Columns
from domain.refusals import CODES, EXIT_MEANINGS
from domain.task import ANY, OPEN, STATES, TRANSITIONS, legal_commands


def overview() -> list[str]:
    """The commands, by group."""
    lines: list[str] = ["crewlog: an event-sourced message log that a crew of coding agents works from"]
    for title, names in GROUPS.items():
        columns = Columns()
        for name in names:
            columns.add(f"  {name}", load(name).get_short_help_str(SHORT_HELP))
        lines += ["", f"{title}:", *columns.lines()]
    return lines


def from_states(states: frozenset[str]) -> str:
    """The states of a transition in words."""
    if not states:
        return "(none)"
    if states == ANY:
        return "any"
    if states == OPEN:
        return "any but COMPLETED and CANCELLED"
    return ", ".join(state for state in STATES if state in states)


def agents(*, snippet: bool = False) -> list[str]:
    """The agents' contract, or the lines for an AGENTS.md."""
    from cli.contract import CONTRACT, SNIPPET

    text: str = SNIPPET if snippet else CONTRACT
    return [*text.rstrip("\n").split("\n")]


def states() -> list[str]:
    """The transition table and, for each state, the commands that are legal in it."""
    table = Columns()
    table.add("COMMAND", "FROM", "TO", "ACTS ON", "WHAT")
    for row in TRANSITIONS:
        table.add(row.command, from_states(row.states), row.to, row.on or "-", row.meaning)
    legal = Columns()
    for state in STATES:
        legal.add(f"  {state}", ", ".join(legal_commands(state)))
    closing = "`undo` appends the inverse of your last event on a task, if nothing followed it."
    return [*table.lines(), "", "Legal in each state:", *legal.lines(), "", closing]


def exit_codes() -> list[str]:
    """What scripts branch on."""
    return [f"{int(code)}  {meaning}" for code, meaning in EXIT_MEANINGS.items()]


def errors() -> list[str]:
    """Every error code, its exit code, whether a retry may help."""
    table = Columns()
    table.add("CODE", "EXIT", "RETRY", "MEANING")
    for name, code in CODES.items():
        table.add(name, str(int(code.exit)), "yes" if code.retryable else "no", code.meaning)
    return table.lines()
