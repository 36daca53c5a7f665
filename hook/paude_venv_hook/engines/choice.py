"""Choose the engine: the one that the user names, or one on PATH."""

from __future__ import annotations

import os
from collections.abc import Mapping

from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.engines.table import ENGINES, one_of
from paude_venv_hook.errors import SettingsError
from paude_venv_hook.files import read_start
from paude_venv_hook.text import did_you_mean, shown

_VERSION_SECONDS = 5.0
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BECOMES_PODMAN = rb'(?m)^exec (?:/\S*/)?podman "\$@"\s*\Z'


def choose_engine(flag: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of an engine, and how it was found.

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
        raise SettingsError(f'PAUDE_VENV_ENGINE: "{shown(name)}" is no engine{hint}; use auto, {one_of(ENGINES)}')
    if find_program("podman", environ):
        return "podman", "podman is on PATH"
    if not find_program("docker", environ):
        return "podman", "neither podman nor docker is on PATH"
    if engine_called_docker(environ) == "podman":
        return "podman", "docker on PATH is Podman"
    return "docker", "docker is on PATH"


def engine_by_name(*names: str) -> str:
    """Return the first engine that one of these program names denotes, "" if none does.

    A name denotes the engine with which it begins: `podman-remote`, `docker.real` and `nerdctl2` do.
    """
    for name in names:
        base = os.path.basename(name)
        engine = base.removesuffix(base.lstrip(_LETTERS))
        if engine in ENGINES:
            return engine
    return ""


def engine_called_docker(environ: Mapping[str, str]) -> str:
    """Return what `docker` on PATH is: `docker`, also if there is none, or `podman`."""
    program = find_program("docker", environ)
    return "podman" if program and is_podman(program, environ) else "docker"


def find_remote_variable(engine: str, environ: Mapping[str, str]) -> str:
    """Return the variable that sends the engine to another machine, which has none of this one's folders, or ""."""
    variable = ENGINES[engine].machine
    address = environ.get(variable)
    if not address or address.startswith("unix:"):
        return ""
    return variable


def is_rootless(engine: str) -> bool:
    """Tell whether the engine is one that an ordinary user runs as a process of their own: Podman, nerdctl.

    In Podman's hook that user is root, in a namespace where only that one id is theirs (user_namespaces(7)).
    """
    if not ENGINES[engine].is_rootless or os.name == "nt":
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
    import re  # noqa: PLC0415 - 5 ms, and most are known by now

    if re.search(_BECOMES_PODMAN, start):
        return True
    try:
        output = ask([program, "--version"], environ, seconds=_VERSION_SECONDS).stdout
    except OSError:
        return False
    return output.startswith((b"podman", b"docker"))
