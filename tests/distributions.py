"""The distributions as the tests build and install them, away from this user's settings and this source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import NamedTuple

import pytest

from paude_venv_hook import __version__

ROOT = Path(__file__).parents[1]
NAME = f"paude_venv_hook-{__version__}"


class Built(NamedTuple):
    """The two distributions, and an environment in which nothing of this one's user or source is seen."""

    sdist: Path
    wheel: Path
    environ: dict[str, str]

    def run(self, *command: str | Path) -> str:
        """Return what a command prints, which has to succeed."""
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", check=False, cwd=self.wheel.parent, env=self.environ
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def build(folder: Path) -> Built:
    """Build both in the folder, without a network, with the backend that is installed, unless they are there."""
    for name in ("build", "hatchling", "shtab"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    home = folder.with_name("dist-home")
    home.mkdir(exist_ok=True)
    theirs = ("PYTHON", "PIP_", "COV", "XDG_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    built = Built(
        folder / f"{NAME}.tar.gz",
        folder / f"{NAME}-py3-none-any.whl",
        {**environ, "HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    with once(folder) as is_first:
        if is_first:
            built.run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return built


def install(built: Built) -> Path:
    """Return the folder of the programs of an environment that holds the wheel and nothing else."""
    pytest.importorskip("pip", reason="pip is not installed")
    venv = built.wheel.parent.with_name("fresh") / "venv"
    with once(venv.parent) as is_first:
        if is_first:
            built.run(sys.executable, "-m", "venv", "--without-pip", venv)
            built.run(sys.executable, "-m", "pip", "--python", venv, "install", "--no-deps", "--no-index", built.wheel)
    return venv / ("Scripts" if os.name == "nt" else "bin")


def shared(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that is that of this run, and of all of its workers."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@contextmanager
def once(folder: Path) -> Iterator[bool]:
    """Make the folder, and say whether nobody did before; who comes later waits until it is filled.

    Where filling it fails, it is gone again.
    """
    with open(f"{folder}.lock", "w") as lock:
        flock(lock, LOCK_EX)
        is_first = not folder.exists()
        folder.mkdir(exist_ok=True)
        try:
            yield is_first
        except BaseException:
            shutil.rmtree(folder)
            raise
