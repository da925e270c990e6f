"""Looking at a log while others write."""

from __future__ import annotations

from domain.commands import Note
from domain.log import Log
from export.verify import verify_log, verify_states
from tests.support.stores import Store, do, new_stream
from tests.support.streams import ZOE


def test_what_is_written_while_one_looks_is_not_taken_for_corruption(store: Store, log: Log) -> None:
    streams = [new_stream(log) for _ in range(3)]
    reader = store.open()

    def write(*_: int) -> None:
        do(log, streams[-1], Note(ZOE, "just now"))

    assert verify_log(reader, write).findings == []
    assert verify_states(reader, write) == []
    assert len(log.stream(streams[-1])) > 3
    reader.close()
