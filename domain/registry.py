"""The one registry of event types: payload fields and their limits, what `on` names, who may write it, `to`.

`docs/data-model.md` is generated from it, and nothing is appended that it does not know. A stored type name is a
contract: it never changes, whatever happens to the code.
"""

from __future__ import annotations

from typing import cast

from domain.event import VERSION, Event, Json, is_id, is_time
from domain.named import NamedTuple
from domain.names import LABEL_LIMIT, is_name, is_slug, is_task_id
from domain.refusals import Refusal

TEXT_INLINE = 4_096
BLOB_LIMIT = 10 * 1024 * 1024
TITLE_LIMIT = 500
LINE_TEXT_LIMIT = 500
LABELS_LIMIT = 32
LINKS_LIMIT = 64
BRANCH_LIMIT = 255
PATHS_LIMIT = 64
PATH_LIMIT = 1_024
CONFLICTS_LIMIT = 128  # as many as fit into a line
LINK_KIND_LIMIT = 32
LINK_TO_LIMIT = 64
PRIORITY_LAST = 9
PRIORITY_DEFAULT = 2
PREVIEW = 480
_ARMOUR = "-----BEGIN SSH SIGNATURE-----\n"
ACTOR_LIMIT = 200
SYSTEM_LIMIT = 32
_BREAKS = "\x7f\x85\u2028\u2029"  # what ends a line for some reader, beside the control characters below 32


class Field(NamedTuple):
    """A payload field. `limit` counts characters for texts, members for lists, the largest value for integers."""

    name: str
    kind: str
    limit: int
    meaning: str
    required: bool = False
    nullable: bool = False

    @property
    def large(self) -> bool:
        """True for a text that becomes a blob with a preview when it is over TEXT_INLINE bytes."""
        return self.kind == "text"


class EventType(NamedTuple):
    """What the log knows of one type of event."""

    name: str
    stream: str
    meaning: str
    fields: tuple[Field, ...] = ()
    on: tuple[str, ...] = ()
    who: str = "anyone"
    to: str = "*"
    instead: str = ""  # what it acts on while a merging is open


_REASON = Field("reason", "text", BLOB_LIMIT, "why")
_TITLE = Field("title", "line", TITLE_LIMIT, "one line that says what is to be done")
_BODY = Field("body", "text", BLOB_LIMIT, "all that the worker must know")
_PRIORITY = Field("priority", "integer", PRIORITY_LAST, "0 first")
_SLUG = Field("slug", "slug", 64, "an alias that people type; need not be unique")
_ASSIGNEE = Field("assignee", "name", 64, "who shall do it; null: anyone", nullable=True)
_PROCESS = Field(
    "process",
    "object",
    8,
    "the session process: pid, started, boot, namespace, host; age in seconds where it was found, not named",
)
_COMMIT = Field("commit", "commit", 64, "the commit that holds the work")
_BRANCH = Field("branch", "line", BRANCH_LIMIT, "the branch that the work is on")
_BASE = Field("base", "line", BRANCH_LIMIT, "the branch that the work goes into")
_BASE_COMMIT = Field("base_commit", "commit", 64, "where the base was")
_MERGE = Field("merge", "commit", 64, "the merge commit")
_COUNT = Field("count", "integer", 2**53 - 1, "how many")
_GATE = (
    Field("gate", "text", BLOB_LIMIT, "the command that was run on the merged tree"),
    _COUNT._replace(name="gate_exit", meaning="its exit code; 128 + N: ended by signal N"),
    Field("gate_output", "text", BLOB_LIMIT, "the end of its output"),
)
_FORKED = (
    _BRANCH._replace(meaning="the branch of the work, where it is not `crew/<task>-<8 of this id>`"),
    _BASE,
    Field("fork", "commit", 64, "the commit that the branch begins at; without it there is no branch"),
)
_TIME = Field("at", "time", 27, "when, in the source")
_LABELS = Field("labels", "labels", LABELS_LIMIT, "words to filter by")
_ADD_LABELS = Field("add_labels", "labels", LABELS_LIMIT, "labels that it has now")
_REMOVE_LABELS = Field("remove_labels", "labels", LABELS_LIMIT, "labels that it has no more")
_LINKS = Field(
    "links", "links", LINKS_LIMIT, "the tasks that it is bound to; a `to` that is no task id is not here"
)

