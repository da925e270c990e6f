"""`report`: one page that holds everything, asks no network, and takes text from agents as text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.report import figures
from projections.timeline import Timeline, timeline
from tests.cli.conftest import Crew, why
from tests.projections.histories import Crew as Players
from tests.projections.histories import some_steps
from tests.support.stores import SqliteStore, all_events

EVIL = '</script><script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def page(crew: Crew) -> str:
    """The page of a small crew, one of whose titles is an attack."""
    task, _ = crew.submitted("Greet by name")
    crew.do(f"reject {task} --reason 'no tests' --as zoe")
    crew.run("spawn", EVIL, "--label", "<b>x</b>", "--as", "zoe")
    crew.do("send people 'the build is red' --as ada")
    answered = crew.do("report r.html")
    assert (answered["tasks"], answered["file"]) == (2, str(crew.folder / "r.html"))
    text = (crew.folder / "r.html").read_text()
    assert answered["bytes"] == len(text.encode())
    return text


def own_part(page: str) -> str:
    """The page without the library."""
    first, _, rest = page.partition("<script>")
    return first + rest[rest.index("</script>") :]


def test_the_page_is_whole_and_asks_no_network(page: str) -> None:
    assert page.startswith("<!doctype html>")
    assert "plotly.js v" in page[:20_000]
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", own_part(page))
    assert "default-src 'none'" in page
    assert not re.findall(r"/\*[A-Z]+\*/", own_part(page))
    for name in ("agents", "flow", "tasks", "throughput", "durations", "mail"):
        assert f"id='{name}'" in page


def test_no_button_uploads_a_chart(page: str) -> None:
    [config] = re.findall(r"const config = \{(.*?)\};", page, re.DOTALL)
    for said in ("showSendToCloud: false", 'plotlyServerURL: ""', '"sendChartToCloud"', '"sendDataToCloud"'):
        assert said in config


def test_text_from_agents_is_only_text(page: str) -> None:
    own = own_part(page)
    assert own.count("<script>") == own.count("</script>") - 1 == 1  # the library's own end stands there
    assert "owned" in own
    assert "<img" not in own
    assert "<b>x" not in own


def test_spans_hold_what_happened(page: str) -> None:
    data: Any = orjson.loads(re.search(r"const spans = (\{.*\});", page)[1])  # type: ignore[index] # it is there
    assert data["tasks"][0][1] == "Greet by name"
    assert data["agents"] == ["ada", "zoe"]
    names: list[str] = [*figures.STATE_COLOURS]
    states: list[str] = [
        names[state] for task, state in zip(data["task"], data["state"], strict=True) if task == 0
    ]
    assert states == ["ASSIGNED", "WORKING", "IN_REVIEW", "WORKING"]
    assert [mark[2] for mark in data["marks"]] == [1]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.slow
def test_a_browser_draws_every_picture_and_runs_nothing_of_the_agents(
    page: str, tmp_path: Path, crew: Crew
) -> None:
    shown = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            f"file://{crew.folder / 'r.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    assert 'data-drawn="yes"' in shown
    assert "<title>crewlog report</title>" in shown
    assert shown.count('class="plot js-plotly-plot"') == 6
    assert "2 of 2 tasks" in shown
    assert "Share chart" not in own_part(shown)
    assert "modebar-btn" in shown


def test_a_timeline_tells_every_state_that_the_log_tells(tmp_path: Path) -> None:
    log = SqliteStore(str(tmp_path)).create().open(keep_open=True)
    crew = Players(log)
    crew.play(some_steps(300, seed=4))
    past = timeline(all_events(log))
    now = {span.task: span for span in past.spans if not span.end}
    assert set(now) == set(crew.tasks) == set(past.titles)
    for task in crew.tasks:
        state = log.state(f"task/{task}")
        assert now[task].state == state.state
        mine = sorted(
            (span for span in past.spans if span.task == task),
            key=lambda span: (span.begin, span.end or 2**62),
        )
        assert all(before.end == after.begin for before, after in pairwise(mine))
    log.close()


def traces(figure: Any) -> list[Any]:
    """What a figure draws."""
    return [*figure.data]


def test_figures_agree_with_the_timeline(tmp_path: Path) -> None:
    log = SqliteStore(str(tmp_path)).create().open(keep_open=True)
    Players(log).play(some_steps(300, seed=5))
    past = timeline(all_events(log))
    log.close()
    standing = Counter(span.state for span in past.spans if not span.end)
    flow = {trace.name: trace.y[-1] for trace in traces(figures.flow_figure(past))}
    assert {state: number for state, number in flow.items() if number} == dict(standing)
    spawned = traces(figures.throughput_figure(past))[-1]
    assert sum(spawned.y) == len(past.titles)
    boxes = {trace.name for trace in traces(figures.durations_figure(past))}
    assert boxes == {span.state for span in past.spans if span.end}


def test_an_empty_store_has_a_page_too(crew: Crew) -> None:
    assert crew.do("report empty.html")["tasks"] == 0
    assert figures.spans(Timeline())["task"] == []


def test_since_leaves_older_tasks_out(crew: Crew) -> None:
    crew.spawn()
    assert crew.do("report r.html --since 2090-01-01")["tasks"] == 0
    assert crew.do("report r.html --since 1h")["tasks"] == 1


def test_since_keeps_open_work_in_a_quiet_while_and_counts_what_was_written_in_it(crew: Crew) -> None:
    task = crew.spawn()
    crew.start(task)
    crew.do(f"cancel {crew.spawn('no more')} --as zoe")
    later = Crew(crew.folder, crew.environ, clock=lambda: time.time_ns() // 1_000 + 7_200_000_000)

    quiet = later.do("report quiet.html --since 1h")
    later.do(f"note {task} on --as ada")

    assert (quiet["tasks"], quiet["events"]) == (1, 0)
    assert later.do("report busy.html --since 1h")["events"] == 1
    assert later.do("report all.html")["tasks"] == 2


def test_a_page_that_cannot_be_written_is_refused(crew: Crew) -> None:
    assert why(crew.refused("report nowhere/r.html")) == ("unwritable", 6)
    assert why(crew.refused("report .")) == ("unwritable", 6)
    assert not [name for name in crew.folder.iterdir() if name.name.endswith(".part")]


def test_without_plotly_it_says_what_to_install(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("plotly", "cli.report"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    refused = crew.refused("report r.html")
    assert why(refused) == ("not-installed", 2)
    assert "crewlog[report]" in refused["hint"]
