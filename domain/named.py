"""`NamedTuple` as of `typing`, made at a tenth of its price: a short command makes seventy of these classes.

`typing` checks every annotation, and compiles a constructor for every class. Here annotations are taken as they stand,
and a constructor is compiled when the first tuple of its class is made, which of most never happens. Type checkers see
`typing.NamedTuple`, and what a class can do is the same; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple, Self  # noqa: TID251 - what this module stands for
else:
    from _collections import _tuplegetter

    class _Made(type):
        """Makes a class of tuples from the annotations in a class body."""

        def __new__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, space)
            fields = (*space.get("__annotations__", ()),)
            defaults = {field: space.pop(field) for field in fields if field in space}
            for place, field in enumerate(fields):
                space[field] = _tuplegetter(place, "")
            space |= {
                "__slots__": (),
                "__match_args__": fields,
                "__new__": _compiled_when_called,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return type(name, (_Tuple,), space)

    class NamedTuple(metaclass=_Made):
        """The base that a class body names."""


class _Tuple(tuple[Any, ...]):
    """What all named tuples can do."""

    __slots__ = ()
    if TYPE_CHECKING:  # else they were hints of every class
        _fields: tuple[str, ...]
        _field_defaults: dict[str, Any]

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **changes: Any) -> Self:
        made = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise ValueError(f"Got unexpected field names: {[*changes]!r}")
        return made

    __replace__ = _replace

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({fields})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (*self,)


def _compiled_when_called(cls: type[_Tuple], *values: Any, **named: Any) -> Any:
    """The constructor of a class until it is first called; then that class has one of its own."""
    owner: Any = next(base for base in cls.__mro__ if "_fields" in base.__dict__)
    made = _constructor(owner)
    owner.__new__ = staticmethod(made)
    return made(cls, *values, **named)


def _constructor(owner: type[_Tuple]) -> Any:
    """What `collections.namedtuple` makes, in the same way: nothing else is as quick to call."""
    given = ", ".join(owner._fields)
    listed = f"({given},)" if given else "()"
    space: dict[str, Any] = {
        "_new": tuple.__new__,
        "__builtins__": {},
        "__name__": f"named tuple {owner.__name__}",
    }
    source = f"lambda _cls, {given}: _new(_cls, {listed})"
    # The fields are names that stood in a class body: nobody else's text is compiled.
    made: Any = eval(source, space)  # noqa: S307 - as above
    made.__name__ = "__new__"
    made.__qualname__ = f"{owner.__qualname__}.__new__"
    made.__defaults__ = (*owner._field_defaults.values(),)
    return made


__all__ = ["NamedTuple"]
