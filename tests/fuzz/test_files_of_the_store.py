"""The small files of a store, by whoever wrote into them: each is read, passed over, or refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.config import KEYS, template
from tests.support.fuzzing import FUZZED, answer, damaged

pytestmark = pytest.mark.faults

SETTINGS = "\n".join(line.removeprefix("# ") for line in template().split("\n")[2:]).encode()
VALUES = st.sampled_from(
    [
        '"x"',
        "1",
        "-1",
        "1.5",
        "nan",
        "true",
        "[]",
        "{}",
        "1979-05-27",
        '"30m"',
        "0x10",
        "9" * 5_000,
        '"""',
        "[" * 2_000,
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Sections and keys that there are, with values of every kind."""
    lines: list[str] = []
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=4)):
        lines += draw(
            st.sampled_from([[f"[{key.section}]"], [f"[[{key.section}]]"], [f"[x.{key.section}]"], []])
        )
        lines.append(f"{key.name} = {draw(VALUES)}")
    return "\n".join(lines).encode()


@FUZZED
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | damaged(SETTINGS) | documents())
@example(b"x = " + b"[" * 50_000)
@example(b"x = " + b"9" * 50_000)
@example(b"[limits]\nblob = 1e999\n")
def test_settings_are_in_force_or_refused(folder: Path, content: bytes) -> None:
    (folder / ".crewlog/config.toml").write_bytes(content)
    answer(folder, "list")
    (folder / ".crewlog/config.toml").unlink()
    answer(folder, "list")


FILES = {
    "local.toml": ("whoami", b'me = "zoe"\n'),
    "replica": ("note greet x --as zoe", b"r-0123456789abcdef\nat m 1 2\nr-1\n"),
    "looked/zoe": ("status --since last --as zoe", b"3\n"),
    "told/ada": ("list --as ada", b"3 1\n"),
    "awake.json": ("ready --as ada", b'{"boot":"b","suspended":1.5,"woke":1700000000000000}\n'),
    "signers": ("audit", b"zoe ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxx\n"),
    "live.jsonl": ("note greet x --as zoe", b'{"id":"' + b"a" * 64 + b'","v":1}\n'),
    "views.db": ("list", b"SQLite format 3\0" + bytes(200)),
    "search.db": ("search needle", b"SQLite format 3\0" + bytes(200)),
    "serve.sock": ("list", b"x"),
}


@pytest.mark.parametrize("name", sorted(FILES))
@FUZZED
@given(st.data())
def test_any_bytes_in_a_file_of_the_store_do_no_harm(name: str, folder: Path, data: st.DataObject) -> None:
    line, whole = FILES[name]
    path = folder / ".crewlog" / name
    path.parent.mkdir(exist_ok=True)
    before = path.read_bytes() if path.exists() and name == "replica" else None
    numbers = st.sampled_from([b"9" * 5_000, b"9" * 19, "²".encode(), "٣ ٤".encode(), b"-1 -1", b"1e999"])
    path.write_bytes(data.draw(st.binary(max_size=200) | damaged(whole) | numbers))
    answer(folder, *line.split())
    path.unlink(missing_ok=True)
    if before is not None:
        path.write_bytes(before)


LINES = (
    *(
        "list",
        "show greet",
        "status",
        "agents",
        "audit",
        "graph greet",
        "conflicts",
        "review",
        "prime --as ada",
    ),
    *("inbox --as ada", "whoami --as ada", "search needle", "doctor", "reap --as ada", "heartbeat --as ada"),
    *("note greet x --as zoe", "start greet --as ada", "release greet --as ada", "send zoe hi --as ada"),
    *("spawn Another --label new --as zoe", "edit greet --label new --as zoe", "rebuild", "verify", "export"),
)


@FUZZED
@given(
    line=st.sampled_from(LINES),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=20),
)
def test_bits_that_flip_in_the_views_do_no_harm(
    line: str, flips: list[tuple[float, int]], folder: Path
) -> None:
    answer(folder, "rebuild")
    path = folder / ".crewlog/views.db"
    log = path.with_name("views.db-wal")
    assert not log.exists() or not log.stat().st_size  # all there is lies in the file itself
    content = bytearray(path.read_bytes())
    for place, bit in flips:
        content[int(place * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(content)
    answer(folder, *line.split())
    answer(folder, "rebuild")
    assert answer(folder, "verify")["ok"]
