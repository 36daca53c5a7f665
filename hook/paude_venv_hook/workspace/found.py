"""A directory of the workspace that is to be shadowed, or cannot be."""

from __future__ import annotations

from paude_venv_hook.records import NamedTuple

RESERVED = ".venv"  # where a venv is awaited, and what a symlink or a file may stand for


class Found(NamedTuple):
    """A directory to shadow, or one that cannot be.

    `path` is how a user names it: relative to the workspace folder, separated by `/`. `host_path` is the real path
    on the host, after any symlink. `why` says what it is; `problem`, if any, why it cannot be shadowed. For a venv that
    a container may have made for itself, `made_at` is the path that it had there, and `has_python` tells whether this
    machine has the Python that made it.
    """

    path: str
    host_path: str
    why: str
    problem: str = ""
    made_at: str = ""
    has_python: bool = True
