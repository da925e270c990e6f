"""What an import writes the first time and later: given what the source said and what was done here since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain import imports, task
from domain.blobs import check_in
from domain.commands import Assign, Cancel, Edit, Import, Note, Start
from domain.decide import decide
from domain.draft import Draft
from domain.event import LINE_LIMIT, Event, IllegalEventError, Json
from domain.history import CONFLICT, step
from domain.importing import take_in
from domain.imports import origin
from domain.registry import BLOB_LIMIT
from domain.task import Task
from tests.support.clones import KIND
from tests.support.streams import ADA, ZOE, Stream

MARK = origin("beads", "bd-1")


def issue(*entries: Draft, **more: Any) -> Import:
    """An issue of Beads; whatever differs changes its digest."""
    payload: Json = {
        "title": "Mend the login",
        "body": "What is wrong.",
        "priority": 2,
        "assignee": None,
        "labels": ["type:bug"],
        "links": [{"kind": "after", "to": "t-bbbbbbbb"}],
        "state": "ASSIGNED",
        "system": "beads",
        "id": "bd-1",
        "slug": "bd-1",
        "status": "open",
        "created": "2025-11-03T05:58:07.295058Z",
        "updated": "2025-11-04T00:00:00.000000Z",
        "source": {"issue_type": "bug"},
        **more,
    }
    said = f"{sorted((name, repr(value)) for name, value in payload.items())}{[entry.payload['digest'] for entry in entries]}"
    return Import(ZOE, {**payload, "digest": origin("digest", said)}, entries)


def comment(text: str, number: int = 1) -> Draft:
    """A comment of the source."""
    return Draft(
        "task.noted",
        {"text": text, "by": ADA, "at": "2025-11-05T00:00:00.000000Z", "digest": f"{number:x}" * 64},
        {},
    )


class Imported(Stream):
    """A task that came from an import."""

    def __init__(self, command: Import | None = None) -> None:
        self.events: list[Event] = []
        self.states: list[Task | None] = [None]
        self.take_in(command or issue())

    def take_in(self, command: Import) -> list[Event]:
        """Import the issue as it is now."""
        return [self.store(ZOE, draft) for draft in take_in(command, self.states[-1], lambda: self.events)]


def test_the_first_import_makes_the_task_as_it_was_in_its_source() -> None:
    stream = Imported(issue(comment("seen"), comment("me too", 2)))

    card = stream.state.card
    assert [event.type for event in stream.events] == ["task.imported", "task.noted", "task.noted"]
    assert (card.title, card.slug, card.labels) == ("Mend the login", "bd-1", ("type:bug",))
    assert (card.created, card.updated) == ("2025-11-03T05:58:07.295058Z", "2025-11-04T00:00:00.000000Z")
    assert [(link.kind, link.to) for link in card.links] == [("after", "t-bbbbbbbb")]
    assert (card.notes, card.attempt) == (2, MARK)
    assert task.load(task.dump(stream.state)) == stream.state


@pytest.mark.parametrize("state", ["ASSIGNED", "COMPLETED", "CANCELLED", "FAILED"])
def test_a_task_comes_into_the_state_that_it_had(state: str) -> None:
    stream = Imported(
        issue(state=state, ended="2025-11-05T00:00:00.000000Z", ended_by="Ada L", reason="Fixed")
    )

    assert stream.state.state == state
    end = getattr(stream.state, "end", None)
    if state != "ASSIGNED":
        assert end is not None
        assert (end.by, end.at, end.reason) == ("Ada L", "2025-11-05T00:00:00.000000Z", "Fixed")
    assert task.load(task.dump(stream.state)) == stream.state


def test_a_state_that_needs_a_claim_of_ours_cannot_be_imported() -> None:
    with pytest.raises(IllegalEventError):
        Imported(issue(state="WORKING"))


def test_an_import_of_the_same_adds_nothing() -> None:
    stream = Imported(issue(comment("seen")))

    assert stream.take_in(issue(comment("seen"))) == []


def test_what_only_the_source_changed_is_taken_in_and_named() -> None:
    stream = Imported()

    [event] = stream.take_in(
        issue(
            title="Mend the logout",
            priority=0,
            labels=["type:bug", "ci"],
            links=[],
            status="in_progress",
            source={"issue_type": "bug", "owner": "ada"},
            updated="2025-12-01T00:00:00.000000Z",
        )
    )

    card = stream.state.card
    assert event.type == "task.synced"
    assert set(event.payload["changed"]) == {"title", "priority", "labels", "links", "owner", "status"}
    assert (card.title, card.priority, card.labels, card.links) == (
        "Mend the logout",
        0,
        ("type:bug", "ci"),
        (),
    )
    assert card.updated == "2025-12-01T00:00:00.000000Z"
    assert card.source is not None
    assert card.source["status"] == "in_progress"
    assert "kept" not in event.payload


def test_what_was_changed_here_as_well_stays_and_is_told_once() -> None:
    stream = Imported()
    stream.do(
        Edit(ADA, title="Mend the gate", body="Our words.", add_labels=("ours",), remove_labels=("type:bug",))
    )

    [event] = stream.take_in(issue(title="Mend the logout", body="Their words.", labels=["type:bug", "ci"]))

    card = stream.state.card
    assert event.payload["kept"] == ["body", "title"]
    assert (card.title, card.body, card.labels) == ("Mend the gate", "Our words.", ("ours", "ci"))
    [later] = stream.take_in(
        issue(title="Mend the logout", body="Their words.", labels=["type:bug", "ci"], priority=1)
    )
    assert later.payload["changed"] == ["priority"]
    assert "kept" not in later.payload


def test_what_was_changed_here_and_there_to_the_same_is_no_conflict() -> None:
    stream = Imported()
    stream.do(Edit(ADA, title="Mend the logout"))

    [event] = stream.take_in(issue(title="Mend the logout"))

    assert "kept" not in event.payload
    assert stream.state.card.title == "Mend the logout"


def test_a_large_body_is_known_again_by_its_hash() -> None:
    stream = Imported(issue(body="x" * 5_000))
    assert isinstance(stream.state.card.body, dict)

    [event] = stream.take_in(issue(body="x" * 5_000, priority=0))
    assert event.payload["changed"] == ["priority"]
    stream.take_in(issue(body="y" * 5_000, priority=0))
    assert isinstance(stream.state.card.body, dict)
    assert stream.state.card.body["preview"].startswith("y")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("ASSIGNED", "COMPLETED"),
        ("ASSIGNED", "CANCELLED"),
        ("CANCELLED", "ASSIGNED"),
        ("CANCELLED", "COMPLETED"),
    ],
)
def test_a_state_follows_its_source_while_nobody_has_taken_the_task_up(before: str, now: str) -> None:
    stream = Imported(issue(state=before))

    stream.take_in(issue(state=now, reason="Fixed"))

    assert stream.state.state == now


def start(stream: Stream) -> None:
    """Somebody works on it."""
    stream.do(Start(ADA))


def cancel(stream: Stream) -> None:
    """It is no longer wanted here."""
    stream.do(Cancel(ADA, "not needed"))


@pytest.mark.parametrize("act", [start, cancel])
def test_a_task_that_was_taken_up_here_keeps_its_state(act: Callable[[Stream], None]) -> None:
    stream = Imported()
    act(stream)
    before = stream.state.state

    [event] = stream.take_in(issue(state="COMPLETED", status="closed", title="Mend the logout"))

    assert (stream.state.state, event.payload["kept"]) == (before, ["state"])
    assert stream.state.card.title == "Mend the logout"


def test_what_is_completed_stays_completed_when_its_source_opens_it_again() -> None:
    stream = Imported(issue(state="COMPLETED"))

    [event] = stream.take_in(issue(state="ASSIGNED"))

    assert (stream.state.state, event.payload["kept"]) == ("COMPLETED", ["state"])


def test_what_the_source_says_besides_is_kept_in_the_event() -> None:
    stream = Imported(issue(state="COMPLETED", reason="Fixed"))

    [event] = stream.take_in(issue(state="COMPLETED", reason="Fixed twice", ended_by="Ada L"))

    assert event.payload["changed"] == ["ended_by", "reason"]
    assert event.payload["reason"] == "Fixed twice"


def test_another_assignee_of_the_source_is_taken_in_but_not_over_ours() -> None:
    ours, theirs = Imported(), Imported()
    ours.do(Assign(ZOE, "bob"))

    [kept] = ours.take_in(issue(assignee="ada.l", assigned="Ada L"))
    theirs.take_in(issue(assignee="ada.l", assigned="Ada L"))

    assert (kept.payload["kept"], ours.state.card.assignee) == (["assignee"], "bob")
    assert theirs.state.card.assignee == "ada.l"
    assert theirs.take_in(issue(assignee="ada.l-1f2e", assigned="Ada L", title="x"))[0].payload[
        "changed"
    ] == ["title"]


def test_a_new_comment_is_added_and_the_old_ones_are_not_repeated() -> None:
    stream = Imported(issue(comment("seen")))
    stream.do(Note(ADA, "one of ours"))

    added = stream.take_in(issue(comment("seen"), comment("new", 2)))

    assert [event.type for event in added] == ["task.synced", "task.noted"]
    assert added[0].payload["changed"] == ["comments"]
    assert added[1].payload["text"] == "new"
    assert stream.state.card.notes == 3


def test_links_that_people_made_here_survive_what_the_source_takes_off() -> None:
    stream = Imported()
    stream.store(ADA, Draft("task.linked", {"kind": "after", "to": "t-bbbbbbbb"}, {}))

    stream.take_in(issue(links=[]))

    assert [(link.kind, link.to) for link in stream.state.card.links] == [("after", "t-bbbbbbbb")]


def test_labels_and_links_that_one_event_cannot_hold_follow_in_others() -> None:
    labels = [f"{'ä' * 60}{number}" for number in range(100)]
    links = [
        {"kind": "after", "to": f"t-{letter}{other}aaaaaa"}
        for letter in "abcdefghij"
        for other in "abcdefghij"
    ]

    stream = Imported(issue(labels=labels, links=links, body="ö" * 4_000, title="ü" * 500))

    assert stream.state.card.labels == tuple(labels)
    assert [link.to for link in stream.state.card.links] == [link["to"] for link in links]
    assert {event.type for event in stream.events[1:]} == {"task.synced"}
    assert max(len(event.line) for event in stream.events) <= LINE_LIMIT
    assert stream.take_in(issue(labels=labels, links=links, body="ö" * 4_000, title="ü" * 500)) == []
    [event] = stream.take_in(issue(labels=labels[1:], links=links[1:], body="ö" * 4_000, title="ü" * 500))
    assert event.payload["remove_labels"] == labels[:1]


def test_two_clones_that_import_one_issue_have_one_task_and_each_comment_once() -> None:
    here, there = Imported(issue(comment("seen"))), Imported(issue(comment("seen")))
    work = there.do(Start(ADA))

    merged: Task | None = None
    for event in [*here.events, *there.events[:2], *work]:
        merged = task.evolve(merged, event)

    assert merged is not None
    assert merged.state == task.WORKING
    assert merged.card.notes == 1


def test_an_issue_cannot_become_a_task_that_began_otherwise() -> None:
    stream = Stream()
    payload, _ = check_in("task.imported", issue().payload, BLOB_LIMIT)

    with pytest.raises(IllegalEventError):
        stream.store(ZOE, Draft("task.imported", payload, {}))
    with pytest.raises(IllegalEventError):
        stream.store(
            ZOE,
            Draft(
                "task.synced",
                {"changed": ["title"], "digest": "d" * 64},
                {"attempt": stream.state.card.attempt},
            ),
        )
    assert not imports.comes_from(stream.state.card, "beads", "bd-1")


@pytest.mark.parametrize(
    "later",
    [
        comment("seen"),
        Draft("task.source-event", {"kind": "renamed"}, {}),
        Draft("task.synced", {"changed": ["title"], "updated": 2}, {"attempt": MARK}),
    ],
    ids=lambda draft: draft.type,
)
def test_nothing_follows_an_import_from_elsewhere_that_was_updated_at_no_time(later: Draft) -> None:
    stream = Imported()
    imported = stream.events[0]
    untimed = imported._replace(payload={**imported.payload, "updated": 1})

    before = task.evolve(None, untimed)
    event = imported._replace(type=later.type, payload=later.payload, on=later.on)

    assert step(KIND, before, event) == (task.conflicted(before, event), CONFLICT)


def test_an_imported_task_goes_on_as_any_other() -> None:
    stream = Imported(issue(state="COMPLETED"))

    assert [draft.type for draft in decide(Note(ADA, "nice"), stream.state)] == ["task.noted"]
    assert task.legal_commands("COMPLETED") == ["edit", "note", "link", "unlink"]
