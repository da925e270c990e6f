"""A process as an event remembers it: enough to tell later whether it is this one, still there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

LARGEST_PID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Process:
    """A process of one machine. What the machine could not say is "".

    `started` is its start in clock ticks since boot, `boot` the kernel's boot id, `namespace` the pid namespace
    (`pid:[4026531836]`), `host` the machine's name. All of them together never name two processes. `age`: how many
    seconds it had lived when it was found among a command's ancestors; None for one that somebody named.
    """

    pid: int
    started: str = ""
    boot: str = ""
    namespace: str = ""
    host: str = ""
    age: int | None = field(default=None, compare=False)

    @property
    def session(self) -> str:
        """What its own events bear as their session, unless CREWLOG_SESSION says another."""
        return f"{self.pid}.{self.started}"

    def as_dict(self) -> dict[str, int | str]:
        """The object in an event's payload."""
        return {
            "pid": self.pid,
            "started": self.started,
            "boot": self.boot,
            "namespace": self.namespace,
            "host": self.host,
            **({} if self.age is None else {"age": self.age}),
        }

    @classmethod
    def from_dict(cls, value: object) -> Process | None:
        """The process that `as_dict` described; None for anything else: events come from other machines too."""
        if not isinstance(value, dict):
            return None
        fields = cast("dict[object, object]", value)
        pid = fields.get("pid")
        texts = [fields.get(name, "") for name in ("started", "boot", "namespace", "host")]
        if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid <= LARGEST_PID:
            return None
        started, boot, namespace, host = (text if isinstance(text, str) else "" for text in texts)
        age = fields.get("age")
        found = age if isinstance(age, int) and not isinstance(age, bool) and age >= 0 else None
        return cls(pid, started, boot, namespace, host, found)
