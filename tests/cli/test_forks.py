"""Chains that fork: stores that wrote under one id part ways, keep what both wrote, and somebody can settle it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.clones import bare, clone
from tests.cli.conftest import Crew, why
from tests.cli.test_answers import problems


def store(crew: Crew) -> Path:
    return crew.folder / ".crewlog"


def unnoticed_copy(crew: Crew, place: Path) -> Crew:
    """A copy of a clone, store and all, of which nothing tells that it is one: as of a machine's image."""
    shutil.copytree(crew.folder, place, symlinks=True)
    name = place / ".crewlog/replica"
    lines = [line for line in name.read_text().split("\n") if not line.startswith("at ")]
    name.write_text("\n".join(lines))
    return Crew(place, crew.environ)


def twins(tmp_path: Path) -> tuple[Crew, Crew]:
    """A clone with one task, and an unnoticed copy of it."""
    ada = clone(bare(tmp_path), "ada")
    ada.do("spawn one --slug one --as ada")
    ada.do("sync")
    twin = unnoticed_copy(ada, tmp_path / "twin")
    return ada, twin


def replica(crew: Crew) -> str:
    return (store(crew) / "replica").read_text().split("\n")[0]


def test_two_stores_under_one_id_part_ways_when_one_hears_of_the_other(crew: Crew, tmp_path: Path) -> None:
    crew.do("export")
    copy = unnoticed_copy(crew, tmp_path.parent / f"{tmp_path.name}-copy")
    for one in (crew, copy):
        one.spawn("apart")
        one.do("export")

    came = crew.run("--json", "import", str(store(copy)))

    assert (came.code, [finding["code"] for finding in came.json["findings"]]) == (7, ["fork"])
    assert "another store wrote under its id" in came.err
    crew.spawn("later")
    assert replica(crew) != replica(copy)


@pytest.mark.parametrize("notes", [(1, 1), (1, 3), (3, 1)])
def test_two_stores_under_one_id_that_meet_at_a_remote_part_ways_and_both_sides_stay(
    notes: tuple[int, int], tmp_path: Path
) -> None:
    ada, twin = twins(tmp_path)
    before = replica(ada)
    assert replica(twin) == before
    for crew, number in zip((ada, twin), notes, strict=True):
        for round_ in range(number):
            crew.do(f"note one '{crew.folder.name} {round_}' --as ada")
            crew.do("export")
    ada.do("sync")

    met = twin.run("--json", "sync")

    assert (met.code, [found["code"] for found in met.json["findings"]]) == (7, ["fork"])
    assert "another store wrote under its id" in met.err
    assert replica(twin) != before
    twin.do("note one 'after it' --as ada")
    assert twin.do("sync")["pushed"]
    assert ada.run("sync").code == 7  # the first that it hears of the other branch
    eve = clone(tmp_path / "origin.git", "eve")
    for crew in (eve, ada, twin):
        crew.do("sync")
        assert crew.do("show one")["task"]["notes"] == sum(notes) + 1
        assert {finding["code"] for finding in crew.run("--json", "verify").json["findings"]} == {"fork"}
    assert len({crew.run("--json", "verify").json["state"] for crew in (ada, twin, eve)}) == 1


def test_a_sync_that_is_stopped_while_two_stores_part_ways_is_finished_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.git.sharing import Sharing
    from export.segments import Segments

    ada, twin = twins(tmp_path)
    for crew in (ada, twin):
        crew.do(f"note one 'of {crew.folder.name}' --as ada")
    ada.do("sync")
    before = replica(ada)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for place, step in ((Sharing, "make_way"), (Segments, "_put"), (Sharing, "merge"), (Sharing, "push")):
        with monkeypatch.context() as patched:
            patched.setattr(place, step, stop)
            assert twin.run("sync").code not in (0, 7), step

    assert twin.do("sync")["pushed"]
    assert replica(twin) != before
    assert twin.do("note one on --as ada")["state"] == "ASSIGNED"
    assert twin.do("show one")["task"]["notes"] == 3
    assert {found["code"] for found in twin.run("--json", "verify").json["findings"]} == {"fork"}


