"""The private folder of one `exec`: what is in it, and how an environment is led to it and back.

A wrapper that only passes a call on loads this, and nothing else of the proxy.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

# The folder that holds the private ones of a user; the name tells a socket of ours from every other one.
FAMILY = "paude-exec"
SOCKET = "docker.sock"
PROGRAMS = "bin"
_BEFORE = "docker-host-before"
_UNIX = "unix://"


def write_before(folder: str, environ: Mapping[str, str], socket: str) -> None:
    """Keep in a private folder what DOCKER_HOST was, and the host path of the daemon's socket. Raises OSError."""
    with open(os.path.join(folder, _BEFORE), "x", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{environ.get('DOCKER_HOST', '')}\n{socket}")


def address(folder: str) -> str:
    """Return the address of the private socket in a folder (a host path), as Docker's client has it."""
    return f"{_UNIX}{os.path.join(folder, SOCKET)}"


def lead_to(folder: str, environ: MutableMapping[str, str], *, has_proxy: bool, has_programs: bool) -> None:
    """Lead clients of Docker's API to the private socket of a folder (a host path), and shells to its programs."""
    if has_proxy:
        environ["DOCKER_HOST"] = address(folder)
    if has_programs:
        path = environ.get("PATH", os.defpath)
        environ["PATH"] = f"{os.path.join(folder, PROGRAMS)}{os.pathsep}{path}"


def lead_back(environ: MutableMapping[str, str], words: Sequence[str] = ()) -> list[str]:
    """Put DOCKER_HOST back, if it leads to a private socket, to what it was before, and return words led back too.

    Those are of a command line: a script may have put the private socket into it, such as `-v ${DOCKER_HOST#unix://}:…`,
    and what it starts may outlive that. What somebody set meanwhile stays. PATH stays too: a program that is started
    from here, such as a plugin, may start an engine itself.
    """
    private = environ.get("DOCKER_HOST", "").removeprefix(_UNIX)
    folder = os.path.dirname(private)
    if not is_private(folder):
        return [*words]
    try:
        with open(os.path.join(folder, _BEFORE), encoding="utf-8", errors="surrogateescape") as file:
            before, _, socket = file.read().partition("\n")
    except OSError:  # it ended already
        before, socket = "", private
    if before:
        environ["DOCKER_HOST"] = before
    else:
        del environ["DOCKER_HOST"]
    return [word.replace(private, socket) for word in words]


def lead_out(environ: MutableMapping[str, str]) -> None:
    """Put back all that `lead_to` changed, in all private folders that an environment leads to."""
    lead_back(environ)
    folders = environ.get("PATH", "").split(os.pathsep)
    others = [folder for folder in folders if not is_private(os.path.dirname(folder))]
    if others != folders:
        environ["PATH"] = os.pathsep.join(others)


def is_private(folder: str) -> bool:
    """Tell whether a host path is that of a private folder, as far as its name tells."""
    return os.path.isabs(folder) and os.path.basename(os.path.dirname(folder)).startswith(FAMILY)
