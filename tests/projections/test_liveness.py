"""Whose pulses, process and commands a claim is judged by; what pruning leaves of the pulses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from domain.commands import Note, Resume, Start
from domain.decide import decide
from domain.event import Json, parse_time
from domain.log import Log
from projections import agents
from projections.database import connect_memory
from projections.folding import Checkpoint, create, fold_all, state_hash
from projections.liveness import Judge, Judged, Rule, recorded_here, working
from projections.views import Views, open_views
from tests.support.stores import SqliteStore, claim, do, everything, new_stream

SECOND = 1_000_000
HOUR = 3_600 * SECOND


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    """Time, as the log of this test sees it."""
    return Clock()


@pytest.fixture
def log(store: SqliteStore, clock: Clock) -> Iterator[Log]:
    """A log with that clock."""
    opened = store.open(keep_open=True, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def views(store: SqliteStore, log: Log) -> Iterator[Views]:
    """Its views."""
    opened = open_views(store.folder, log)
    yield opened
    opened.close()


Judges = Callable[..., dict[str, Judged]]


@pytest.fixture
def judged(log: Log, views: Views, clock: Clock) -> Judges:
    """Every claim on a task that is worked on, by its id; `state` says what becomes of a process."""

    def by_claim(state: str | Callable[[Json], str] = "there", catch_up: bool = True) -> dict[str, Judged]:
        if catch_up:
            views.catch_up()

        def look(process: Json) -> str:
            return state(process) if callable(state) else state

        rule = Rule(clock.now, 10, 1_800, float("inf"), look)
        found = working(views.connection, 100)
        judge = Judge(views.connection, log, rule)
        return {held.claim: judge.judge(held) for held in found}

    return by_claim


def start(log: Log, process: Json | None = None, actor: str = "ada") -> str:
    """Start a new task; the claim."""
    return claim(do(log, new_stream(log), Start(actor, process)))


def test_who_never_beat_for_this_claim_is_judged_by_its_process(
    log: Log, clock: Clock, judged: Judges
) -> None:
    log.pulse("ada", {})
    clock.wait(5)
    mine = start(log, {"pid": 7})
    clock.wait(20 * 60)

    assert judged("there")[mine].verdict == "alive"
    assert judged("stopped")[mine].verdict == "alive"
    assert judged("gone")[mine].verdict == "lost"
    assert "process is gone" in judged("gone")[mine].why


YOUNG: Json = {"pid": 7, "started": "99", "age": 0}


def test_a_young_process_that_is_gone_leaves_the_quiet_lease(log: Log, clock: Clock, judged: Judges) -> None:
    mine = start(log, YOUNG)
    clock.wait(1_800)
    assert judged("gone")[mine].verdict == "alive"
    clock.wait(1)

    found = judged("gone")[mine]

    assert found.verdict == "lost"
    assert "the quiet lease is 1800 s" in found.why


@pytest.mark.parametrize(
    ("age", "session", "verdict"), [(5, "", "lost"), (4, "7.99", "lost"), (4, "8.99", "alive")]
)
def test_an_older_process_or_one_that_went_on_to_write_is_the_session(
    log: Log, clock: Clock, judged: Judges, age: int, session: str, verdict: str
) -> None:
    stream = new_stream(log)
    mine = claim(do(log, stream, Start("ada", {**YOUNG, "age": age})))
    clock.wait(2)
    note = Note("ada", "still here")
    log.write(stream, "ada", lambda seen: decide(note, seen.state), session=session)

    assert judged("gone")[mine].verdict == verdict


@pytest.mark.parametrize(("session", "verdict"), [("7.99", "lost"), ("8.99", "alive")])
def test_a_beat_of_the_young_process_itself_shows_that_it_lived_on(
    log: Log, clock: Clock, judged: Judges, session: str, verdict: str
) -> None:
    mine = start(log, YOUNG)
    clock.wait(6)
    log.session = session
    log.pulse("ada", {"claim": mine})

    assert judged("gone")[mine].verdict == verdict


def test_who_beat_and_fell_silent_is_lost_though_its_process_is_there(
    log: Log, clock: Clock, judged: Judges
) -> None:
    mine = start(log, {"pid": 7})
    log.pulse("ada", {"claim": mine})
    clock.wait(61)

    found = judged("stopped")[mine]

    assert (found.verdict, found.silence) == ("lost", 61)


def test_beats_for_another_claim_of_the_same_name_do_not_count(
    log: Log, clock: Clock, judged: Judges
) -> None:
    quiet, beating = start(log, {"pid": 7}), start(log, {"pid": 8})
    for _ in range(3):
        log.pulse("ada", {"claim": beating[:12]})
        clock.wait(1)
    clock.wait(100)

    found = judged("there")

    assert (found[quiet].verdict, found[beating].verdict) == ("alive", "lost")


def test_a_beat_that_names_no_claim_counts_for_all_that_began_before_it(
    log: Log, clock: Clock, judged: Judges
) -> None:
    before = start(log)
    clock.wait(1)
    log.pulse("ada", {})
    clock.wait(1)
    after = start(log)
    clock.wait(100)

    found = judged("unknown")

    assert (found[before].verdict, found[after].verdict) == ("lost", "alive")


def test_the_process_that_the_beats_watch_is_the_one_that_counts(
    log: Log, clock: Clock, judged: Judges
) -> None:
    mine = start(log, {"pid": 7})
    log.pulse("ada", {"claim": mine, "process": {"pid": 8}})

    def look(process: Json) -> str:
        return "gone" if process["pid"] == 7 else "there"

    found = judged(look)

    assert found[mine].verdict == "alive"


def test_a_command_that_the_views_have_not_folded_yet_is_a_sign(
    log: Log, clock: Clock, judged: Judges
) -> None:
    mine = start(log)
    judged()
    clock.wait(1_900)
    assert judged(catch_up=False, state="elsewhere")[mine].verdict == "lost"

    do(log, new_stream(log), Note("ada", "still here"))

    assert judged(catch_up=False, state="elsewhere")[mine].verdict == "alive"


def test_a_resumed_task_is_judged_by_its_new_claim(log: Log, clock: Clock, judged: Judges) -> None:
    stream = new_stream(log)
    old = claim(do(log, stream, Start("ada", {"pid": 7})))
    log.pulse("ada", {"claim": old})
    clock.wait(100)
    new = claim(do(log, stream, Resume("ada", {"pid": 8})))
    clock.wait(100)

    assert [(found.held.claim, found.verdict) for found in judged().values()] == [(new, "alive")]


def test_a_claim_is_recorded_by_the_store_that_its_replica_writes_into(store: SqliteStore, log: Log) -> None:
    other = store.open("r-2")
    theirs = start(other)
    assert recorded_here(log, start(log))
    assert recorded_here(log, theirs)

    store.run("DELETE FROM members WHERE replica = 'r-2'")  # as if it had come from another clone
    assert not recorded_here(log, theirs)
    other.close()


def roster(views: Views, log: Log, clock: Clock) -> dict[str, dict[str, Any]]:
    """Everybody, by name."""
    views.catch_up()
    rows = agents.roster(views.connection, clock.now, 10, 1_800, lambda _: "there", members={log.replica})
    return {row["name"]: row for row in rows}


def test_who_wrote_last_through_another_replica_is_remote(
    store: SqliteStore, log: Log, views: Views, clock: Clock
) -> None:
    start(log)
    other = store.open("r-2", clock=clock)
    start(other, actor="bob")

    found = roster(views, log, clock)

    assert (found["ada"]["verdict"], found["bob"]["verdict"]) == ("alive", "remote")
    other.close()


# --- pruning -----------------------------------------------------------------------------------------------------


def beats(log: Log, clock: Clock, name: str, *gaps: float) -> None:
    """Pulses of a name, with these seconds after each."""
    for gap in gaps:
        log.pulse(name, {})
        clock.wait(gap)


def folded_at_once(log: Log, chunk: int) -> str:
    """The hash of views that were folded from nothing."""
    connection = connect_memory()
    create(connection)
    until = Checkpoint(position=log.position(), pulses=log.newest_pulse())
    fold_all(connection, log, until, chunk)
    return state_hash(connection)


def test_pruning_keeps_the_newest_of_each_name_and_says_what_went(
    log: Log, views: Views, clock: Clock
) -> None:
    beats(log, clock, "ada", 10, 70, 10, 3_600)
    beats(log, clock, "bob", 10)
    beats(log, clock, "ada", 10)
    first, last = (log.pulses(0)[place].event.ts for place in (0, 3))

    written = log.prune(clock.now - HOUR // 2, "zoe")

    assert [item.events[0].payload for item in written] == [
        {"agent": "ada", "count": 4, "first": first, "last": last, "longest_gap": 70_000}
    ]
    assert [(row.event.sender, row.position) for row in everything(log.pulses)] == [("bob", 5), ("ada", 6)]
    assert log.prune(clock.now - HOUR // 2, "zoe") == []


def test_the_newest_pulse_stays_however_old_it_is(log: Log, clock: Clock) -> None:
    beats(log, clock, "ada", 10, 10, HOUR)

    log.prune(clock.now, "zoe")

    assert len(everything(log.pulses)) == 1
    log.pulse("ada", {})
    assert [row.position for row in everything(log.pulses)] == [3, 4]


@pytest.mark.parametrize("chunk", [1, 2, 1_000])
@pytest.mark.parametrize("behind", [False, True])
def test_after_pruning_rebuilt_views_equal_those_that_were_caught_up(
    log: Log, views: Views, clock: Clock, chunk: int, behind: bool
) -> None:
    beats(log, clock, "ada", *[10] * 7)
    views.catch_up()
    before = roster(views, log, clock)["ada"]["last_pulse"]
    if behind:
        beats(log, clock, "bob", 10, 10, 10)
        beats(log, clock, "ada", 10)

    log.prune(clock.now, "zoe")
    views.catch_up()

    assert views.state_hash() == folded_at_once(log, chunk)
    assert views.rebuild().same
    assert behind or roster(views, log, clock)["ada"]["last_pulse"] == before


def test_a_clone_without_the_pulses_knows_when_the_pruned_ones_were(
    store: SqliteStore, log: Log, views: Views, clock: Clock
) -> None:
    beats(log, clock, "ada", 10, 10)
    [written] = log.prune(clock.now, "zoe")
    store.run("DELETE FROM pulses")
    clock.wait(30)

    found = roster(views, log, clock)["ada"]

    last = parse_time(written.events[0].payload["last"])
    assert found["last_pulse"] == (clock.now - last) // SECOND
    assert (found["verdict"], found["events"]) == ("suspect", 0)
