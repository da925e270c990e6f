"""What import and verify cost, an event; and how much memory they take."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

from orjson import loads

from bench.append import make_store, open_log
from bench.views import history
from domain.event import id_of
from export.importing import Imported, import_from
from export.live import LiveFile
from export.segments import SEGMENT_EVENTS, Span
from export.sources import open_source
from export.verify import verify_log, verify_segments, verify_states
from projections.views import open_views

NUMBER = 50_000


def write_segments(folder: str, number: int) -> None:
    """The segments of a clone that wrote that many events."""
    os.makedirs(os.path.join(folder, "log", "r-bench"))
    part: list[bytes] = []
    first = 1
    for item in history(number):
        part.append(item.line + b"\n")
        if len(part) == SEGMENT_EVENTS:
            first = _write(folder, first, part)
    if part:
        _write(folder, first, part)


def _write(folder: str, first: int, part: list[bytes]) -> int:
    path = os.path.join(folder, Span("r-bench", first, first + len(part) - 1).path)
    with open(path, "wb") as file:
        file.writelines(part)
    after = first + len(part)
    part.clear()
    return after


def measured(name: str, work: Callable[[], object], number: int) -> float:
    """Seconds that something took; prints events a second."""
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    print(f"  {name:<40}{number / seconds:10,.0f} events/s")
    return seconds


def _imported(connection: Connection, folder: str, segments: str) -> None:
    log = open_log(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    import_from(log, open_source([segments]))
    verify_log(log)
    log.close()
    connection.send((before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def memory(folder: str, segments: str) -> int:
    """The most memory that a process of its own had for an import and a look at the log, in MiB."""
    make_store(folder)
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_imported, args=(there, folder, segments))
    process.start()
    _, most = here.recv()
    process.join()
    return int(most) // 1024


def main(number: int = NUMBER) -> None:
    """Print rates and memory."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        write_segments(folder, number)
        make_store(folder)
        log = open_log(folder, keep_open=True)
        source = open_source([folder])
        found: list[Imported] = []
        measured("import", lambda: found.append(import_from(log, source)), number)
        assert found[0].findings == ()
        actual = found[0].events
        lines = [row[4] for row in log.rows(0, NUMBER)]
        measured("yardstick: hash and parse each line", lambda: [(id_of(x), loads(x)) for x in lines], actual)
        measured("import of what is here already", lambda: import_from(log, source), actual)
        views, live = open_views(folder, log), LiveFile(folder, log)
        views.catch_up()
        live.feed()
        begin = time.perf_counter()
        measured("verify: bytes, ids, chains, parents", lambda: _whole(verify_log(log).findings), actual)
        measured("verify: states folded anew", lambda: _whole(verify_states(log)), actual)
        measured("verify: segments", lambda: _whole(verify_segments(log, folder)), actual)
        measured("verify: live.jsonl", lambda: _whole(live.compare()), actual)
        measured("verify: views folded anew", views.compare, actual)
        print(f"  {'verify: all of it':<40}{actual / (time.perf_counter() - begin):10,.0f} events/s")
        views.close()
        log.close()
        print(f"  memory of import and verify               {memory(other, folder):6} MiB")


def _whole(findings: object) -> None:
    assert findings == [], findings


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER)
