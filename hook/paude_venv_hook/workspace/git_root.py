"""The git root of a workspace, as the dev container tools find it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.files import START_BYTES, read_start

GIT_SECONDS = 10.0


def git_root(workspace_folder: str, environ: Mapping[str, str]) -> str | None:
    """Return the git root of a host folder as the dev container tools find it, or None.

    They apply `git rev-parse --show-cdup` to the path as it is written: a symlinked folder then has another root
    than git's own. git is not started if it is known what it would say: without a `.git` in the folder or
    above it there is no root, and an ordinary repository in the folder itself makes that the root.
    """
    if not any(name in environ for name in ("GIT_DIR", "GIT_WORK_TREE")):
        real = os.path.realpath(workspace_folder)
        if _is_ordinary_repository(os.path.join(real, ".git")):
            return workspace_folder
        while not os.path.lexists(os.path.join(real, ".git")):
            if real == os.path.dirname(real):
                return None
            real = os.path.dirname(real)

    git = find_program("git", environ)
    if git is None:
        return None
    try:  # it would wait for ever for a FIFO in the place of one of its files
        done = ask([git, "rev-parse", "--show-cdup"], environ, folder=workspace_folder, seconds=GIT_SECONDS)
    except OSError:
        return None
    if done.returncode:
        return None
    return os.path.normpath(os.path.join(workspace_folder, os.fsdecode(done.stdout).strip()))


def _is_ordinary_repository(git_folder: str) -> bool:
    """Tell whether git surely takes a `.git` folder for a repository, with the work tree beside it."""
    head, config = (read_start(os.path.join(git_folder, name)) for name in ("HEAD", "config"))
    known = 0 < len(config) < START_BYTES and not re.search(b"worktree|include", config, re.IGNORECASE)
    ordinary = known and head.startswith(b"ref: refs/")
    return ordinary and all(os.path.isdir(os.path.join(git_folder, name)) for name in ("objects", "refs"))
