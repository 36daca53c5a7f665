"""The installed program, as the path that an engine is told to start."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping

from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import EngineError
from paude_venv_hook.terminal import PROGRAM
from paude_venv_hook.text import shown


def is_root() -> bool:
    """Tell whether root installs, for all users of the machine."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def own_program(environ: Mapping[str, str]) -> str:
    """Return the host path of the program that runs; symlinks are kept, since they outlive an upgrade.

    Raises EngineError if it is not installed as a program, or only for the moment, or, for root, if another user
    could put another program in its place.
    """
    beside_python = os.path.join(os.path.dirname(sys.executable), PROGRAM)
    for path in (sys.argv[0], beside_python, find_program(PROGRAM, environ) or ""):
        if os.path.basename(path) == PROGRAM and os.access(path, os.X_OK):
            if ".cache" in os.path.realpath(path).split(os.sep):
                raise EngineError(f"{shown(path)}: lies in a cache, which is cleared some day; install it to stay")
            for needed in (path, sys.executable, __file__) if is_root() else ():
                refuse_others(os.path.abspath(needed))
            return os.path.abspath(path)
    raise EngineError(f"{PROGRAM} is not installed as a program; install it, with pipx or uv say")


def refuse_others(path: str) -> None:
    """Raise EngineError for a host path which another user than root can change: itself, or a folder above it.

    Root's Podman would start what that user puts there, as root.
    """
    for part in (path, os.path.realpath(path)):
        while True:
            status, link = os.stat(part), os.lstat(part)
            writable = status.st_mode & 0o022 and not (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX)
            if status.st_uid or link.st_uid or writable:
                raise EngineError(
                    f"{shown(path)}: others than root can change {shown(part)}, and root would start what they put "
                    "there; install this in a folder that only root can write"
                )
            if part == os.path.dirname(part):
                break
            part = os.path.dirname(part)  # noqa: PLW2901 - upwards
