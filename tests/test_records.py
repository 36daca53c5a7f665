"""Typed records: what a type checker sees of them, and what they are at run time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from paude_venv_hook.records import NamedTuple


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 7

    @property
    def total(self) -> int:
        """Both together."""
        return self.x + self.y


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
