"""The daemon whose containers use a store, and what tells it from all other daemons.

A store is named after its purpose alone: a daemon that comes back, or a second one, finds its venv again. But a daemon
knows only its own containers. A store's record therefore says which daemons it was made for.
"""

from __future__ import annotations

import os

from paude_venv_hook.docker_api.contexts import find_context
from paude_venv_hook.docker_api.daemon import with_config
from paude_venv_hook.docker_api.sockets import ask_docker, is_same_socket, socket_in
from paude_venv_hook.engines.choice import is_rootless
from paude_venv_hook.engines.daemons import Address, named_daemon, why_remote
from paude_venv_hook.engines.programs import ask
from paude_venv_hook.errors import EngineError
from paude_venv_hook.json_values import get_text, parse_json
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from paude_venv_hook.engines.run_grammar import Option

_SECONDS = 10.0
_UNIX = "unix:"
# What stands for a Podman that starts its containers itself.
_LOCAL_PODMAN = "local"


class Daemon(NamedTuple):
    """The daemon that a launch reaches.

    `why_remote` is "", or why it is on another machine. `identity` tells it from the other daemons of this one, "" if
    that cannot be known.
    """

    why_remote: str = ""
    identity: str = ""


def find_daemon(engine: str, program: str, line: Iterable[Option], environ: Mapping[str, str]) -> Daemon:
    """Return the daemon that an engine reaches from here: one that Docker has, or the containers of a Podman.

    `program` is the engine's host path, `line` what `engines.daemons.global_options` tells of its command line. The
    program is asked if a context or a connection holds the address, the daemon for its identity; so it is for storage
    on disk alone. Nothing is raised: an engine that does not answer says so itself.
    """
    options = list(line)
    if engine == "docker":
        return _find_docker(program, options, environ)
    if engine == "podman":
        return _find_podman(program, options, environ)
    return Daemon()


def identify_docker(ask_daemon: Callable[[str], Any]) -> str:
    """Return what tells a Docker daemon from others, "" if it does not answer.

    `ask_daemon` returns its answer to a GET of a path, or raises OSError. The ID of daemons before Docker 23 is that of
    the machine; the folder of its containers belongs to the identity for that reason.
    """
    try:
        answer = ask_daemon("/info")
    except OSError:
        return ""
    identity = get_text(answer, "ID")
    return identity and f"{identity} {get_text(answer, 'DockerRootDir')}".strip()


def _find_docker(program: str, options: list[Option], environ: Mapping[str, str]) -> Daemon:
    address = named_daemon("docker", options, environ)
    if not address.host:
        context = find_context(program, with_config(options, environ), address.context)
        if not context:
            return Daemon()
        address = Address(context.said_in, context.host)
    remote = why_remote(address)
    if remote:
        return Daemon(remote)
    try:
        socket = socket_in(address.host, address.said_in)
    except EngineError:
        return Daemon()
    return Daemon("", identify_docker(lambda path: ask_docker(socket, path)))


def _find_podman(program: str, options: list[Option], environ: Mapping[str, str]) -> Daemon:
    address = named_daemon("podman", options, environ)
    is_remote = any(option.name in ("--remote", "-r") for option in options)
    if address.context or (is_remote and not address.host):
        address = _find_connection(program, environ, address)
    remote = why_remote(address)
    if remote:
        return Daemon(remote)
    if address.host and not is_same_socket(_path(address.host), _own_service(environ)):
        return Daemon("", address.host)
    identity = [_LOCAL_PODMAN]
    roots = [option.value for option in options if option.name == "--root" and option.value]
    identity += roots[-1:]
    if environ.get("CONTAINERS_STORAGE_CONF"):
        identity.append(environ["CONTAINERS_STORAGE_CONF"])
    return Daemon("", " ".join(identity))


def _find_connection(program: str, environ: Mapping[str, str], address: Address) -> Address:
    """Return the address of the Podman connection that is named, or of the default one; nothing if there is none."""
    try:
        done = ask([program, "system", "connection", "list", "--format", "json"], environ, seconds=_SECONDS)
    except OSError:
        return Address()
    connections = parse_json(done.stdout)
    for connection in connections if isinstance(connections, list) else []:
        name = get_text(connection, "Name")
        if name == address.context or (not address.context and connection.get("Default") is True):
            return Address(f"the Podman connection {name}", get_text(connection, "URI"))
    return Address()


def _path(host: str) -> str:
    """Return the host path of a socket, which Podman takes with and without the slashes of an address."""
    return "/" + host.removeprefix(_UNIX).lstrip("/")


def _own_service(environ: Mapping[str, str]) -> str:
    """Return the host path of the socket on which this user's Podman serves those containers that it starts itself."""
    runtime = environ.get("XDG_RUNTIME_DIR", "") if is_rootless("podman") else "/run"
    return os.path.join(runtime or f"/run/user/{os.getuid()}", "podman", "podman.sock")
