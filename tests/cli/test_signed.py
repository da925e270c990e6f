"""Approvals and checkpoints that are signed with the SSH keys that people have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Crew, why


@pytest.fixture
def keys(crew: Crew) -> Path:
    """A folder with a key of zoe's, whom the store knows, and one of eve's, whom it does not."""
    crew.environ["PATH"] = "/usr/bin:/bin"
    folder = crew.folder / "keys"
    folder.mkdir()
    for name in ("zoe", "eve"):
        line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(line, check=True)
    public = (folder / "zoe.pub").read_text()
    (crew.folder / ".crewlog/signers").write_text(f"zoe {public}")
    return folder


def settings(crew: Crew, by: str) -> None:
    (crew.folder / ".crewlog/config.toml").write_text(f'[review]\nby = "{by}"\n')


def test_a_signed_approval_is_shown_as_signed_and_audited_as_good(crew: Crew, keys: Path) -> None:
    task, _ = crew.submitted()

    crew.do(f"approve {task} --as zoe --sign {keys}/zoe")

    assert crew.do(f"show {task}")["task"]["approval"]["signed"]
    assert "by zoe, signed" in crew.run("show", task).out
    (row,) = crew.do("audit")["tasks"]
    assert (row["approver"], row["signature"]) == ("zoe", "signed")
    assert crew.do("verify")["findings"] == []


def test_an_audit_asks_for_each_signature_no_more_often_than_verify(crew: Crew, keys: Path) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe --sign {keys}/zoe")
    real, asked = shutil.which("ssh-keygen"), crew.folder / "asked"
    program = crew.folder / "ssh-keygen"
    program.write_text(f'#!/bin/sh\necho >> "{asked}"\nexec {real} "$@"\n')
    program.chmod(0o755)
    crew.environ["PATH"] = f"{crew.folder}:{crew.environ['PATH']}"

    numbers: list[int] = []
    for command in ("verify", "audit"):
        asked.write_text("")
        crew.do(command)
        numbers.append(len(asked.read_text()))

    assert numbers[0] == numbers[1] > 0


def test_where_the_settings_want_a_signature_nobody_approves_without_one(crew: Crew, keys: Path) -> None:
    settings(crew, "signed")
    task, _ = crew.submitted()

    refused = crew.refused(f"approve {task} --as zoe")
    assert why(refused) == ("not-allowed", 4)
    assert "--sign" in refused["hint"]
    assert crew.do(f"approve {task} --as zoe --sign {keys}/zoe")["state"] == "COMPLETED"
    assert crew.do("audit")["tasks"][0]["policy"] == "signed"


@pytest.mark.parametrize(("name", "key"), [("zoe", "eve"), ("eve", "eve"), ("eve", "zoe")])
def test_a_key_that_is_not_known_as_the_approvers_does_not_do(
    name: str, key: str, crew: Crew, keys: Path
) -> None:
    settings(crew, "signed")
    task, _ = crew.submitted()

    refused = crew.refused(f"approve {task} --as {name} --sign {keys}/{key}")

    assert why(refused) == ("signature", 4)
    assert crew.state(task) == "IN_REVIEW"


def test_a_key_that_is_not_there_is_named(crew: Crew, keys: Path) -> None:
    task, _ = crew.submitted()

    refused = crew.refused(f"approve {task} --as zoe --sign {keys}/nobody")

    assert why(refused) == ("signature", 4)
    assert "nobody" in refused["message"]


def test_who_may_not_approve_may_not_by_signing_either(crew: Crew, keys: Path) -> None:
    task, _ = crew.submitted()

    assert why(crew.refused(f"approve {task} --as ada --sign {keys}/zoe")) == ("own-approval", 4)


def test_an_auditor_judges_signatures_by_keys_that_he_brings_along(crew: Crew, keys: Path) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe --sign {keys}/zoe")
    mine = crew.folder / "mine"
    mine.write_text(f"zoe {(keys / 'eve.pub').read_text()}")

    result = crew.run("--json", "audit", environ={"CREWLOG_SIGNERS": str(mine)})

    assert result.code == 7
    assert result.json["tasks"][0]["signature"].startswith("bad signature")
    assert [finding["code"] for finding in result.json["findings"]] == ["approval-signature"]


def test_an_approval_that_should_have_been_signed_is_found(crew: Crew) -> None:
    from domain.commands import Approve
    from domain.decide import decide
    from domain.log import Log
    from domain.stores import sqlite

    task, _ = crew.submitted()
    database = str(crew.folder / ".crewlog/crewlog.db")
    environment = sqlite.environment(database, "", read_only=False)
    log = Log(environment, environment, "r-sly")
    log.write(f"task/{task}", "zoe", lambda seen: decide(Approve("zoe", "signed"), seen.state))
    log.close()

    result = crew.run("--json", "verify")

    assert (result.code, [finding["code"] for finding in result.json["findings"]]) == (
        7,
        ["live-behind", "approval-unsigned"],
    )


def test_a_signed_checkpoint_is_checked_against_who_should_have_signed_it(crew: Crew, keys: Path) -> None:
    crew.spawn()
    crew.do(f"checkpoint --sign {keys}/zoe -o kept.json")
    crew.spawn()

    assert crew.do("verify --checkpoint kept.json --signer zoe")["ok"]
    for line, code in (
        ("verify --checkpoint kept.json --signer eve", "checkpoint-signature"),
        ("verify --checkpoint plain.json --signer zoe", "checkpoint-unsigned"),
    ):
        if "plain" in line:
            crew.do("checkpoint -o plain.json")
        result = crew.run("--json", *crew.words(line))
        assert (result.code, [finding["code"] for finding in result.json["findings"]]) == (7, [code])


def test_a_signed_checkpoint_that_was_edited_is_found(crew: Crew, keys: Path) -> None:
    crew.spawn()
    crew.do(f"checkpoint --sign {keys}/zoe -o kept.json")
    kept = crew.folder / "kept.json"
    kept.write_text(kept.read_text().replace('"at": "2', '"at": "3'))

    result = crew.run("--json", "verify", "--checkpoint", "kept.json", "--signer", "zoe")

    assert [finding["code"] for finding in result.json["findings"]] == ["checkpoint-signature"]


def test_a_file_of_signers_that_is_not_there_is_no_reason_to_check_nothing(crew: Crew, keys: Path) -> None:
    task, _ = crew.submitted()
    crew.do(f"approve {task} --as zoe --sign {keys}/zoe")

    refused = crew.refused("audit", environ={"CREWLOG_SIGNERS": "nowhere"})

    assert why(refused) == ("not-found", 3)
    assert "CREWLOG_SIGNERS names nowhere" in refused["message"]


def test_who_should_have_signed_is_asked_of_a_checkpoint_only(crew: Crew) -> None:
    assert why(crew.refused("verify --signer zoe")) == ("usage", 2)
