"""Typed records: what a type checker sees of them, and what they are at run time."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("expression", "is_right"),
    [
        ('Shadow("a", "b", "c", Kind.VENV)', True),
        ("Shadow(1, 2, 3, None, object())", False),
        ('Shadow("a", "b", "c", "venv")', False),
        ("Shadow()", False),
    ],
)
def test_a_type_checker_sees_the_fields_of_every_record(expression: str, is_right: bool, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    program = tmp_path / "program.py"
    imports = "from paude_venv_hook.plan import Shadow\nfrom paude_venv_hook.workspace.found import Kind\n"
    program.write_text(f"{imports}\nprint({expression})\n")
    package = Path(__file__).parents[1] / "hook"
    flags = ["--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, str(program)],
        env={"MYPYPATH": str(package), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) is is_right, done.stdout + done.stderr
    if not is_right:
        assert "[arg-type]" in done.stdout or "[call-arg]" in done.stdout
