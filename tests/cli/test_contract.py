"""What agents are told is true: help agents, --snippet, prime."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from cli.contract import CONTRACT, SNIPPET
from cli.grammar import MODULES, load
from domain.refusals import Exit
from tests.cli.conftest import Crew


def commands_in(text: str) -> list[list[str]]:
    """Every `crewlog …` in the text, as words."""
    found = re.findall(r"(?:^  |`|; )crewlog ([^`\n]*?)(?:  |`|$|;)", text, re.MULTILINE)
    return [shlex.split(line.replace("…", "x").rstrip("& ")) for line in found]


def test_every_command_that_the_texts_name_exists_with_the_options_that_they_name() -> None:
    named = commands_in(CONTRACT) + commands_in(SNIPPET)
    assert len(named) > 15
    for words in named:
        assert words[0] in MODULES, words
        known = {option for parameter in load(words[0]).params for option in parameter.opts}
        for option in (word for word in words if word.startswith("--") and word != "--"):
            assert option in known, words


def test_the_exit_codes_that_the_contract_names_are_those_of_the_program() -> None:
    told = dict(re.findall(r"(\d) ([a-z]+)", CONTRACT.partition("Exit: ")[2]))
    assert {int(code) for code in told} == {int(code) for code in Exit} - {int(Exit.INTERNAL)}
    assert (told["5"], told["8"], told["4"]) == ("conflict", "nothing", "refused")


def test_the_contract_is_short_and_the_snippet_has_five_lines() -> None:
    # A token is about four bytes of such text; 700 tokens with a margin.
    assert len(CONTRACT) < 700 * 3.4
    assert len(SNIPPET.splitlines()) == 5


def test_an_agent_that_does_what_the_contract_says_gets_its_task_done(crew: Crew) -> None:
    task = crew.spawn()
    environ = {"CREWLOG_AGENT": "ada"}
    started = crew.do("start", environ=environ)
    assert started["task"] == task
    held = {**environ, "CREWLOG_CLAIM": started["claim"], "CREWLOG_TASK": task}
    crew.do('progress --text "half"', environ=held)
    assert crew.do('done --evidence "it works"', environ=held)["state"] == "IN_REVIEW"
    assert crew.refused(f"approve {task}", environ=held)["code"] == "own-approval"
    assert crew.do(f"approve {task} --as zoe")["state"] == "COMPLETED"


def test_help_agents_prints_the_contract_and_the_snippet(crew: Crew) -> None:
    assert crew.run("help", "agents").out == CONTRACT
    assert crew.run("help", "agents", "--snippet").out == SNIPPET
    page = Path(__file__).parents[2] / "docs/agents.md"
    assert CONTRACT in page.read_text()
    assert SNIPPET in page.read_text()


def test_prime_works_without_a_name(crew: Crew) -> None:
    crew.spawn()
    result = crew.run("prime")
    assert result.code == 0
    assert "You have no name yet" in result.out
    assert "1 ASSIGNED" in result.out


def test_prime_gives_an_agent_that_forgot_everything_its_task_claim_and_mail(crew: Crew) -> None:
    task = crew.spawn("Parse names")
    claim = crew.start(task)
    crew.do('send ada "the parser is in names.py" --as zoe')
    text = crew.run("prime", "--as", "ada").out
    assert task in text
    assert claim[:12] in text
    assert "the parser is in names.py" in text
    line = next(line for line in text.split("\n") if line.strip().startswith("crewlog done"))
    words = shlex.split(
        line.partition("   ")[0].strip() if not line.startswith(" ") else line.split("     ")[0]
    )
    assert crew.run(*words[1:], "--as", "ada").code == 0


def test_prime_stays_within_its_limit_whatever_there_is(crew: Crew) -> None:
    for number in range(6):
        crew.start(crew.spawn("Ü" * 400 + str(number)))
        crew.do(f'send ada "{"é" * 300}{number}" --as zoe')
    assert len(crew.run("prime", "--as", "ada").out.encode()) <= 1_900
