"""An event as people see it: one line."""

from __future__ import annotations

from typing import Any

from cli.output import Columns
from cli.style import DIM, Style
from cli.text import safe_line
from domain.blobs import preview
from domain.event import Event

_TEXTS = ("title", "reason", "why", "text", "evidence", "note")


def event_line(style: Style, event: Event) -> str:
    """One event alone: `2026-11-23 17:31:05  9f2c1a7b4d5e  ada→bob  task.started  t-3k9fa2mq  …`."""
    return "  ".join(event_cells(style, event)).rstrip()


def event_table(style: Style) -> Columns:
    """A table of events in which those that come later line up as well: wide enough for most from the first on."""
    return Columns(style.room, widths=[19 + style.utc, 12, 8, 14, 10])


def event_cells(style: Style, event: Event) -> tuple[str, ...]:
    """When, id, who to whom, what, about what, and what was said: safe to print."""
    who = style.name(event.sender)
    if event.to != "*":
        who += f"→{style.name(event.to, safe_line(event.to))}"
    kind = safe_line(event.type)
    return (
        style.when(event.ts),
        style.paint(event.id[:12], DIM),
        who,
        kind,
        event.subject,
        _said(style, event.payload) or _links(event),
    )


def _said(style: Style, payload: dict[str, Any]) -> str:
    texts = [preview(payload[name]) for name in _TEXTS if payload.get(name)]
    if "digest" in payload:
        texts.insert(0, _in_source(style, payload))
    if "percent" in payload:
        texts.insert(0, f"{payload['percent']}%")
    if payload.get("commit"):
        into = f" → {payload['base']}" if payload.get("base") else ""
        texts.insert(0, f"{(payload.get('merge') or payload['commit'])[:12]}{into}")
    if payload.get("forced"):
        texts.insert(0, "by force")
    return safe_line(" ".join(texts))[:160]


def _links(event: Event) -> str:
    """What a task was bound to, or is no longer: `after t-8hq2`."""
    payload = event.payload
    links = {"task.linked": [payload], "task.unlinked": payload.get("links", ())}.get(event.type, ())
    return safe_line(", ".join(f"{link['kind']} {link['to']}" for link in links))[:160]


def _in_source(style: Style, payload: dict[str, Any]) -> str:
    """What an imported event was where it came from: `2026-02-26 17:19:55 mayor status_changed`."""
    at = payload.get("at") or payload.get("created")
    when = style.when(at) if at else ""
    who = payload.get("actor") or payload.get("by") or ""
    issue = f"{payload['system']} {payload['id']} ({payload['status']})" if "system" in payload else ""
    changed = f"changed: {', '.join(payload['changed'])}" if "changed" in payload else ""
    kept = f"(kept: {', '.join(payload['kept'])})" if payload.get("kept") else ""
    return " ".join(part for part in (when, who, payload.get("kind", ""), issue, changed, kept) if part)
