"""One agent: takes tasks, works, forgets, makes mistakes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.cli.repositories import commit
from tests.soak.commands import Place

WORDS = ["parse", "index", "daemon", "lock", "merge", "retry", "colour", "paths", "unicode", "flags"]


class Held(NamedTuple):
    """A task that this agent believes it holds; `folder` is its worktree, where it has one."""

    task: str
    claim: str
    folder: Path | None


class Agent:
    """Gives commands until `until`."""

    def __init__(self, place: Place, until: float) -> None:
        self.place, self.random, self.until = place, place.random, until
        self.held: list[Held] = []

    def work(self) -> None:
        """One move after another."""
        self.place.do("join", self.place.name)
        moves, weights = zip(*self.moves(), strict=True)
        while time.monotonic() < self.until:
            [move] = self.random.choices(moves, weights)
            move()

    def moves(self) -> list[tuple[Callable[[], object], int]]:
        """What an agent does, and how often."""
        return [
            (self.spawn, 10),
            (self.start, 14),
            (self.progress, 10),
            (self.done, 10),
            (self.give_up, 4),
            (self.judge, 12),
            (self.change, 8),
            (self.link, 4),
            (self.beat, 8),
            (self.send, 5),
            (self.read_mail, 5),
            (self.look, 8),
            (self.meddle, 4),
            (self.merge, 3),
            (self.forget, 1),
        ]

    def title(self) -> str:
        """Two words and a number."""
        return f"{' '.join(self.random.sample(WORDS, 2))} {self.random.randrange(1_000)}"

    def one_of(self, *states: str) -> str | None:
        """Some task in one of these states, or any; None where there is none."""
        answer = self.place.do("list", *(["--state", ",".join(states)] if states else []))
        tasks = [row["id"] for row in answer.get("tasks", [])]
        return self.random.choice(tasks) if tasks else None

    def spawn(self) -> None:
        words = ["spawn", self.title(), "-p", str(self.random.randrange(5))]
        if self.random.random() < 0.2:
            words += ["--body", "words " * self.random.choice([3, 300, 2_000])]
        if self.random.random() < 0.2:
            words += ["--label", self.random.choice(WORDS)]
        self.place.do(*words, keyed=True)

    def start(self) -> None:
        if len(self.held) > 2:
            return
        branch = self.random.random() < 0.25
        answer = self.place.do("start", *([] if branch else ["--no-branch"]), keyed=True)
        if answer.get("claim"):
            folder = Path(answer["dir"]) if branch and answer.get("dir") else None
            self.held.append(Held(answer["task"], answer["claim"], folder))

    def progress(self) -> None:
        if self.held:
            held = self.random.choice(self.held)
            percent = str(self.random.randrange(101))
            self.place.do("progress", held.task, "--claim", held.claim, "--percent", percent, keyed=True)

    def done(self) -> None:
        if not self.held:
            return
        held = self.held.pop(self.random.randrange(len(self.held)))
        words = [
            "done",
            held.task,
            "--claim",
            held.claim,
            "--evidence",
            "x" * self.random.choice([3, 300, 6_000]),
        ]
        if held.folder:
            with suppress(Exception):  # somebody took the task, and its worktree, away
                commit(held.folder, f"{held.task}.txt", f"{self.place.name}\n" * self.random.randrange(1, 9))
        else:
            words.append("--no-commit")
        self.place.do(*words, keyed=True)

    def give_up(self) -> None:
        if not self.held:
            return
        held = self.held.pop()
        word = self.random.choice(["fail", "release"])
        self.place.do(word, held.task, "--claim", held.claim, "--reason", "tools broke", keyed=True)

    def judge(self) -> None:
        task = self.one_of("IN_REVIEW")
        if task and self.random.random() < 0.8:
            self.place.do("approve", task, keyed=True)
        elif task:
            self.place.do("reject", task, "--reason", "it does not work", keyed=True)

    def change(self) -> None:
        task = self.one_of()
        if task is None:
            return
        text = self.title()
        line = self.random.choice(
            [
                ["note", task, text],
                ["edit", task, "--title", text],
                ["edit", task, "-p", str(self.random.randrange(9))],
            ]
        )
        self.place.do(*line, keyed=True)

    def link(self) -> None:
        one, other = self.one_of(), self.one_of("ASSIGNED")
        if one and other and one != other:
            kind = self.random.choice(["--blocks", "--parent", "--relates"])
            self.place.do("link", one, kind, other, keyed=True)

    def beat(self) -> None:
        self.place.do("heartbeat")

    def send(self) -> None:
        to = self.random.choice(["all", "people", "+ops", f"a{self.random.randrange(30)}"])
        self.place.do("send", to, self.title(), "--allow-unknown", keyed=True)

    def read_mail(self) -> None:
        answer = self.place.do("inbox")
        for message in answer.get("messages", [])[:3]:
            self.place.do("ack", message["id"], keyed=True)

    def look(self) -> None:
        line = self.random.choice(
            [
                ["status"],
                ["ready"],
                ["agents"],
                ["log"],
                ["search", self.random.choice(WORDS)],
                ["whoami"],
                ["prime"],
            ]
        )
        self.place.do(*line)

    def meddle(self) -> None:
        """What goes wrong in a crew: cancelled, taken back, tried again, resolved."""
        kind = self.random.randrange(5)
        if kind == 0 and (task := self.one_of("ASSIGNED", "WORKING")):
            self.place.do("cancel", task, "--reason", "not wanted", keyed=True)
        elif kind == 1 and (task := self.one_of("FAILED", "CANCELLED")):
            self.place.do("retry", task, keyed=True)
        elif kind == 2 and (task := self.one_of("WORKING")):
            self.place.do("release", task, "--force", "--reason", "it hangs", keyed=True)
        elif kind == 3:
            self.place.do("reap")
        else:
            answer = self.place.do("conflicts")
            for row in answer.get("conflicts", [])[:2]:
                self.place.do("resolve", row["task"], keyed=True)

    def merge(self) -> None:
        self.place.do("merge", "--all", keyed=False)

    def forget(self) -> None:
        """All claims at once, as after a restart."""
        self.held.clear()
