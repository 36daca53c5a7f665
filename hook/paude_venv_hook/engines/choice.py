"""Which engine starts the container: said by the user, or found on PATH."""

from __future__ import annotations

import os
import re

from paude_venv_hook.engines.arguments import ENGINES
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.errors import SettingsError
from paude_venv_hook.files import read_start
from paude_venv_hook.text import did_you_mean, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION_SECONDS = 5.0
_BECOMES_PODMAN = rb'(?m)^exec (?:/\S*/)?podman "\$@"\s*\Z'
# What names the machine of an engine (docker(1), podman(1)).
_HOST_VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}


def choose_engine(flag: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return `docker` or `podman`, and how it was found.

    `flag` is the value of `--engine`. `auto` asks PAUDE_VENV_ENGINE, then PATH, Podman first as paude does, and
    settles for podman. Raises SettingsError for a variable that names no engine.
    """
    if flag != "auto":
        return flag, "--engine"
    name = environ.get("PAUDE_VENV_ENGINE") or "auto"
    if name in ENGINES:
        return name, "PAUDE_VENV_ENGINE"
    if name != "auto":
        hint = did_you_mean(name, (*ENGINES, "auto"))
        raise SettingsError(f'PAUDE_VENV_ENGINE: "{shown(name)}" is no engine{hint}; use auto, docker or podman')
    if find_program("podman", environ):
        return "podman", "podman is on PATH"
    if not find_program("docker", environ):
        return "podman", "neither podman nor docker is on PATH"
    if engine_called_docker(environ) == "podman":
        return "podman", "docker on PATH is Podman"
    return "docker", "docker is on PATH"


def engine_called_docker(environ: Mapping[str, str]) -> str:
    """Return what `docker` on PATH is: `docker`, also where there is none, or `podman`."""
    program = find_program("docker", environ)
    return "podman" if program and is_podman(program, environ) else "docker"


def elsewhere(engine: str, environ: Mapping[str, str]) -> str:
    """Return the variable by which the engine is on another machine, which has none of this one's folders, or ""."""
    variable = _HOST_VARIABLES[engine]
    return "" if (environ.get(variable) or "unix:").startswith("unix:") else variable


def is_rootless(engine: str) -> bool:
    """Tell whether the engine is one that an ordinary user runs as a process of their own: Podman.

    In Podman's hook that user is root, in a namespace where only that one id is theirs (user_namespaces(7)).
    """
    if engine != "podman" or os.name == "nt":
        return False
    if os.getuid() != 0:
        return True
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            first = file.readline().split()
    except OSError:
        return False
    return first[:1] == ["0"] and first[2:] == ["1"]


def is_podman(program: str, environ: Mapping[str, str]) -> bool:
    """Tell whether the program at a host path, whatever its name, is Podman and not Docker.

    A symlink to podman shows it by its name, and podman-docker, a script, by its last line. Any other script is asked
    for its version: Docker's says `Docker version …`, Podman's `podman version …` or, in lower case, `docker …`.
    """
    real = os.path.realpath(program)
    if any(os.path.basename(path).startswith("podman") for path in (program, real)):
        return True
    start = read_start(real)
    if start and not start.startswith(b"#!") and os.path.basename(real).startswith("docker"):
        return False
    if re.search(_BECOMES_PODMAN, start):
        return True
    try:
        said = ask([program, "--version"], environ, seconds=_VERSION_SECONDS).stdout
    except OSError:
        return False
    return said.startswith((b"podman", b"docker"))
