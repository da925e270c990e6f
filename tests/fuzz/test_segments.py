"""Segments and the live file after any accident: what is sound comes in, what is not is named, nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.log import Log
from export.findings import Finding
from export.importing import import_from
from export.live import LiveFile
from export.segments import Segments
from export.sources import open_source
from export.verify import verify_log
from tests.support.fuzzing import FUZZED, damaged
from tests.support.stores import SqliteStore, add_task, all_events, new_stream

pytestmark = pytest.mark.faults


class Clones:
    """One clone that wrote and sealed, and another that takes in what becomes of its file."""

    def __init__(self, folder: Path) -> None:
        self.one, self.two = (self._log(folder / name, name) for name in ("r-1", "r-2"))
        for number in range(4):
            new_stream(self.one, title=f"task {number}")
        add_task(self.one, body="b" * 10_000)
        self.sealed = folder / "r-1" / Segments(str(folder / "r-1"), self.one, ("r-1",)).seal().segments[0]
        self.whole = self.sealed.read_bytes()
        self.ids = {event.id for event in all_events(self.one)}
        self.live = LiveFile(str(folder / "r-1"), self.one)

    @staticmethod
    def _log(folder: Path, replica: str) -> Log:
        folder.mkdir()
        return SqliteStore(str(folder)).create().open(replica, keep_open=True)


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Clones:
    """Shared by all examples: what came in before is part of what may go wrong."""
    return Clones(tmp_path_factory.mktemp("clones"))


@FUZZED
@given(st.data())
def test_of_a_damaged_segment_only_sound_events_come_in(clones: Clones, data: st.DataObject) -> None:
    clones.sealed.write_bytes(data.draw(st.binary() | damaged(clones.whole)))

    found = import_from(clones.two, open_source([str(clones.sealed.parents[2])]))

    assert {event.id for event in all_events(clones.two)} <= clones.ids
    assert all(
        0 <= finding.offset <= clones.sealed.stat().st_size for finding in found.findings if finding.line
    )
    assert [item for item in verify_log(clones.two).findings if item.code not in ("gap", "chain-end")] == []


@FUZZED
@given(st.data())
def test_a_damaged_live_file_is_told_and_a_rebuild_makes_it_the_log(
    clones: Clones, data: st.DataObject
) -> None:
    whole = b"".join(event.line + b"\n" for event in all_events(clones.one))
    path = Path(clones.live.path)
    path.write_bytes(data.draw(st.binary() | damaged(whole)))

    before = path.read_bytes()
    findings = clones.live.compare()
    fed = clones.live.feed()

    assert bool(findings) == (before != whole)
    assert all(isinstance(finding, Finding) for finding in findings)
    assert path.read_bytes().startswith(before)
    assert fed.remark is not None or path.read_bytes().endswith(whole.split(b"\n")[-2] + b"\n")
    assert clones.live.rebuild().remark is None
    assert path.read_bytes() == whole
