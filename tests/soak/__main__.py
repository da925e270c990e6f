"""`make soak SECONDS=3600`: thirty agents in two clones, and all kinds of trouble; then nothing may be lost.

`python -m tests.soak [SECONDS] [--seed N] [--agents N]`. Prints what happened; exit code 1 where something must not
have. build/soak.json has the same.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import orjson

from bench.figures import headline, machine
from tests.soak.agent import Agent
from tests.soak.commands import Place, Record
from tests.soak.crew import SHIFTS, Clone, Trouble, two_clones
from tests.soak.judge import judged, settled

COUNTS = ("faults", "refusals", "answers")


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("seconds", nargs="?", type=float, default=3_600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--agents", type=int, default=30)
    parser.add_argument(
        "--keep", action="store_true", help="leave the stores where they are, as where something was wrong"
    )
    given = parser.parse_args()
    about = machine()
    folder = Path(tempfile.mkdtemp(prefix="crewlog-soak-"))
    found = soak(folder, given.seconds, given.agents, given.seed)
    if found["problems"] or given.keep:
        print(f"the stores are in {folder}")
    else:
        shutil.rmtree(folder)
    Path("build").mkdir(exist_ok=True)
    Path("build/soak.json").write_bytes(orjson.dumps({"machine": about, **found}, option=orjson.OPT_INDENT_2))
    print(summary(about, found))
    return 1 if found["problems"] else 0


def soak(folder: Path, seconds: float, agents: int, seed: int) -> dict[str, Any]:
    """Let them work so many seconds, bring the clones together, and judge."""
    record, random = Record(), Random(seed)
    clones = two_clones(folder, record, random)
    begin = time.monotonic()
    crew = [_agent(clones, number, record, random, begin + seconds) for number in range(agents)]
    trouble = Trouble(clones, record, Random(random.random()), begin + seconds)
    works = [*(agent.work for agent in crew), trouble.work]
    threads = [Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worked = time.monotonic() - begin
    settled(clones)
    verdict = judged(clones, record)
    return {
        "seed": seed,
        "agents": agents,
        "seconds": round(worked),
        "commands": record.codes.total(),
        "acknowledged": len(record.acknowledged),
        "written with a key": len(record.keys),
        **verdict,
        "slowest command, neither killed nor stopped": round(record.slowest, 2),
        "faults": dict(record.faults.most_common()),
        "refusals": dict(record.refusals.most_common()),
        "answers": dict(record.codes.most_common()),
        "problems": record.problems,
    }


def _agent(clones: list[Clone], number: int, record: Record, random: Random, until: float) -> Agent:
    """Two thirds of them in the first clone."""
    clone = clones[number % 3 == 0]
    shift = SHIFTS[number % len(SHIFTS)]
    return Agent(Place(clone.folder, f"a{number}", record, Random(random.random()), shift), until)


def summary(about: dict[str, Any], found: dict[str, Any]) -> str:
    """The run in words."""
    lines = [headline(about), ""]
    for name, value in found.items():
        if name in COUNTS:
            counted: dict[str, int] = value
            lines += [f"{name}:", *(f"  {kind:<48} {count:>8,}" for kind, count in counted.items())]
        elif name != "problems":
            lines.append(f"{name:<50} {value}")
    lines += ["", *(f"PROBLEM: {problem}" for problem in found["problems"])]
    return "\n".join([*lines, "nothing was lost" if not found["problems"] else "this must not be"])


if __name__ == "__main__":
    sys.exit(main())