_CARD = (
    _TITLE._replace(required=True),
    _BODY,
    _PRIORITY._replace(required=True),
    _ASSIGNEE._replace(required=True),
    _LABELS,
    _SLUG,
)

# What an import keeps of where something comes from. Nothing here is looked up in the source again.
_BY = Field("by", "name", 64, "who, as a name of ours")
_ACTOR = Field("actor", "line", ACTOR_LIMIT, "who, as the source writes it, where that is no name of ours")
_SOURCE = Field("source", "object", 1_000, "the rest of the source's record, verbatim")
_RAW = Field(
    "raw", "text", BLOB_LIMIT, "the whole line of the source, where `source` cannot hold it verbatim"
)
_DIGEST = Field("digest", "line", 64, "hash of what the source says, to see later whether it has changed")
_ENTRY = (_TIME, _BY, _ACTOR, _SOURCE, _RAW, _DIGEST)
_SOURCE_STATE = (
    Field("created", "time", 27, "when it was made there"),
    _BY._replace(meaning="who made it, as a name of ours"),
    _ACTOR,
    Field("status", "line", 64, "its status in the source"),
    Field("assigned", "line", ACTOR_LIMIT, "the assignee as the source writes it"),
    Field("updated", "time", 27, "when it was last changed there"),
    Field("ended", "time", 27, "when it came to rest there"),
    Field("ended_by", "line", ACTOR_LIMIT, "who brought it to rest, as the source writes it"),
    _REASON,
    _SOURCE,
    _RAW,
    _DIGEST._replace(required=True),
)

