"""Help topics, generated from the tables that the program runs by."""

from __future__ import annotations

from textwrap import wrap

from cli.grammar import GROUPS, SHORT_HELP, load
from cli.output import Columns
from domain.agent import ALIVE_INTERVALS, LOST_INTERVALS
from domain.refusals import CODES, EXIT_MEANINGS
from domain.task import ANY, OPEN, STATES, STRIKES, TRANSITIONS, legal_commands

WORDS = {
    "session": "one run of an agent: the process that outlives its commands. `start`, `resume` and `join` record the nearest"
    " ancestor that is no shell, or --pid, and answer with it under `process`",
    "claim": "the proof that a task is yours: the id of the event of your `start` or `resume`",
    "stale": "a claim that another one, or an end, has come after: whoever shows it is refused",
    "sign of life": "any command under a name, and every pulse of `heartbeat` or `run`",
    "alive": f"gave a sign of life within {ALIVE_INTERVALS:g} intervals (`[liveness] interval`); or never beat, and its"
    " session's process is there",
    "suspect": "has beaten, and now beats are missing; nobody takes anything from it yet",
    "lost": "one's session's process is gone; or it has beaten, and gave no sign of life for"
    f" {LOST_INTERVALS:g} intervals; or it never beat, nobody can look at its process, and it gave no sign of life for the"
    " quiet lease (`[lease] quiet`). `reap` takes its tasks back",
    "strike": f"a holder lost; at {STRIKES} in one attempt the task is FAILED. `done` and `retry` clear them",
    "attempt": "from `spawn` or `retry` to the task's end, through whatever hands it goes",
    "settled": "for `heartbeat`: completed, failed or released; for `run`: also handed in, by the command itself",
    "position": "the number of an event in this store, in order of arrival: what `wait --since` goes on from",
}


def words() -> list[str]:
    """What words mean that commands and their help use."""
    table = Columns()
    for word, meaning in WORDS.items():
        first, *others = wrap(meaning, 96)
        table.add(word, first)
        for line in others:
            table.add("", line)
    return table.lines()


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
