"""`top`: every screen at 80 by 24 from a store of 1,000 tasks; what is done there is in the log."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from textual.pilot import Pilot

from cli.call import Call
from cli.screen.app import Panel, Top
from cli.shell import Shell
from tests.cli.conftest import Crew, Terminal
from tests.cli.repositories import ALONE, commit, repository

TASKS = 1_000
SIZE = (80, 24)


@dataclass
class Busy:
    """A crew with a thousand tasks, and the ones that matter here."""

    crew: Crew
    named: dict[str, str] = field(default_factory=dict[str, str])


def tasks(number: int) -> str:
    """So many tasks, as `spawn --from` reads them."""
    return "".join(
        orjson.dumps({"title": f"task number {place}", "labels": [f"l{place % 7}"]}).decode() + "\n"
        for place in range(number)
    )


@pytest.fixture
def busy(crew: Crew) -> Busy:
    """A thousand tasks, one in review, one worked on, one failed, a question, an ack."""
    crew.do("join zoe --person --pid 1")
    crew.do("join ada --pid 1")
    crew.do("spawn --from - --as zoe", stdin=tasks(TASKS - 3))
    review, claim = crew.submitted("Greet by name")
    failed = crew.spawn("too hard")
    claim = crew.start(failed, "bob")
    crew.do(f"fail {failed} --reason 'no such API' --claim {claim} --as bob")
    working = crew.spawn("Parse the file")
    crew.start(working)
    question = crew.do("ask people 'which port?' --as ada")["message"]
    named = {"review": review, "failed": failed, "working": working, "question": question}
    return Busy(crew, named)


def pane(app: Top) -> str:
    """What the terminal shows."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def on_screen(
    busy: Busy, play: Callable[[Pilot[None], Top], Awaitable[None]], size: tuple[int, int] = SIZE
) -> None:
    """Run `top` as zoe on a terminal of this size and play on it."""
    shell = Shell(
        io.StringIO(), io.StringIO(), io.StringIO(), {"CREWLOG_AGENT": "zoe"}, str(busy.crew.folder)
    )
    call = Call(shell)

    async def run() -> None:
        app = Top(call, reap=False)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await play(pilot, app)

    try:
        asyncio.run(run())
    finally:
        call.close()


def chosen(app: Top, panel: str, about: str) -> None:
    """Put the cursor of a panel on the line about this."""
    found = app.query_one(f"#{panel}", Panel)
    found.focus()
    found.highlighted = [line.about for line in found.lines].index(about)


