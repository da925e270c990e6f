"""The full-screen view. It shows `picture.take`, and acts by giving commands, as somebody would type them."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from cli.app import run
from cli.call import Call
from cli.follow import signal_of
from cli.output import Columns
from cli.screen.picture import Line, Picture, take
from cli.text import cut, safe
from domain.refusals import Refusal
from domain.task import APPROVED, IN_REVIEW, STATES, submission_of

LOOK = 0.5
AT_LEAST_EVERY = 10  # looks: ages grow although nothing happens
REAP_EVERY = 20

_OF_STATES = {
    "ASSIGNED": "blue",
    "WORKING": "yellow",
    "IN_REVIEW": "magenta",
    "APPROVED": "cyan",
    "FAILED": "red",
}
_OF_VERDICTS = {"alive": "green", "suspect": "yellow", "lost": "red", "left": "bright_black"}
_OF_KINDS = {
    "review": "magenta",
    "merge": "cyan",
    "failed": "red",
    "question": "yellow",
    "ack": "bright_black",
}
_OF_TROUBLE = {"MERGING": "cyan", "setback": "red", "conflict": "red", "circle": "red", "stuck": "red"}
_WIDEST = 12  # of every cell but the last: a long name must not push the titles out
_KEYS = {"approve": "a", "reject": "r", "ack": "k", "answer": "w"}
_OF_TASKS = ("approve", "reject")
COLOURS = {**_OF_TROUBLE, **_OF_STATES, **_OF_VERDICTS, **_OF_KINDS}


class Panel(OptionList):
    """A list of lines that keeps its place when it is filled anew."""

    def __init__(self, name: str, title: str, widest: int = 0) -> None:
        super().__init__(id=name, markup=False, compact=True)
        self.border_title = title
        self._title = title
        self._widest = widest
        self.lines: list[Line] = []

    def fill(self, lines: Sequence[Line], wanted: str) -> None:
        """Show the lines in which the wanted text occurs."""
        shown = [line for line in lines if line.has(wanted)]
        self.border_title = f"{self._title} {len(shown)}"
        if shown == self.lines:
            return
        before, self.lines = self.chosen, shown
        columns = Columns()
        for line in shown:
            columns.add(*self._bounded(line.cells))
        place = self.highlighted
        self.clear_options()
        self.add_options(
            Option(_coloured(text, line)) for text, line in zip(columns.lines(), shown, strict=True)
        )
        if shown:
            same = [number for number, line in enumerate(shown) if before and line.about == before.about]
            self.highlighted = same[0] if same else min(place or 0, len(shown) - 1)

    def _bounded(self, cells: Sequence[str]) -> Sequence[str]:
        return [*(cut(cell, self._widest) for cell in cells[:-1]), cells[-1]] if self._widest else cells

    @property
    def chosen(self) -> Line | None:
        """The line under the cursor."""
        place = self.highlighted
        return self.lines[place] if place is not None and place < len(self.lines) else None


def _coloured(text: str, line: Line) -> Text:
    shown = Text(text, no_wrap=True, overflow="ellipsis")
    if line.state:
        shown.highlight_words([line.state], COLOURS.get(line.state, ""))
    return shown


class Shown(ModalScreen[None]):
    """What a command said about one task or message. `actions`: what can be done about it; no other key does anything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Back"),
        Binding("a", "app.approve", "Approve"),
        Binding("r", "app.reject", "Reject"),
        Binding("k", "app.ack", "Ack"),
        Binding("w", "app.answer", "Answer"),
    ]

    def __init__(self, text: str, actions: Collection[str]) -> None:
        super().__init__()
        self._text = text
        self.actions = actions

    def compose(self) -> ComposeResult:
        """A page to scroll."""
        with VerticalScroll(id="page"):
            yield Static(Text(self._text))
        yield Footer()


