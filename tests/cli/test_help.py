"""Help: it says what is true, everywhere, and the pages that are made from it are fresh."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.grammar import GROUPS, MODULES
from domain.agent import LOST_INTERVALS
from domain.refusals import CODES, EXIT_MEANINGS
from domain.task import STATES, TRANSITIONS
from export.findings import FINDINGS
from export.foreign.importer import REMARKS
from tests.cli.conftest import Crew, why
from tests.packaging.shell import inherited

PROJECT = Path(__file__).resolve().parents[2]
CREWLOG = Path(sys.executable).with_name("crewlog")


@pytest.mark.parametrize("name", list(MODULES))
def test_every_command_has_an_example_that_names_it(crew: Crew, name: str) -> None:
    result = crew.run(name, "--help")

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: crewlog {name} ")
    examples = result.out.partition("Example:\n")[2].strip().splitlines()
    assert examples
    for example in examples:
        assert f"crewlog {name}" in example
        assert len(example) < 110


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {"agents"}))  # `help agents` is the contract
def test_help_about_a_command_is_its_help(crew: Crew, name: str) -> None:
    assert crew.run("help", name).out.split() == crew.run(name, "--help").out.split()


def test_the_list_of_commands_says_of_each_what_it_does_uncut(crew: Crew) -> None:
    for words in (["--help"], ["help"], []):
        result = crew.run(*words)
        assert result.code == (0 if words else 2)
        for title, names in GROUPS.items():
            assert f"\n{title}:\n" in result.out
            for name in names:
                assert re.search(rf"^  {name} +\S", result.out, re.MULTILINE), name
        assert "..." not in result.out.partition("Begin:")[2]


def test_help_states_is_the_transition_table(crew: Crew) -> None:
    text = crew.run("help", "states").out

    for row in TRANSITIONS:
        assert re.search(rf"^{re.escape(row.command)} .*{re.escape(row.meaning)}$", text, re.MULTILINE)
    for state in STATES:
        assert re.search(rf"^  {state} +\w", text, re.MULTILINE)


def test_help_errors_and_exit_codes_list_all_of_them(crew: Crew) -> None:
    errors = crew.run("help", "errors").out.splitlines()
    assert [line.split()[0] for line in errors[1:]] == list(CODES)
    codes = crew.run("help", "exit-codes").out.splitlines()
    assert [int(line.split()[0]) for line in codes] == [int(code) for code in EXIT_MEANINGS]


def test_help_words_says_what_the_words_of_other_helps_mean(crew: Crew) -> None:
    text = crew.run("help", "words").out

    for word in ("session", "claim", "lost", "suspect", "settled", "strike"):
        assert re.search(rf"^{word} +\w", text, re.MULTILINE), word
    assert f"{LOST_INTERVALS:g} intervals" in text
    assert max(map(len, text.splitlines())) <= 115
    assert "words" in crew.run("help").out.splitlines()[-1]


def test_help_of_wait_names_the_states_at_which_a_task_rests(crew: Crew) -> None:
    assert "default: COMPLETED,FAILED,CANCELLED" in " ".join(crew.run("help", "wait").out.split())


def test_an_unknown_topic_is_refused(crew: Crew) -> None:
    refused = crew.refused("help nope")

    assert why(refused) == ("not-found", 3)
    assert "states" in refused["hint"]


def test_version_is_printed(crew: Crew) -> None:
    assert re.fullmatch(r"crewlog \d+\.\d+\.\d+\n", crew.run("--version").out)


def codes_in_the_code(*names: str) -> Iterator[tuple[str, str]]:
    """Each literal that is the first argument of a call of these names, and where."""
    for folder in ("cli", "domain", "export", "projections"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
                    continue
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name.lower().lstrip("_") in names and node.args:
                    for part in ast.walk(node.args[0]):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield part.value, f"{path.relative_to(PROJECT)}:{node.lineno}"


def test_every_code_that_is_raised_is_in_the_table_and_every_code_in_the_table_is_raised() -> None:
    source = "\n".join(
        path.read_text()
        for folder in ("cli", "domain", "export", "projections")
        for path in (PROJECT / folder).rglob("*.py")
        if path.name != "refusals.py"
    )
    raised = dict(codes_in_the_code("refusal"))

    assert {code: where for code, where in raised.items() if code not in CODES} == {}
    unused = {code for code in CODES if f'"{code}"' not in source}
    assert unused == set()


def test_every_code_of_a_finding_is_in_the_table_and_every_code_in_the_table_is_found() -> None:
    source = "\n".join(
        path.read_text()
        for folder in ("cli", "export")
        for path in (PROJECT / folder).rglob("*.py")
        if path.name != "findings.py"
    )
    found = dict(codes_in_the_code("finding"))

    assert {code: where for code, where in found.items() if code not in {*FINDINGS, *REMARKS}} == {}
    assert {code for code in FINDINGS if f'"{code}"' not in source} == set()


def test_every_code_stands_in_the_generated_page() -> None:
    page = (PROJECT / "docs/cli.md").read_text()

    for code, kind in CODES.items():
        assert f"| `{code}` | {int(kind.exit)} | {'yes' if kind.retryable else 'no'} |" in page


def test_the_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=PROJECT,
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("shell", "said"), [("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete ")]
)
def test_completion_prints_a_script_for_each_shell(crew: Crew, shell: str, said: str) -> None:
    script = crew.run("completion", shell).out

    assert said in script
    assert "_CREWLOG_COMPLETE" in script
    assert crew.do(f"completion {shell}")["script"] == script.rstrip("\n")


def completed(crew: Crew, line: str) -> list[str]:
    """What bash would offer behind the line."""
    words = line.split(" ")
    about = {
        "_CREWLOG_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [CREWLOG], cwd=crew.folder, env={**inherited(), **about}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_completion_offers_commands_options_tasks_names_and_labels(crew: Crew) -> None:
    task = crew.spawn("Greet by name", "--slug greet -l type:bug --to ada")
    crew.start(task)
    crew.do("list")

    assert completed(crew, "crewlog sho") == ["show"]
    assert "--percent" in completed(crew, "crewlog progress --p")
    assert completed(crew, f"crewlog show {task[:4]}") == [task]
    assert completed(crew, "crewlog show gre") == ["greet"]
    assert completed(crew, "crewlog list --holder a") == ["ada"]
    assert completed(crew, "crewlog list --label ty") == ["type:bug"]


def test_completion_without_a_store_offers_nothing_and_says_nothing(tmp_path: Path) -> None:
    assert completed(Crew(tmp_path), "crewlog show t-") == []
    assert os.listdir(tmp_path) == []
