"""What was sealed stays on the branch as it was sealed, whatever somebody does to the files of one clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.clones import bare, clone, segments
from tests.cli.conftest import Crew
from tests.cli.repositories import git


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Crew, Crew]:
    """Two clones that have what both wrote, with a large text of ada's."""
    ada = clone(bare(tmp_path), "ada")
    ada.do("spawn one --slug one --body - --as ada", stdin="b" * 5_000)
    ada.do("sync")
    bob = clone(tmp_path / "origin.git", "bob")
    bob.do("note one 'of bob' --as bob")
    bob.do("sync")
    ada.do("sync")
    return ada, bob


def on_the_branch(crew: Crew) -> dict[str, str]:
    """Each file of the remote's branch, with the hash of what is in it."""
    remote = crew.folder.parent / "origin.git"
    lines = git(remote, "ls-tree", "-r", "crewlog", "log", "blobs").splitlines()
    return {path: about.split()[2] for about, _, path in (line.partition("\t") for line in lines)}


@pytest.mark.parametrize("how", ["removed", "changed"])
def test_a_sync_does_not_carry_on_what_somebody_did_to_sealed_files(
    how: str, pair: tuple[Crew, Crew]
) -> None:
    ada, bob = pair
    before = on_the_branch(ada)
    blobs = sorted((ada.folder / ".crewlog/blobs").glob("*/*"))
    files = [*segments(ada), *blobs]
    assert (len(segments(ada)), len(blobs)) == (2, 1)
    whole = [path.read_bytes() for path in files]
    for path in files:
        if how == "removed":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes().replace(b"b", b"c"))

    done = ada.run("--json", "sync")

    assert (done.code, done.err.count("what was sealed is kept")) == (0, 3), done
    assert [path.read_bytes() for path in files] == whole
    assert on_the_branch(ada) == before
    assert bob.do("sync")["pushed"]
    assert ada.do("verify")["findings"] == []
    assert ada.do("verify --from origin/crewlog", cwd=ada.folder)["findings"] == []


@pytest.mark.parametrize("how", ["removed", "changed"])
def test_what_somebody_did_to_sealed_files_on_the_branch_is_undone_by_whoever_had_them(
    how: str, pair: tuple[Crew, Crew]
) -> None:
    ada, _ = pair
    before = on_the_branch(ada)
    [of_bob] = [path for path in segments(ada) if b"of bob" in path.read_bytes()]
    sly = ada.folder.parent / "sly"
    git(sly.parent, "clone", "-q", "-b", "crewlog", str(ada.folder.parent / "origin.git"), str(sly))
    theirs = sly / of_bob.relative_to(ada.folder / ".crewlog")
    if how == "removed":
        theirs.unlink()
    else:
        theirs.write_bytes(theirs.read_bytes().replace(b"of bob", b"of eve"))
    git(sly, "commit", "-q", "-a", "-m", "sly")
    git(sly, "push", "-q", "origin", "crewlog")

    done = ada.run("sync")

    assert (done.code, done.err.count("what was sealed is kept")) == (0, 1), done
    assert on_the_branch(ada) == before
    assert b"of bob" in of_bob.read_bytes()


@pytest.mark.parametrize("how", ["a gap", "damage", "damage, and init"])
def test_what_befell_a_segment_before_it_was_committed_does_not_come_onto_the_branch(
    how: str, pair: tuple[Crew, Crew], tmp_path: Path
) -> None:
    ada, _ = pair
    for text in ("a", "b"):
        ada.do(f"note one 'of ada {text}' --as ada")
        ada.do("export")
    [first] = [path for path in segments(ada) if b"of ada a" in path.read_bytes()]
    if "damage" in how:
        first.write_bytes(first.read_bytes().replace(b"of ada a", b"of eve a"))
    else:
        first.unlink()
    if "init" in how:
        ada.do("init")

    ada.do("sync")

    assert b"of ada a" in first.read_bytes()
    auditor = Crew(tmp_path / "auditor", ada.environ)
    git(tmp_path, "clone", "-q", "-b", "main", str(tmp_path / "origin.git"), "auditor")
    assert auditor.do("audit --from origin/crewlog")["findings"] == []


def test_a_blob_that_is_taken_out_and_one_like_it_that_is_added_elsewhere_are_two(
    pair: tuple[Crew, Crew],
) -> None:
    ada, bob = pair
    [path] = (ada.folder / ".crewlog/blobs").glob("*/*")
    bob.do("spawn two --body - --as bob", stdin="b" * 5_000 + "\nand more\n")
    bob.do(f"redact {path.name} --reason 'a password' --as bob")
    ada.do("spawn three --body - --as ada", stdin="b" * 5_000 + "\nand else\n")
    ada.do(f"redact {path.name} --reason 'a password' --as ada")

    for crew in (bob, ada, bob, ada):
        assert crew.do("sync")["pushed"]

    assert [crew.do("verify")["findings"] for crew in pair] == [[], []]
    assert len([name for name in on_the_branch(ada) if name.startswith("blobs/")]) == 2


def test_a_blob_that_was_taken_out_goes_from_the_branch_too(pair: tuple[Crew, Crew]) -> None:
    ada, _ = pair
    [path] = [path for path in on_the_branch(ada) if path.startswith("blobs/")]
    ada.do(f"redact {Path(path).name} --reason 'a password' --as zoe")

    ada.do("sync")

    assert path not in on_the_branch(ada)


def test_a_dry_run_counts_what_was_sealed_and_not_pushed_yet(pair: tuple[Crew, Crew]) -> None:
    ada, bob = pair
    ada.do("note one a --as ada")
    ada.do("export")
    ada.do("note one b --as ada")

    would = ada.do("sync --dry-run")

    assert (would["outgoing"], would["sealed"], would["incoming"]) == (2, 1, 0)
    assert "2 events would go, 0 would come" in ada.run("sync", "--dry-run").out
    assert ada.do("sync")["sent"] == 2
    assert ada.do("sync --dry-run")["outgoing"] == 0
    assert bob.do("sync --dry-run")["incoming"] == 2
