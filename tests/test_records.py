"""Typed records and enums: what a type checker sees of them, and what they are at run time."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from paude_venv_hook.records import Enum, NamedTuple


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 7

    @property
    def total(self) -> int:
        """Both together."""
        return self.x + self.y


class NamedPoint(Point):
    """A point with more than fields."""

    name = "P"
    others: ClassVar[list[Point]] = []


class Colour(Enum):
    """A kind."""

    RED = "like blood"
    DARK_BLUE = "like the night"


def test_a_record_is_a_tuple_with_names_defaults_and_methods() -> None:
    point = Point(1)

    assert point == (1, 7)
    assert (point.x, point.total) == (1, 8)
    assert point._replace(y=2) == Point(1, 2)
    assert repr(point) == "Point(x=1, y=7)"
    assert (Point.__doc__, Point.__module__) == ("A place.", __name__)


def test_a_record_takes_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]  # the point of it
    with pytest.raises(AttributeError):
        Point(1).x = 3  # type: ignore[misc]  # as above


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"z": 1}), ((1, 2), {"y": 3}), ((), {"y": 3}), ((1,), {"x": 1})],
)
def test_a_record_is_made_of_its_fields_alone(values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="Point takes x, y"):
        Point(*values, **named)
    with pytest.raises(TypeError):
        Point(1)._replace(z=1)  # type: ignore[call-arg]  # as above


def test_a_record_can_be_copied_and_hashed() -> None:
    point = Point(x=1, y=2)

    assert copy.deepcopy(point) == point
    assert type(copy.copy(point)) is Point
    assert {point: 1}[Point(1, 2)] == 1
    assert point._asdict() == {"x": 1, "y": 2}
    assert Point._fields == ("x", "y")


def test_a_class_made_of_a_record_has_its_fields() -> None:
    point = NamedPoint(1)._replace(y=5)

    assert point == (1, 5)
    assert (type(point), point.name, point.total) == (NamedPoint, "P", 6)


def test_the_members_of_an_enum_are_themselves_alone() -> None:
    assert list(Colour) == [Colour.RED, Colour.DARK_BLUE]
    assert [(colour.name, colour.value) for colour in Colour] == [
        ("RED", "like blood"),
        ("DARK_BLUE", "like the night"),
    ]
    assert {Colour.RED: 1}[Colour.RED] == 1
    assert Colour.RED not in (Colour.DARK_BLUE, "like blood")
    assert repr(Colour.RED) == "Colour.RED"
    assert isinstance(Colour.RED, Colour)


def test_a_type_checker_sees_the_fields_of_every_record(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    expressions = {
        'Shadow("a", "b", "c", Kind.VENV)': "",
        "Shadow(1, 2, 3, None, object())": "arg-type",
        'Shadow("a", "b", "c", "venv")': "arg-type",
        "Shadow()": "call-arg",
    }
    program = tmp_path / "program.py"
    imports = "from paude_venv_hook.plan import Shadow; from paude_venv_hook.workspace.contents import Kind\n"
    program.write_text(imports + "".join(f"{expression}\n" for expression in expressions))
    flags = ["--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, str(program)],
        env={"MYPYPATH": str(Path(__file__).parents[1] / "hook"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    problems = dict.fromkeys(range(2, 2 + len(expressions)), "")
    for line, kind in re.findall(r"program\.py:(\d+): error: .*\[(.*)\]$", done.stdout, re.MULTILINE):
        problems[int(line)] = kind

    assert list(problems.values()) == list(expressions.values()), done.stdout + done.stderr
