"""The full-screen view. It shows `picture.take`, and acts by giving commands, as somebody would type them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from cli.app import run
from cli.call import Call
from cli.follow import signal_of
from cli.output import Columns
from cli.screen.picture import Line, Picture, take
from cli.text import safe
from domain.refusals import Refusal
from domain.task import STATES, submission_of

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
_OF_TROUBLE = {"MERGING": "cyan", "setback": "red", "conflict": "red", "circle": "red"}
COLOURS = {**_OF_TROUBLE, **_OF_STATES, **_OF_VERDICTS, **_OF_KINDS}


class Panel(OptionList):
    """A list of lines that keeps its place when it is filled anew."""

    def __init__(self, name: str, title: str) -> None:
        super().__init__(id=name, markup=False, compact=True)
        self.border_title = title
        self._title = title
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
            columns.add(*line.cells)
        place = self.highlighted
        self.clear_options()
        self.add_options(
            Option(_coloured(text, line)) for text, line in zip(columns.lines(), shown, strict=True)
        )
        if shown:
            same = [number for number, line in enumerate(shown) if before and line.about == before.about]
            self.highlighted = same[0] if same else min(place or 0, len(shown) - 1)

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
    """What a command said about one task or message."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Back"),
        Binding("a", "app.approve", "Approve"),
        Binding("r", "app.reject", "Reject"),
        Binding("k", "app.ack", "Ack"),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

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


class Top(App[None]):
    """Attention, roster, pipeline, feed."""

    TITLE = "crewlog"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Panel { border: none; border-top: solid $primary; padding: 0; height: 1fr; background: $background;
            scrollbar-size-vertical: 1; overflow-x: hidden; text-wrap: nowrap; text-overflow: ellipsis; }
    Panel:focus { border: none; border-top: heavy $accent; }
    #bar { height: 1; } #says { height: 1; color: $text-muted; }
    #middle { height: 1fr; } #roster { width: 2fr; } #pipeline { width: 3fr; margin-left: 1; }
    Shown, Asking { align: center middle; }
    #page { background: $surface; } Asking Input { margin: 0 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("a", "approve", "Approve"),
        Binding("r", "reject", "Reject"),
        Binding("k", "ack", "Ack"),
        Binding("w", "answer", "Answer"),
        Binding("slash", "filter", "Filter", key_display="/"),
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
            yield Panel("roster", "roster")
            yield Panel("pipeline", "pipeline")
        yield Panel("feed", "feed")
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
        self.push_screen(Shown(safe(self._all_about(line.about))))

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
        """Approve the task that is chosen: the submission that is shown, and no later one."""
        if line := self._chosen:
            self._act("approve", line.about, *(("--submission", line.on) if line.on else ()))

    def action_reject(self) -> None:
        """Send the task that is chosen back, with a reason."""
        if line := self._chosen:
            self._ask(f"Why is {line.about} sent back?", "reject", line.about, "--reason")

    def action_answer(self) -> None:
        """Answer the message that is chosen."""
        if line := self._chosen:
            self._ask(f"Your answer to {line.about}", "answer", line.about)

    def _ask(self, question: str, *words: str) -> None:
        def answered(text: str | None) -> None:
            if text:
                self._act(*words, text)

        self.push_screen(Asking(question), answered)

    def action_ack(self) -> None:
        """Say that one has read the message that is chosen."""
        if line := self._chosen:
            self._act("ack", line.about)

    def action_filter(self) -> None:
        """Show only lines that hold a text."""

        def answered(text: str | None) -> None:
            self._wanted = text or ""
            self._say(f"only lines with {self._wanted!r}; / and Enter shows all" if self._wanted else "")
            self.look()

        self.push_screen(Asking("Only lines with", self._wanted), answered)


def _bar(picture: Picture) -> Text:
    shown = Text(f"crewlog  {picture.name or 'nobody'}  ", no_wrap=True, overflow="ellipsis")
    for state in STATES:
        if picture.counts[state]:
            ready = f"({picture.ready} ready)" if state == "ASSIGNED" else ""
            shown.append(f"{picture.counts[state]} {state.lower()}{ready}  ", COLOURS.get(state, ""))
    return shown
