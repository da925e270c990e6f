"""The registry of config keys: `.crewlog/config.toml` may hold these and no others; unknown ones are warned of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from domain.named import NamedTuple
from domain.refusals import Refusal
from domain.registry import BLOB_LIMIT


class Key(NamedTuple):
    """One setting: its section and name, the kind of its value, the default, what it does."""

    section: str
    name: str
    kind: Literal["boolean", "bytes", "duration", "choice", "text"]
    default: str | int | bool
    meaning: str
    choices: tuple[str, ...] = ()


KEYS = (
    Key(
        "review",
        "by",
        "choice",
        "other",
        "who may approve: `other`: anyone who did not work on it; `person`: of those, only who joined as a person; "
        "`signed`: of those, only with a signature by a key that the file `signers` knows",
        ("other", "person", "signed"),
    ),
    Key("liveness", "interval", "duration", "10s", "how often an agent that beats is expected to"),
    Key(
        "lease",
        "quiet",
        "duration",
        "30m",
        "how long an agent that never beats keeps its claim, from another host",
    ),
    Key(
        "git",
        "base",
        "text",
        "",
        "the branch that work goes into; empty: what the main worktree has checked out",
    ),
    Key("merge", "gate", "text", "", "a shell command that must pass on the merged tree; empty: none"),
    Key("merge", "timeout", "duration", "1h", "how long the gate may take"),
    Key("store", "queue", "boolean", True, "writers take turns; false is for a single agent"),
    Key("store", "wait", "duration", "60s", "how long a command waits for its turn"),
    Key("limits", "blob", "bytes", BLOB_LIMIT, "the largest text in bytes"),
)

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Config(NamedTuple):
    """The settings in force; durations in seconds."""

    review_by: str = "other"
    interval: float = 10.0
    quiet: float = 1_800.0
    base: str = ""
    gate: str = ""
    gate_timeout: float = 3_600.0
    queue: bool = True
    wait: float = 60.0
    blob: int = BLOB_LIMIT


def template() -> str:
    """The file that `init` writes: every key with its default, as a comment."""
    lines = ["# Settings of this crew. Each line shows the default; remove the # to change it.", ""]
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines.append(f"# [{section}]")
        choices = f"  # {' | '.join(key.choices)}" if key.choices else ""
        lines.append(f"# {key.name} = {_toml(key.default)}{choices}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def load(document: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """The settings of a parsed file, and a warning for each key that nobody knows.

    Raises Refusal `bad-value`, also for a setting of ours outside of its section: it must not fail to be in force unseen.
    """
    known = {(key.section, key.name): key for key in KEYS}
    values: dict[tuple[str, str], Any] = {pair: key.default for pair, key in known.items()}
    warnings: list[str] = []
    for section, members in document.items():
        if not isinstance(members, dict):
            _check_astray(section, section)
            warnings.append(f"config.toml: unknown key {section}")
            continue
        for name, value in cast("dict[str, Any]", members).items():
            if (section, name) in known:
                values[section, name] = value
            else:
                _check_astray(name, f"[{section}] {name}")
                warnings.append(f"config.toml: unknown key [{section}] {name}")
    read = {pair: _value(known[pair], value) for pair, value in values.items()}
    return (
        Config(
            review_by=read["review", "by"],
            interval=read["liveness", "interval"],
            quiet=read["lease", "quiet"],
            base=read["git", "base"],
            gate=read["merge", "gate"],
            gate_timeout=read["merge", "timeout"],
            queue=read["store", "queue"],
            wait=read["store", "wait"],
            blob=read["limits", "blob"],
        ),
        warnings,
    )


def _check_astray(name: str, where: str) -> None:
    """Refuse a setting of ours that stands in no section, or in another one."""
    meant = [key for key in KEYS if key.name == name]
    if meant:
        lines = " or ".join(
            f"`{name} = {_toml(key.default)}` below a line `[{key.section}]`" for key in meant
        )
        raise Refusal(
            "bad-value", f"config.toml: unknown key {where}", f"It belongs into its section: {lines}."
        )


def _value(key: Key, value: Any) -> Any:
    if key.kind == "boolean" and isinstance(value, bool):
        return value
    if key.kind == "bytes" and type(value) is int and 0 < value <= 2**30:
        return value
    if key.kind == "text" and isinstance(value, str):
        return value
    if key.kind == "choice" and value in key.choices:
        return value
    if key.kind == "duration" and isinstance(value, str):
        return duration(value, f"[{key.section}] {key.name}")
    wanted = " or ".join(key.choices) or f"a {key.kind} like {_toml(key.default)}"
    raise Refusal("bad-value", f"config.toml: [{key.section}] {key.name} must be {wanted}", "Mend that line.")


def duration(text: str, what: str = "duration") -> float:
    """Seconds of `90`, `10s`, `30m`, `2h`, `7d`. Raises Refusal `bad-value`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 10**9:
        raise Refusal("bad-value", f"{what} {text[:40]!r} is no duration", "Examples: 10s, 30m, 2h, 7d.")
    return seconds
