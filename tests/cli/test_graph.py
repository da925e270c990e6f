"""`graph` and `ready --explain`: the tree of what waits for what, and the circles that a merge made."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest

from cli.call import Call
from cli.shell import Shell
from cli.trees import tree
from tests.cli.conftest import Crew
from tests.projections.histories import STREAMS, Pot
from tests.support.stores import SqliteStore


@pytest.fixture
def release(crew: Crew) -> dict[str, str]:
    """An epic with three parts, one after the other, and a task that waits for the epic."""
    epic = crew.spawn("Release")
    parse = crew.spawn("Parse", f"--parent {epic}")
    greet = crew.spawn("Greet", f"--parent {epic} --after {parse}")
    docs = crew.spawn("Docs", f"--parent {epic} --after {parse} --after {greet}")
    party = crew.spawn("Party", f"--after {epic}")
    crew.spawn("alone")
    crew.start(parse)
    return {"epic": epic, "parse": parse, "greet": greet, "docs": docs, "party": party}


def test_parts_stand_under_their_epic_and_what_waits_under_what_it_waits_for(
    crew: Crew, release: dict[str, str]
) -> None:
    lines = crew.run("graph").out.splitlines()
    names = {task: word for word, task in release.items()}
    drawn = [line.split("t-")[0] + names["t-" + line.split("t-")[1][:8]] for line in lines]
    assert drawn == ["epic", "├─ parse", "├─ greet", "├─ docs", "└▷ party"]
    assert "0 of 3 done: 2 ASSIGNED, 1 WORKING" in lines[0]
    assert lines[3].endswith(f"Docs  after {release['parse']} {release['greet']}")
    assert "alone" not in "".join(lines)


def test_around_a_task_is_what_it_waits_for_and_what_waits_for_it(
    crew: Crew, release: dict[str, str]
) -> None:
    found = crew.do(f"graph {release['greet']}")
    assert {node["id"] for node in found["tasks"]} == {*release.values()} - {release["party"]}
    assert (found["circles"], found["more"]) == ([], 0)
    [marked] = [line for line in crew.run("graph", release["greet"]).out.splitlines() if "◀" in line]
    assert release["greet"] in marked
    assert crew.run("graph", "-n", "2").err.strip() == "there are more: --limit 20"


def test_every_task_is_drawn_once_however_long_the_chain_and_even_in_a_circle(crew: Crew) -> None:
    chain = [f"t-{number:08}" for number in range(2_000)]
    nodes: list[dict[str, Any]] = [
        {
            "id": name,
            "title": "x",
            "state": "ASSIGNED",
            "priority": 2,
            "assignee": None,
            "holder": None,
            "parent": None,
            "parts": {},
            "after": [chain[place - 1]],
        }
        for place, name in enumerate(chain)  # the first one waits for the last one
    ]
    call = Call(Shell(StringIO(), StringIO(), StringIO(), {}, "."))
    assert len({line[line.index("t-") :][:10] for line in tree(call, nodes[:1_500])}) == 1_500
    assert len({line[line.index("t-") :][:10] for line in tree(call, nodes)}) == 2_000


def test_a_circle_that_a_merge_made_is_reported_and_can_be_opened(crew: Crew) -> None:
    store = SqliteStore(str(crew.folder / ".crewlog"))
    pot = Pot(store)
    first, second, third = STREAMS
    pot.add("task.spawned", first, title="first", assignee=None, priority=2, after=[third])
    pot.add("task.spawned", second, title="second", assignee=None, priority=2, after=[first])
    pot.add("task.spawned", third, title="third", assignee=None, priority=2, after=[second])
    found = crew.do("graph")
    [way] = found["circles"]
    assert way[0] == way[-1]
    assert {*way} == {*STREAMS}
    assert len(found["tasks"]) == 3
    assert "a circle: " in crew.run("graph").err

    for row in crew.do("ready --explain")["waiting"]:
        [line] = [sentence for sentence in row["why"] if "waits for itself" in sentence]
        assert f"`crewlog unlink {row['id']} --after " in line


def test_in_a_circle_of_parents_each_counts_the_others_once_and_never_itself(crew: Crew) -> None:
    pot = Pot(SqliteStore(str(crew.folder / ".crewlog")))
    first, second, third = STREAMS
    for stream, parent in ((first, third), (second, first), (third, second)):
        pot.add("task.spawned", stream, title="part", assignee=None, priority=2, parent=parent)

    shown = [crew.do(f"show {stream}")["task"]["parts"] for stream in STREAMS]
    assert shown == [{"ASSIGNED": 2}] * 3
    assert len(crew.do("graph")["circles"]) == 1


def test_a_circle_is_found_whatever_came_first_and_gone_with_its_last_link(crew: Crew) -> None:
    """The table of circles is kept by what changes; it must hold what a look at all links finds."""
    pot = Pot(SqliteStore(str(crew.folder / ".crewlog")))
    first, second, third = STREAMS
    for stream in STREAMS:
        pot.add("task.spawned", stream, title="x", assignee=None, priority=2)
    links = {
        (stream, other): pot.add("task.linked", stream, kind="after", to=other).id
        for stream, other in ((first, second), (second, third), (third, second), (third, first))
        if crew.do("list")  # catches up link by link
    }
    assert len(crew.do("graph")["circles"]) == 2
    assert crew.do("rebuild")["same"]

    for stream, other in ((third, second), (second, third)):
        link = {"id": links[stream, other], "kind": "after", "to": other}
        pot.add("task.unlinked", stream, links=[link])
        assert crew.do("rebuild")["same"]
    assert crew.do("graph")["circles"] == []
