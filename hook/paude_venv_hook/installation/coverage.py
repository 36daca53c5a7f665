"""Find out which launches are shadowed without a change of their command line, and by what.

Files tell of Podman's hook; Podman itself is not started. Of Docker, its client is asked once for the context in use.
"""

from __future__ import annotations

import os

from paude_venv_hook.docker_api.contexts import daemon_in_use, find_docker
from paude_venv_hook.docker_api.sockets import does_answer, own_socket
from paude_venv_hook.engines.choice import is_podman
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import read_start
from paude_venv_hook.installation.docker_install import is_ours, proxy_command, why_context_is_not_used
from paude_venv_hook.installation.docker_record import read_record
from paude_venv_hook.installation.docker_units import SERVICE, is_unit_of_ours, units_folder
from paude_venv_hook.installation.podman_hook import find_hook, read_hook
from paude_venv_hook.json_values import get_list, get_object, parse_json
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.stores.daemons import find_daemon
from paude_venv_hook.terminal import PROGRAM
from paude_venv_hook.workspace.location import has_opted_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from paude_venv_hook.docker_api.contexts import Context

_WRAPPERS = ("paude-venv-docker", "paude-venv-podman")
_NOTHING = f"`{PROGRAM} install` changes that"


class Launches(NamedTuple):
    """What covers unchanged launches with an engine: `hook`, `context`, `DOCKER_HOST`, `wrapper`, or "" for nothing."""

    engine: str
    by: str
    why: str


def find_launches(folder: str, environ: Mapping[str, str]) -> list[Launches]:
    """Return what covers launches with each engine on PATH, for the workspace folder at a host path."""
    launches = []
    for engine, find in (("docker", _of_docker), ("podman", _of_podman)):
        program = find_program(engine, environ)
        if program:
            try:
                by, why = find(program, environ)
            except EngineError as error:  # for example of a user without a home folder
                by, why = "", str(error)
            if by not in ("", "wrapper") and not has_opted_in(folder):
                by, why = "", f"{why}, only for folders with a paude.json or a devcontainer.json; add one here"
            launches.append(Launches(engine, by, why))
    return launches


def why_proxy_is_down(environ: Mapping[str, str]) -> str:
    """Return a line that names the proxy to which Docker's client is led, if it is down, and what starts it, else "".

    Raises EngineError for a user without a home folder.
    """
    docker = find_docker(environ)
    daemon = daemon_in_use(docker, environ) if docker else None
    if not daemon or not is_ours(daemon, own_socket(environ)) or does_answer(daemon.socket):
        return ""
    return _why_down(daemon, environ)


def _why_down(daemon: Context, environ: Mapping[str, str]) -> str:
    return f"{daemon.said_in} leads to the proxy at {daemon.socket}, which is down; {_how_to_start(environ)}"


def _of_podman(program: str, environ: Mapping[str, str]) -> tuple[str, str]:
    remote = find_daemon("podman", program, (), environ).why_remote
    if remote:
        return "", remote
    hook = find_hook(environ)
    if not hook:
        return _wrapper(program) or ("", _NOTHING)
    if environ.get("CONTAINERS_CONF"):  # Podman reads no other file then, and has to be asked
        hook = read_hook(program, environ)
    if not _starts_program(hook):
        return "", f"Podman's hook {hook} starts a program that is gone; `{PROGRAM} install` names the one that is here"
    return "hook", f"Podman's hook {hook}"


def _starts_program(hook: str) -> bool:
    """Tell whether the program that the hook file at a host path starts exists."""
    arguments = get_list(get_object(parse_json(read_start(hook)), "hook"), "args")
    return bool(arguments) and isinstance(arguments[-1], str) and os.access(arguments[-1], os.X_OK)


def _of_docker(program: str, environ: Mapping[str, str]) -> tuple[str, str]:
    if is_podman(program, environ):
        by, why = _of_podman(program, environ)
        return by, f"is Podman: {why}"
    proxy_socket = own_socket(environ)
    daemon = daemon_in_use(program, environ)
    if daemon and is_ours(daemon, proxy_socket):
        if does_answer(daemon.socket):
            return "context" if daemon.name else "DOCKER_HOST", daemon.said_in
        return "", _why_down(daemon, environ)
    return _wrapper(program) or ("", _why_past_proxy(daemon, proxy_socket, environ))


def _why_past_proxy(daemon: Context | None, proxy_socket: str, environ: Mapping[str, str]) -> str:
    """Return why Docker's client goes past the proxy, which has this socket (a host path), and what to do."""
    if daemon and daemon.host and not daemon.host.startswith("unix:"):
        return f"{daemon.said_in} leads to {daemon.host}, whose folders are not those of this machine"
    if not daemon or not read_record().upstream:
        return _NOTHING
    beaten = why_context_is_not_used(proxy_socket, environ)
    if beaten:
        return beaten
    if _has_service(environ) or does_answer(proxy_socket):
        return f"{daemon.said_in} is in use; `{PROGRAM} install --use` changes that"
    return f"{daemon.said_in} is in use, and the proxy at {proxy_socket} is down; {_how_to_start(environ)}"


def _has_service(environ: Mapping[str, str]) -> bool:
    """Tell whether systemd starts the proxy."""
    return is_unit_of_ours(os.path.join(units_folder(environ), SERVICE))


def _how_to_start(environ: Mapping[str, str]) -> str:
    """Return what starts the proxy again."""
    if _has_service(environ):
        return f"`systemctl --user restart {SERVICE}` starts it again"
    return f"it has to be kept running: `{proxy_command(PROGRAM, read_record().upstream)}`"


def _wrapper(program: str) -> tuple[str, str] | None:
    """Return the coverage by a wrapper, if the program at a host path, named like an engine, leads to one.

    Programs that speak to the engine themselves go past it.
    """
    if os.path.basename(os.path.realpath(program)) not in _WRAPPERS:
        return None
    return "wrapper", f"the wrapper {program}, for what starts that command"