TASK_TYPES = (
    EventType(
        "task.spawned",
        "task",
        "A task was created.",
        (
            *_CARD,
            Field("after", "tasks", LINKS_LIMIT, "tasks that must be COMPLETED before this one is ready"),
            Field("parent", "task", 10, "the task that it is a part of"),
        ),
        to="the assignee, else *",
    ),
    EventType(
        "task.started",
        "task",
        "Someone took the task. The id of this event is the claim.",
        (_PROCESS, *_FORKED),
        ("attempt",),
        "the assignee; anyone where there is none",
    ),
    EventType(
        "task.resumed",
        "task",
        "The holder's name took a new claim; the old one is stale. The id of this event is the claim.",
        (_PROCESS, *_FORKED),
        ("claim",),
        "the holder's name",
    ),
    EventType(
        "task.submitted",
        "task",
        "The holder says that the work is done. The id of this event is the submission.",
        (
            Field("evidence", "text", BLOB_LIMIT, "why one may believe it"),
            _COMMIT,
            _BRANCH,
            _BASE,
            _BASE_COMMIT._replace(meaning="where the work left the base"),
            _COUNT._replace(name="commits", meaning="how many commits are on the branch and not in the base"),
            _COUNT._replace(name="files", meaning="how many files they change"),
            _COUNT._replace(name="added", meaning="lines added"),
            _COUNT._replace(name="removed", meaning="lines removed"),
            _COUNT._replace(name="uncommitted", meaning="changes that were left out, with `--allow-dirty`"),
            Field("check", "text", BLOB_LIMIT, "the command that `--check` ran in the worktree"),
            _COUNT._replace(name="check_exit", meaning="its exit code; 128 + N: ended by signal N"),
            Field("check_output", "text", BLOB_LIMIT, "the end of its output"),
            Field("ran", "text", BLOB_LIMIT, "what the holder states to have run; nobody looked"),
        ),
        ("claim",),
        "the holder",
        "the spawner",
    ),
    EventType(
        "task.withdrawn",
        "task",
        "The holder took the submission back.",
        (_REASON,),
        ("submission",),
        "the holder",
    ),
    EventType(
        "task.rejected",
        "task",
        "A reviewer sent the work back: to the holder, or with `assignee` to someone new.",
        (_REASON._replace(required=True), _ASSIGNEE),
        ("submission",),
        "anyone but the holder",
        "the holder, or the new assignee",
    ),
    EventType(
        "task.approved",
        "task",
        "A reviewer accepted the submission.",
        (
            Field("policy", "line", 16, "`[review] by` as it was in force", required=True),
            Field("signature", "signature", 3_000, "of task, submission and commit, by `ssh-keygen -Y`"),
            _COMMIT,
            Field("note", "text", BLOB_LIMIT, "what the reviewer remarked"),
        ),
        ("submission",),
        "anyone but the holder, an earlier holder of this attempt and the submitter",
    ),
    EventType(
        "task.merging",
        "task",
        "The merge commit is built and about to become the base. Until `task.merged` or `task.merge-failed` nothing else "
        "happens to the task; `merge` finishes it after a crash.",
        (
            _COMMIT._replace(required=True),
            _BASE._replace(required=True),
            _BASE_COMMIT._replace(required=True),
            _MERGE._replace(required=True),
            Field(
                "ident", "line", LINE_TEXT_LIMIT, "author and committer of the merge commit", required=True
            ),
            Field("when", "integer", 2**53 - 1, "its time: seconds since 1970, UTC", required=True),
            *_GATE,
        ),
        ("submission",),
    ),
    EventType(
        "task.merged",
        "task",
        "The approved work is in: the task is COMPLETED. Without `merge` there was nothing to merge.",
        (_COMMIT, _BASE, _MERGE),
        ("submission",),
        instead="merging",
    ),
    EventType(
        "task.merge-failed",
        "task",
        "The approved work could not be brought in; it stays approved.",
        (
            _REASON._replace(required=True),
            Field("kind", "line", 16, "`conflict`, `gate`, `base`: what was in the way", required=True),
            _BASE,
            _BASE_COMMIT,
            Field("files", "paths", PATHS_LIMIT, "what conflicts, at most so many"),
            *_GATE,
        ),
        ("submission",),
        to="the holder",
        instead="merging",
    ),
    EventType(
        "task.cleaned",
        "task",
        "A branch of an attempt that was given up was removed. Its commits stay: `refs/crewlog/<task>/<commit>`.",
        (_BRANCH._replace(required=True), _COMMIT._replace(required=True, meaning="where it was")),
    ),
    EventType("task.cancelled", "task", "The task is no longer wanted.", (_REASON,), ("attempt",)),
    EventType(
        "task.failed",
        "task",
        "The holder could not do it.",
        (_REASON._replace(required=True),),
        ("claim",),
        "the holder",
        "the spawner",
    ),
    EventType(
        "task.released",
        "task",
        "The task was given back, by its holder or, with `forced`, by someone else.",
        (_REASON, Field("forced", "boolean", 1, "true when someone else gave it back")),
        ("claim",),
        "the holder; anyone with a reason",
    ),
    EventType(
        "task.expired",
        "task",
        "The holder was lost and the task went back; the third time in one attempt it became FAILED.",
        (
            Field("holder", "name", 64, "who held it", required=True),
            Field("silence", "integer", 2**53 - 1, "seconds since the last sign of life", required=True),
            Field("why", "line", LINE_TEXT_LIMIT, "how one knows", required=True),
        ),
        ("claim",),
        "anyone, in the store that recorded the claim",
        "the holder",
    ),
    EventType(
        "task.retried",
        "task",
        "A failed or cancelled task is to be done after all. The id of this event is the new attempt.",
        (_REASON,),
        ("attempt",),
    ),
    EventType(
        "task.assigned",
        "task",
        "The task is for someone else now, or for anyone.",
        (_ASSIGNEE._replace(required=True),),
        ("attempt",),
        to="the assignee, else *",
    ),
    EventType(
        "task.edited",
        "task",
        "Title, body, priority, slug or labels changed; absent fields did not.",
        (
            _TITLE,
            _BODY,
            _PRIORITY,
            _SLUG._replace(nullable=True),
            _ADD_LABELS,
            _REMOVE_LABELS,
        ),
    ),
    EventType(
        "task.noted",
        "task",
        "Someone wrote something down about the task; with `digest`, a comment that came along with an import.",
        (Field("text", "text", BLOB_LIMIT, "the note", required=True), *_ENTRY),
    ),
    EventType(
        "task.linked",
        "task",
        "The task is bound to another one. The id of this event is part of the link's.",
        (
            Field(
                "kind",
                "line",
                LINK_KIND_LIMIT,
                "after: waits for it; parent: is a part of it; relates",
                required=True,
            ),
            Field("to", "line", LINK_TO_LIMIT, "the other task", required=True),
        ),
    ),
    EventType(
        "task.unlinked",
        "task",
        "Links that the writer saw are taken off; a link that somebody made meanwhile stays.",
        (Field("links", "links", LINKS_LIMIT, "each with the id of the event that made it", required=True),),
    ),
    EventType(
        "task.progressed",
        "task",
        "The holder says how far the work is.",
        (
            Field("text", "text", BLOB_LIMIT, "what was done"),
            Field("percent", "integer", 100, "how much of it"),
        ),
        ("claim",),
        "the holder",
    ),
    EventType(
        "task.resolved",
        "task",
        "Somebody dealt with what two clones did to the task at once.",
        (
            Field("conflicts", "events", CONFLICTS_LIMIT, "the events that are settled", required=True),
            Field("note", "text", BLOB_LIMIT, "how"),
        ),
    ),
)

