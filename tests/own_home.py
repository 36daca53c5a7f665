"""A run of the tests has a home folder of its own: none of them touches that of the person who runs them.

Engines, pip, uv and npm find there what they are told in the person's, and what has been fetched for these tests. Each
test has another home folder besides, in which nothing is at all; what is started with the environment from before the
test, as an engine is, has that of the run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

import pytest

PERSONS = "PAUDE_VENV_HOOK_TEST_PERSONS_HOME"  # workers, and runs that a test starts, have left it already
OURS = (".cache/paude", ".local/share/paude", ".local/state/paude")  # where this program writes
# What is linked, by the variable that may say where it is.
_LINKED = {
    "": ("", (".docker", ".npmrc")),
    "XDG_CONFIG_HOME": (".config", ("containers", "pip", "uv")),
    "XDG_DATA_HOME": (".local/share", ("containers",)),
    "XDG_STATE_HOME": (".local/state", ()),
    "XDG_CACHE_HOME": (".cache", ("paude-venv-hook-tests",)),
}
_made: list[str] = []


def leave_home() -> None:
    """Let this process, and all that it starts, have a home folder of its own, unless it has one."""
    if PERSONS in os.environ:
        return
    folder = mkdtemp(prefix="paude-venv-hook-home-")
    _made.append(folder)
    environ = furnish(Path(folder), os.environ)
    os.environ.clear()
    os.environ.update(environ)


def furnish(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Fill an empty folder with links to what of a person's is read, and return the environment in which it is home."""
    home = environ.get("HOME") or os.path.expanduser("~")
    for variable, (place, names) in _LINKED.items():
        for name in names:
            theirs = Path(environ.get(variable) or Path(home, place), name)
            if theirs.exists():
                link = folder / place / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(theirs)
    kept = {name: value for name, value in environ.items() if name not in _LINKED}
    return {**kept, "HOME": str(folder), PERSONS: home}


def listed(home: str) -> set[Path]:
    """Return what is in the folders of this program, in a home folder."""
    return {path for ours in OURS for path in Path(home, ours).rglob("*")}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what this process made."""
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


leave_home()  # as soon as pytest has this plugin: files of tests keep the environment when they are loaded
