"""`--at`: what was printed then is printed again; `--from`: what somebody else's segments say, without a store."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.clones import bare, clone
from tests.cli.conftest import Crew, why
from tests.cli.repositories import git, repository

SECOND = 1_000_000
LOOKS = ("list --json", "list", "log --json -n 1000")


def ticking(crew: Crew) -> None:
    """Give every command a second of its own, beginning a while ago."""
    ticks = itertools.count(10**15, SECOND)
    crew.clock = lambda: next(ticks)


def looks(crew: Crew, task: str) -> list[str]:
    """What one sees now."""
    lines = [*LOOKS, f"show {task} --json", "conflicts --json"]
    return [crew.run(*crew.words(line)).out for line in lines]


def looks_at(crew: Crew, task: str, when: str) -> list[str]:
    """What one sees of then."""
    lines = [*LOOKS, f"show {task} --json", "conflicts --json"]
    return [crew.run(*crew.words(line), "--at", when).out for line in lines]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_printed_at_a_moment_is_what_was_printed_then(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    crew = Crew(tmp_path)
    ticking(crew)
    crew.do("init --as zoe")
    tasks = [crew.spawn(f"task {number}") for number in range(3)]
    printed: dict[str, tuple[str, list[str]]] = {}
    for _ in range(12):
        task = chance.choice(tasks)
        _do_something(crew, chance, task)
        event = crew.run("log", "-n", "1", "-q").out.strip()
        printed[event] = task, looks(crew, task)

    for event, (task, seen) in printed.items():
        assert looks_at(crew, task, event[:12]) == seen


def _do_something(crew: Crew, chance: random.Random, task: str) -> None:
    shown = crew.do(f"show {task}")["task"]
    name = shown["holder"] or chance.choice(("ada", "bob"))
    claim = shown["claim"]
    lines = [
        f"start {task} --as {name}",
        f"done {task} --as {name} --claim {claim}",
        f"approve {task} --as zoe",
        f"reject {task} --as zoe --reason no",
        f"note {task} hm --as zoe",
        f"edit {task} --title changed-{chance.randrange(9)} -l l{chance.randrange(3)} --as zoe",
        f"cancel {task} --as zoe",
        f"retry {task} --as zoe",
    ]
    for line in chance.sample(lines, len(lines)):
        if crew.run(*crew.words(line)).code == 0:
            return


def test_a_time_and_an_age_mean_the_same_moment_as_the_event(tmp_path: Path) -> None:
    moment = 10**15
    crew = Crew(tmp_path, clock=lambda: moment)
    crew.do("init --as zoe")
    task = crew.spawn("one")
    moment += 3_600 * SECOND
    crew.do(f"edit {task} --title two --as zoe")
    moment += 600 * SECOND

    for when in ("2001-09-09T02:30", "2001-09-09 02:30:00", "2001-09-09T04:30+02:00", "30m", "1h"):
        assert crew.do(f"show {task} --at '{when}'")["task"]["title"] == "one", when
    assert crew.do(f"show {task} --at 1m")["task"]["title"] == "two"
    assert why(crew.refused(f"show {task} --at 2001-09-08")) == ("not-found", 3)


def test_what_is_imported_later_does_not_rewrite_the_past(crew: Crew, tmp_path: Path) -> None:
    other = Crew(tmp_path / "other")
    other.folder.mkdir()
    other.do("init --as bob")
    other.spawn("from elsewhere")
    other.do("export")
    crew.spawn("here")
    event = crew.run("log", "-n", "1", "-q").out.strip()
    before = crew.run("list").out

    crew.do("import other/.crewlog")

    assert len(crew.do("list")["tasks"]) == 2
    assert crew.run("list", "--at", event).out == before


def test_agents_are_judged_as_of_then(tmp_path: Path) -> None:
    moment = 10**15
    crew = Crew(tmp_path, clock=lambda: moment)
    crew.do("init --as zoe")
    crew.do("heartbeat --as ada")
    crew.do("join ada")
    moment += 86_400 * SECOND
    crew.do("join bob")

    names = [row["name"] for row in crew.do("agents --at 12h")["agents"]]

    assert "ada" in names
    assert "bob" not in names


@pytest.mark.parametrize(
    ("when", "code"), [("yesterday", "bad-value"), ("", "bad-value"), ("ffffffffff", "not-found")]
)
def test_a_moment_that_is_none_is_refused_with_examples(when: str, code: str, crew: Crew) -> None:
    refused = crew.refused(f"list --at '{when}'")

    assert refused["code"] == code
    assert "--at 2h" in refused["hint"]


def test_looking_leaves_no_trace(crew: Crew) -> None:
    crew.spawn()
    files = {
        path: path.read_bytes()
        for path in (crew.folder / ".crewlog").iterdir()
        if path.is_file() and not path.name.endswith("-shm")
    }

    crew.do("list --at 1s")

    assert {path: path.read_bytes() for path in files} == files


# --- without a store ---------------------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path: Path) -> tuple[Crew, str]:
    """Somebody with nothing but a git clone, and a task that is in review."""
    remote = bare(tmp_path)
    ada = clone(remote, "ada")
    task = ada.spawn("one")
    claim = ada.do(f"start {task} --as ada --no-branch")["claim"]
    ada.do(f"done {task} --as ada --claim {claim} --no-commit")
    ada.do(f"approve {task} --as zoe")
    ada.do("sync")
    eve = clone(remote, "eve")
    shutil.rmtree(eve.folder / ".crewlog")
    return eve, task


def test_an_auditor_with_nothing_but_a_git_clone_sees_what_is_whole_and_who_approved_what(
    published: tuple[Crew, str],
) -> None:
    eve, task = published

    answer = eve.do("audit --from origin/crewlog")

    assert answer["ok"]
    assert [(row["seq"], len(row["id"])) for row in answer["replicas"]] == [(6, 64)]
    (row,) = answer["tasks"]
    assert (row["task"], row["submitter"], row["approver"]) == (task, "ada", "zoe")
    assert (row["policy"], row["signature"], row["state"]) == ("other", "not signed", "COMPLETED")
    text = eve.run("audit", "--from", "origin/crewlog").out
    assert "whole up to 6; later cannot be known" in text
    assert not (eve.folder / ".crewlog").exists()


@pytest.mark.parametrize("line", ["list", "show {}", "log", "log {}", "verify", "replay --task {}", "agents"])
def test_a_git_ref_can_be_read_without_a_store(line: str, published: tuple[Crew, str]) -> None:
    eve, task = published

    result = eve.run(*eve.words(line.format(task)), "--from", "origin/crewlog")

    assert (result.code, result.err) == (0, "")
    assert result.out
    assert not (eve.folder / ".crewlog").exists()


def test_a_folder_with_segments_can_be_read_and_what_is_wrong_is_told(crew: Crew, tmp_path: Path) -> None:
    task = crew.spawn("one")
    crew.do("export")
    (path,) = (crew.folder / ".crewlog/log").glob("*/*.jsonl")
    whole: Any = path.read_bytes()

    assert crew.do("list --from .crewlog")["tasks"][0]["id"] == task
    path.write_bytes(whole.replace(b'"one"', b'"two"'))
    assert crew.do("list --from .crewlog")["tasks"] == []
    assert crew.run("verify", "--from", ".crewlog").code == 7
    assert why(crew.refused("list --from nowhere")) == ("not-found", 3)


def test_nothing_can_be_written_to_what_is_only_looked_at(crew: Crew) -> None:
    result = crew.run("note", "t-aaaaaaaa", "x", "--at", "1h")

    assert (result.code, "--at" in result.err) == (2, True)


def test_signed_approvals_are_judged_by_the_signers_that_lie_beside_the_segments(
    published: tuple[Crew, str], tmp_path: Path
) -> None:
    eve, _ = published
    ada, key = Crew(tmp_path / "ada", eve.environ), tmp_path / "zoe"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = ada.folder / ".crewlog/signers"
    signers.write_text(f"zoe {key.with_suffix('.pub').read_text()}")
    task = ada.spawn("two")
    ada.do(f"start {task} --as ada --no-branch")
    ada.do(f"done {task} --as ada --no-commit")
    ada.do(f"approve {task} --as zoe --sign {key}")
    ada.do("sync")
    git(eve.folder, "fetch", "-q")

    for place in ("origin/crewlog", "../ada/.crewlog", "../ada"):
        answer = eve.do(f"audit --from {place}")
        assert (answer["findings"], answer["tasks"][1]["signature"]) == ([], "signed"), place
    signers.unlink()
    unknown = eve.do("audit --from ../ada/.crewlog")
    assert unknown["ok"]
    assert [finding["code"] for finding in unknown["findings"]] == ["approval-unchecked"]
    assert unknown["tasks"][1]["signature"].startswith("not checked")
    assert "crewlog-" not in unknown["tasks"][1]["signature"]


def test_at_a_time_somebody_elses_log_is_as_its_events_say_and_not_as_it_was_read(tmp_path: Path) -> None:
    moment = 10**15
    crew = Crew(tmp_path, clock=lambda: moment)
    crew.do("init --as zoe")
    for title in ("one", "two"):
        crew.spawn(title)
        moment += 3_600 * SECOND
    crew.do("export")

    def titles(when: str) -> list[str]:
        return [row["title"] for row in crew.do(f"list --from .crewlog --at {when}")["tasks"]]

    assert titles("90m") == ["one"]
    assert titles("30m") == titles("2001-09-09T03:30") == ["one", "two"]
    assert titles(crew.run("log", "-n", "1", "-q").out.strip()) == ["one", "two"]


def test_the_ref_that_is_named_is_the_code_repositorys_though_the_store_has_one_of_that_name(
    published: tuple[Crew, str],
) -> None:
    eve, _ = published
    eve.do("init --as eve")
    ada = Crew(eve.folder.parent / "ada", eve.environ)
    ada.spawn("new")
    ada.do("sync")
    git(eve.folder, "fetch", "-q")

    titles = [row["title"] for row in eve.do("list --from origin/crewlog")["tasks"]]

    assert titles == ["one", "new"]
    assert len(eve.do("list")["tasks"]) == 1


def test_the_commits_that_a_branch_names_are_looked_for_in_the_repository_that_one_is_in(
    published: tuple[Crew, str], tmp_path: Path
) -> None:
    eve, _ = published
    assert eve.do("verify --git --from origin/crewlog")["ok"]

    (tmp_path / "away").mkdir()
    refused = eve.refused("verify --git --from ../ada/.crewlog", cwd=tmp_path / "away")
    assert why(refused) == ("git", 6)
    assert "away belongs to none" in refused["message"]


def test_what_was_ready_and_what_waited_for_a_review_can_be_asked_of_the_past(crew: Crew) -> None:
    task = crew.spawn()
    before = crew.run("log", "-n", "1", "-q").out.strip()
    claim = crew.start(task)
    crew.do(f"done {task} --as ada --claim {claim}")
    handed_in = crew.run("log", "-n", "1", "-q").out.strip()
    crew.do(f"approve {task} --as zoe")

    assert [row["id"] for row in crew.do(f"ready --at {before}")["tasks"]] == [task]
    assert crew.do(f"review --at {handed_in}")["task"]["id"] == task
    assert why(crew.refused("review")) == ("nothing-yet", 8)


# --- a time that was printed ---------------------------------------------------------------------------------------


def test_a_time_copied_from_an_answer_means_the_same_to_every_option(tmp_path: Path, far_east: None) -> None:
    del far_east
    moment = 10**15
    crew = Crew(tmp_path, clock=lambda: moment)
    crew.do("init --as zoe")
    task = crew.spawn("older")
    moment += 60 * SECOND
    crew.spawn("newer")
    printed = crew.run("log", task).out[:19]
    in_utc = crew.run("log", task, "--utc").out[:20]

    for when in (printed, in_utc):
        assert [row["title"] for row in crew.do(f"list --at '{when}'")["tasks"]] == ["older"]
        assert len(crew.do(f"search older --since '{when}'")["hits"]) == 1
        assert crew.do(f"status --since '{when}'")["since"]["spawned"]["count"] == 1


def test_review_read_and_replay_print_local_times(tmp_path: Path, far_east: None) -> None:
    del far_east
    moment = 10**15
    crew = Crew(tmp_path, clock=lambda: moment)
    crew.do("init --as zoe")
    task, _ = crew.submitted()
    question = crew.do("send zoe Why? --needs-ack --as ada")["message"]
    crew.do(f"ack {question} --as zoe")

    for line in (f"review {task}", f"replay --task {task}", f"read {question}"):
        local, utc = crew.run(*line.split()).out, crew.run(*line.split(), "--utc").out
        assert "2001-09-09 10:46:40" in local, line
        assert "01:46:40" not in local, line
        assert "2001-09-09 01:46:40Z" in utc, line


@pytest.mark.parametrize("line", ["audit --from main", "verify --from main", "import --ref main --as zoe"])
def test_a_branch_without_segments_is_refused_and_not_called_whole(line: str, tmp_path: Path) -> None:
    crew = Crew(repository(tmp_path / "code"))
    crew.do("init --as zoe")

    refused = crew.refused(line)

    assert why(refused) == ("not-found", 3)
    assert "origin/crewlog" in refused["hint"]


@pytest.mark.parametrize("line", ["verify --at 1h", "audit --at 1h"])
def test_what_is_stored_now_is_what_can_be_proved(line: str, crew: Crew) -> None:
    assert why(crew.refused(line)) == ("usage", 2)
