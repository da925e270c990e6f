"""An event as people see it: one line."""

from __future__ import annotations

from typing import Any

from cli.text import safe_line
from domain.blobs import preview
from domain.event import Event

_TEXTS = ("title", "reason", "why", "text", "evidence", "note")


def event_line(event: Event) -> str:
    """`2026-11-23 17:31:05  9f2c1a7b…  ada  task.started  t-3k9fa2mq  …` in UTC, safe to print."""
    when = event.ts[:19].replace("T", " ")
    to = f" → {safe_line(event.to)}" if event.to != "*" else ""
    said = _said(event.payload)
    return f"{when}  {event.id[:12]}  {event.sender}{to}  {safe_line(event.type)}  {event.subject}{said}"


def _said(payload: dict[str, Any]) -> str:
    texts = [preview(payload[name]) for name in _TEXTS if payload.get(name)]
    if "percent" in payload:
        texts.insert(0, f"{payload['percent']}%")
    if payload.get("commit"):
        into = f" → {payload['base']}" if payload.get("base") else ""
        texts.insert(0, f"{(payload.get('merge') or payload['commit'])[:12]}{into}")
    if payload.get("forced"):
        texts.insert(0, "by force")
    text = safe_line(" ".join(texts))
    return f"  {text[:160]}" if text else ""