IMPORT_TYPES = (
    EventType(
        "task.imported",
        "task",
        "An issue of another tool became a task, in the state that it had there. Nobody approved it here.",
        (
            *_CARD,
            _LINKS,
            Field("state", "line", 16, "ASSIGNED, COMPLETED, CANCELLED or FAILED", required=True),
            Field("system", "line", SYSTEM_LIMIT, "the tool: beads, tissue", required=True),
            Field("id", "line", LINE_TEXT_LIMIT, "its id there", required=True),
            *_SOURCE_STATE,
        ),
    ),
    EventType(
        "task.synced",
        "task",
        "The issue had changed in its source: absent fields had not, or were kept as they are here (`kept`).",
        (
            Field("changed", "labels", LABELS_LIMIT, "what the source had changed", required=True),
            Field("kept", "labels", LABELS_LIMIT, "of that, what had been changed here, too, and stays"),
            Field("seen", "object", 8, "a hash of the source's value for each field that was kept"),
            _TITLE,
            _BODY,
            _PRIORITY,
            _ASSIGNEE,
            Field("state", "line", 16, "the state that follows from its new status"),
            _ADD_LABELS,
            _REMOVE_LABELS,
            _LINKS._replace(name="add_links", meaning="links that it has now"),
            _LINKS._replace(name="remove_links", meaning="links that it has no more"),
            *_SOURCE_STATE,
        ),
        ("attempt",),
    ),
    EventType(
        "task.source-event",
        "task",
        "Something that had happened to the issue in its source: history, which changes nothing here.",
        (
            Field("kind", "line", 64, "what, in the source's word", required=True),
            Field("text", "text", BLOB_LIMIT, "what it came to"),
            *_ENTRY,
        ),
    ),
)

_CHANNEL = Field("channel", "name", 64, "the channel, without its sign", required=True)

AGENT_TYPES = (
    EventType(
        "agent.joined",
        "agent",
        "A name came to work here: an agent, or with `person` a human.",
        (Field("person", "boolean", 1, "true for a human"), _PROCESS),
        who="the name itself",
    ),
    EventType(
        "agent.left",
        "agent",
        "A name is done here; what it holds stays held until it is released or expires.",
        (_REASON,),
        who="the name itself",
    ),
    EventType(
        "agent.subscribed", "agent", "A name listens to a channel now.", (_CHANNEL,), who="the name itself"
    ),
    EventType(
        "agent.unsubscribed",
        "agent",
        "A name listens to a channel no more.",
        (_CHANNEL,),
        who="the name itself",
    ),
)

MAIL_TYPES = (
    EventType(
        "mail.sent",
        "mail",
        "Somebody said something to a name, a channel, people or all.",
        (
            Field("text", "text", BLOB_LIMIT, "what", required=True),
            Field("question", "boolean", 1, "true when an answer is waited for"),
            Field("needs_ack", "boolean", 1, "true when an ack is wanted"),
            Field("reply", "line", 64, "the message that this one replies to"),
            Field("task", "line", 64, "the task that it is about"),
        ),
        to="the addressee",
    ),
    EventType(
        "mail.acked", "mail", "An addressee has read it.", (), ("message",), "an addressee", "the sender"
    ),
    EventType(
        "mail.answered",
        "mail",
        "An addressee answered; that acks it, too.",
        (Field("text", "text", BLOB_LIMIT, "the answer", required=True),),
        ("message",),
        "an addressee",
        "the sender",
    ),
)

