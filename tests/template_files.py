"""The templates of this repository, for the tests of what they say, of `init` and of what is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paude_venv_hook.commands import init as templates
from paude_venv_hook.workspace.jsonfile import read_object

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "templates"
CONFIG, METADATA = ".devcontainer/devcontainer.json", "devcontainer-template.json"
GUARD = ".devcontainer/own-venv.sh"

IDS = ["hatch", "monorepo", "pdm", "pip", "pipenv", "poetry", "uv"]
VENVS = {"hatch": [".hatch"], "monorepo": [".venv", "legacy/.venv"]}
# What a trial in a template leaves there.
TRIAL = (".venv/bin/python = x", "uv.lock = x", "src/wordcount/__pycache__/x.pyc = x", "src/x.egg-info/PKG-INFO = x")

each_template = pytest.mark.parametrize("template", IDS)
# And this repository, which is its own user.
each_project = pytest.mark.parametrize("project", [*(TEMPLATES / name for name in IDS), ROOT], ids=[*IDS, "ours"])


def config_of(project: Path) -> dict[str, Any]:
    """Return what its devcontainer.json says."""
    return read_object(str(project / CONFIG))


def guard_of(name: str) -> str:
    """Return what a template, or this repository, puts before its setup."""
    return f"sh {GUARD} {' '.join(VENVS.get(name, ['.venv']))} && "


def metadata_of(template: str) -> dict[str, Any]:
    return read_object(str(TEMPLATES / template / METADATA))


def files_of(template: str) -> list[str]:
    """Return the files of a template, as the repository has them."""
    return sorted(templates._files(str(TEMPLATES / template)))  # noqa: SLF001 - a trial in there may have left more


def texts_of(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in the folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
