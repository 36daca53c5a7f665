"""Find a program on PATH and become it, with nothing but os: the wrappers start a dozen times per launch."""

from __future__ import annotations

import os
import sys

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


def replace_process(program: str, arguments: list[str]) -> int:
    """Become the program; return 126 where it cannot be started."""
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - the point of it: no shell, and no child
    except OSError as error:
        sys.stderr.write(f"paude-venv-hook: {program}: cannot be started: {error.strerror}\n")
        return 126