@pytest.fixture
def forked(tmp_path: Path) -> tuple[Crew, Crew, str]:
    """Two clones that wrote under one id, the second of which found it and goes on under a new one; and that id."""
    ada, twin = twins(tmp_path)
    for crew in (ada, twin):
        crew.do(f"note one 'of {crew.folder.name}' --as ada")
    ada.do("note one 'and one more' --as ada")
    before = replica(ada)
    ada.do("sync")
    twin.run("sync")
    ada.run("sync")
    return ada, twin, before


def written_on(crew: Crew, place: Path, replica: str) -> Crew:
    """A copy of a store that wrote under that id."""
    copy = unnoticed_copy(crew, place)
    (store(copy) / "replica").write_text(replica + "\n")
    copy.do(f"spawn {place.name} --as ada")
    copy.do("export")
    return copy


def settle(crew: Crew, replica: str) -> Any:
    return crew.do(f"resolve --fork {replica} --note 'an image was started twice' --as ada")


def test_a_fork_that_somebody_settled_stays_visible_and_is_no_damage_any_more_in_any_clone(
    forked: tuple[Crew, Crew, str], tmp_path: Path
) -> None:
    ada, twin, before = forked
    assert twin.run("verify").code == 7

    done = settle(twin, before[:5])

    assert (done["replica"], len(done["ends"])) == (before, 2)
    assert problems(done, orjson.loads(twin.run("schema").out)["$defs"]["resolve"]) == []
    assert settle(twin, before)["event"] == done["event"]  # nothing to do
    twin.do("sync")
    ada.do("sync")
    eve = clone(tmp_path / "origin.git", "eve")
    for crew in (twin, ada, eve):
        found = crew.do("verify")
        assert [(row["code"], row["path"]) for row in found["findings"]] == [("fork-settled", before)]
        assert "ada settled it" in found["findings"][0]["message"]
        assert "an image was started twice" in crew.run("audit").err
    [told] = eve.do("verify --from origin/crewlog")["findings"]
    assert told["code"] == "fork-settled"


def test_a_fork_that_goes_on_after_it_was_settled_is_damage_again(
    forked: tuple[Crew, Crew, str], tmp_path: Path
) -> None:
    _, twin, before = forked
    settle(twin, before)
    copies = [written_on(twin, tmp_path / name, before) for name in ("late", "later")]

    came = [twin.run("--json", "import", str(store(copy))) for copy in copies]

    assert [result.code for result in came] == [0, 7]  # the first of them only goes on with a branch
    assert "fork" in {finding["code"] for finding in came[1].json["findings"]}
    assert twin.run("verify").code == 7
    settle(twin, before)
    assert twin.do("verify")["ok"]


def test_what_did_not_fork_cannot_be_settled_and_a_fork_is_not_settled_without_a_word(
    forked: tuple[Crew, Crew, str],
) -> None:
    ada, twin, before = forked
    assert why(ada.refused("resolve --fork r-none --note x --as ada")) == ("not-found", 3)
    assert why(ada.refused(f"resolve --fork {replica(twin)} --note x --as ada")) == ("not-found", 3)
    assert why(ada.refused(f"resolve --fork {before} --as ada")) == ("usage", 2)
    assert why(ada.refused(f"resolve one --fork {before} --note x --as ada")) == ("usage", 2)
    assert why(ada.refused(f"resolve --fork {before} --note x --as ada --key k")) == ("usage", 2)
    assert ada.run("verify").code == 7


def test_a_checkpoint_of_either_branch_of_a_settled_fork_is_continued_in_every_clone(
    tmp_path: Path,
) -> None:
    ada, twin = twins(tmp_path)
    for crew, number in ((ada, 3), (twin, 1)):
        for _ in range(number):
            crew.do(f"note one 'of {crew.folder.name}' --as ada")
        crew.do("checkpoint -o kept.json")
    before = replica(ada)
    for crew in (ada, twin, ada):
        crew.run("sync")
    settle(twin, before)
    twin.do("sync")
    ada.do("sync")

    for crew in (ada, twin):
        for kept in (ada, twin):
            assert crew.do(f"verify --checkpoint {kept.folder}/kept.json")["ok"]
