"""How long it takes to fold a stream that forked again and again."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figure, spent
from domain import event
from domain.event import Event
from domain.history import PENDING, History
from tests.support.clones import START, Clone, fold

EVENTS = 5_000
FORKS = 100


def forked(number: int, forks: int) -> list[Event]:
    """A task's events: two clones that go apart and come together again, so many times."""
    events = [Clone("r-0").spawn()]
    heads = events[-1:]
    for _ in range(forks):
        ends: list[Event] = []
        for replica in ("r-1", "r-2"):
            end = heads
            for _ in range(number // forks // 2):
                end = [_note(replica, end, len(events))]
                events += end
            ends += end
        heads = ends
    return events


def _note(replica: str, parents: list[Event], number: int) -> Event:
    return event.seal(
        {
            "v": event.VERSION,
            "ts": event.format_time(START + number),
            "from": "ada",
            "to": "*",
            "type": "task.noted",
            "stream": "task/t-aaaaaaaa",
            "payload": {"text": str(number)},
            "parents": sorted(parent.id for parent in parents),
            "replica": replica,
            "seq": number,
        }
    )


def figures() -> Iterator[Figure]:
    """Seconds."""
    events = forked(EVENTS, FORKS)
    folded: list[History] = []
    seconds = [spent(lambda: folded.append(fold(events))) for _ in range(3)]
    assert PENDING not in folded[0].dispositions.values()
    yield Figure(f"fold of {len(events):,} events of one stream with {FORKS} forks", seconds, "s", most=1)
