"""Docker's contexts, as its own client prints them: it alone knows its configuration folder.

Reading the client's files instead would save some 10 ms, and be wrong with the next change of theirs. No daemon is
asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from paude_venv_hook.engines.choice import is_podman
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.folders import home_folder
from paude_venv_hook.json_values import get_object, get_text, parse_json
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

_SECONDS = 10.0
_UNIX = "unix://"
BEAT_CONTEXTS = ("DOCKER_HOST", "DOCKER_CONTEXT")  # docker(1): the first beats the second, and both what `use` chose


class Context(NamedTuple):
    """A docker context; `host` is the address of its daemon. If DOCKER_HOST says that, it has no name."""

    name: str
    host: str
    description: str

    @property
    def said_in(self) -> str:
        """What says where the daemon is."""
        return f"the docker context {shown(self.name)}" if self.name else BEAT_CONTEXTS[0]

    @property
    def socket(self) -> str:
        """The host path of the daemon's socket, "" if that is no socket of this machine."""
        return self.host.removeprefix(_UNIX) if self.host.startswith(f"{_UNIX}/") else ""


def client_folder(environ: Mapping[str, str]) -> str:
    """Return the host path of the folder in which Docker's client keeps its contexts, "" without a home folder."""
    folder, home = environ.get("DOCKER_CONFIG", ""), home_folder()
    if not folder and not home:
        return ""
    return os.path.abspath(folder or os.path.join(home, ".docker"))


def find_docker(environ: Mapping[str, str]) -> str | None:
    """Return the host path of Docker's client; None if there is none, or if `docker` is Podman."""
    program = find_program("docker", environ)
    return program if program and not is_podman(program, environ) else None


def find_context(docker: str, environ: Mapping[str, str], name: str = "") -> Context | None:
    """Return the context of that name, or without one the context in use; None if there is none.

    `docker` is the host path of Docker's client.
    """
    try:
        done = ask([docker, "context", "inspect", *([name] if name else [])], environ, seconds=_SECONDS)
    except OSError:
        return None
    contexts = parse_json(done.stdout)
    if not isinstance(contexts, list) or len(contexts) != 1:
        return None
    context = contexts[0]
    host = get_text(get_object(get_object(context, "Endpoints"), "docker"), "Host")
    return Context(get_text(context, "Name"), host, get_text(get_object(context, "Metadata"), "Description"))


def daemon_in_use(docker: str, environ: Mapping[str, str]) -> Context | None:
    """Return the context in use with which Docker's client finds its daemon, None if there is none."""
    host = environ.get("DOCKER_HOST", "").strip()
    return Context("", host, "") if host else find_context(docker, environ)


def without_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that override the context of `docker context use`."""
    return {name: value for name, value in environ.items() if name not in BEAT_CONTEXTS}
