"""Check whether the venv in a store fits the image that gets it now.

A store outlives its container and the image behind it: with Python at another path, or of another version, its venv no
longer works. Only stores that stay, and hold something, are looked at.
"""

from __future__ import annotations

import re

from paude_venv_hook.json_values import get_list, get_object, get_text
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.workspace.venv import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Image(NamedTuple):
    """The ID of an image and the version of its Python, each "" if the engine does not name it."""

    identity: str = ""
    python: str = ""


def read_image(described: Any) -> Image:
    """Return what `inspect` tells of an image; those of Python name its version in a variable."""
    variables = [str(entry).partition("=") for entry in get_list(get_object(described, "Config"), "Env")]
    python = next((value for name, _, value in variables if name == "PYTHON_VERSION"), "")
    return Image(get_text(described, "Id"), python)


def _minor(version: str) -> str:
    match = re.match(r"\d+\.\d+", version)
    return match[0] if match else version


def why_aged(venv: str, made_with: str, image: Image) -> str:
    """Return "" or why the venv in a store (a host path) may not work with an image.

    `made_with` is the ID of the image that first got it, "" if that is not known.
    """
    version = describe(venv).get("python", "")
    if not version:
        return ""
    if image.python:
        if _minor(version) == _minor(image.python):
            return ""
        return f"Python {version} made it, and the image has {image.python}"
    if made_with and image.identity and made_with != image.identity:
        return f"the image is another one than when Python {version} made it"
    return ""