def test_all_panels_stand_on_80_by_24(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        shown = pane(app)
        lines = shown.split("\n")
        assert (len(lines), {len(line) for line in lines}) == (24, {80})
        for title in ("needs you 3", "roster", "pipeline", "feed"):
            assert title in shown, title
        assert f"{TASKS - 3} assigned({TASKS - 3} ready)" in shown
        assert f"review    {busy.named['review']}  ada handed in: Greet by name" in shown
        assert f"failed    {busy.named['failed']}  bob gave up: too hard: no such API" in shown
        assert f"question  {busy.named['question']}  ada asks: which port?" in shown
        assert re.search(r"ada +alive", shown)
        assert f"{busy.named['working']}  WORKING" in shown
        assert "mail.sent" in shown
        assert "Approve" in lines[-1]
        assert (
            len([line for line in lines if "IN_REVIEW" in line or "ASSIGNED" in line]) >= 3
        )  # none is folded
        assert len([line for line in lines if "task number" in line]) >= 2

    on_screen(busy, play)


def test_an_approval_by_key_is_in_the_log_and_bound_to_what_was_shown(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        await pilot.pause()
        chosen(app, "attention", busy.named["review"])
        await pilot.press("a")
        await pilot.pause()
        assert f"Approve {busy.named['review']}?" in pane(app)
        await pilot.press("y")
        await pilot.pause()
        assert "needs you 2" in pane(app)
        assert f"{busy.named['review']}  COMPLETED" in pane(app)

    submission = busy.crew.do(f"show {busy.named['review']}")["task"]["submission"]["id"]
    on_screen(busy, play)
    events = busy.crew.do(f"show {busy.named['review']}")["events"]
    assert [(event["type"], event["from"]) for event in events[-2:]] == [
        ("task.approved", "zoe"),
        ("task.merged", "zoe"),
    ]
    assert events[-2]["on"] == {"submission": submission}


def test_a_submission_that_was_replaced_meanwhile_is_not_approved(busy: Busy) -> None:
    task = busy.named["review"]

    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", task)
        app._signal.wait = lambda timeout=None: False  # type: ignore[method-assign] # it looks no more
        claim = busy.crew.do(f"show {task}")["task"]["claim"]
        busy.crew.do(f"done {task} --claim {claim} --as ada")
        await pilot.press("a", "y")
        await pilot.pause()
        assert "was replaced by" in pane(app)

    on_screen(busy, play)
    assert busy.crew.state(task) == "IN_REVIEW"


def test_a_rejection_asks_why_and_an_answer_what(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", busy.named["review"])
        await pilot.press("r")
        await pilot.pause()
        assert "Why is" in pane(app)
        await pilot.press(*"no tests", "enter")
        await pilot.pause()
        chosen(app, "attention", busy.named["question"])
        await pilot.press("w")
        await pilot.press(*"8080", "enter")
        await pilot.pause()
        assert "needs you 1" in pane(app)

    on_screen(busy, play)
    last = busy.crew.do(f"show {busy.named['review']}")["events"][-1]
    assert (last["type"], last["payload"]["reason"]) == ("task.rejected", "no tests")
    answers = busy.crew.do(f"read {busy.named['question']}")["message"]["answers"]
    assert [(answer["from"], answer["text"]) for answer in answers] == [("zoe", "8080")]


def test_escape_from_a_question_does_nothing(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", busy.named["review"])
        await pilot.press("r", "x", "escape")
        await pilot.pause()
        assert "needs you 3" in pane(app)

    on_screen(busy, play)
    assert busy.crew.state(busy.named["review"]) == "IN_REVIEW"


def test_enter_opens_a_task_with_its_history_and_a_key_acts_on_it_there(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", busy.named["review"])
        await pilot.press("enter")
        await pilot.pause()
        shown = pane(app)
        assert f"{busy.named['review']}  IN_REVIEW  Greet by name" in shown
        assert "handed in by ada" in shown
        assert "task.submitted" in shown
        await pilot.press("a", "y")
        await pilot.pause()
        assert "COMPLETED" in pane(app)

    on_screen(busy, play)
    assert busy.crew.state(busy.named["review"]) == "COMPLETED"


def test_an_opened_question_is_answered_there_and_only_keys_for_messages_work(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", busy.named["question"])
        await pilot.press("enter")
        await pilot.pause()
        footer = pane(app).split("\n")[-1]
        assert ("Answer" in footer, "Ack" in footer) == (True, True)
        assert ("Approve" in footer, "Reject" in footer) == (False, False)
        await pilot.press("a", "r", "w")
        await pilot.pause()
        await pilot.press(*"8080", "enter")
        await pilot.pause()
        assert "needs you 2" in pane(app)

    on_screen(busy, play)
    answers = busy.crew.do(f"read {busy.named['question']}")["message"]["answers"]
    assert [(answer["from"], answer["text"]) for answer in answers] == [("zoe", "8080")]


def test_a_sentence_typed_at_an_opened_task_approves_nothing(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", busy.named["review"])
        await pilot.press("enter")
        await pilot.pause()
        footer = pane(app).split("\n")[-1]
        assert ("Approve" in footer, "Answer" in footer) == (True, False)
        await pilot.press(*"an", "enter")
        await pilot.pause()

    on_screen(busy, play)
    assert busy.crew.state(busy.named["review"]) == "IN_REVIEW"


def test_a_key_for_messages_says_so_on_a_task_and_the_other_way_round(busy: Busy) -> None:
    task, question = busy.named["review"], busy.named["question"]

    async def play(pilot: Pilot[None], app: Top) -> None:
        for key, about, said in (
            ("k", task, f"k (ack) is for messages; {task} is a task"),
            ("w", task, f"w (answer) is for messages; {task} is a task"),
            ("a", question, f"a (approve) is for tasks; {question} is a message"),
        ):
            chosen(app, "attention", about)
            await pilot.press(key)
            await pilot.pause()
            assert said in pane(app), pane(app)

    on_screen(busy, play)


def test_the_hint_of_a_refusal_is_whole_on_80_columns(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        app._act("approve", busy.named["working"])
        await pilot.pause()
        shown = " ".join(" ".join(line.split()) for line in pane(app).split("\n"))
        code, said = app.give("approve", busy.named["working"])
        assert code
        assert " ".join(said.split()) in shown

    on_screen(busy, play)


def test_a_long_name_leaves_room_for_titles_and_nothing_to_do_takes_no_room(crew: Crew) -> None:
    crew.do("join zoe --person --pid 1")
    task = crew.spawn("Parse the file")
    crew.start(task, "ada-the-first-agent-with-a-very-long-name")
    for number in range(30):
        crew.spawn(f"wide {number}")

    async def play(pilot: Pilot[None], app: Top) -> None:
        shown = pane(app)
        assert "Parse the" in shown
        panel = app.query_one("#attention", Panel)
        assert panel.size.height + 1 <= 2
        await pilot.resize_terminal(30, 24)
        await pilot.pause()
        assert pane(app).split("\n")[0].rstrip().endswith("…")

    on_screen(Busy(crew), play)


def test_enter_on_work_to_judge_shows_evidence_check_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a repository, on 80 by 24, also where the terminal gets smaller meanwhile."""
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    place = tmp_path / "code"
    crew = Crew(repository(place), dict(ALONE))
    crew.do("init --as zoe")
    task = crew.spawn("Greet by name")
    work = Path(crew.do(f"start {task} --as ada")["dir"])
    commit(work)
    crew.do("done --evidence 'all 31 tests pass' --check 'echo fine'", cwd=work)
    crew.do("spawn --from - --as zoe", stdin=tasks(TASKS - 1))

    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "pipeline", task)
        await pilot.press("enter")
        await pilot.pause()
        for width, height in (SIZE, (60, 20), (120, 40)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            shown = pane(app)
            assert {len(line) for line in shown.split("\n")} == {width}
            for said in ("all 31 tests pass", "`echo fine` exited with 0", "+1 -0", "merges with main"):
                assert said in shown, (said, width)

    on_screen(Busy(crew), play)


def test_an_ack_by_key_takes_the_message_out_of_the_inbox(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        chosen(app, "attention", busy.named["question"])
        await pilot.press("k")
        await pilot.pause()

    assert len(busy.crew.do("inbox --as zoe")["messages"]) == 1
    on_screen(busy, play)
    assert busy.crew.do("inbox --as zoe")["messages"] == []


def test_a_filter_leaves_what_holds_the_text(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        await pilot.press("slash")
        await pilot.press(*"PARSE", "enter")
        await pilot.pause()
        assert "needs you 0" in pane(app)
        assert "pipeline 1" in pane(app)
        await pilot.press("slash", *["backspace"] * 5, "enter")
        await pilot.pause()
        assert "needs you 3" in pane(app)

    on_screen(busy, play)


@pytest.mark.parametrize("asked", [(), ("slash",)])
def test_escape_clears_the_filter(busy: Busy, asked: tuple[str, ...]) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        assert "Show all" not in pane(app)
        await pilot.press("slash")
        await pilot.press(*"PARSE", "enter")
        await pilot.pause()
        assert "Show all" in pane(app)
        await pilot.press(*asked, "escape")
        await pilot.pause()
        assert "needs you 3" in pane(app)

    on_screen(busy, play)


def test_what_others_do_shows_without_a_key(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        busy.crew.do("send people 'the sky falls' --as bob")
        for _ in range(100):
            if "the sky falls" in pane(app):
                return
            await pilot.pause(0.1)
        raise AssertionError(pane(app))

    on_screen(busy, play)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 60)])
def test_it_fits_any_terminal_and_moves_no_cursor(busy: Busy, size: tuple[int, int]) -> None:
    busy.crew.do("spawn '\u202eevil [red]x[/red] [@click=app.quit]y[/]' -p 0 --as zoe")
    busy.crew.do(f"note {busy.named['working']} - --as bob", stdin="\x1b[2J[bold]z")

    async def play(pilot: Pilot[None], app: Top) -> None:
        lines = pane(app).split("\n")
        assert (len(lines), {len(line) for line in lines}) == (size[1], {size[0]})
        assert not {"\x1b", "\u202e"} & {*"".join(lines)}
        if size[0] == 200:
            assert "evil [red]x[/red] [@click=app.quit]y[/]" in "".join(lines)
            assert "[2J[bold]z" in "".join(lines)

    on_screen(busy, play, size)


def test_it_can_be_made_smaller_while_it_runs(busy: Busy) -> None:
    async def play(pilot: Pilot[None], app: Top) -> None:
        await pilot.resize_terminal(50, 16)
        await pilot.pause()
        assert {len(line) for line in pane(app).split("\n")} == {50}

    on_screen(busy, play)


def test_where_there_is_no_terminal_it_is_status(busy: Busy) -> None:
    plain: Any = busy.crew.run("top", "--as", "zoe")
    assert (plain.code, plain.out.split("\n")[0]) == (
        0,
        busy.crew.run("status", "--as", "zoe").out.split("\n")[0],
    )
    assert busy.crew.do("top --as zoe")["attention"]
    assert Terminal().isatty()
