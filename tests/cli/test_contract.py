"""What agents are told is true: help agents, --snippet, prime."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from cli.contract import CONTRACT, SNIPPET
from cli.grammar import MODULES, load
from domain.refusals import Exit
from tests.cli.conftest import Crew
from tests.cli.repositories import linked, repository


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
    assert crew.run(*typed(text, "done")).code == 0


def typed(text: str, command: str) -> list[str]:
    """The words of the line that `prime` offers for a command, as they are typed: one's own in the place of an ellipsis."""
    line = next(line for line in text.split("\n") if line.startswith(f"  crewlog {command}"))
    return shlex.split(line.partition("     ")[0].replace("…", "all is well"))[1:]


def test_each_line_that_prime_offers_works_as_it_is_typed(crew: Crew) -> None:
    crew.spawn("second")
    crew.start(crew.spawn("first", "-p 0"))

    named = crew.run("prime", "--as", "ada").out
    for command in ("show", "progress", "done", "inbox"):
        assert crew.run(*typed(named, command)).code == 0, command

    assert crew.run(*typed(crew.run("prime", "--as", "ada").out, "start")).code == 0
    about = {"CREWLOG_AGENT": "ada"}
    known = crew.run("prime", environ=about).out
    assert "--as" not in known
    assert crew.run(*typed(known, "done"), environ=about).code == 0


def test_one_command_tells_an_agent_where_it_was_working(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "code"))
    there = linked(crew.folder, "side")
    crew.do("init --as zoe")
    task = crew.spawn()
    crew.do(f"start {task} --as ada", cwd=there)

    assert f"  in {there}\n" in crew.run("prime", "--as", "ada").out
    assert crew.do("whoami --as ada")["dir"] == str(there)
    assert crew.do("whoami --as bob")["dir"] == str(crew.folder)


def test_a_name_is_enough_to_find_task_claim_directory_and_mail_from_anywhere(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "code"))
    crew.do("init --as zoe")
    first, second = linked(crew.folder, "one"), linked(crew.folder, "two")
    claims = {
        str(folder): crew.do(f"start {crew.spawn()} --as ada", cwd=folder)["claim"]
        for folder in (first, second)
    }
    message = crew.do('send ada "the parser is in names.py" --as zoe')["message"]
    (tmp_path / "elsewhere").mkdir()

    for place in (crew.folder, first, tmp_path / "elsewhere"):
        found = crew.do(f"whoami --as ada --store {crew.folder}", cwd=place)
        assert {row["dir"]: row["claim"] for row in found["holds"]} == claims
        assert ([row["id"] for row in found["messages"]], found["unread"]) == ([message], 1)

    text = crew.run("whoami", "--as", "ada").out
    assert all(f"    in {folder}\n    claim {claim}\n" in text for folder, claim in claims.items())
    assert "1 unread: `crewlog inbox`\n    " + message in text


def test_where_one_works_is_told_by_the_claim_and_not_by_an_older_binding(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "code"))
    crew.do("init --as zoe")
    first, second = linked(crew.folder, "one"), linked(crew.folder, "two")
    task = crew.do(f"start {crew.spawn()} --no-reap --as ada", cwd=first)["task"]
    crew.do(f"release {task}", cwd=first)
    crew.do(f"start {task} --as ada", cwd=second)

    assert crew.do("whoami --as ada")["dir"] == str(second)


def test_prime_says_how_much_it_leaves_out_and_mail_is_not_crowded_out(crew: Crew) -> None:
    crew.do("join ada")
    for number in range(12):
        crew.start(crew.spawn(f"task {number} {'x' * 60}"))
        crew.do(f'send ada "message {number}" --as zoe')

    text = crew.run("prime", "--as", "ada").out

    assert text.count("You hold t-") == 5
    assert "You hold 7 more: `crewlog whoami --as ada`" in text
    assert "12 unread, the oldest:" in text
    assert "message 0" in text


def test_prime_does_not_send_for_another_task_who_works_on_one(crew: Crew) -> None:
    held = crew.spawn()
    claim = crew.start(held)
    assert "crewlog start" not in crew.run("prime", "--as", "ada").out

    crew.do(f"done {held} --claim {claim} --as ada")
    text = crew.run("prime", "--as", "ada").out

    assert "  crewlog start --as ada" in text
    assert f"You hold {held} IN_REVIEW" in text


def test_a_worktree_that_was_removed_is_not_told(tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "code"))
    there = linked(crew.folder, "side")
    crew.do("init --as zoe")
    crew.do(f"start {crew.spawn()} --as ada", cwd=there)
    shutil.rmtree(there)

    assert str(there) not in crew.run("prime", "--as", "ada").out
    assert crew.do("whoami --as ada")["dir"] == str(crew.folder)


@pytest.mark.parametrize("character", ["x", "é", "\N{ANT}"])
def test_prime_stays_within_its_limit_whatever_there_is_and_never_drops_the_commands(
    crew: Crew, character: str
) -> None:
    name = "a" * 64
    for number in range(6):
        crew.start(crew.spawn(character * 400 + str(number)), name)
        crew.do(f'send {name} "{character * 300}{number}" --as zoe')

    text = crew.run("prime", "--as", name).out

    assert len(text.encode()) <= 1_900
    assert crew.run(*typed(text, "done")).code == 0
    assert "Exit 5" in text
