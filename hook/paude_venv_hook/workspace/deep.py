"""The venvs that lie deeper than one level below a workspace folder: those of worktrees, and all others.

Agents keep worktrees inside of the workspace (`.claude/worktrees/NAME`), each with a venv of its own. git has a list of
them, and their folder is called so; the rest has to be searched for, which only `status` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from paude_venv_hook.files import is_inside, read_start
from paude_venv_hook.workspace.venv import WITHOUT_VENVS

MOST_DIRECTORIES = 5000
_MOST_WORKTREES = 100
_GITS_LIST = os.path.join(".git", "worktrees")


def venvs_of_worktrees(folder: str) -> Iterator[str]:
    """Yield the venvs in the worktrees of a repository that lie in it; all are real host paths."""
    places = os.path.join(folder, _GITS_LIST)
    for name in _folders(places)[:_MOST_WORKTREES]:
        text = os.fsdecode(read_start(os.path.join(places, name, "gitdir"))).strip()
        if text and "\0" not in text:
            worktree = os.path.realpath(os.path.dirname(os.path.join(places, name, text)))
            if worktree != folder and is_inside(worktree, folder):
                yield from _venvs_in(worktree)


def venvs_below(folder: str) -> Iterator[str]:
    """Yield the venvs in each folder of a folder that holds worktrees; all are host paths."""
    for name in _folders(folder)[:_MOST_WORKTREES]:
        yield from _venvs_in(os.path.join(folder, name))


def find_deep_venvs(folder: str) -> tuple[list[str], bool]:
    """Return the host paths of the venvs at any depth of a folder, and whether it was searched to its end.

    It looks at MOST_DIRECTORIES directories at most, those that are nearest first, follows no symlink, and does not
    look into a venv.
    """
    venvs: list[str] = []
    waiting = [folder]
    for count, place in enumerate(waiting, 1):
        if count > MOST_DIRECTORIES:
            return venvs, False
        for name in _folders(place):
            path = os.path.join(place, name)
            if _is_venv(path):
                venvs.append(path)
            elif name not in WITHOUT_VENVS:
                waiting.append(path)
    return venvs, True


def _venvs_in(folder: str) -> Iterator[str]:
    paths = (os.path.join(folder, name) for name in _folders(folder))
    yield from filter(_is_venv, paths)


def _is_venv(path: str) -> bool:
    return os.access(os.path.join(path, "pyvenv.cfg"), os.F_OK)


def _folders(folder: str) -> list[str]:
    names: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        names += [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(names)
