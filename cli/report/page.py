"""The page of a report: one file with everything in it, which asks no network for anything."""

from __future__ import annotations

import html
import os
from typing import Any, cast

import orjson
import plotly.io
from plotly.offline import get_plotlyjs

from cli.report import figures
from projections.timeline import Timeline

TEMPLATE = os.path.join(os.path.dirname(__file__), "page.html")

SECTIONS = (
    (
        "agents",
        "Agents",
        "What each held, and how that ended. Hover for the task; click the legend to hide a kind.",
    ),
    ("flow", "Tasks in each state", "How many there were, through time."),
    (
        "tasks",
        "Every task",
        "A line for each, in the colour of its state. Drag to zoom in, double click to zoom out.",
    ),
    ("throughput", "Throughput", "What was spawned and what came to rest."),
    (
        "durations",
        "Time in each state",
        "The box is the middle half of the tasks, the line in it the median.",
    ),
    ("mail", "Messages", "Who wrote to whom."),
)


def page(past: Timeline, made: str) -> str:
    """The HTML. `made` says when, and of which store."""
    made_figures = {
        "agents": figures.agents_figure(past),
        "flow": figures.flow_figure(past),
        "tasks": figures.tasks_figure(past),
        "throughput": figures.throughput_figure(past),
        "durations": figures.durations_figure(past),
        "mail": figures.mail_figure(past),
    }
    drawn = ",".join(f'"{name}":{_figure_json(figure)}' for name, figure in made_figures.items())
    sections = "".join(
        f"<section><h2>{title}</h2><p>{about}</p><div id='{name}' class='plot'></div></section>"
        for name, title, about in SECTIONS
    )
    facts = "".join(f"<li><b>{number}</b> {html.escape(word)}</li>" for number, word in figures.facts(past))
    with open(TEMPLATE, encoding="utf-8") as file:
        text = file.read()
    parts = {
        "MADE": html.escape(made),
        "FACTS": facts,
        "SECTIONS": sections,
        "FIGURES": "{" + drawn + "}",
        "SPANS": _script_json(figures.spans(past)),
        "STATES": _script_json([*figures.STATE_COLOURS]),
        "PLOTLY": get_plotlyjs(),
    }
    for name, part in parts.items():
        text = text.replace(f"/*{name}*/", part, 1)
    return text


def _figure_json(figure: Any) -> str:
    """The figure as JSON that may stand in a script: Plotly escapes what could end it."""
    return cast("str", plotly.io.to_json(figure, validate=False))


def _script_json(value: Any) -> str:
    """JSON that may stand in a script: nothing in it ends the script or begins a comment."""
    text = orjson.dumps(value).decode()
    return (
        text.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )
