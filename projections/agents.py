"""Who works here: every name that wrote an event, its last signs of life, its session process, its progress.

Times are arrivals at this store, in microseconds since 1970; those of pulses are the pulses' own.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import orjson

from domain.agent import Agent, ProcessState, Signs, Standing, tells, verdict
from domain.event import Event, Json, parse_time
from domain.process import Process
from domain.task import TAKING
from projections import tasks
from projections.forking import folded, follow, is_own
from projections.handler import Context, Table, View

if TYPE_CHECKING:
    from sqlite_utils import Database

    from domain.log import Stored

Row = dict[str, Any]

TASKS_SHOWN = 5

_SESSION = TAKING | {"agent.joined"}
_PROGRESS = TAKING | {"task.progressed", "task.submitted"}
_TELLING = _SESSION | {"agent.left"}
_COLUMNS = (
    "name",
    "joined",
    "person",
    "first_seen",
    "last_seen",
    "last_type",
    "last_pulse",
    "events",
    "session_at",
    "session",
    "session_seen",
    "process",
    "host",
    "pid",
    "progress_at",
    "left_at",
    "replica",
    "pruned_pulse",
    "heads",
)


def _create_agents(database: Database) -> None:
    numbers = {
        "person",
        "first_seen",
        "last_seen",
        "last_pulse",
        "events",
        "session_at",
        "session_seen",
        "pid",
        "progress_at",
        "left_at",
        "pruned_pulse",
    }
    columns: dict[str, Any] = {name: int if name in numbers else str for name in _COLUMNS}
    database.table("agents").create(columns, pk="name", not_null={"person", "events"})


class _Handler:
    def __init__(self, context: Context) -> None:
        self._connection = context.connection
        self._log = context.log
        self._rows: dict[str, Row] = {}

    def held(self) -> int:
        return len(self._rows)

    def apply(self, events: Sequence[Stored]) -> None:
        newest = {stored.event.sender: stored for stored in events}
        pruned = _pruned(events)
        self._load(newest.keys() | pruned.keys())
        self._count(events, newest)
        progress = {
            stored.event.sender: stored.arrived for stored in events if stored.event.type in _PROGRESS
        }
        for name, moment in progress.items():
            self._rows[name]["progress_at"] = moment
        for stored in events:
            event = stored.event
            if event.session or event.type in _TELLING:
                self._follow(self._rows[event.sender], event, stored.arrived)
            if is_own(event):
                row = self._rows[event.sender]
                row["heads"], forked = follow(row["heads"] or "", event)
                if forked:
                    _settle(row, folded(self._log, stored), stored.arrived)
        for name, moment in pruned.items():
            self._rows[name]["pruned_pulse"] = moment

    def _count(self, events: Sequence[Stored], newest: Mapping[str, Stored]) -> None:
        """What every event says of its sender: for most of them it is only the newest one that counts."""
        counts = Counter([stored.event.sender for stored in events])
        first: dict[str, int] = {}
        for name, stored in newest.items():
            row = self._rows[name]
            row["events"] += counts[name]
            row["last_seen"] = stored.arrived
            row["last_type"] = stored.event.type
            row["replica"] = stored.event.replica
            if row["first_seen"] is None:
                first = first or {item.event.sender: item.arrived for item in reversed(events)}
                row["first_seen"] = first[name]

    def _follow(self, row: Row, event: Event, arrived: int) -> None:
        if event.type in _SESSION:
            _begin_session(row, event, arrived)
        elif event.type == "agent.left":
            row["left_at"] = arrived
        if event.session and event.session == row["session"]:
            row["session_seen"] = arrived

    def apply_pulses(self, pulses: Sequence[Stored]) -> None:
        newest = {stored.event.sender: stored.event.ts for stored in pulses}
        self._load(newest)
        for name, ts in newest.items():
            self._rows[name]["last_pulse"] = parse_time(ts)

    def _load(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self._rows]
        if not missing:
            return
        for name in missing:
            self._rows[name] = dict.fromkeys(_COLUMNS) | {"name": name, "person": 0, "events": 0}
        statement = (
            f"SELECT {_AGENT} FROM json_each(?) wanted CROSS JOIN agents ON agents.name = wanted.value"  # noqa: S608
        )
        for values in self._connection.execute(statement, (orjson.dumps(missing).decode(),)):
            self._rows[values[0]] = dict(zip(_COLUMNS, values, strict=True))

    def flush(self) -> None:
        statement = f"INSERT OR REPLACE INTO agents VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
        self._connection.executemany(statement, [tuple(row.values()) for row in self._rows.values()])
        self._rows = {}


_AGENT = ", ".join(f"agents.{name}" for name in _COLUMNS)
_ONE = f"SELECT {_AGENT} FROM agents WHERE name = ?"  # noqa: S608
_EVERYBODY = f"SELECT {_AGENT} FROM agents ORDER BY name"  # noqa: S608


def _pruned(events: Sequence[Stored]) -> dict[str, int]:
    """When the newest of the pulses was that `log.pruned` speaks of, by name.

    A clone that gets the log without the pulses knows that much of them. It stands in a column of its own: events and
    pulses are folded side by side, and one column would hold what came last.
    """
    pruned = [stored.event.payload for stored in events if stored.event.type == "log.pruned"]
    return {payload["agent"]: parse_time(payload["last"]) for payload in pruned}


def _begin_session(row: Row, event: Event, arrived: int) -> None:
    """The newest of these events says which process the name works in now, or that it is not known."""
    process: Json | None = event.payload.get("process") or None
    host, pid = (process.get("host"), process.get("pid")) if process else (None, None)
    recorded = Process.from_dict(process)
    row["session_at"] = row["session_seen"] = arrived
    row["session"] = recorded.session if recorded else None
    row["left_at"] = None
    row["process"] = orjson.dumps(process, option=orjson.OPT_SORT_KEYS).decode() if process else None
    row["host"] = host if isinstance(host, str) else None
    row["pid"] = pid if isinstance(pid, int) else None
    if event.type == "agent.joined":
        row["joined"] = row["joined"] or event.ts
        row["person"] = int(bool(event.payload.get("person", row["person"])))


def _settle(row: Row, state: Agent, arrived: int) -> None:
    """What the log's one order says of a name that said different things of itself in two clones.

    The session stays that of which this store heard last.
    """
    row["person"], row["joined"] = int(state.person), state.joined or None
    row["left_at"] = (row["left_at"] or arrived) if state.left else None


VIEW = View("agents", (Table("agents", "name"),), (_create_agents,), _Handler)

# --- queries -----------------------------------------------------------------------------------------------------


def one(connection: sqlite3.Connection, name: str) -> Row | None:
    """What is stored of a name, `process` as an object; None for one that never wrote anything."""
    row = connection.execute(_ONE, (name,)).fetchone()
    return _named(row) if row else None


def signs(row: Row, now: int, process_state: Callable[[Json], str]) -> Signs:
    """What is known of a name's life at `now` (µs): the input of `domain.agent.verdict`.

    Only a pulse since the newest session began counts: who beat yesterday and works without beating today is judged
    by its process, not by yesterday's interval.
    """
    pulse, since, process = _newest_pulse(row), row["session_at"], row["process"]
    beats = pulse is not None and (since is None or pulse >= since)
    state = session_state(process, process_state, lambda: (row["session_seen"] - since) / 1_000_000)
    return Signs(age(row["last_seen"], now), age(pulse, now) if beats else None, state)


def session_state(
    process: Json | None, process_state: Callable[[Json], str], lived: Callable[[], float]
) -> ProcessState:
    """What became of a recorded process; `unknown` where its end would not say that the session ended.

    `lived`: for how many seconds it was seen since it was recorded.
    """
    state = cast("ProcessState", process_state(process) if process else "unknown")
    recorded = Process.from_dict(process)
    if state == "gone" and recorded and not (tells(recorded.age) or tells(recorded.age, lived())):
        return "unknown"
    return state


def roster(
    connection: sqlite3.Connection,
    now: int,
    interval: float,
    quiet: float,
    process_state: Callable[[Json], str],
    *,
    woke: float = math.inf,
    members: Container[str] | None = None,
    claims: Mapping[str, str] = MappingProxyType({}),
) -> list[Row]:
    """Everybody, by name: verdict, ages in whole seconds (None: never), tasks held (WORKING first, at most TASKS_SHOWN).

    `now` in microseconds, `interval`, `quiet` and `woke` in seconds; `process_state` looks at a recorded process.
    Where the `members` of this store are named, who wrote last through another replica is `remote`. `claims`: the verdict on each task's
    claim (`projections.liveness`): a name that came back may still hold a task that its lost session left behind.
    """
    holding = tasks.held(connection)
    found: list[Row] = []
    for row in map(_named, connection.execute(_EVERYBODY)):
        judged: Standing = verdict(signs(row, now, process_state), interval, quiet, woke)
        if row["left_at"] is not None:
            judged = "left"
        elif members is not None and row["replica"] is not None and row["replica"] not in members:
            judged = "remote"
        found.append(_shown(row, judged, holding.get(row["name"], []), now, claims))
    return found


def _shown(row: Row, judged: Standing, holding: list[Row], now: int, claims: Mapping[str, str]) -> Row:
    return {
        "name": row["name"],
        "person": row["person"],
        "verdict": judged,
        "joined": row["joined"],
        "last_seen": _seconds(row["last_seen"], now),
        "last_type": row["last_type"],
        "last_pulse": _seconds(_newest_pulse(row), now),
        "progress": _seconds(row["progress_at"], now),
        "tasks": [
            {name: task[name] for name in ("id", "title", "state")} | {"verdict": claims.get(task["id"])}
            for task in holding[:TASKS_SHOWN]
        ],
        "more_tasks": max(0, len(holding) - TASKS_SHOWN),
        "host": row["host"],
        "pid": row["pid"],
        "events": row["events"],
    }


def _newest_pulse(row: Row) -> int | None:
    moment: int | None = row["last_pulse"] if row["last_pulse"] is not None else row["pruned_pulse"]
    return moment


def _named(values: Sequence[Any]) -> Row:
    row: Row = dict(zip(_COLUMNS, values, strict=True))
    row["person"] = bool(row["person"])
    row["process"] = orjson.loads(row["process"]) if row["process"] else None
    return row


def age(moment: int | None, now: int) -> float:
    """Seconds since the moment; no sign at all is older than anything."""
    return max(0.0, (now - moment) / 1_000_000) if moment is not None else float("inf")


def _seconds(moment: int | None, now: int) -> int | None:
    return max(0, (now - moment) // 1_000_000) if moment is not None else None
