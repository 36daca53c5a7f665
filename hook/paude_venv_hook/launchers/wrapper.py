"""`paude-venv-docker` and `paude-venv-podman`: the engine, with the shadows added to each `run` and `create`.

Launchers start them a dozen times per launch, so that a call which is only passed on loads nothing but this module
and `engines.programs`.
"""

from __future__ import annotations

import os
import sys

from paude_venv_hook.engines.programs import find_program, replace_process

_ACTIVE = frozenset(("compose", "create", "run"))


def docker() -> int:
    """Be docker (PAUDE_VENV_DOCKER, or the one on PATH)."""
    return main("docker")


def podman() -> int:
    """Be podman (PAUDE_VENV_PODMAN, or the one on PATH)."""
    return main("podman")


def main(name: str) -> int:
    """Replace this process by the engine called `name`; return an exit code only where that cannot be."""
    arguments = sys.argv[1:]
    program = find_engine(name)
    if program is None:
        sys.stderr.write(f"paude-venv-{name}: {name} is not on PATH; name it in PAUDE_VENV_{name.upper()}\n")
        return 127
    if not _ACTIVE.isdisjoint(arguments):
        from paude_venv_hook.launchers.run_line import launch  # noqa: PLC0415 - only where there may be something to add

        return launch(program, arguments)
    return replace_process(program, arguments)


def find_engine(name: str) -> str | None:
    """Return the host path of the real engine: never this wrapper, even where it is called like the engine."""
    given = os.environ.get(f"PAUDE_VENV_{name.upper()}")
    return given or find_program(name, os.environ, besides=os.path.realpath(sys.argv[0]))
