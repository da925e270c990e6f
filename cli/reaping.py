"""Who is lost, and what they hold taken back: `reap`, and what `start` and `wait` do of it on the way."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.call import Call
from cli.text import age
from domain.refusals import Refusal

if TYPE_CHECKING:
    from domain.agent import ProcessState
    from domain.draft import Draft
    from domain.log import Seen, Written
    from projections.liveness import Held, Judge, Judged, Rule

Json = dict[str, Any]

# What is looked at on the way to something else; `reap` looks at everything.
ON_THE_WAY = 200
EVERYTHING = 1_000_000_000


def state_of(recorded: Json) -> ProcessState:
    """What became of a recorded process."""
    from cli.process import process_state
    from domain.process import Process

    process = Process.from_dict(recorded)
    return process_state(process) if process else "unknown"


def _unknown(_: Json) -> ProcessState:
    return "unknown"


def rule(call: Call) -> Rule:
    """By what holders are judged now."""
    from cli.awake import woke
    from projections.liveness import Rule

    config = call.store.config
    if call.options.looks_elsewhere:  # of another time or another machine nobody knows the processes
        return Rule(call.shell.clock(), config.interval, config.quiet, math.inf, _unknown)
    return Rule(call.store.log.now(), config.interval, config.quiet, woke(call.store), state_of)


def judge_all(call: Call, limit: int = EVERYTHING) -> list[Judged]:
    """What is to be thought of everyone who works on a task, as it looks without the lock."""
    from projections.liveness import working

    call.store.views.catch_up()
    judge = _judge(call)
    return [judge.judge(held) for held in working(call.store.views.connection, limit)]


def _judge(call: Call) -> Judge:
    from projections.liveness import Judge

    return Judge(call.store.views.connection, call.store.log, rule(call))


def reap_lost(call: Call) -> list[Json]:
    """Take back what lost holders hold; what was taken. For commands that would otherwise find nothing."""
    found = [_reap(call, judged) for judged in judge_all(call, ON_THE_WAY) if judged.verdict == "lost"]
    taken = [row for row, expired in found if expired]
    if taken:
        call.store.after_write()
    return taken


def reap_all(call: Call, *, dry_run: bool) -> tuple[list[Json], list[Json]]:
    """Judge everyone who works on a task: what was (or would be) taken back, and what its holder keeps."""
    expired: list[Json] = []
    kept: list[Json] = []
    for judged in judge_all(call):
        row, taken = _would(call, judged) if dry_run else _reap(call, judged)
        (expired if taken else kept).append(row)
    return expired, kept


def _would(call: Call, judged: Judged) -> tuple[Json, bool]:
    if judged.verdict == "lost" and is_elsewhere(call, judged):
        return {**_row(judged), "verdict": "remote"}, False
    return _row(judged), judged.verdict == "lost"


def _reap(call: Call, judged: Judged) -> tuple[Json, bool]:
    """Take one claim back, if its holder is still lost when nobody else can write."""
    row, lost = _would(call, judged)
    if not lost:
        return row, False
    try:
        with call.writing() as transaction:
            again = _judge(call).judge(judged.held)
            if again.verdict != "lost":
                return _row(again), False
            written = transaction.append(f"task/{again.held.task}", call.actor, _expire(call.actor, again))
    except Refusal as refusal:
        if refusal.code not in ("stale-claim", "wrong-state"):
            raise
        return {**_row(judged), "why": refusal.message}, False
    return _row(again, written), True


def _expire(actor: str, judged: Judged) -> Any:
    from domain.commands import Expire
    from domain.decide import decide

    held = judged.held
    command = Expire(actor, held.claim, judged.silence, judged.why)

    def decided(seen: Seen) -> Sequence[Draft]:
        return decide(command, seen.state)

    return decided


def _row(judged: Judged, written: Written | None = None) -> Json:
    held: Held = judged.held
    return {
        "task": held.task,
        "title": held.title,
        "holder": held.holder,
        "claim": held.claim,
        "verdict": judged.verdict,
        "silence": judged.silence,
        "why": judged.why,
        "state": written.state.state if written else "WORKING",
        "event": written.events[0].id if written else None,
    }


def is_elsewhere(call: Call, judged: Judged) -> bool:
    """True for a claim of another store: whether its holder is lost is not for this one to say."""
    from projections.liveness import recorded_here

    return not recorded_here(call.store.log, judged.held.claim)


def forced_release(task: str) -> list[str]:
    """The command that takes a task back from a holder whose store is gone."""
    return ["release", task, "--force", "--reason", "…"]


def explain_elsewhere(call: Call, task: str, refusal: Refusal) -> None:
    """Tell in the refusal of a held task whether its holder, who works in another store, can be taken for lost."""
    from domain.task import Working
    from projections.liveness import held_by

    state = call.state_of(task)
    if not isinstance(state, Working) or state.claim.holder == call.actor:
        return
    call.store.views.catch_up()
    judged = _judge(call).judge(held_by(state))
    if is_elsewhere(call, judged):
        refusal.hint += f" {elsewhere_line(task) if judged.verdict == 'lost' else _at_work_elsewhere(judged)}"


def _at_work_elsewhere(judged: Judged) -> str:
    holder = judged.held.holder
    return (
        f"The claim is of another clone, and nothing says that {holder} is lost: its last sign that came here is"
        f" {age(judged.silence)} old. `crewlog ask {holder} …` asks it."
    )


def elsewhere_line(task: str) -> str:
    """Why a claim is not expired here, and the way out."""
    return (
        "The claim is of another clone, or of this store before it was copied or restored; if nobody works there any more:"
        f" `crewlog {shlex.join(forced_release(task))}`."
    )


def kept_line(row: Json) -> str:
    """A task that stays with its holder, in a sentence."""
    more = f". {elsewhere_line(row['task'])}" if row["verdict"] == "remote" else ""
    return f"{row['task']} stays with {row['holder']}: {row['verdict']}{more}"


def line(row: Json) -> str:
    """A taken task in a sentence."""
    ended = "FAILED, the third time" if row["state"] == "FAILED" else row["state"]
    return f"{row['task']} was taken from {row['holder']} and is {ended}: {row['why']}"


def would_line(row: Json) -> str:
    """A task that a dry run found, in a sentence."""
    return f"{row['task']} would be taken from {row['holder']}: {row['why']}"
