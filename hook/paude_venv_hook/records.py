"""Typed records and enums: typing's and enum's for type checkers, and less at run time, since each run makes them anew.

A whole run would take a sixth more to import typing, a twentieth to have its records made by `collections.namedtuple`,
which compiles code for each, and a fiftieth to have its kinds made by `enum`.
"""

from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from enum import Enum as Enum  # noqa: PLC0414 - a type checker wants it said that it is passed on
    from typing import Any
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 - as above
else:

    class _RecordType(type):
        """Makes fields of the annotations of a class, with the defaults that stand beside them."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if bases == (tuple,) or hasattr(bases[0], "_fields"):  # NamedTuple itself, or a class made of a record
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            places = {field: property(itemgetter(index)) for index, field in enumerate(fields)}
            own = {"__slots__": (), "_fields": fields, "_field_defaults": defaults}
            return super().__new__(cls, name, bases, {**body, **places, **own})

    class NamedTuple(tuple, metaclass=_RecordType):
        """The base of a record, which is written as one of typing's."""

        __slots__ = ()

        def __new__(cls, *values: Any, **named: Any) -> Any:
            """Make a record of the values of its fields."""
            if named or len(values) != len(cls._fields):
                values = cls._complete(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _complete(cls, values: Sequence[Any], named: dict[str, Any]) -> list[Any]:
            """Return the values of all fields; TypeError if one is missing, unknown or said twice."""
            rest = cls._fields[len(values) :]
            given = {**cls._field_defaults, **named}
            if len(values) > len(cls._fields) or not named.keys() <= set(rest) <= given.keys():
                raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}")
            return [*values, *map(given.__getitem__, rest)]

        def __getnewargs__(self) -> tuple[Any, ...]:
            """Return of what a copy is made."""
            return tuple(self)

        def __repr__(self) -> str:
            """Return it as it is written."""
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes: Any) -> NamedTuple:
            return type(self)(**{**self._asdict(), **changes})

    class _EnumType(type):
        """Makes a member of each name in capitals."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            enum = super().__new__(cls, name, bases, body)
            for key, value in body.items():
                if key.isupper():
                    member = enum()
                    member.name, member.value = key, value
                    setattr(enum, key, member)
            return enum

        def __iter__(cls) -> Iterator[Any]:
            return (member for member in vars(cls).values() if isinstance(member, cls))

    class Enum(metaclass=_EnumType):
        """The base of an enum, whose members are compared with `is`."""

        def __repr__(self) -> str:
            """Return it as it is written."""
            return f"{type(self).__name__}.{self.name}"
