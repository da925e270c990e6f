"""The shapes of JSON answers, as JSON Schema. Keys are never renamed; a test holds every command to them."""

from __future__ import annotations

from typing import Any

from domain.refusals import CODES
from domain.task import STATES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TASK: Schema = {"type": "string", "pattern": "^t-[a-z2-9]{8}$"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
STATE: Schema = {"enum": list(STATES)}
LARGE: Schema = {
    "description": "a text, or the claim check of one over 4,096 bytes (--full gives it whole)",
    "anyOf": [TEXT, {"type": "object", "required": ["blob", "preview"]}],
}


def _object(
    required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, closed: bool = True
) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": not closed,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


PROCESS = _object(
    {"pid": COUNT, "started": {}, "boot": TEXT, "namespace": TEXT, "host": TEXT},
)
EVENT = _object(
    {
        "id": ID,
        "v": COUNT,
        "ts": TIME,
        "from": TEXT,
        "to": TEXT,
        "type": TEXT,
        "stream": TEXT,
        "payload": {"type": "object"},
    },
    {
        "on": {"type": "object"},
        "parents": _list(ID),
        "key": TEXT,
        "session": TEXT,
        "replica": TEXT,
        "seq": COUNT,
        "prev": ID,
    },
)
TASK_ROW = _object(
    {
        "id": TASK,
        "title": TEXT,
        "state": STATE,
        "priority": COUNT,
        "assignee": MAYBE_TEXT,
        "holder": MAYBE_TEXT,
        "labels": _list(TEXT),
        "updated": TIME,
    },
)
TASK_FULL = _object(
    {
        **TASK_ROW["properties"],
        "slug": MAYBE_TEXT,
        "body": LARGE,
        "claim": _maybe(ID),
        "claimed": _maybe(TIME),
        "parent": MAYBE_TEXT,
        "after": _list(TASK),
        "blocks": _list(TASK),
        "blocked_by": _list(TASK),
        "branch": MAYBE_TEXT,
        "base": MAYBE_TEXT,
        "commit": MAYBE_TEXT,
        "spawner": TEXT,
        "created": TIME,
        "attempts": COUNT,
        "strikes": COUNT,
        "submission": _maybe(
            _object({"id": ID, "by": TEXT, "at": TIME, "evidence": LARGE, "commit": MAYBE_TEXT})
        ),
        "approval": _maybe(_object({"id": ID, "by": TEXT, "at": TIME, "policy": TEXT})),
        "end": _maybe(_object({"by": TEXT, "at": TIME, "reason": LARGE})),
        "conflicts": COUNT,
        "notes": COUNT,
        "progress": _maybe({"type": "object"}),
    },
)
WRITE = _object(
    {"task": TASK, "state": STATE, "event": _maybe(ID), "next": _list(TEXT)},
    {
        "claim": ID,
        "dir": TEXT,
        "replayed": FLAG,
        "notices": _list(TEXT),
        "task_full": TASK_FULL,
        "event_full": _list(EVENT),
    },
)
ERROR = _object(
    {
        "error": _object(
            {
                "code": {"enum": list(CODES)},
                "message": TEXT,
                "hint": TEXT,
                "retryable": FLAG,
                "details": {"type": "object"},
            }
        )
    }
)
RESULTS = _object(
    {"results": _list({"anyOf": [WRITE, _object({"task": TEXT, "error": ERROR["properties"]["error"]})]})}
)
TASKS = _object(
    {"tasks": _list({"type": "object"}), "more": COUNT},
    {"cursor": TEXT, "waiting": _list({"type": "object"})},
)
HELD = _object({"id": TASK, "title": TEXT, "state": STATE, "claim": ID, "since": TIME}, closed=False)
SECONDS: Schema = {"type": ["integer", "null"], "description": "seconds ago; null: never"}
AGENT = _object(
    {
        "name": TEXT,
        "person": FLAG,
        "verdict": {"enum": ["alive", "suspect", "lost"]},
        "joined": _maybe(TIME),
        "last_seen": SECONDS,
        "last_type": MAYBE_TEXT,
        "last_pulse": SECONDS,
        "progress": SECONDS,
        "tasks": _list(_object({"id": TASK, "title": TEXT, "state": STATE})),
        "more_tasks": COUNT,
        "host": MAYBE_TEXT,
        "pid": _maybe(COUNT),
        "events": COUNT,
    },
)

WRITES_ONE = (
    "start",
    "resume",
    "progress",
    "note",
    "done",
    "fail",
    "release",
    "reject",
    "retry",
    "assign",
    "edit",
    "undo",
)
WRITES_SEVERAL = ("spawn", "approve", "merge", "cancel")

ANSWERS: dict[str, Schema] = {
    "init": _object({"store": TEXT, "created": FLAG, "replica": TEXT, "me": MAYBE_TEXT, "why": TEXT}),
    "where": _object({"store": TEXT, "why": TEXT, "worktree": MAYBE_TEXT, "writable": FLAG, "events": COUNT}),
    "join": _object({"agent": TEXT, "event": ID, "bound": MAYBE_TEXT, "process": _maybe(PROCESS)}),
    "whoami": _object(
        {
            "name": MAYBE_TEXT,
            "why": TEXT,
            "task": _maybe(TASK),
            "claim": _maybe(ID),
            "dir": TEXT,
            "store": TEXT,
            "holds": _list(HELD),
        }
    ),
    **dict.fromkeys(WRITES_ONE, WRITE),
    **{name: {"anyOf": [WRITE, RESULTS]} for name in WRITES_SEVERAL},
    "heartbeat": _object({"agent": TEXT, "event": ID, "ts": TIME}),
    "ready": TASKS,
    "list": TASKS,
    "show": _object({"task": TASK_FULL, "events": _list(EVENT)}),
    "agents": _object({"agents": _list(AGENT), "more": COUNT}),
    "log": EVENT,
    "tail": EVENT,
    "export": _object({"path": TEXT, "written": COUNT, "events": COUNT}),
    "rebuild": _object(
        {
            "events": COUNT,
            "hash_before": TEXT,
            "hash_after": TEXT,
            "same": FLAG,
            "seconds": {"type": "number"},
        }
    ),
    "help": _object({"topic": TEXT, "text": TEXT}),
    "completion": _object({"shell": TEXT, "script": TEXT}),
}


def document() -> Schema:
    """Everything as one JSON Schema: `$defs` holds an entry for each command, `error`, `event` and `task`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "crewlog: answers of commands with --json",
        "description": "$defs has an entry a command; `log` and `tail` print one object a line.",
        "$defs": {**ANSWERS, "error": ERROR, "event": EVENT, "task": TASK_ROW, "task_full": TASK_FULL},
    }
