"""An import holds a few issues at a time, however large its file is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import crewlog
from tests.support.foreign import bead, write

PROJECT = Path(__file__).resolve().parents[2]
MEGABYTE = 1 << 20
ISSUES, BODY = 200, 200_000
BOUND = 25 * MEGABYTE

# VmHWM and not ru_maxrss: that one begins at the size of the process which started this one.
PEAK = """
import json, sys
from tests.support.commands import crewlog
code, answer = crewlog(sys.argv[1], "import", "--from", "beads", sys.argv[2], "--as", "zoe")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"code": code, "imported": answer["imported"], "peak": int(status["VmHWM"].split()[0]) * 1024}))
"""


def peak_of_an_import(folder: Path, file: Path) -> int:
    """How many bytes a process needed at most to import the file."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(folder), str(file)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["code"] == 0
    assert answer["imported"] > 0
    return int(answer["peak"])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_memory_of_an_import_does_not_grow_with_its_file(tmp_path: Path) -> None:
    assert crewlog(str(tmp_path), "init", "--as", "zoe")[0] == 0
    small = write(tmp_path / "small" / "issues.jsonl", [bead(1, id="bd-small")])
    large = write(
        tmp_path / "large" / "issues.jsonl",
        (bead(number, description=f"{number} " * (BODY // len(f"{number} "))) for number in range(ISSUES)),
    )
    assert large.stat().st_size > BOUND + 10 * MEGABYTE  # who kept it all would pass the bound

    least = peak_of_an_import(tmp_path, small)

    peak = peak_of_an_import(tmp_path, large)
    assert peak < least + BOUND