LOG_TYPES = (
    EventType(
        "log.redacted",
        "log",
        "A blob was taken out: its bytes are gone, its hash and the events that refer to it stay.",
        (
            Field("sha256", "line", 64, "which blob", required=True),
            _REASON._replace(required=True),
        ),
    ),
    EventType(
        "log.fork-settled",
        "log",
        "Two stores wrote under one id; what is covered by these ends of the chain's branches was dealt with.",
        (
            Field("replica", "name", 64, "whose chain forked", required=True),
            Field("ends", "events", CONFLICTS_LIMIT, "the last event of each branch", required=True),
            _REASON._replace(required=True),
        ),
    ),
    EventType(
        "log.pruned",
        "log",
        "Old pulses of one name were deleted: the only delete there is.",
        (
            Field("agent", "name", 64, "whose", required=True),
            Field("count", "integer", 2**53 - 1, "how many", required=True),
            Field("first", "line", 32, "time of the first one", required=True),
            Field("last", "line", 32, "time of the last one", required=True),
            Field(
                "longest_gap",
                "integer",
                2**53 - 1,
                "the longest silence between two of them, in ms",
                required=True,
            ),
        ),
    ),
)

PULSE_TYPES = (
    EventType(
        "agent.pulse",
        "pulse",
        "A sign of life. Hashed, in a table of its own, not chained, pruned after a while.",
        (
            Field("task", "line", 64, "the task that is worked on"),
            Field("claim", "line", 64, "the claim that is held"),
            Field("note", "line", LINE_TEXT_LIMIT, "what is being done"),
            _PROCESS._replace(meaning="the process that is watched, where it was named"),
        ),
        who="the name itself",
    ),
)

ALLOWED_SECRET = Field(
    "allowed_secret", "line", 64, "the rule that found a secret which `--allow-secret` let pass"
)


def _with_common_fields(kind: EventType) -> EventType:
    """Every type that carries text may say that a suspected secret was let pass."""
    if any(field.kind in ("line", "text") for field in kind.fields):
        return kind._replace(fields=(*kind.fields, ALLOWED_SECRET))
    return kind


EVENT_TYPES = {
    kind.name: _with_common_fields(kind)
    for kind in TASK_TYPES + IMPORT_TYPES + AGENT_TYPES + MAIL_TYPES + LOG_TYPES + PULSE_TYPES
}


def check_payload(type_name: str, payload: Json, on: Json) -> None:
    """Refuse (`bad-value`) a payload or an `on` that the registry does not allow for this type."""
    kind = EVENT_TYPES.get(type_name)
    if kind is None:
        raise Refusal("unknown-type", f"unknown event type {type_name[:80]!r}")
    if set(on) not in (set(kind.on), {kind.instead}):
        raise Refusal("bad-value", f"{type_name} must act on {', '.join(kind.on) or 'nothing'}")
    fields = {field.name: field for field in kind.fields}
    for name in payload:
        if name not in fields:
            raise Refusal("bad-value", f"{type_name} has no field {name[:80]!r}")
    _check_known_fields(kind, payload)


def check_shape(event: Event) -> None:
    """Refuse (`corrupt`) an event from elsewhere in which nothing but a defect or bad intent can have put what is there.

    Every crewlog looks before it writes; what slipped in would be in the log for ever, and views would have to show it.
    Types and fields that are not known here may come from a newer version, and pass.
    """
    kind = EVENT_TYPES.get(event.type)
    if kind is None or event.v > VERSION:
        return
    try:
        _check_known_fields(kind, event.payload)
    except Refusal as refusal:
        raise Refusal("corrupt", f"{event.type}: {refusal.message}", id=event.id) from refusal


def _check_known_fields(kind: EventType, payload: Json) -> None:
    for field in kind.fields:
        if field.name in payload:
            _check_field(field, payload[field.name])
        elif field.required:
            raise Refusal("bad-value", f"{kind.name} needs {field.name!r}")


