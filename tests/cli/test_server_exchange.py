"""Crews on a server exchange with other clones like any: `sync`, `import`, `restore`, and what `backup` says there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.clones import bare, clone, segments
from tests.cli.conftest import Crew, why
from tests.cli.repositories import ALONE, commit, git
from tests.support.postgres import Server


@pytest.fixture
def url(postgres_server: Server) -> str:
    """A schema that nobody has used."""
    return f"{postgres_server.url()}?schema=crew_{os.urandom(5).hex()}"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare(tmp_path)


def machine(remote: Path, name: str, url: str) -> Crew:
    """A clone of the code whose log is on the server."""
    git(remote.parent, "clone", "-q", "-b", "main", str(remote), str(remote.parent / name))
    crew = Crew(remote.parent / name, dict(ALONE))
    crew.do(f"init --store '{url}' --as {name}")
    return crew


@pytest.fixture
def served(remote: Path, url: str) -> Crew:
    return machine(remote, "served", url)


@pytest.fixture
def embedded(remote: Path) -> Crew:
    return clone(remote, "embedded")


def states(*crews: Crew) -> set[str]:
    """The state of each log, all of it sound."""
    found: set[str] = set()
    for crew in crews:
        answer = crew.do("verify")
        assert answer["findings"] == []
        found.add(answer["state"])
    return found


def test_a_log_on_a_server_and_an_embedded_one_meet_at_a_remote_and_end_alike(
    served: Crew, embedded: Crew
) -> None:
    long = served.do("spawn one --slug one --body - --as served", stdin="b" * 5_000)["task"]
    served.do("sync")
    embedded.do("sync")
    for crew, name in ((served, "served"), (embedded, "embedded")):
        crew.do(f"start one --as {name} --no-branch")
    embedded.do("note one 'half of it' --as embedded")

    served.do("sync")
    came = embedded.do("sync")
    back = served.do("sync")

    assert came["conflicts"][0]["from"] == "embedded"
    assert back["conflicts"][0]["from"] == "embedded"
    assert len(states(served, embedded)) == 1
    assert embedded.do(f"show {long} --full")["task"]["body"] == "b" * 5_000
    assert [crew.do("show one")["task"]["holder"] for crew in (served, embedded)] == ["served", "served"]


def test_two_machines_of_one_server_seal_each_its_own_and_may_both_sync(
    served: Crew, embedded: Crew, remote: Path, url: str
) -> None:
    second = machine(remote, "second", url)
    served.do("spawn one --as served")
    second.do("spawn two --as second")

    for crew in (served, second, served, second, embedded):
        crew.do("sync")

    assert len({path.parent.name for path in segments(embedded)}) == 3
    embedded.do("spawn three --as embedded")
    for crew in (embedded, served, second, embedded):
        crew.do("sync")
    assert len(states(served, second, embedded)) == 1
    assert len(served.do("list")["tasks"]) == 3


def test_segments_are_imported_into_a_log_on_a_server_once_and_a_bad_line_is_named(
    served: Crew, embedded: Crew
) -> None:
    embedded.do("spawn one --as embedded")
    embedded.do("export")
    embedded.do("spawn two --as embedded")
    embedded.do("export")
    *_, newest = segments(embedded)
    newest.write_bytes(newest.read_bytes().replace(b'"two"', b'"owt"'))

    came = served.run("--json", "import", "../embedded/.crewlog")
    again = served.run("--json", "import", "../embedded/.crewlog")

    assert (came.code, [found["code"] for found in came.json["findings"]]) == (7, ["bad-line"])
    assert (came.json["events"], again.json["events"]) == (2, 0)
    assert [row["title"] for row in served.do("list")["tasks"]] == ["one"]


def test_a_backup_of_an_embedded_log_is_taken_into_one_on_a_server(served: Crew, embedded: Crew) -> None:
    embedded.do("spawn one --body - --as embedded", stdin="b" * 5_000)
    embedded.do("backup ../safe.db")
    here = served.do("list")["tasks"]

    restored = served.do("restore ../safe.db")

    assert (restored["restored"], restored["events"], restored["blobs"]) == (False, 2, 1)
    assert len(served.do("list")["tasks"]) == len(here) + 1
    assert len(states(served)) == 1


def test_a_log_on_a_server_is_backed_up_with_the_servers_own_tools(served: Crew) -> None:
    refused = served.refused("backup safe.db")

    assert why(refused) == ("usage", 2)
    assert "pg_dump" in refused["hint"]
    assert not (served.folder / "safe.db").exists()


def test_the_branch_of_work_that_lost_leaves_a_clone_whose_log_is_on_a_server(
    served: Crew, embedded: Crew
) -> None:
    embedded.do("spawn one --slug one --as embedded")
    for crew in (embedded, served):
        crew.do("sync")
    embedded.do("start one --as embedded")
    lost = served.do("start one --as served")
    there = commit(Path(lost["dir"]), "lost.txt")

    embedded.do("sync")
    assert served.do("sync")["branches"] == [lost["branch"]]
    embedded.do("sync")

    (row,) = embedded.do("conflicts")["conflicts"]
    assert (row["from"], row["branch"], row["commit"]) == ("served", lost["branch"], there)


def test_an_auditor_reads_the_segments_of_a_log_on_a_server_from_a_git_clone(
    served: Crew, remote: Path
) -> None:
    task = served.do("spawn one --as served")["task"]
    claim = served.do(f"start {task} --as ada --no-branch")["claim"]
    served.do(f"done {task} --as ada --claim {claim} --no-commit")
    served.do(f"approve {task} --as zoe")
    served.do("sync")
    git(remote.parent, "clone", "-q", str(remote), str(remote.parent / "auditor"))
    auditor = Crew(remote.parent / "auditor", dict(ALONE))

    audited = auditor.do("audit --from origin/crewlog")

    assert [(row["submitter"], row["approver"]) for row in audited["tasks"]] == [("ada", "zoe")]
    assert (audited["ok"], len(audited["replicas"])) == (True, 1)
