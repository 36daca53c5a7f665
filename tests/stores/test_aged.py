"""Whether a venv that stayed on disk fits the image that gets it now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paude_venv_hook.stores.aged import Image, read_image, why_aged


@pytest.mark.parametrize(
    ("described", "image"),
    [
        ({"Id": "sha256:1", "Config": {"Env": ["A=b", "PYTHON_VERSION=3.13.1"]}}, Image("sha256:1", "3.13.1")),
        ({"Id": "sha256:1", "Config": {"Env": None}}, Image("sha256:1")),
        ({"message": "No such image"}, Image()),
        (None, Image()),
        ([], Image()),
    ],
)
def test_an_image_tells_its_id_and_its_python(described: Any, image: Image) -> None:
    assert read_image(described) == image


@pytest.mark.parametrize(
    ("text", "made_with", "image", "why"),
    [
        ("version = 3.11.2", "", Image("b", "3.13.1"), "Python 3.11.2 made it, and the image has 3.13.1"),
        ("version_info = 3.9.1.final.0", "", Image("b", "3.11.0"), "Python 3.9.1 made it, and the image has 3.11.0"),
        ("version = 3.13.2", "a", Image("b", "3.13.1"), ""),
        ("version = 3.1.2", "", Image("", "3.11.0"), "Python 3.1.2 made it, and the image has 3.11.0"),
        ("version = 3.11.2", "a", Image("b"), "the image is another one than when Python 3.11.2 made it"),
        ("version = 3.11.2", "a", Image("a"), ""),
        ("version = 3.11.2", "", Image("b"), ""),
        ("version = 3.11.2", "a", Image(), ""),
        ("home = /usr/bin", "a", Image("b", "3.13.1"), ""),
        ("", "a", Image("b", "3.13.1"), ""),
    ],
)
def test_a_venv_is_aged_if_its_python_is_not_that_of_the_image(
    tmp_path: Path, text: str, made_with: str, image: Image, why: str
) -> None:
    (tmp_path / "pyvenv.cfg").write_text(text + "\n")

    assert why_aged(str(tmp_path), made_with, image) == why
