"""Commands in processes of their own, some of them killed or stopped on the way; and what became of each."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson

from tests.cli.repositories import ALONE

SCRIPT = str(Path(sys.executable).parent / "crewlog")
ROOT = str(Path(__file__).parent.parent.parent)
KILLED, STOPPED = 0.05, 0.03
LIMIT = 300.0
# Refusals are the product at work; these are not.
WRONG = {1: "an internal error", 2: "a usage error", 6: "no store", 7: "corruption"}
# Writes whose event no prune takes away, and that take a key.
_PULSE = "heartbeat"
_SHOWN = 20

Answer = dict[str, Any]


@dataclass
class Record:
    """What happened so far, of all agents together."""

    codes: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])
    acknowledged: set[str] = field(default_factory=set[str])
    keys: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    problems: list[str] = field(default_factory=list[str])
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def problem(self, text: str) -> None:
        """Note what must not happen."""
        with self.lock:
            self.problems.append(text)
            if len(self.problems) > _SHOWN:
                return
        print(f"PROBLEM: {text}", file=sys.stderr, flush=True)

    def fault(self, kind: str) -> None:
        """Count a fault that was made."""
        with self.lock:
            self.faults[kind] += 1


@dataclass
class Place:
    """A directory in which one name gives commands; `shift` is how wrong its clock is, in seconds."""

    folder: Path
    name: str
    record: Record
    random: Random
    shift: int = 0

    def do(self, *words: str, keyed: bool = False, kill: float = KILLED) -> Answer:
        """Run a command until it has been answered; the answer, {} where it was refused or given up.

        A write (`keyed`) that was killed is given again with its key: it must not be done twice.
        """
        key = ("--key", f"soak-{secrets.token_hex(8)}") if keyed else ()
        while True:
            code, answer = self._once([*words, *key], kill)
            if code is not None:
                return self._judged(words, key, code, answer)
            if self.random.random() < 0.2:
                return {}

    def _judged(self, words: tuple[str, ...], key: tuple[str, ...], code: int, answer: Answer) -> Answer:
        event = answer.get("event")
        refused = answer.get("error", {}).get("code", "")
        with self.record.lock:
            self.record.codes[f"{words[0]} {code}"] += 1
            if refused:
                self.record.refusals[refused] += 1
            if code == 0 and event and words[0] != _PULSE:
                self.record.acknowledged.add(event)
                if key:
                    self.record.keys.add((self.name, key[1]))
        if code in WRONG:
            self.record.problem(f"{WRONG[code]}: {self.name}: {' '.join(words)[:200]}: {answer}")
        return answer if code == 0 else {}

    def _once(self, words: list[str], kill: float) -> tuple[int | None, Answer]:
        line = [SCRIPT] if not self.shift else [sys.executable, "-m", "tests.soak.shifted", str(self.shift)]
        environ = {**ALONE, "CREWLOG_AGENT": self.name, "CREWLOG_DEBUG": "1"}
        if self.shift:
            environ["PYTHONPATH"] = ROOT
        begin = time.monotonic()
        process = subprocess.Popen(
            [*line, *words, "--json"],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        hurt = self._hurt(process, kill)
        try:
            out, told = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            self.record.problem(f"no answer in {LIMIT} s: {self.name}: {' '.join(words)[:200]}")
            return None, {}
        if process.returncode < 0:
            return None, {}
        if b"Traceback" in told:
            self.record.problem(
                f"a traceback: {self.name}: {' '.join(words)[:200]}: {told.decode()[-2_000:]}"
            )
        if not hurt:
            with self.record.lock:
                self.record.slowest = max(self.record.slowest, time.monotonic() - begin)
        return process.returncode, _parsed(out)

    def _hurt(self, process: subprocess.Popen[bytes], kill: float) -> bool:
        chance = self.random.random()
        if chance < kill:
            time.sleep(self.random.random() * 0.4)
            if process.poll() is None:
                process.kill()
                self.record.fault("commands killed with -9")
            return True
        if chance < kill + STOPPED:
            time.sleep(self.random.random() * 0.2)
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGSTOP)
                self.record.fault("commands stopped for a while")
                time.sleep(self.random.random() * 3)
                os.kill(process.pid, signal.SIGCONT)
            return True
        return False


def _parsed(out: bytes) -> Answer:
    """The answer; of a stream of lines, the lines."""
    lines = [orjson.loads(line) for line in out.splitlines()]
    return lines[0] if len(lines) == 1 else {"lines": lines}
