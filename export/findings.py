"""What a look at the store found: a code, a place, a sentence, and what to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Finding(NamedTuple):
    """Something that is not as it should be. `line` counts from 1 and `offset` in bytes from 0; -1 where unknown."""

    code: str
    path: str
    message: str
    hint: str = ""
    line: int = -1
    offset: int = -1
    id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding in a JSON answer; what is unknown is left out."""
        known = {name: value for name, value in self._asdict().items() if value not in (-1, "")}
        return {"code": self.code, "path": self.path, "message": self.message, **known}