def _check_field(field: Field, value: object) -> None:
    if value is None and field.nullable:
        return
    problem = _problem(field, value)
    if problem:
        raise Refusal("bad-value", f"{field.name} {problem}", field=field.name)


def _problem(field: Field, value: object) -> str:
    """What is wrong with the value, or ""."""
    if field.kind == "integer":
        return "" if type(value) is int and 0 <= value <= field.limit else f"must be 0 to {field.limit}"
    if field.kind == "boolean":
        return "" if isinstance(value, bool) else "must be true or false"
    if field.kind == "object":
        small = isinstance(value, dict) and len(cast("Json", value)) <= field.limit
        return "" if small else f"must be an object of at most {field.limit} members"
    if field.kind in ("labels", "tasks", "links", "paths", "events"):
        return _list_problem(field, value)
    if field.kind == "text" and isinstance(value, dict):
        return "" if is_blob(cast("Json", value)) else "is no blob reference"
    if not isinstance(value, str):
        return "must be text"
    return _text_problem(field, value)


def _text_problem(field: Field, value: str) -> str:
    if (field.required or field.kind == "line") and not value.strip():
        return "must not be empty"
    if field.kind == "name":
        return "" if is_name(value) else "must be a name"
    if field.kind == "task":
        return "" if is_task_id(value) else "must be a task id"
    if field.kind == "time":
        return "" if is_time(value) else "must be a time in UTC with microseconds"
    if field.kind == "slug":
        return "" if is_slug(value) else "must be a slug"
    if field.kind == "commit":
        return "" if is_commit(value) else "must be the whole hash of a commit"
    if field.kind == "signature":
        armoured = value.startswith(_ARMOUR) and value.isascii() and len(value) <= field.limit
        return "" if armoured else "must be an armoured SSH signature"
    if field.kind == "line" and any(ord(c) < 32 or c in _BREAKS for c in value):
        return "must be one line without control characters"
    if field.kind == "line" and len(value) > field.limit:
        return f"is {len(value):,} characters; the limit is {field.limit}"
    return ""


def _list_problem(field: Field, value: object) -> str:
    if not isinstance(value, list):
        return "must be a list"
    items = cast("list[object]", value)
    if len(items) > field.limit:
        return f"has {len(items)} members; the limit is {field.limit}"
    if field.kind == "links":
        return "" if all(_is_link(item) for item in items) else "must hold links: id, kind and to"
    if field.kind == "tasks" and not all(isinstance(item, str) and is_task_id(item) for item in items):
        return "must hold task ids"
    if field.kind == "events":
        return "" if all(is_id(item) for item in items) else "must hold whole event ids"
    longest = PATH_LIMIT if field.kind == "paths" else LABEL_LIMIT
    if not all(isinstance(item, str) and 0 < len(item) <= longest for item in items):
        return f"must hold texts of 1 to {longest} characters"
    return ""


def is_commit(value: str) -> bool:
    """True for a whole hash, SHA-1 or SHA-256: never for a name that git would look up."""
    return len(value) in (40, 64) and set(value) <= set("0123456789abcdef")


def _is_link(value: object) -> bool:
    """True for `{"id", "kind", "to"}`: a link with the event that made it; before there is one, `id` is left out."""
    if not isinstance(value, dict):
        return False
    link = cast("Json", value)
    if not {"kind", "to"} <= set(link) <= {"id", "kind", "to"} or not is_id(link.get("id", "0" * 64)):
        return False
    limits = ((link["kind"], LINK_KIND_LIMIT), (link["to"], LINK_TO_LIMIT))
    return all(
        isinstance(text, str) and not _text_problem(Field("", "line", limit, ""), text)
        for text, limit in limits
    )


def is_blob(value: Json) -> bool:
    """True for `{"blob": {"sha256", "size", "media_type"}, "preview": "…"}` and nothing more.

    The hash becomes a path when the blob is exported, so nothing but a hash passes.
    """
    if set(value) != {"blob", "preview"} or not isinstance(value["blob"], dict):
        return False
    blob = cast("Json", value["blob"])
    return (
        set(blob) == {"sha256", "size", "media_type"}
        and is_id(blob["sha256"])
        and type(blob["size"]) is int
        and blob["size"] >= 0
        and isinstance(blob["media_type"], str)
        and isinstance(value["preview"], str)
    )
