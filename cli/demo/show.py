"""The coordinator of the demonstration, and what it tells about it at the end, from the log."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

import orjson

from cli.demo import code
from cli.demo.crew import Member, command_line, environment
from cli.demo.worker import PATIENCE, PAUSE
from cli.events import event_line
from cli.shell import Shell
from cli.style import Style
from cli.text import cut, safe_line
from domain.event import check
from domain.refusals import Refusal

CREW = {"ada": "steady", "bob": "steady", "cleo": "clumsy"}
DOOMED = "dan"
COORDINATOR = "zoe"


@dataclass(slots=True)
class Story:
    """What is to happen once, and to which task it did."""

    rejected: str = ""
    retried: list[str] = field(default_factory=list[str])
    cancelled: str = ""
    killed: str = ""
    acknowledged: str = ""
    conflicts: list[str] = field(default_factory=list[str])
    merge_killed: str = ""


class Demo:
    """One run, in a scratch folder."""

    def __init__(self, shell: Shell, stage: TextIO, folder: str, tasks: list[dict[str, Any]]) -> None:
        self.stage = stage
        self.folder = folder
        self.tasks = tasks
        self.store = os.path.join(folder, ".crewlog")
        self.environ = environment(shell.environ, self.store)
        self.boss = Member(COORDINATOR, folder, self.environ)
        self.story = Story()
        self.in_git = False

    def say(self, text: str) -> None:
        """Tell the audience."""
        print(text, file=self.stage, flush=True)

    def run(self) -> dict[str, Any]:
        """The whole demonstration; `checks` says of each thing that should be so whether it is."""
        self.say(f"A crew of {len(CREW) + 1} workers and {COORDINATOR}, who coordinates; store {self.store}")
        self.in_git = code.make(self.folder, self.environ)
        self._must(self.boss.run("init", self.folder))
        if self.in_git:
            self.say("in a git repository: each task gets a branch and a worktree of its own")
        lines = b"\n".join(orjson.dumps(task) for task in self.tasks)
        spawned = self._must(self.boss.run("spawn", "--from", "-", stdin=lines))
        self.say(f"{COORDINATOR} spawned {len(spawned['results'])} tasks in one transaction\n")
        with self._follower() as follower:
            self._cancel_one()
            self._kill_one()
            self._work_off()
            followed = self._followed(follower)
        return self._report(followed)

    def _must(self, outcome: Any) -> dict[str, Any]:
        if outcome.code:
            raise Refusal("internal", f"the demonstration's own command failed: {outcome.data}")
        data: dict[str, Any] = outcome.data
        return data

    @contextmanager
    def _follower(self) -> Generator[subprocess.Popen[bytes]]:
        """`tail -f` of live.jsonl, as a person would run it; its lines go to a file that is counted at the end."""
        path = os.path.join(self.folder, "followed.jsonl")
        live = os.path.join(self.store, "live.jsonl")
        with open(path, "wb") as file:
            process = subprocess.Popen(
                ["tail", "-n", "+1", "-f", live], stdout=file, stderr=subprocess.DEVNULL
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def _cancel_one(self) -> None:
        """The least urgent task that nobody waits for."""
        needed = {name for task in self.tasks for name in task.get("after", ())}
        rows = self._must(self.boss.run("list", "--limit", "100000", "--full"))["tasks"]
        spare = [row["id"] for row in rows if row["slug"] not in needed][-1]
        self._must(self.boss.run("cancel", spare, "--reason", "no longer wanted"))
        self.story.cancelled = spare
        self.say(f"{COORDINATOR} cancelled {spare}")

    def _kill_one(self) -> None:
        """A worker takes a task, prints the event's id, and is killed."""
        with self._spawn_worker(DOOMED, "doomed", stdout=subprocess.PIPE) as process:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            task, event = process.stdout.readline().decode().split()
            process.send_signal(signal.SIGKILL)
        self.story.killed, self.story.acknowledged = task, event
        self.say(f"{DOOMED} took {task}, printed event {event[:12]}, and was killed with -9")
        self._must(self.boss.run("release", task, "--force", "--reason", f"{DOOMED} was killed"))
        self.say(f"{COORDINATOR} released {task} by force\n")

    def _spawn_worker(
        self, name: str, role: str, stdout: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        line = command_line("demo", "--worker", f"{name}:{role}")
        return subprocess.Popen(line, cwd=folder, env=self.environ, stdout=stdout, stdin=subprocess.DEVNULL)

    def _work_off(self) -> None:
        workers = [self._spawn_worker(name, role) for name, role in CREW.items()]
        try:
            self._coordinate(workers)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()

    def _coordinate(self, workers: list[subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + PATIENCE
        seen = -1
        while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
            open_tasks = self._must(self.boss.run("list", "--state", "open", "--limit", "100000"))["tasks"]
            self._judge([row["id"] for row in open_tasks if row["state"] == "IN_REVIEW"])
            for row in open_tasks:
                if row["state"] == "FAILED":
                    self._must(self.boss.run("retry", row["id"], "--reason", "with better tools"))
                    self.story.retried.append(row["id"])
                    self.say(f"  {row['id']} failed and is retried")
            left = len(open_tasks)
            if left != seen:
                self.say(f"  {len(self.tasks) - left:>3} of {len(self.tasks)} finished")
                seen = left
            time.sleep(PAUSE)

    def _judge(self, tasks: list[str]) -> None:
        if tasks and not self.story.rejected:
            self.story.rejected = tasks.pop(0)
            self._must(
                self.boss.run("reject", self.story.rejected, "--reason", "please try the empty input as well")
            )
            self.say(f"  {self.story.rejected} was rejected: its holder redoes it")
        if tasks:
            self.boss.run("approve", *tasks)
        if self.in_git:
            self._merge()

    def _merge(self) -> None:
        waiting = self._must(self.boss.run("list", "--state", "APPROVED"))["tasks"]
        if waiting and not self.story.merge_killed:
            self.story.merge_killed = waiting[0]["id"]
            code.kill_a_merge(self.boss, self.story.merge_killed)
            self.say(f"  the merge of {self.story.merge_killed} was killed with -9 while its gate ran")
        for result in self.boss.run("merge", "--all").data.get("results", ()):
            error, task = result.get("error", {}), result["task"]
            if error.get("code") == "merge-conflict" and task not in self.story.conflicts:
                self.story.conflicts.append(task)
                self.say(f"  {error['message']}: its holder mends that")

    def _followed(self, follower: subprocess.Popen[bytes]) -> list[bytes]:
        """What the follower saw, once it has seen as many lines as the log has."""
        path = os.path.join(self.folder, "followed.jsonl")
        deadline = time.monotonic() + 10
        lines: list[bytes] = []
        while time.monotonic() < deadline and follower.poll() is None:
            with open(path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]
            if len(lines) == self._must(self.boss.run("where"))["events"]:
                break
            time.sleep(PAUSE)
        return lines

    def _report(self, followed: list[bytes]) -> dict[str, Any]:
        """Tell what happened, from the log, and what of it is as it should be."""
        events = [check(line) for line in self._log_lines()]
        rows = self._must(self.boss.run("list", "--limit", "100000"))["tasks"]
        states = Counter(row["state"] for row in rows)
        rebuilt = self._must(self.boss.run("rebuild"))
        self.say("\nWhat happened, from the log")
        self.say("  tasks:   " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
        types = Counter(event.type for event in events)
        self.say("  events:  " + ", ".join(f"{count} {name}" for name, count in types.most_common()))
        by = Counter(event.sender for event in events if event.type == "task.submitted")
        self.say("  work:    " + ", ".join(f"{name} handed in {count}" for name, count in by.most_common()))
        self._history(events, self.story.killed, "killed, released, finished by another")
        if self.story.rejected != self.story.killed:
            self._history(events, self.story.rejected, "rejected and redone")
        checks = self._verdicts(events, followed, states, rebuilt)
        return {"checks": checks, "tasks": len(self.tasks), "events": len(events)}

    def _log_lines(self) -> list[bytes]:
        line = command_line("log", "--json", "--limit", "100000")
        done = subprocess.run(line, cwd=self.folder, env=self.environ, capture_output=True, check=True)
        return done.stdout.split(b"\n")[:-1]

    def _history(self, events: list[Any], task: str, what: str) -> None:
        title = next(e.payload["title"] for e in events if e.subject == task and e.type == "task.spawned")
        self.say(f"\n  {task}: {what}: {cut(safe_line(title), 60)}")
        for event in events:
            if event.subject == task:
                self.say(f"    {cut(event_line(Style(utc=True), event), 130)}")

    def _verdicts(
        self, events: list[Any], followed: list[bytes], states: Counter[str], rebuilt: dict[str, Any]
    ) -> list[dict[str, Any]]:
        lines = [event.line for event in events]
        with open(os.path.join(self.store, "live.jsonl"), "rb") as file:
            live = file.read().split(b"\n")[:-1]
        ended = states["COMPLETED"] + states["CANCELLED"]
        in_git = self._verdicts_in_git(states["COMPLETED"]) if self.in_git else {}
        checks = {
            f"every task ended: {states['COMPLETED']} COMPLETED, {states['CANCELLED']} CANCELLED": ended
            == len(self.tasks),
            f"the killed worker's event {self.story.acknowledged[:12]} is in the log": any(
                event.id == self.story.acknowledged for event in events
            ),
            f"one task failed and was retried: {', '.join(self.story.retried)}": bool(self.story.retried),
            "each event's bytes hash to its id, and the chain has no hole": [event.seq for event in events]
            == list(range(1, len(events) + 1)),
            f"live.jsonl equals the log, line for line ({len(live)} lines)": live == lines,
            f"whoever ran `tail -f` saw each of them once ({len(followed)} lines)": followed == lines,
            f"views rebuilt from the log equal the live ones (state {rebuilt['hash_after'][:12]})": rebuilt[
                "same"
            ],
            **in_git,
        }
        self.say("")
        for text, good in checks.items():
            self.say(f"  {'ok ' if good else 'NOT'}  {text}")
        return [{"check": text, "ok": good} for text, good in checks.items()]

    def _verdicts_in_git(self, completed: int) -> dict[str, bool]:
        findings = self.boss.run("verify", "--git").data.get("findings", [{}])
        merged = code.merges(self.folder, self.environ)
        cleaned = self._must(self.boss.run("cleanup", "--abandoned"))
        conflicts = ", ".join(self.story.conflicts)
        killed = [subject for subject in merged if self.story.merge_killed in subject]
        return {
            f"each completed task is one merge commit in {code.BASE}: {len(merged)}": len(merged)
            == len(set(merged))
            == completed,
            f"the merge that was killed, of {self.story.merge_killed}, came in once": len(killed) == 1,
            f"what conflicted was mended and merged: {conflicts or 'nothing did'}": not self.story.conflicts
            or all(any(task in subject for subject in merged) for task in self.story.conflicts),
            "the checkout of the base went along and is clean": code.is_clean(self.folder, self.environ),
            "every commit that the log names is where it should be": not findings,
            f"`cleanup` left {code.BASE} only, after {len(cleaned['removed'])} branches": code.branches(
                self.folder, self.environ
            )
            == [code.BASE],
        }
