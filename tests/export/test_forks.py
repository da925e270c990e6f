"""Forks that were settled: what the named ends cover, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from domain import journal
from domain.draft import Draft
from domain.event import Event
from domain.log import Log
from export import forks
from export.findings import is_damage
from export.verify import verify_log
from tests.support.stores import SqliteStore, all_events, new_stream


def branch(folder: Path, length: int) -> list[Event]:
    """The events of a store that writes under the id r-1."""
    folder.mkdir()
    log = SqliteStore(str(folder)).create().open("r-1", keep_open=True)
    for _ in range(length):
        new_stream(log)
    found = all_events(log)
    log.close()
    return found


def insert(log: Log, events: Sequence[Event]) -> None:
    with log.transaction() as transaction:
        transaction.insert(events)


def codes(log: Log) -> set[tuple[str, bool]]:
    """What is found, and whether it is damage."""
    return {(found.code, is_damage(found)) for found in forks.settle(log, verify_log(log).findings)}


def test_what_is_missing_on_a_branch_is_not_settled_with_it(log: Log, tmp_path: Path) -> None:
    one, other = branch(tmp_path / "one", 5), branch(tmp_path / "other", 3)
    insert(log, one)
    insert(log, [other[0], other[2]])
    ends = forks.ends(log, "r-1", verify_log(log).findings)
    assert ends == sorted([one[4].id, other[0].id, other[2].id])

    said = {"replica": "r-1", "ends": ends, "reason": "looked through"}
    log.write(journal.STREAM, "zoe", lambda _: [Draft(forks.SETTLED, said, {})])

    assert codes(log) == {("fork", True)}
    insert(log, [other[1]])
    assert codes(log) == {("fork-settled", False)}


def test_a_settlement_is_of_one_chain_only(log: Log, tmp_path: Path) -> None:
    one, other = branch(tmp_path / "one", 2), branch(tmp_path / "other", 2)
    insert(log, [*one, *other])
    said = {"replica": "r-2", "ends": [one[1].id, other[1].id], "reason": "another one"}

    log.write(journal.STREAM, "zoe", lambda _: [Draft(forks.SETTLED, said, {})])

    assert codes(log) == {("fork", True)}
