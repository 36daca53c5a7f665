"""Find the daemon that a command line, or a client of the API, reaches, as Docker's client does.

Without options and variables the context counts that `docker context use` chose. The client is only asked (some 40 ms)
if the address is in a context.
"""

from __future__ import annotations

import os

from paude_venv_hook.engines.daemons import named_daemon
from paude_venv_hook.files import read_start
from paude_venv_hook.folders import home_folder
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paude_venv_hook.engines.run_grammar import Option

OPTIONS = ("-H", "--host", "-c", "--context")  # what names a daemon on a command line
_USUAL_SOCKET = "/var/run/docker.sock"
_UNIX = "unix://"
_DEFAULT_CONTEXT = "default"


class Place(NamedTuple):
    """A daemon: its address as Docker's client has it, and the source of that, for people.

    `context` is the docker context that has the address, "" for the default one.
    """

    host: str
    said_in: str
    context: str = ""

    @property
    def socket(self) -> str:
        """The host path of the daemon's socket, "" if it is no socket of this machine."""
        path = self.host.removeprefix(_UNIX)
        if path == self.host:
            return ""
        return path or _USUAL_SOCKET

    @property
    def why_remote(self) -> str:
        """Why the daemon is none of this machine, "" if it is one."""
        if self.socket:
            return ""
        return f"{self.said_in} leads to {shown(self.host)}, whose folders are not those of this machine"


def place_of_line(options: Iterable[Option], docker: str | None, environ: Mapping[str, str]) -> Place | None:
    """Return the daemon that a command line with these options reaches, None if it is unknown.

    `docker` is the host path of Docker's client.
    """
    given = tuple(options)
    environ = with_config(given, environ)
    address = named_daemon("docker", given, environ)
    if address.host:
        return Place(address.host, address.said_in)
    if address.context or _is_context_chosen(environ):
        return _place_of_context(address.context, docker, environ)
    return _usual_place()


def with_config(options: Iterable[Option], environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment, with the folder of Docker's configuration that the options of a line name."""
    folders = [option.value for option in options if option.name == "--config" and option.value]
    return {**environ, "DOCKER_CONFIG": folders[-1]} if folders else environ


def place_of_api(docker: str | None, environ: Mapping[str, str]) -> Place | None:
    """Return the daemon that a client of the API reaches without us, None if it is unknown.

    Most of them know DOCKER_HOST and the usual socket, but no contexts. If the usual one is not theirs to use, they
    would reach nothing: they get the daemon that Docker's own client reaches.
    """
    if not environ.get("DOCKER_HOST") and os.access(_USUAL_SOCKET, os.R_OK | os.W_OK):
        return _usual_place()
    return place_of_line((), docker, environ)


def _usual_place() -> Place:
    return Place(f"{_UNIX}{_USUAL_SOCKET}", "the usual place")


def _is_context_chosen(environ: Mapping[str, str]) -> bool:
    folder = environ.get("DOCKER_CONFIG") or os.path.join(home_folder(), ".docker")
    # Go reads a key in any case.
    return b'"currentcontext"' in read_start(os.path.join(folder, "config.json")).lower()


def _place_of_context(name: str, docker: str | None, environ: Mapping[str, str]) -> Place | None:
    """Return the daemon of a context, by default of the one in use."""
    if name == _DEFAULT_CONTEXT:
        host = environ.get("DOCKER_HOST", "")
        return Place(host, "DOCKER_HOST") if host else _usual_place()
    if not docker:
        return None
    from paude_venv_hook.docker_api.contexts import find_context  # noqa: PLC0415 - it loads json, and asks Docker

    context = find_context(docker, environ, name)
    if not context or not context.host:
        return None
    return Place(context.host, context.said_in, "" if context.name == _DEFAULT_CONTEXT else context.name)
