"""The pictures of a report, each a Plotly figure made from the timeline.

The two with a line for every while (agents, tasks) are made without their lines: those are in `spans`, once and
compact, and the page draws them, so that it can draw them again with a filter.
"""

from __future__ import annotations

import html
from bisect import bisect_right
from collections import Counter
from statistics import quantiles
from typing import Any

import plotly.graph_objects as go

from cli.text import cut, safe_line
from domain.task import CANCELLED, COMPLETED, FAILED, STATES, WORKING
from projections.timeline import Span, Timeline

Json = dict[str, Any]

STATE_COLOURS = {
    "ASSIGNED": "#7f8fa6",
    "WORKING": "#e0a030",
    "IN_REVIEW": "#a66bd0",
    "APPROVED": "#26a69a",
    "MERGING": "#00acc1",
    "COMPLETED": "#43a047",
    "CANCELLED": "#9e9e9e",
    "FAILED": "#e53935",
}
# How a while of work ended: the event that ended it, in words, and its colour. Later ones are drawn on top.
ENDINGS = {
    "": ("still at work", "#e0a030"),
    "task.submitted": ("handed in", "#43a047"),
    "task.failed": ("gave up", "#e53935"),
    "task.expired": ("lost", "#6d4c41"),
    "task.released": ("given back", "#7f8fa6"),
    "task.cancelled": ("cancelled", "#9e9e9e"),
    "task.imported": ("in its source", "#90a4ae"),
}
OTHERWISE = ("taken over", "#26a69a")
MARKS = {
    "task.approved": ("approved", "triangle-up", "#43a047"),
    "task.rejected": ("rejected", "x", "#e53935"),
    "task.imported": ("closed in its source", "circle", "#78909c"),
}

RESTING = (COMPLETED, CANCELLED, FAILED)
DAY = 86_400
STEPS = (60, 300, 900, 3_600, 6 * 3_600, DAY, 7 * DAY, 30 * DAY, 91 * DAY)  # seconds
BARS = 60
SAMPLES = 1_500
TITLE_WIDTH = 70
LANE = 26
TASK_LEAST, TASK_MOST, TASKS_HEIGHT = 1, 14, 1_000


def shown(text: str, width: int = TITLE_WIDTH) -> str:
    """Text from agents as Plotly may have it: Plotly reads some tags, so there are none."""
    return html.escape(cut(safe_line(text), width))


def _milliseconds(micros: int) -> int:
    return micros // 1_000


def spans(past: Timeline) -> Json:
    """All whiles, compact: parallel lists; `task` and `holder` are places in `tasks` and `agents`."""
    tasks = sorted(past.titles, key=lambda name: (past.made[name], name))
    agents = lanes(past)
    task_place, agent_place = ({name: place for place, name in enumerate(names)} for names in (tasks, agents))
    ordered = sorted(past.spans, key=lambda span: span.begin)
    return {
        "tasks": [[name, shown(past.titles[name]), shown(" ".join(past.labels[name]))] for name in tasks],
        "agents": [shown(name) for name in agents],
        "task": [task_place[span.task] for span in ordered],
        "holder": [agent_place.get(span.holder, -1) for span in ordered],
        "state": [[*STATE_COLOURS].index(span.state) for span in ordered],
        "ending": [[*_ENDING_NAMES].index(_ending(span)) for span in ordered],
        "begin": [_milliseconds(span.begin) for span in ordered],
        "end": [_milliseconds(span.end or past.end) for span in ordered],
        "judgements": [word for word, _, _ in MARKS.values()],
        "marks": [
            [task_place[mark.task], agent_place[mark.by], [*MARKS].index(mark.kind), _milliseconds(mark.at)]
            for mark in past.marks
        ],
    }


_ENDING_NAMES = dict([*ENDINGS.values(), OTHERWISE])


def _ending(span: Span) -> str:
    return ENDINGS.get(span.ended, OTHERWISE)[0]


def lanes(past: Timeline) -> list[str]:
    """Who has a lane: whoever held a task or judged one, by name."""
    return sorted({span.holder for span in past.spans if span.holder} | {mark.by for mark in past.marks})


