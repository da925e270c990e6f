"""Names for other tools' actors: `gastown/polecats/furiosa` is `gastown.polecats.furiosa` here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from domain.names import RESERVED, is_name, near_name

_LONGEST = 64


class People:
    """Which name each actor has here. Two actors never share one: the later one gets a suffix.

    `known` are names that earlier imports gave, `originals` all actors of this one: who already is called as a name
    of ours is, keeps that name.
    """

    def __init__(self, known: Mapping[str, str], originals: Iterable[str] = ()) -> None:
        self._names = dict(known)
        self._taken = {name: original for original, name in known.items()}
        for original in originals:
            if is_name(original) and original not in RESERVED:
                self._take(original, original)

    def name(self, original: str) -> str:
        """The actor's name here."""
        if original not in self._names:
            self._take(original, self._free(original))
        return self._names[original]

    def _take(self, original: str, name: str) -> None:
        if self._taken.setdefault(name, original) == original:
            self._names.setdefault(original, name)

    def _free(self, original: str) -> str:
        digest = sha256(original.encode("utf-8", "replace")).hexdigest()
        near = near_name(original) or f"actor-{digest[:6]}"
        if near not in RESERVED and self._taken.get(near, original) == original:
            return near
        for length in range(4, len(digest)):
            suffixed = f"{near[: _LONGEST - length - 1]}-{digest[:length]}"
            if self._taken.get(suffixed, original) == original:
                return suffixed
        return f"actor-{digest[:58]}"
