"""`paude-venv-docker` and the like: the engine, or compose, with the shadows added to what starts containers.

Launchers start them a dozen times per launch, so that a call which is only passed on loads nothing but this module
and `engines.programs`.
"""

from __future__ import annotations

import os
import sys

# The real paths of the wrappers that led to this process, each as often as it did. Those do not count as the engine,
# so that a second installation on PATH leads on to the real one. A script between two wrappers leads back to the first
# again and again, but so do an engine's own plugins and a shell that somebody started: those nest a few times, and only
# a loop does so without an end. (The process id would not tell: a script may call as well as exec.)
MARK = "PAUDE_VENV_WRAPPED"
MOST_WRAPPERS = 20

_ACTIVE = frozenset(("clone", "compose", "create", "deploy", "kube", "run", "runlabel"))


def docker() -> int:
    """Be docker (PAUDE_VENV_DOCKER, or the one on PATH)."""
    return main("docker")


def podman() -> int:
    """Be podman (PAUDE_VENV_PODMAN, or the one on PATH)."""
    return main("podman")


def docker_compose() -> int:
    """Be docker-compose (PAUDE_VENV_DOCKER_COMPOSE, or the one on PATH)."""
    return main("docker-compose")


def podman_compose() -> int:
    """Be podman-compose (PAUDE_VENV_PODMAN_COMPOSE, or the one on PATH)."""
    return main("podman-compose")


def main(name: str) -> int:
    """Replace this process by the engine called `name`; return an exit code only if that cannot be.

    Those are an engine's own: 125 if the settings are wrong, 126 if it cannot be started, 127 if it is not
    there, and 130 after ^C.
    """
    try:
        return _become(name, sys.argv[1:])
    except KeyboardInterrupt:  # before `launch` looks after it
        return 130


def _become(name: str, arguments: list[str]) -> int:
    from paude_venv_hook.engines.programs import find_program, replace_process  # noqa: PLC0415 - ^C may come here
    from paude_venv_hook.proxy.place import lead_back  # noqa: PLC0415 - as above

    arguments = lead_back(os.environ, arguments)
    variable = f"PAUDE_VENV_{name.upper().replace('-', '_')}"
    chosen = os.environ.get(variable) or name
    if os.path.dirname(chosen) and not os.path.isabs(chosen):  # a repository could bring such a program
        return _refuse(name, f"{variable}: {chosen} is a relative path; write a name on PATH or an absolute path", 125)
    wrappers = [*filter(None, os.environ.get(MARK, "").split(os.pathsep)), os.path.realpath(sys.argv[0])]
    if len(wrappers) > MOST_WRAPPERS:
        return _refuse(name, f"it leads back to itself; name the real {name} in {variable}", 126)
    os.environ[MARK] = os.pathsep.join(wrappers)
    program = chosen if os.path.isabs(chosen) else find_program(chosen, os.environ, wrappers)
    if program is None:
        return _refuse(name, f"{chosen} is not on PATH; name it in {variable}", 127)
    if name.endswith("compose") or not _ACTIVE.isdisjoint(arguments):
        from paude_venv_hook import spare_collector  # noqa: PLC0415 - only if there may be something to add

        spare_collector()
        from paude_venv_hook.launchers.around import Line, start  # noqa: PLC0415 - as above
        from paude_venv_hook.terminal import ERRORS, SHADOWS, VERBOSITY_VARIABLE, WARNINGS  # noqa: PLC0415 - as above

        level = {str(ERRORS): ERRORS, str(SHADOWS): SHADOWS}.get(os.environ.get(VERBOSITY_VARIABLE, ""), WARNINGS)
        return start(Line(program, arguments, name, level))
    return replace_process(program, arguments)


def _refuse(name: str, why: str, code: int) -> int:
    from paude_venv_hook.text import print_line, shown  # noqa: PLC0415 - only on the way to a message

    print_line(f"paude-venv-{name}: {shown(why)}")
    return code