def agents_figure(past: Timeline) -> go.Figure:
    """A lane for each agent: what it held when, and how that ended; what it judged."""
    figure = go.Figure([_bar(name, colour, 12) for name, colour in _ENDING_NAMES.items()])
    for name, symbol, colour in MARKS.values():
        figure.add_scatter(name=name, mode="markers", marker={"symbol": symbol, "color": colour, "size": 9})
    names = [shown(name) for name in lanes(past)]
    figure.update_layout(height=120 + LANE * max(3, len(names)))
    figure.update_yaxes(
        tickvals=[*range(len(names))], ticktext=names, range=[len(names) - 0.4, -0.6], automargin=True
    )
    return _over_time(figure, past)


def tasks_figure(past: Timeline) -> go.Figure:
    """A line for each task, the oldest on top, in the colour of its state."""
    number = max(1, len(past.titles))
    width = max(TASK_LEAST, min(TASK_MOST, TASKS_HEIGHT // number))
    figure = go.Figure([_bar(state, colour, max(1, width - 2)) for state, colour in STATE_COLOURS.items()])
    figure.update_layout(height=120 + min(TASKS_HEIGHT, max(200, (width + 2) * number)))
    figure.update_yaxes(
        showticklabels=False, showgrid=False, range=[number, -1], title="tasks, the oldest on top"
    )
    return _over_time(figure, past)


def _bar(name: str, colour: str, width: int) -> go.Scatter:
    return go.Scatter(name=name, mode="lines", line={"color": colour, "width": width}, connectgaps=False)


def _over_time(figure: go.Figure, past: Timeline) -> go.Figure:
    figure.update_layout(hovermode="closest", hoverdistance=30, showlegend=True)
    room = max(60_000, _milliseconds(past.end - past.begin) // 50)
    bounds = [_milliseconds(past.begin) - room, _milliseconds(past.end) + room]
    figure.update_xaxes(type="date", range=bounds)
    return figure


def flow_figure(past: Timeline) -> go.Figure:
    """How many tasks were in each state, through time."""
    changes: dict[str, Counter[int]] = {state: Counter() for state in STATES}
    for span in past.spans:
        changes[span.state][_milliseconds(span.begin)] += 1
        if span.end:
            changes[span.state][_milliseconds(span.end)] -= 1
    moments = _sampled(sorted({moment for change in changes.values() for moment in change}))
    figure = go.Figure()
    for state in (*RESTING, *(name for name in reversed(STATES) if name not in RESTING)):
        if changes[state]:
            line = {"width": 0.5, "color": STATE_COLOURS[state], "shape": "hv"}
            counts = _counted(changes[state], moments)
            figure.add_scatter(x=moments, y=counts, name=state, mode="lines", stackgroup="all", line=line)
    figure.update_layout(hovermode="x unified", height=380)
    figure.update_xaxes(type="date")
    figure.update_yaxes(title="tasks")
    return figure


def _sampled(moments: list[int]) -> list[int]:
    """As many moments as a screen can show; the last one is always among them."""
    step = max(1, len(moments) // SAMPLES)
    return [*moments[::step], *moments[-1:]] if step > 1 else moments


def _counted(change: Counter[int], moments: list[int]) -> list[int]:
    """How many there are at each moment."""
    at = sorted(change)
    totals = [0]
    for moment in at:
        totals.append(totals[-1] + change[moment])
    return [totals[bisect_right(at, moment)] for moment in moments]


def throughput_figure(past: Timeline) -> go.Figure:
    """How many tasks were spawned and came to rest in each while."""
    step = _step(past)
    rested: dict[str, Counter[int]] = {state: Counter() for state in RESTING}
    for span in past.spans:
        if span.state in rested:
            rested[span.state][span.begin // 1_000_000 // step] += 1
    spawned = Counter(made // 1_000_000 // step for made in past.made.values() if made >= past.begin)
    every = (
        [*range(past.begin // 1_000_000 // step, past.end // 1_000_000 // step + 1)] if past.titles else []
    )
    moments = [number * step * 1_000 for number in every]
    figure = go.Figure()
    for state, counts in rested.items():
        heights = [counts[number] for number in every]
        figure.add_bar(x=moments, y=heights, name=state, marker_color=STATE_COLOURS[state], width=step * 900)
    figure.add_scatter(
        x=moments,
        y=[spawned[number] for number in every],
        name="spawned",
        mode="lines+markers",
        line_color="#7f8fa6",
    )
    figure.update_layout(barmode="stack", hovermode="x unified", height=320)
    figure.update_xaxes(type="date")
    figure.update_yaxes(title=f"tasks in {_words(step)}")
    return figure


def _step(past: Timeline) -> int:
    seconds = max(1, (past.end - past.begin) // 1_000_000)
    return next((step for step in STEPS if seconds / step <= BARS), STEPS[-1])


def _words(seconds: int) -> str:
    known = {60: "a minute", 3_600: "an hour", DAY: "a day", 7 * DAY: "a week"}
    units = ((DAY, "days"), (3_600, "hours"), (60, "minutes"))
    size, unit = next((size, unit) for size, unit in units if seconds >= size)
    return known.get(seconds, f"{seconds // size} {unit}")


def durations_figure(past: Timeline) -> go.Figure:
    """How long tasks stay in a state: the middle half, the median, the shortest and the longest."""
    figure = go.Figure()
    for state in STATES:
        found = sorted(
            max(0.001, (span.end - span.begin) / 1_000_000)
            for span in past.spans
            if span.state == state and span.end
        )
        if found:
            low, middle, high = quantiles(found, n=4, method="inclusive") if len(found) > 1 else found * 3
            figure.add_box(
                y=[f"{state} ({len(found):,})"],
                q1=[low],
                median=[middle],
                q3=[high],
                lowerfence=[found[0]],
                upperfence=[found[-1]],
                name=state,
                orientation="h",
                marker_color=STATE_COLOURS[state],
            )
    ticks = {1: "1 s", 60: "1 min", 3_600: "1 h", 86_400: "1 d", 7 * 86_400: "1 week"}
    figure.update_xaxes(type="log", tickvals=[*ticks], ticktext=[*ticks.values()])
    figure.update_yaxes(automargin=True, autorange="reversed")
    figure.update_layout(height=340, showlegend=False)
    return figure


def mail_figure(past: Timeline) -> go.Figure:
    """Who wrote to whom, how often."""
    senders = sorted({sender for sender, _ in past.mail})
    addresses = sorted({address for _, address in past.mail})
    counts = [[past.mail.get((sender, address), 0) or None for address in addresses] for sender in senders]
    figure = go.Figure(
        go.Heatmap(
            x=[shown(address) for address in addresses],
            y=[shown(sender) for sender in senders],
            z=counts,
            colorscale=[[0, "#bcd7f0"], [1, "#1565c0"]],
            hovertemplate="%{y} to %{x}: %{z}<extra></extra>",
        )
    )
    figure.update_xaxes(title="to", type="category", automargin=True)
    figure.update_yaxes(title="from", type="category", automargin=True)
    figure.update_layout(height=160 + LANE * max(3, len(senders)))
    return figure


def facts(past: Timeline) -> list[tuple[str, str]]:
    """The numbers above the pictures."""
    states = Counter(span.state for span in past.spans if not span.end)
    work = [(span.end - span.begin) / 1_000_000 for span in past.spans if span.state == WORKING and span.end]
    return [
        (f"{len(past.titles):,}", "tasks"),
        *((f"{states[state]:,}", state.lower().replace("_", " ")) for state in STATES if states[state]),
        (f"{len(lanes(past)):,}", "agents"),
        (f"{sum(past.mail.values()):,}", "messages"),
        *([(_long(sorted(work)[len(work) // 2]), "median while of work")] if work else []),
        (f"{past.events:,}", "events"),
    ]


def _long(seconds: float) -> str:
    from cli.text import age

    return age(seconds)
