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
MESSAGE: Schema = {"type": "string", "pattern": "^m-[a-z2-9]{8}$"}
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
    {"age": {**COUNT, "description": "seconds when it was found; absent for one that was named"}},
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
        "slug": MAYBE_TEXT,
    },
)
CODE = _object(
    {"branch": TEXT, "base": TEXT, "base_commit": TEXT},
    {"commits": COUNT, "files": COUNT, "added": COUNT, "removed": COUNT, "uncommitted": COUNT},
)
PARTS: Schema = {
    "type": "object",
    "propertyNames": STATE,
    "additionalProperties": COUNT,
    "description": "how many of an epic's parts are in each state",
}
TASK_FULL = _object(
    {
        **TASK_ROW["properties"],
        "body": LARGE,
        "claim": _maybe(ID),
        "claimed": _maybe(TIME),
        "parent": MAYBE_TEXT,
        "parts": PARTS,
        "after": _list(TEXT),
        "relates": _list(TEXT),
        "links": _list(_object({"id": ID, "kind": TEXT, "to": TEXT})),
        "blocks": _list(TASK),
        "blocked_by": _list(TEXT),
        "branch": MAYBE_TEXT,
        "base": MAYBE_TEXT,
        "commit": MAYBE_TEXT,
        "spawner": TEXT,
        "created": TIME,
        "attempts": COUNT,
        "strikes": COUNT,
        "submission": _maybe(
            _object(
                {
                    "id": ID,
                    "by": TEXT,
                    "at": TIME,
                    "evidence": LARGE,
                    "commit": MAYBE_TEXT,
                    "code": _maybe(CODE),
                    "check": _maybe(_object({"command": LARGE, "exit": COUNT}, {"output": LARGE})),
                    "ran": LARGE,
                }
            )
        ),
        "approval": _maybe(
            _object({"id": ID, "by": TEXT, "at": TIME, "policy": TEXT, "commit": MAYBE_TEXT, "signed": FLAG})
        ),
        "merge": _maybe(
            _object(
                {
                    "id": ID,
                    "by": TEXT,
                    "at": TIME,
                    "commit": TEXT,
                    "base": TEXT,
                    "base_commit": TEXT,
                    "merge": TEXT,
                    "ident": TEXT,
                    "when": COUNT,
                }
            )
        ),
        "setback": _maybe(
            _object(
                {
                    "id": ID,
                    "by": TEXT,
                    "at": TIME,
                    "reason": LARGE,
                    "kind": {"enum": ["conflict", "gate", "base"]},
                    "base_commit": MAYBE_TEXT,
                    "files": _list(TEXT),
                }
            )
        ),
        "end": _maybe(_object({"by": TEXT, "at": TIME, "reason": LARGE})),
        "conflicts": COUNT,
        "notes": COUNT,
        "progress": _maybe({"type": "object"}),
        "source": _maybe(
            _object(
                {
                    "system": TEXT,
                    "id": TEXT,
                    "status": TEXT,
                    "by": TEXT,
                    "assigned": TEXT,
                    "imported": TIME,
                }
            )
        ),
    },
    {
        "ahead": _object(
            {
                "commit": MAYBE_TEXT,
                "commits": COUNT,
                "files": COUNT,
                "added": COUNT,
                "removed": COUNT,
                "moved": FLAG,
            }
        )
    },
)
PREVIOUS = _object(
    {
        "holder": TEXT,
        "ended": {"enum": ["expired", "released", "failed", "rejected", "cancelled"]},
        "at": TIME,
        "reason": TEXT,
        "notes": COUNT,
        "branch": MAYBE_TEXT,
    }
)
WRITE = _object(
    {"task": TASK, "state": STATE, "event": _maybe(ID), "next": _list(TEXT)},
    {
        "claim": ID,
        "dir": TEXT,
        "branch": TEXT,
        "base": TEXT,
        "commit": TEXT,
        "merge": TEXT,
        "replayed": FLAG,
        "process": _maybe(PROCESS),
        "also_holds": _list(TASK),
        "blocked_by": _list(TEXT),
        "previous": PREVIOUS,
        "reaped": _list(TASK),
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
    },
    {"notices": _list(TEXT)},
)
RESULTS = _object(
    {"results": _list({"anyOf": [WRITE, _object({"task": TEXT, "error": ERROR["properties"]["error"]})]})}
)
TASKS = _object(
    {"tasks": _list({"type": "object"}), "more": COUNT},
    {"cursor": TEXT, "waiting": _list({"type": "object"}), "waiting_more": COUNT},
)
HELD = _object(
    {"id": TASK, "title": TEXT, "state": STATE, "claim": ID, "since": TIME}, {"dir": MAYBE_TEXT}, closed=False
)
SECONDS: Schema = {"type": ["integer", "null"], "description": "seconds ago; null: never"}
AGENT = _object(
    {
        "name": TEXT,
        "person": FLAG,
        "verdict": {"enum": ["alive", "suspect", "lost", "left", "remote"]},
        "joined": _maybe(TIME),
        "last_seen": SECONDS,
        "last_type": MAYBE_TEXT,
        "last_pulse": SECONDS,
        "progress": SECONDS,
        "tasks": _list(
            _object(
                {
                    "id": TASK,
                    "title": TEXT,
                    "state": STATE,
                    "verdict": {"enum": ["alive", "suspect", "lost", None], "description": "on its claim"},
                }
            )
        ),
        "more_tasks": COUNT,
        "host": MAYBE_TEXT,
        "pid": _maybe(COUNT),
        "events": COUNT,
    },
)
_MAIL: dict[str, Schema] = {
    "id": MESSAGE,
    "from": TEXT,
    "to": TEXT,
    "text": LARGE,
    "at": TIME,
    "question": FLAG,
    "needs_ack": FLAG,
    "reply": MAYBE_TEXT,
    "task": MAYBE_TEXT,
    "thread": TEXT,
    "position": COUNT,
}
MAIL_ROW = _object({**_MAIL, "acked": _maybe(TIME)})
MAIL_ANSWER = _object(
    {"id": ID, "from": TEXT, "at": TIME, "text": LARGE}, {"message": MESSAGE, "position": COUNT}
)
MAIL_IN_THREAD = _object({**_MAIL, "answers": _list(MAIL_ANSWER)})
MAIL_FULL = _object(
    {
        **_MAIL,
        "event": ID,
        "answers": _list(MAIL_ANSWER),
        "acks": _list(_object({"name": TEXT, "at": TIME})),
        "waiting": _list(TEXT),
    }
)
_MAIL_WRITTEN: dict[str, Schema] = {"message": MESSAGE, "event": _maybe(ID)}
_MAIL_REMARKED: dict[str, Schema] = {"replayed": FLAG, "notices": _list(TEXT)}
MAIL_WRITE = _object(_MAIL_WRITTEN, _MAIL_REMARKED)
CHANNELS = _list(_object({"channel": TEXT, "members": _list(TEXT)}))

