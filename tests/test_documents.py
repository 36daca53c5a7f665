"""What CONTRIBUTING and SECURITY say of this repository is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_each_path_that_is_named_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"(?<![\w/.])(?:\.ci|hook|templates|tests)/[\w./-]*", text)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_each_promise_names_tests_that_are_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!promise)(.*) \| (.*) \|$", text, re.MULTILINE)
    named = [re.findall(r"`([\w/]+\.py)::(\w+)`", tests) for _, tests in rows]

    assert len(rows) > 10
    assert all(named)
    for path, test in (item for items in named for item in items):
        assert f"\ndef {test}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_contributing_names_each_folder_of_the_package_that_a_newcomer_adds_to() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    for room in ("commands", "launchers", "engines", "workspace"):
        assert f"`hook/paude_venv_hook/{room}/" in text
