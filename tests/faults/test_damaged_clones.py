"""Three clones that work, sync, and whose files are removed, damaged and put back: in the end all is everywhere, and whole."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.clones import bare, clone, segments
from tests.cli.conftest import Crew
from tests.cli.repositories import git

pytestmark = pytest.mark.faults

SOAK = bool(os.environ.get("CREWLOG_SOAK"))
STEPS = 200 if SOAK else 40


def tasks(crew: Crew) -> list[str]:
    return [row["id"] for row in crew.do("list --limit 1000")["tasks"]]


def spawn(crew: Crew, rng: random.Random) -> None:
    crew.do(f"spawn 'number {rng.random()}' --as {crew.folder.name}")


def spawn_large(crew: Crew, rng: random.Random) -> None:
    """Its text is like that of all others; it is exported at once, since only the database has it before."""
    crew.do(f"spawn large --body - --as {crew.folder.name}", stdin=f"{'b' * 5_000}\n{rng.random()}")
    crew.run("export")


def work(crew: Crew, rng: random.Random) -> None:
    """Whatever is legal of it, on any task."""
    name, task = crew.folder.name, rng.choice(tasks(crew))
    for line in (
        f"start {task} --as {name} --no-branch",
        f"note {task} on --as {name}",
        f"resolve {task} --as {name}",
    ):
        assert crew.run("--json", *crew.words(line)).code in (0, 4, 5), line


def redact(crew: Crew, rng: random.Random) -> None:
    blobs = sorted(path.name for path in (crew.folder / ".crewlog/blobs").glob("*/*"))
    if blobs:
        done = crew.run("redact", rng.choice(blobs), "--reason", "a password", "--as", crew.folder.name)
        assert done.code in (0, 3), done  # an old database may know nothing of it yet


def sync(crew: Crew, _: random.Random) -> None:
    assert crew.run("sync").code in (0, 7)


def export(crew: Crew, _: random.Random) -> None:
    assert crew.run("export").code in (0, 7)


def remove_segment(crew: Crew, rng: random.Random) -> None:
    if sealed := segments(crew):
        rng.choice(sealed).unlink()


def flip_a_bit(crew: Crew, rng: random.Random) -> None:
    if sealed := segments(crew):
        path = rng.choice(sealed)
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)


def lose_database(crew: Crew, _: random.Random) -> None:
    lose(crew)
    crew.do("init")


def put_back_an_old_database(crew: Crew, _: random.Random) -> None:
    if (crew.folder / "safe.db").exists():
        lose(crew)
        shutil.copy(crew.folder / "safe.db", crew.folder / ".crewlog/crewlog.db")
    else:
        crew.do("backup safe.db")


def lose(crew: Crew) -> None:
    for path in (crew.folder / ".crewlog").glob("crewlog.db*"):
        path.unlink()


DEEDS: dict[Callable[[Crew, random.Random], None], int] = {
    spawn: 4,
    spawn_large: 2,
    work: 4,
    sync: 6,
    export: 2,
    redact: 1,
    remove_segment: 2,
    flip_a_bit: 2,
    lose_database: 1,
    put_back_an_old_database: 1,
}


@pytest.mark.parametrize("seed", range(40 if SOAK else 2))
def test_whatever_befalls_the_files_of_clones_in_the_end_all_of_them_have_all_of_it(
    seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    remote = bare(tmp_path)
    first = clone(remote, "ada")
    spawn(first, rng)
    sync(first, rng)
    crews = [first, *(clone(remote, name) for name in ("bob", "eve"))]

    for deed in rng.choices(list(DEEDS), list(DEEDS.values()), k=STEPS):
        deed(rng.choice(crews), rng)
    for crew in crews * 2:
        sync(crew, rng)

    found = [crew.run("--json", "verify").json for crew in crews]
    assert [row["findings"] for row in found] == [[], [], []]
    assert len({row["state"] for row in found}) == 1
    git(tmp_path, "clone", "-q", "-b", "main", str(remote), "auditor")
    audited = Crew(tmp_path / "auditor", first.environ).do("audit --from origin/crewlog")
    assert (audited["events"], audited["findings"]) == (found[0]["events"], [])
