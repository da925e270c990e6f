"""Named tuples of ours do what those of `typing` do."""

from __future__ import annotations

import copy
import pickle
import typing
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from domain import named


class Ours(named.NamedTuple):
    new: int
    word: str = "a"
    rest: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        return 2 * self.new


class Typings(typing.NamedTuple):
    new: int
    word: str = "a"
    rest: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        return 2 * self.new


class Nothing(named.NamedTuple):
    pass


def matched(value: Any) -> Any:
    match value:
        case Ours(new, word) | Typings(new, word):
            return new, word
        case _:
            return None


WAYS: dict[str, Callable[[Any], Any]] = {
    "made": lambda cls: (cls(1), cls(1, "b"), cls(new=1, rest=(2,)), cls(1, "b", (3,))),
    "text": lambda cls: repr(cls(1)).partition("(")[2],
    "parts": lambda cls: (cls(1).new, cls(1).word, cls(1)[0], [*cls(1)], len(cls(1))),
    "own": lambda cls: (cls(4).twice, hash(cls(1)), cls(1) == (1, "a", ()), cls(1) < cls(2)),
    "replaced": lambda cls: cls(1)._replace(word="c"),
    "from values": lambda cls: cls._make([1, "d", ()]),
    "as dict": lambda cls: cls(1)._asdict(),
    "fields": lambda cls: (cls._fields, cls._field_defaults, cls.__match_args__, get_type_hints(cls)),
    "copies": lambda cls: (copy.deepcopy(cls(1)), pickle.loads(pickle.dumps(cls(1)))),  # noqa: S301 - its own
    "matched": lambda cls: matched(cls(7)),
}
MISTAKES: dict[str, Callable[[Any], Any]] = {
    "too few": lambda cls: cls(),
    "too many": lambda cls: cls(1, "b", (), 4),
    "unknown": lambda cls: cls(1, other=2),
    "twice": lambda cls: cls(1, new=2),
    "values": lambda cls: cls._make([1]),
    "replaced": lambda cls: cls(1)._replace(other=2),
    "set": lambda cls: setattr(cls(1), "new", 2),
    "new name": lambda cls: setattr(cls(1), "other", 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_named_tuple_of_ours_does_what_that_of_typing_does(way: str) -> None:
    assert WAYS[way](Ours) == WAYS[way](Typings)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_typing_refuses_is_refused_alike(mistake: str) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)) as theirs:
        MISTAKES[mistake](Typings)

    with pytest.raises(type(theirs.value)) as ours:
        MISTAKES[mistake](Ours)

    if mistake not in {"set", "new name"}:  # these name the class
        assert str(ours.value) == str(theirs.value).replace("Typings", "Ours")


def test_a_class_without_fields_makes_an_empty_tuple() -> None:
    assert Nothing() == ()


def test_a_class_below_another_makes_tuples_of_its_own() -> None:
    class First(named.NamedTuple):
        number: int

    class Below(First):
        pass

    made = Below(3)

    assert (type(made), made.number, type(First(4))) == (Below, 3, First)
