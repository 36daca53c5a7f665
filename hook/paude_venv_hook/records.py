"""Typed records: `typing.NamedTuple` for type checkers, and `collections.namedtuple` at run time.

To import typing would add a sixth to the time of a whole run; this adds a hundredth.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 - a type checker wants it said that it is passed on
else:

    class _RecordType(type):
        """Makes a namedtuple of a class: its fields are the annotations, with the defaults that stand beside them."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:  # NamedTuple itself
                return super().__new__(cls, name, bases, body)
            fields = body["__annotations__"]
            defaults = [body[field] for field in fields if field in body]
            record = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key, value in body.items():
                if key not in fields:
                    setattr(record, key, value)
            return record

    class NamedTuple(metaclass=_RecordType):
        """The base of a record, which is written as one of typing's."""
