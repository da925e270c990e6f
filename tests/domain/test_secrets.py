from __future__ import annotations

import json
import random
import string
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from domain import secrets
from domain.secrets import RULES, Finding, Rule, entropy, find_secret

HERE = Path(__file__).resolve()
CORPUS = HERE.parents[1] / "data" / "not_secrets.txt"
ISSUES = HERE.parents[3] / "shared" / "data"

LETTERS = string.ascii_letters + string.digits


def harmless() -> list[str]:
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def drawn(seed: int, length: int, letters: str = LETTERS) -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in cast("Iterable[Any]", value.values() if isinstance(value, dict) else value):
            yield from texts(item)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_finds_its_example(rule: Rule) -> None:
    found = find_secret(f"Use this one: {rule.example}\nand tell nobody.")

    assert found is not None
    assert found.rule == rule.name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_shape_is_a_secret_so_that_the_documentation_can_show_it(rule: Rule) -> None:
    if rule.name != "age-key":
        assert find_secret(rule.shape) is None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_keyword_of_a_rule_is_in_the_case_that_it_is_compared_in(rule: Rule) -> None:
    assert rule.keywords
    assert not rule.any_case or all(keyword == keyword.lower() for keyword in rule.keywords)


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("text", harmless())
def test_what_only_looks_like_a_secret_is_left_alone(text: str) -> None:
    assert find_secret(text) is None


def test_the_whole_corpus_as_one_text_is_left_alone() -> None:
    assert find_secret("\n".join(harmless())) is None


@pytest.mark.parametrize(
    "public",
    [
        "sk_" + "test_" + drawn(1, 24),
        "AccountKey=Eby8vdM02xNOcqFl" + drawn(2, 70) + "==",
        "git.internal/" + drawn(3, 40, "0123456789abcdef"),
        "data:application/octet-stream;base64," + drawn(4, 4000, LETTERS + "+/"),
    ],
)
def test_what_is_public_by_its_nature_is_left_alone(public: str) -> None:
    assert find_secret(public) is None


@pytest.mark.skipif(
    not ISSUES.is_dir(), reason="../shared/data is not here: nothing real to try the rules on"
)
def test_real_issues_hold_no_secret() -> None:
    found: list[tuple[str, int, Finding]] = []
    for path in sorted(ISSUES.glob("*/*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            for text in texts(json.loads(line or "null")):
                finding = find_secret(text)
                if finding:
                    found.append((path.name, number, finding))

    assert found == []


@pytest.mark.parametrize("path", [HERE, Path(secrets.__file__)], ids=lambda path: path.name)
def test_the_rules_and_their_tests_hold_no_secret_themselves(path: Path) -> None:
    assert find_secret(path.read_text(encoding="utf-8")) is None


def test_a_finding_says_where_the_secret_is_and_never_what_it_is() -> None:
    secret = "ghp_" + drawn(5, 36)
    text = f"the token {secret} works"

    found = find_secret(text)

    assert found == Finding("github-token", 10, 10 + len(secret))
    assert secret not in repr(found)


def test_of_an_assignment_only_the_value_is_the_secret() -> None:
    value = drawn(6, 32)
    text = f"export MY_API_KEY='{value}' # for the demo"

    found = find_secret(text)

    assert found is not None
    assert text[found.start : found.end] == value


@pytest.mark.parametrize(
    "text",
    [
        "aws_secret_access_key = " + drawn(7, 40, LETTERS + "+/"),
        '{"client_secret": "' + drawn(8, 32) + '"}',
        "DB_PASSWORD=" + drawn(9, 14),
        "password := `" + drawn(10, 16) + "`",
        "X-Api-Key: " + drawn(11, 40, "0123456789abcdef"),
        "SECRET_KEY_BASE=" + drawn(12, 128, "0123456789abcdef"),
        "token=" + "3fa85f64-5717-4562-" + "b3fc-2c963f66afa6",
        "authorization: 'Basic " + drawn(13, 40) + "=='",
        "redis://:" + drawn(14, 20) + "@cache.internal:6379/0",
        "https://x-access-token:" + drawn(15, 20) + "@git.internal/team/repo.git",
        "mongodb+srv://app:" + "sommer2024" + "@cluster0.mongodb.net/app",
        "ASIA" + drawn(16, 16, string.ascii_uppercase + "234567"),
        "sk-or-v1-" + drawn(17, 64, "0123456789abcdef"),
        "sk-" + drawn(18, 20) + "T3BlbkFJ" + drawn(19, 20),
        "-----BEGIN OPENSSH " + "PRIVATE KEY-----\\n" + drawn(20, 70) + "\\n",
        "-----BEGIN RSA "
        "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,5F\n\n" + drawn(21, 64),
    ],
)
def test_secrets_are_found_in_the_forms_that_people_paste(text: str) -> None:
    assert find_secret(f"please use\n{text}\nfor now") is not None


def test_the_first_rule_that_finds_something_names_it() -> None:
    found = find_secret("token = ghp_" + drawn(22, 36))

    assert found is not None
    assert found.rule == "github-token"


def test_a_placeholder_does_not_hide_the_secret_behind_it() -> None:
    text = "not ghp_" + "x" * 36 + " but ghp_" + drawn(23, 36)

    assert find_secret(text) is not None


def test_nearly_all_random_values_are_found() -> None:
    values = [drawn(seed, 24) for seed in range(500)]

    assert sum(find_secret(f"API_KEY={value}") is not None for value in values) > 460


def test_an_ordinary_text_compiles_no_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pattern: str) -> None:
        pytest.fail(f"compiled {pattern}")

    monkeypatch.setattr(secrets, "_compiled", forbidden)

    assert (
        find_secret("Fix the flaky merge test.\n\nIt waits for a lock; see https://ci.internal/runs/812.")
        is None
    )


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "token",
        "token.-_",
        "sk-",
        ".eyJaaaaaaaaaa",
        "-----BEGIN PRIVATE KEY-----\na: b\n",
        "http://a:",
        "://@",
        "ghp_aA1",
        "pypi-AgE",
        "a8Q~",
        "12345678:AA",
        "authorization: bearer ",
        "SG.aaaaaaaaaaaaaaaa.",
        "xoxb-1-",
    ],
)
def test_no_text_makes_the_search_crawl(unit: str) -> None:
    """These take a moment; a search that is quadratic in one of them would not come back for hours."""
    assert find_secret(unit * (1_000_000 // len(unit))) is None


def test_entropy_counts_bits_a_character() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abab") == 1
    assert entropy("0123456789abcdef") == 4
