"""Names, addresses, labels, slugs and task ids: what they may look like, as typed and as stored."""

from __future__ import annotations

from functools import lru_cache

from domain.refusals import Refusal

NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
SLUG_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
LABEL_LIMIT = 64
RESERVED = ("all", "people", "anyone")

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_NAME = _LOWER | frozenset("._-")
_ALNUM = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SLUG = _ALNUM | frozenset("._-")
_BASE32 = "abcdefghijkmnpqrstuvwxyz23456789"
TASK_PREFIX = "t-"
TASK_DIGITS = 8


def is_name(text: str) -> bool:
    """True for the name of an agent or a person: NAME_PATTERN."""
    return 0 < len(text) <= 64 and _is_name(text)


@lru_cache(4_096)
def _is_name(text: str) -> bool:
    """A log says the same few names again and again."""
    return text[0] in _LOWER and _NAME.issuperset(text)


def check_name(text: str, what: str = "name") -> str:
    """The name unchanged, or a Refusal `bad-name` that suggests one that would do."""
    if text in RESERVED:
        message = f"{text!r} means more than one person and cannot be a {what}"
        raise Refusal("bad-name", message, f"Choose another one: {text}-1.", given=text)
    if is_name(text):
        return text
    near = near_name(text)
    hint = f"Use lower-case letters, digits, '.', '_' and '-', at most 64{f': {near}' if near else ''}."
    raise Refusal(
        "bad-name", f"{what} {text[:80]!r} is not a name like {NAME_PATTERN}", hint, given=text[:200]
    )


def near_name(text: str) -> str:
    """The closest legal name, or "" where nothing is left of `text`."""
    lowered = "".join(c if c in _NAME else "." for c in text.lower())
    return lowered.lstrip("._-")[:64].rstrip(".")


def is_slug(text: str) -> bool:
    """True for a slug: SLUG_PATTERN without `..`, so that it can never climb out of a folder."""
    return 0 < len(text) <= 64 and text[0] in _ALNUM and _SLUG.issuperset(text) and ".." not in text


def check_slug(text: str) -> str:
    """The slug unchanged, or a Refusal `bad-value`. A slug must not look like a task id."""
    if is_slug(text) and not is_task_id(text):
        return text
    raise Refusal("bad-value", f"slug {text[:80]!r} is not like {SLUG_PATTERN}", "Example: --slug fix-login")


def check_label(text: str) -> str:
    """The label unchanged, or a Refusal `bad-value`: 1 to 64 printable characters, no space, no comma."""
    if 0 < len(text) <= LABEL_LIMIT and text.isprintable() and not any(c.isspace() or c == "," for c in text):
        return text
    message = f"label {text[:80]!r} must be 1 to {LABEL_LIMIT} printable characters without space or comma"
    raise Refusal("bad-value", message, "Example: --label type:bug")


def is_task_id(text: str) -> bool:
    """True for a whole task id: `t-` and 8 characters base32 (without 0, 1, l, o)."""
    digits = text[len(TASK_PREFIX) :]
    return text.startswith(TASK_PREFIX) and len(digits) == TASK_DIGITS and all(c in _BASE32 for c in digits)


def task_id(digest: bytes, prefix: str = TASK_PREFIX) -> str:
    """The task id from at least 5 bytes of a hash; a message's with its own prefix."""
    number = int.from_bytes(digest[:5], "big")
    return prefix + "".join(_BASE32[number >> 5 * i & 31] for i in reversed(range(TASK_DIGITS)))


def stored_address(typed: str) -> str:
    """What is stored for an address as typed: `bob`, `+ops` → `#ops`, `all` → `*`, `people` → `#people`."""
    if typed == "all":
        return "*"
    if typed == "people":
        return "#people"
    if typed.startswith("+"):
        return "#" + check_name(typed[1:], "channel")
    return check_name(typed, "address")


def is_stored_address(text: str) -> bool:
    """True for a name, a `#channel` or `*`."""
    return text == "*" or is_name(text.removeprefix("#"))
