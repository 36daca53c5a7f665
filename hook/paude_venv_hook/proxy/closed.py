"""Refuse folders in which other users could put or replace a socket."""

from __future__ import annotations

import os
import stat

from paude_venv_hook.errors import EngineError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def refuse_open(folder: str) -> None:
    """Raise EngineError if other users could put their socket into the host folder, or theirs in place of it.

    What is not there yet is no reason. The folder itself has to be this user's alone. In each one above it others may
    write only if they cannot rename what is this user's (the sticky bit). Symlinks are followed, but for those in a
    folder in which others can write. Raises OSError for what cannot be looked at.
    """
    at = os.sep
    names = folder.split(os.sep)
    while names:
        name = names.pop(0)
        if name in ("", os.curdir):
            continue
        path = os.path.normpath(os.path.join(at, name))
        is_shared = _is_open(at)
        try:
            about = os.lstat(path)
        except FileNotFoundError:
            return
        if not stat.S_ISLNK(about.st_mode):
            at = path
        elif is_shared:
            _refuse(path, "is a symlink, which other users can replace")
        else:
            target = os.readlink(path)
            names[:0] = target.split(os.sep)
            at = os.sep if os.path.isabs(target) else at
    about = os.stat(at)
    if about.st_uid != os.geteuid() or about.st_mode & _OTHERS_WRITE:
        _refuse(at, "other users can write to it")


def _is_open(folder: str) -> bool:
    """Tell whether other users can make files in a folder; EngineError if they can rename those of this user too."""
    about = os.stat(folder)
    is_open = bool(about.st_mode & _OTHERS_WRITE)
    if about.st_uid not in (0, os.geteuid()) or (is_open and not about.st_mode & stat.S_ISVTX):
        _refuse(folder, "other users can write to it")
    return is_open


def _refuse(path: str, why: str) -> NoReturn:
    raise EngineError(
        f"{shown(path)}: {why}, and with the proxy's socket they would have your Docker; "
        "name a --listen in a folder that is yours alone"
    )
