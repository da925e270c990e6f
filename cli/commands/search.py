"""`search`: find words in all that was written."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import MOST_LIMIT, LimitOption, UtcOption
from cli.call import Call
from cli.completion import complete_name, complete_task
from cli.grammar import command
from cli.moments import moment
from cli.output import Answer
from cli.progress import progress
from domain.names import check_name
from domain.refusals import Refusal
from domain.registry import EVENT_TYPES

if TYPE_CHECKING:
    from projections.search import Found, Hit, Wanted


@command(
    "search",
    'crewlog search login page\ncrewlog search foo-bar --type task --since 2d\ncrewlog search "gre*"',
)
def search(
    call: Call,
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORDS...", help="All must occur; gre* is a beginning.", show_default=False),
    ],
    type_: Annotated[
        str,
        typer.Option("--type", metavar="TYPE", help="task.noted, or all of task, mail …", show_default=False),
    ] = "",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="NAME", help="Who wrote it.", autocompletion=complete_name, show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="About this task.",
            autocompletion=complete_task,
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option("--since", metavar="WHEN", help="2h, 3d, a date or a local time.", show_default=False),
    ] = "",
    newest: Annotated[
        bool, typer.Option("--newest", help="Newest first, not best first.", show_default=False)
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="WORDS is an FTS5 expression: foo OR bar.", show_default=False)
    ] = False,
    limit: LimitOption = 20,
    utc: UtcOption = False,
) -> None:
    """Find words in titles, bodies, notes, messages, evidence and reasons, also in large ones. Best hits first; of over 3,000 the newest.

    Words are taken as typed: foo-bar finds these two side by side, and quotes need no care. A task's id, or its
    beginning, finds what is about that task as well. English endings do not matter, nor do accents; ß is not ss.
    Chinese and Japanese are found by any part. What an import took over counts as of who wrote it there and when. The
    first search of a store reads all of it; later ones only what is new.
    """
    from projections.search import Wanted, named, open_index, quoted
    from projections.search import search as found_in

    text = " ".join(words)
    wanted = Wanted(
        text if raw else quoted(text),
        kind=_checked_type(type_),
        sender=check_name(from_) if from_ is not None else "",
        about=call.task(task) if task is not None else "",
        since=moment(since, call.shell.clock()) if since else 0,
        newest=newest,
        named="" if raw else named(text),
    )
    log = call.store.log
    with progress(call.shell, "indexing") as step:
        found = None
        if wanted.expression.strip():
            with closing(open_index(call.store.folder, log, step)) as index:
                found = index.ask(lambda connection: found_in(connection, log, wanted, limit))
    call.answer(_answer(call, wanted, found, utc=utc))


def _checked_type(text: str) -> str:
    if text and text not in EVENT_TYPES and text not in {name.partition(".")[0] for name in EVENT_TYPES}:
        hint = f"Types: {', '.join(EVENT_TYPES)}; or their first word."
        raise Refusal("bad-value", f"there is no event type {text[:40]!r}", hint)
    return text


def _answer(call: Call, wanted: Wanted, found: Found | None, *, utc: bool) -> Answer:
    from cli.hits import about, hit_lines
    from projections.search import COUNTED, RANKED
    from projections.tasks import names

    if found is None:
        data: dict[str, Any] = {"hits": [], "more": 0, "ranked": True}
        return Answer(data, [], remarks=["there is no word in that"])
    tasks = [about(hit) for hit in found.hits]
    named = call.store.views.ask(lambda views: names(views, tasks)) if tasks else {}
    more = found.total - len(found.hits)
    remarks: list[str] = [] if found.hits else ["nothing found"]
    if more and not (call.options.json or call.options.quiet):
        over = found.total > COUNTED
        remarks.append(
            f"{'over ' if over else ''}{more:,} more: --limit {min(found.total, MOST_LIMIT)}, or one more word"
        )
        if not found.ranked and not wanted.newest:
            remarks.append(f"so many that the newest stand first; up to {RANKED:,} the best do")
    hits = [_record(hit, *named.get(about(hit), (None, None))) for hit in found.hits]
    data = {"hits": hits, "more": more, "ranked": found.ranked}
    lines = hit_lines(call.style(utc=utc), found.hits, named)
    return Answer(data, lines, [hit.event.id for hit in found.hits], remarks)


def _record(hit: Hit, slug: str | None, title: str | None) -> dict[str, Any]:
    from cli.hits import parts_of
    from projections.search_rows import in_source

    parts = parts_of(hit.excerpt)
    starts = [len("".join(parts[:place])) for place in range(len(parts))]
    event, (by, at) = hit.event, in_source(hit.event)
    return {
        "event": event.id,
        "position": hit.position,
        "type": event.type,
        "from": event.sender,
        "to": event.to,
        "about": event.subject,
        "slug": slug,
        "title": title,
        "at": event.ts,
        "source_by": by or None,
        "source_at": at or None,
        "excerpt": "".join(parts),
        "matches": [[starts[place], starts[place] + len(parts[place])] for place in range(1, len(parts), 2)],
    }