REAPED = _object(
    {
        "task": TASK,
        "title": TEXT,
        "holder": TEXT,
        "claim": ID,
        "verdict": {"enum": ["alive", "suspect", "lost", "remote"]},
        "silence": COUNT,
        "why": TEXT,
        "state": STATE,
        "event": _maybe(ID),
    }
)
RAN = _object(
    {
        "task": TASK,
        "claim": ID,
        "outcome": {"enum": ["done", "left", "settled", "failed", "released", "lost"]},
        "state": STATE,
        "event": _maybe(ID),
        "exit": {"type": "integer", "description": "of the command; 128 + N: ended by signal N"},
        "seconds": {"type": "number", "minimum": 0},
    }
)

FINDING = _object(
    {"code": TEXT, "path": TEXT, "message": TEXT},
    {"hint": TEXT, "line": COUNT, "offset": COUNT, "id": TEXT},
)
CONFLICT = _object(
    {
        "task": TASK,
        "state": STATE,
        "title": TEXT,
        "holder": MAYBE_TEXT,
        "event": ID,
        "type": TEXT,
        "from": TEXT,
        "at": TIME,
        "replica": TEXT,
        "next": _list(TEXT),
    },
    {"branch": TEXT, "commit": MAYBE_TEXT},
)
_CAME_IN: dict[str, Schema] = {
    "events": COUNT,
    "known": COUNT,
    "pending": COUNT,
    "streams": COUNT,
    "blobs": COUNT,
    "conflicts": _list(_object({"task": TEXT, "event": ID, "type": TEXT, "from": TEXT})),
    "findings": _list(FINDING),
}
IMPORTED = _object(_CAME_IN)
_SYNCED: dict[str, Schema] = {"remote": TEXT, "pushed": FLAG, "branches": _list(TEXT)}
REPLICAS = _list(_object({"replica": TEXT, "seq": COUNT, "id": TEXT}))
AUDITED = _object(
    {
        "task": TASK,
        "title": TEXT,
        "state": STATE,
        "commit": MAYBE_TEXT,
        "submission": _maybe(ID),
        "submitter": MAYBE_TEXT,
        "approver": MAYBE_TEXT,
        "approval": _maybe(ID),
        "policy": MAYBE_TEXT,
        "signature": MAYBE_TEXT,
        "note": TEXT,
        "conflicts": COUNT,
        "merge": MAYBE_TEXT,
        "gate": MAYBE_TEXT,
    }
)
_SAID = _maybe(_object({"state": STATE, "holder": MAYBE_TEXT, "assignee": MAYBE_TEXT}))
REPLAYED = _object(
    {
        "event": EVENT,
        "disposition": {"enum": ["applied", "conflict", "pending", "unknown"]},
        "before": _SAID,
        "after": _SAID,
    }
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
WRITES_SEVERAL = ("spawn", "approve", "cancel", "link", "unlink")

_PREDICTED = _object(
    {"task": TASK, "state": STATE, "commit": MAYBE_TEXT, "conflicts": _list(TEXT)}, {"base": TEXT}
)
_FAILED = _object({"task": TEXT, "error": ERROR["properties"]["error"]})
_BRANCH = _object({"branch": TEXT, "task": TASK, "commit": TEXT, "abandoned": FLAG, "why": TEXT})
_CHANGED = _object({"path": TEXT, "added": _maybe(COUNT), "removed": _maybe(COUNT)})
# Answers of what reads and writes the code repository.
CODE_ANSWERS: dict[str, Schema] = {
    "merge": {
        "anyOf": [
            WRITE,
            RESULTS,
            _PREDICTED,
            _object({"results": _list({"anyOf": [_PREDICTED, _FAILED]})}),
        ]
    },
    "diff": _object(
        {
            "task": TASK,
            "from": TEXT,
            "commit": TEXT,
            "files": _list(_CHANGED),
            "diff": TEXT,
            "cut": {**FLAG, "description": "true: --full has more of it"},
        }
    ),
    "review": _object(
        {
            "task": TASK_FULL,
            "files": _list(_CHANGED),
            "notes": _list(_object({"by": TEXT, "at": TIME, "text": LARGE})),
            "outlook": _maybe(
                _object(
                    {
                        "here": FLAG,
                        "moved": FLAG,
                        "base": MAYBE_TEXT,
                        "merges": {"type": ["boolean", "null"]},
                        "conflicts": _list(TEXT),
                        "found": {**FLAG, "description": "true: the base has the commit already"},
                        "refused": {**MAYBE_TEXT, "description": "why a merge would be refused now"},
                    }
                )
            ),
            "next": _list(TEXT),
        }
    ),
    "cleanup": _object(
        {
            "by": TEXT,
            "removed": _list(_BRANCH),
            "kept": _list(_BRANCH),
            "checkouts": _list({**TEXT, "description": "of merges that did not end; they go as well"}),
            "dry_run": FLAG,
        },
    ),
    "verify": _object(
        {
            "findings": _list(
                _object(
                    {"code": TEXT, "path": TEXT, "message": TEXT},
                    {"hint": TEXT, "line": COUNT, "offset": COUNT, "id": TEXT},
                )
            )
        }
    ),
}

NODE = _object(
    {
        **{
            name: TASK_ROW["properties"][name]
            for name in ("id", "slug", "title", "state", "priority", "assignee", "holder")
        },
        "parent": MAYBE_TEXT,
        "after": _list(TEXT),
        "relates": _list(TEXT),
        "parts": PARTS,
    }
)
HIT = _object(
    {
        "event": ID,
        "position": COUNT,
        "type": TEXT,
        "from": TEXT,
        "to": TEXT,
        "about": TEXT,
        "slug": MAYBE_TEXT,
        "title": MAYBE_TEXT,
        "at": TIME,
        "source_by": MAYBE_TEXT,
        "source_at": MAYBE_TEXT,
        "excerpt": TEXT,
        "matches": _list({"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}),
    }
)
ATTENTION = _object(
    {
        "kind": {
            "enum": [
                "review",
                "merge",
                "setback",
                "conflict",
                "circle",
                "stuck",
                "failed",
                "question",
                "ack",
                "lost",
            ]
        },
        "id": TEXT,
        "since": TIME,
        "age": COUNT,
        "who": TEXT,
        "title": TEXT,
        "text": TEXT,
        "submission": _maybe(ID),
        "command": TEXT,
        "commands": _list(TEXT),
    }
)
_BRIEF: dict[str, Schema] = {"id": TASK, "title": TEXT, "state": STATE}
_SPAWNED = _object({"count": COUNT, "tasks": _list(_object(_BRIEF))})
_ENDED = _object({"count": COUNT, "tasks": _list(_object({**_BRIEF, "by": TEXT, "reason": TEXT}))})
STATUS = _object(
    {
        "attention": _list(ATTENTION),
        "more": COUNT,
        "counts": _object(dict.fromkeys(STATES, COUNT)),
        "ready": COUNT,
    },
    {
        "since": _object(
            {
                "position": COUNT,
                **dict.fromkeys(("completed", "failed", "cancelled"), _ENDED),
                "spawned": _SPAWNED,
                "imported": _object({"count": COUNT, "completed": COUNT}),
            }
        )
    },
)

FOREIGN = _object(
    {
        "from": TEXT,
        "path": TEXT,
        "dry_run": FLAG,
        "issues": COUNT,
        "imported": COUNT,
        "synced": COUNT,
        "unchanged": COUNT,
        "comments": COUNT,
        "history": COUNT,
        "labels": COUNT,
        "dependencies": COUNT,
        "outside": COUNT,
        "left_out": COUNT,
        "findings": _list(
            _object(
                {"code": TEXT, "path": TEXT, "message": TEXT},
                {"hint": TEXT, "line": COUNT, "offset": COUNT, "id": TEXT},
            )
        ),
        "more": COUNT,
    }
)

ANSWERS: dict[str, Schema] = {
    "init": _object(
        {
            "store": TEXT,
            "created": FLAG,
            "replica": TEXT,
            "me": MAYBE_TEXT,
            "why": TEXT,
            "adopted": COUNT,
            "server": MAYBE_TEXT,
        }
    ),
    "where": _object(
        {
            "store": TEXT,
            "why": TEXT,
            "worktree": MAYBE_TEXT,
            "writable": FLAG,
            "events": COUNT,
            "server": MAYBE_TEXT,
        }
    ),
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
            "unread": COUNT,
            "messages": _list(MAIL_ROW),
        }
    ),
    **dict.fromkeys(WRITES_ONE, WRITE),
    **{name: {"anyOf": [WRITE, RESULTS]} for name in WRITES_SEVERAL},
    **CODE_ANSWERS,
    "prime": _object({"name": MAYBE_TEXT, "holds": _list(HELD), "unread": COUNT, "text": TEXT}),
    "wait": _object({"got": {"type": "object", "required": ["kind", "id"]}, "position": COUNT}),
    "send": _object({**_MAIL_WRITTEN, "to": TEXT}, _MAIL_REMARKED),
    "ask": _object(
        {**_MAIL_WRITTEN, "to": TEXT, "answer": _maybe(MAIL_ANSWER)}, {**_MAIL_REMARKED, "next": _list(TEXT)}
    ),
    "answer": MAIL_WRITE,
    "ack": {
        "anyOf": [
            MAIL_WRITE,
            _object(
                {
                    "results": _list(
                        {
                            "anyOf": [
                                MAIL_WRITE,
                                _object({"message": TEXT, "error": ERROR["properties"]["error"]}),
                            ]
                        }
                    )
                },
                {"notices": _list(TEXT)},
            ),
        ]
    },
    "inbox": _object({"messages": _list(MAIL_ROW), "more": COUNT}, {"notices": _list(TEXT)}),
    "read": _object({"message": MAIL_FULL, "thread": _list(MAIL_IN_THREAD)}, {"notices": _list(TEXT)}),
    "channel": {
        "anyOf": [
            _object({"channel": TEXT, "listens": FLAG, "event": _maybe(ID)}, _MAIL_REMARKED),
            _object({"channels": CHANNELS}, {"notices": _list(TEXT)}),
        ]
    },
    "leave": _object({"agent": TEXT, "event": ID, "unbound": MAYBE_TEXT, "holds": _list(HELD)}),
    "heartbeat": {
        "anyOf": [
            _object({"agent": TEXT, "event": ID, "ts": TIME}),
            _object({"agent": TEXT, "pulses": COUNT, "ended": {"enum": ["process", "signal", "settled"]}}),
        ]
    },
    "run": _object({"runs": _list(RAN)}),
    "reap": _object({"expired": _list(REAPED), "kept": _list(REAPED)}),
    "prune": _object({"pruned": _list({"type": "object"}), "count": COUNT, "before": TIME}),
    "serve": _object(
        {"store": TEXT, "running": FLAG},
        {
            "pid": COUNT,
            "version": TEXT,
            "python": TEXT,
            "program": TEXT,
            "served": COUNT,
            "up_seconds": COUNT,
            "idle_seconds": COUNT,
        },
    ),
    "ready": TASKS,
    "status": STATUS,
    "top": STATUS,
    "list": TASKS,
    "report": _object({"file": TEXT, "tasks": COUNT, "events": COUNT, "bytes": COUNT}),
    "search": _object({"hits": _list(HIT), "more": COUNT, "ranked": FLAG}),
    "graph": _object({"tasks": _list(NODE), "circles": _list(_list(TEXT)), "more": COUNT}),
    "show": _object({"task": TASK_FULL, "events": _list(EVENT)}),
    "agents": _object({"agents": _list(AGENT), "more": COUNT}),
    "log": EVENT,
    "tail": EVENT,
    "move": _object({"from": TEXT, "to": TEXT, "events": COUNT, "pulses": COUNT}),
    "export": _object(
        {
            "path": TEXT,
            "written": COUNT,
            "events": COUNT,
            "segments": _list(TEXT),
            "sealed": COUNT,
            "mended": _list(TEXT),
            "blobs": COUNT,
        }
    ),
    "import": {"anyOf": [IMPORTED, FOREIGN]},
    "sync": {
        "anyOf": [
            _object({**_CAME_IN, **_SYNCED, "sent": COUNT, "state": TEXT}),
            _object({**_SYNCED, "sealed": COUNT, "outgoing": COUNT, "incoming": COUNT}),
        ]
    },
    "replay": REPLAYED,
    "audit": _object(
        {
            "ok": FLAG,
            "events": COUNT,
            "replicas": REPLICAS,
            "tasks": _list(AUDITED),
            "findings": _list(FINDING),
        }
    ),
    "verify": _object(
        {"ok": FLAG, "events": COUNT, "state": ID, "replicas": REPLICAS, "findings": _list(FINDING)}
    ),
    "checkpoint": _object(
        {
            "path": MAYBE_TEXT,
            "at": TIME,
            "origin": ID,
            "events": COUNT,
            "root": ID,
            "ends": {"type": "object"},
            "signed": FLAG,
            "text": TEXT,
        }
    ),
    "doctor": _object({"facts": {"type": "object"}, "findings": _list(FINDING), "repaired": _list(TEXT)}),
    "blob": {
        "anyOf": [
            _object({"sha256": ID, "size": COUNT, "text": TEXT}),
            _object({"blobs": COUNT, "findings": _list(FINDING)}),
        ]
    },
    "resolve": {"anyOf": [WRITE, _object({"replica": TEXT, "event": ID, "ends": _list(ID)})]},
    "redact": _object({"sha256": ID, "event": ID}),
    "backup": _object({"path": TEXT, "size": COUNT, "events": COUNT}),
    "restore": _object({**_CAME_IN, "store": TEXT, "replica": TEXT, "restored": FLAG}),
    "conflicts": _object({"conflicts": _list(CONFLICT), "more": COUNT}),
    "rebuild": _object(
        {
            "events": COUNT,
            "hash_before": TEXT,
            "hash_after": TEXT,
            "same": FLAG,
            "seconds": {"type": "number"},
        }
    ),
    "demo": _object({"checks": _list(_object({"check": TEXT, "ok": FLAG})), "tasks": COUNT, "events": COUNT}),
    "help": _object({"topic": TEXT, "text": TEXT}),
    "completion": _object({"shell": TEXT, "script": TEXT}),
}


EVENT_LINES = ("log", "tail", "replay")


def _with_notices(answer: Schema) -> Schema:
    """Every answer may carry `notices`: what is new for who asked."""
    if "anyOf" in answer:
        return {**answer, "anyOf": [_with_notices(kind) for kind in answer["anyOf"]]}
    return {**answer, "properties": {**answer["properties"], "notices": _list(TEXT)}}


def document() -> Schema:
    """Everything as one JSON Schema: `$defs` holds an entry for each command, `error`, `event` and `task`."""
    answers = {
        name: answer if name in EVENT_LINES else _with_notices(answer) for name, answer in ANSWERS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "crewlog: answers of commands with --json",
        "description": "$defs has an entry a command; `log` and `tail` print one object a line.",
        "$defs": {**answers, "error": ERROR, "event": EVENT, "task": TASK_ROW, "task_full": TASK_FULL},
    }