class Asking(ModalScreen[str]):
    """One line of text, asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Back")]

    def __init__(self, question: str, before: str = "") -> None:
        super().__init__()
        self._question, self._before = question, before

    def compose(self) -> ComposeResult:
        """A line to type in."""
        asked = Input(self._before)
        asked.border_title = self._question
        yield asked

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Sure(ModalScreen[bool]):
    """A question to be answered with `y`. Any other key is a no: whoever types a sentence here did not mean to answer."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question."""
        yield Static(Text(f"{self._question}\n\ny: yes   any other key: no"), id="sure")

    def on_key(self, event: Key) -> None:
        """Take the answer."""
        event.stop()
        self.dismiss(event.key == "y")


class Top(App[None]):
    """Attention, roster, pipeline, feed."""

    TITLE = "crewlog"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Panel { border: none; border-top: solid $primary; padding: 0; height: 1fr; background: $background;
            scrollbar-size-vertical: 1; overflow-x: hidden; text-wrap: nowrap; text-overflow: ellipsis; }
    Panel:focus { border: none; border-top: heavy $accent; }
    #attention { height: auto; min-height: 2; max-height: 33%; }
    #bar { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #says { height: auto; min-height: 1; max-height: 3; color: $text-muted; }
    #middle { height: 1fr; } #roster { width: 2fr; } #pipeline { width: 3fr; margin-left: 1; }
    #sure { background: $surface; border: round $accent; margin: 0 4; padding: 0 1; }
    Shown, Asking, Sure { align: center middle; }
    #page { background: $surface; } Asking Input { margin: 0 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("a", "approve", "Approve"),
        Binding("r", "reject", "Reject"),
        Binding("k", "ack", "Ack"),
        Binding("w", "answer", "Answer"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "show_all", "Show all"),
        Binding("tab", "app.focus_next", "Next", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, call: Call, *, reap: bool) -> None:
        super().__init__()
        self._call = call
        self._reap = reap
        self._signal = signal_of(call.store)
        self._looks = 0
        self._wanted = ""
        self._opened: Line | None = None
        self.picture: Picture | None = None

    def compose(self) -> ComposeResult:
        """The panels."""
        yield Static(id="bar", markup=False)
        yield Panel("attention", "needs you")
        with Horizontal(id="middle"):
            yield Panel("roster", "roster", _WIDEST)
            yield Panel("pipeline", "pipeline", _WIDEST)
        yield Panel("feed", "feed", _WIDEST + 8)
        yield Static(id="says", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Look at once, then again and again."""
        self.look()
        self.query_one("#attention").focus()
        self.set_interval(LOOK, self._look_if_due)

    def _look_if_due(self) -> None:
        self._looks += 1
        if self._signal.wait(0) or self._looks % AT_LEAST_EVERY == 0:
            self.look()
        if self._reap and self._looks % REAP_EVERY == 0:
            self._take_back()

    def look(self) -> None:
        """Show how things stand now."""
        try:
            self.picture = take(self._call)
        except Refusal as refusal:
            self._say(f"{refusal.message} [{refusal.code}]")
            return
        screen = self.screen_stack[0]
        if not screen.query("#feed"):  # it is being closed: the panels are gone, the timer is not yet
            return
        screen.query_one("#bar", Static).update(_bar(self.picture))
        for name in ("attention", "roster", "pipeline", "feed"):
            screen.query_one(f"#{name}", Panel).fill(getattr(self.picture, name), self._wanted)

    def _take_back(self) -> None:
        from cli.reaping import line, reap_lost

        if self._call.who() is None:
            return
        try:
            for row in reap_lost(self._call):
                self._say(line(row))
        except Refusal as refusal:
            self._say(f"{refusal.message} [{refusal.code}]")

    def _say(self, text: str) -> None:
        self.screen_stack[0].query_one("#says", Static).update(Text(safe(text).replace("\n", "  ")))

    @property
    def _chosen(self) -> Line | None:
        if isinstance(self.screen, Shown):
            return self._opened
        focused = self.focused
        return focused.chosen if isinstance(focused, Panel) else None

    # --- acting --------------------------------------------------------------------------------------------------

    def give(self, *words: str) -> tuple[int, str]:
        """Give a command as the one who looks; its exit code and what it said."""
        call = self._call
        out = io.StringIO()
        shell = call.shell._replace(stdin=io.StringIO(), stdout=out, stderr=out)
        name = self.picture.name if self.picture else ""
        who = ["--as", name] if name else []
        code = run(["--store", call.located.path, *who, *words], shell)
        return code, out.getvalue().rstrip("\n")

    def _act(self, *words: str) -> None:
        code, said = self.give(*words)
        self._say(said.split("\n")[0] if code == 0 else said)
        if isinstance(self.screen, Shown):
            self.screen.dismiss()
        self.look()

    def action_open(self) -> None:
        """Show all there is to know about what is chosen."""
        line = self._chosen
        if line is None or not line.about:
            return
        self._opened = line
        self.push_screen(Shown(safe(self._all_about(line.about)), self._possible(line.about)))

    def _possible(self, name: str) -> Collection[str]:
        """What can be done about a message, or about a task as it stands."""
        if name.startswith("m-"):
            return ("ack", "answer")
        state = self._call.store.log.state(f"task/{name}")
        if state is None or state.state not in (IN_REVIEW, APPROVED):
            return ()
        return _OF_TASKS if state.state == IN_REVIEW else ("reject",)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether the key of an action works now, and stands in the footer."""
        if isinstance(self.screen, Shown) and action in _KEYS:
            return action in self.screen.actions
        if action == "show_all":
            return bool(self._wanted)
        return super().check_action(action, parameters)

    def _fit(self, action: str) -> Line | None:
        """The chosen line if the action is for such a one; else it is said why not."""
        line = self._chosen
        if line is None or not line.about:
            return None
        message = line.about.startswith("m-")
        if message == (action not in _OF_TASKS):
            return line
        meant, given = ("tasks", "a message") if message else ("messages", "a task")
        self._say(f"{_KEYS[action]} ({action}) is for {meant}; {line.about} is {given}")
        return None

    def _all_about(self, name: str) -> str:
        """A message; of a task what is to be judged, and what happened; of any other task what `show` says."""
        if name.startswith("m-"):
            return self.give("read", name)[1]
        state = self._call.store.log.state(f"task/{name}")
        if state is None or submission_of(state) is None:
            return self.give("show", name)[1]
        return f"{self.give('review', name)[1]}\n\n{self.give('log', name)[1]}"

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_open()

    def action_approve(self) -> None:
        """Approve the task that is chosen, once that is confirmed: the submission that is shown, and no later one."""
        if line := self._fit("approve"):
            words = ("approve", line.about, *(("--submission", line.on) if line.on else ()))
            self.push_screen(Sure(f"Approve {line.about}?"), lambda sure: self._act(*words) if sure else None)

    def action_reject(self) -> None:
        """Send the task that is chosen back, with a reason."""
        if line := self._fit("reject"):
            self._ask(f"Why is {line.about} sent back?", "reject", line.about, "--reason")

    def action_answer(self) -> None:
        """Answer the message that is chosen."""
        if line := self._fit("answer"):
            self._ask(f"Your answer to {line.about}", "answer", line.about)

    def _ask(self, question: str, *words: str) -> None:
        def answered(text: str | None) -> None:
            if text:
                self._act(*words, text)

        self.push_screen(Asking(question), answered)

    def action_ack(self) -> None:
        """Say that one has read the message that is chosen."""
        if line := self._fit("ack"):
            self._act("ack", line.about)

    def action_filter(self) -> None:
        """Show only lines that hold a text."""
        self.push_screen(Asking("Only lines with", self._wanted), lambda text: self._only(text or ""))

    def action_show_all(self) -> None:
        """Filter no more."""
        self._only("")

    def _only(self, text: str) -> None:
        self._wanted = text
        self._say(f"only lines with {text!r}; Esc shows all" if text else "")
        self.refresh_bindings()
        self.look()


def _bar(picture: Picture) -> Text:
    shown = Text(f"crewlog  {picture.name or 'nobody'}  ", no_wrap=True, overflow="ellipsis")
    for state in STATES:
        if picture.counts[state]:
            ready = f"({picture.ready} ready)" if state == "ASSIGNED" else ""
            shown.append(f"{picture.counts[state]} {state.lower()}{ready}  ", COLOURS.get(state, ""))
    return shown
