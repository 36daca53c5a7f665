"""Find a program on PATH, with nothing but os: the wrappers start a dozen times per launch."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def find_program(name: str, environ: Mapping[str, str], besides: str = "") -> str | None:
    """Return the host path of the program that a shell would start, or None.

    `besides` is the real path of one that does not count. A name with a slash is a path already. Unlike in a shell,
    relative folders on PATH do not count: a repository could bring a `git` or a `docker` of its own.
    """
    suffix = ".exe" if os.name == "nt" and not name.endswith(".exe") else ""
    on_path = filter(os.path.isabs, environ.get("PATH", os.defpath).split(os.pathsep))
    for folder in [""] if os.path.dirname(name) else on_path:
        path = os.path.join(folder, name + suffix)
        if os.path.isfile(path) and os.access(path, os.X_OK) and os.path.realpath(path) != besides:
            return path
    return None
