"""How long it takes to fold a stream that forked again and again."""

from __future__ import annotations

import time

from domain import event
from domain.event import Event
from domain.history import PENDING
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


def main() -> None:
    """Print seconds."""
    events = forked(EVENTS, FORKS)
    begin = time.perf_counter()
    folded = fold(events)
    seconds = time.perf_counter() - begin
    assert PENDING not in folded.dispositions.values()
    print(f"  fold {len(events):,} events of one stream with {FORKS} forks  {seconds:.2f} s")


if __name__ == "__main__":
    main()
