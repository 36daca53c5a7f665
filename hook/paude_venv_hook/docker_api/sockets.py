"""Docker's API on this machine: the socket that Docker's own client would reach, and the proxy's own."""

from __future__ import annotations

import errno
import os
import sys

from paude_venv_hook.docker_api.contexts import find_context, find_docker
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import is_socket
from paude_venv_hook.folders import home_folder, needed_folder, user_folder
from paude_venv_hook.json_values import get_list, get_text, parse_json
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_DEFAULT = "/var/run/docker.sock"
_UNIX = "unix://"
_ANSWER_SECONDS = 5.0
_MOST_ANSWER_BYTES = 4 * 1024 * 1024
# What fits into sun_path with the zero byte after it (unix(7); on macOS sys/un.h).
_MOST_BYTES = 107 if sys.platform == "linux" else 103

_START = "start Docker"
_ADVICE = {
    errno.ENOENT: _START,
    errno.ECONNREFUSED: _START,
    errno.EACCES: "let this user use it, as a member of the group docker",
}


class Upstream(NamedTuple):
    """Docker's own socket: its host path, and what named it, "" for the usual path."""

    path: str
    said_in: str = ""

    def why_silent(self) -> str:
        """Return "" if something listens there, else a line that names the path, why nothing does, and what to do."""
        code = _why_not_connected(self.path)
        if not code:
            return ""
        reason = "no such file" if code == errno.ENOENT else os.strerror(code)
        led = f"{self.said_in} leads to " if self.said_in else ""
        return f"{led}{shown(self.path)}: {reason}; {_ADVICE.get(code, 'see whether Docker runs')}"


def _why_not_connected(path: str) -> int:
    """Return 0, or the number of the error with which nothing at a host path takes a connection."""
    from socket import AF_UNIX, socket  # noqa: PLC0415 - not for a mere path

    with socket(AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            code = connection.connect_ex(path)
        except OSError:  # Python itself refuses a path that is too long
            return errno.ENAMETOOLONG
    return 0 if code == errno.EAGAIN else code  # it is there, and has much to do


def does_answer(path: str) -> bool:
    """Tell whether what listens at a socket (a host path) answers as Docker's API does."""
    from socket import AF_UNIX, socket  # noqa: PLC0415 - not for a mere path

    with socket(AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
        except OSError:
            return False


def own_socket(environ: Mapping[str, str]) -> str:
    """Return the host path on which the proxy listens by default, in a folder that holds nothing else.

    Raises EngineError if there is no place for it.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        folder = os.path.join(runtime, "paude")
    else:
        folder = os.path.join(needed_folder(user_folder("cache"), EngineError, "use --listen"), "run")
    return refuse_long(os.path.join(folder, "docker.sock"), "--listen")


def find_docker_socket(environ: Mapping[str, str], proxy_socket: str) -> Upstream:
    """Return the socket that Docker's client reaches, whether or not a daemon is there now.

    DOCKER_HOST says it, else the docker context in use, else it is where Docker, a rootless one or Docker Desktop
    usually has it. `proxy_socket`, the host path of the proxy's socket, is none of these: whoever uses the proxy has
    named it there. Raises EngineError if the daemon is on another machine, and if nothing tells of one.
    """
    for host, said_in in _named_sockets(environ):
        path = socket_in(host, said_in)
        if not is_same_socket(path, proxy_socket):
            return Upstream(path, said_in)
    places = _usual_sockets(environ)
    for path in places:
        if os.path.isabs(path) and is_socket(path) and not is_same_socket(path, proxy_socket):
            return Upstream(path)
    raise EngineError(
        f"no socket of Docker in {', '.join(map(shown, places))}; start Docker, or name it in DOCKER_HOST"
    )


def _named_sockets(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the address in DOCKER_HOST, then that of the context in use, each with its source."""
    host = environ.get("DOCKER_HOST", "").strip()
    if host:
        yield host, "DOCKER_HOST"
    docker = find_docker(environ)
    if docker is None:
        return
    context = find_context(docker, {name: environ[name] for name in environ if name != "DOCKER_HOST"})
    if context and context.host:
        yield context.host, context.said_in


def _usual_sockets(environ: Mapping[str, str]) -> list[str]:
    """Return the host paths on which Docker, a rootless one and Docker Desktop usually listen."""
    places = [_DEFAULT]
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        places.append(os.path.join(runtime, "docker.sock"))
    return [*places, os.path.join(home_folder(), ".docker", "run", "docker.sock")]


def socket_in(host: str, said_in: str) -> str:
    """Return the host path of the socket that a value of DOCKER_HOST names; `said_in` is where the value stands.

    Raises EngineError for what is no local socket.
    """
    if not host.startswith(_UNIX):
        raise EngineError(
            f"{said_in}: {shown(host)} is no socket of this machine, whose folders a daemon elsewhere does not bind; "
            "name a local socket, as unix:///var/run/docker.sock"
        )
    path = host.removeprefix(_UNIX) or _DEFAULT
    if not os.path.isabs(path):
        raise EngineError(f"{said_in}: {shown(host)} is no absolute path; write unix:///PATH")
    return refuse_long(path, said_in)


def refuse_long(path: str, said_in: str) -> str:
    """Return the host path of a socket; EngineError if it is longer than a socket's can be."""
    if len(os.fsencode(path)) > _MOST_BYTES:
        raise EngineError(
            f"{said_in}: {shown(path)} is longer than the {_MOST_BYTES} bytes that a socket's path can have; "
            "name a shorter one"
        )
    return path


def is_same_socket(path: str, other: str) -> bool:
    """Tell whether two host paths lead to one socket, which need not be there yet."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def engine_at(path: str) -> str:
    """Return the engine that serves Docker's API at a socket: `podman` or `docker`. Raises OSError."""
    version = ask_docker(path, "/version")
    names = [get_text(component, "Name") for component in get_list(version, "Components")]
    return "podman" if any(name.startswith("Podman") for name in names) else "docker"


def refuse_podman(path: str) -> None:
    """Raise EngineError if Podman serves the socket: its own hook covers all its clients. A silent socket is fine."""
    try:
        engine = engine_at(path)
    except OSError:
        return
    if engine == "podman":
        raise EngineError(
            f"{shown(path)}: is Podman's socket; for every client of Podman, run paude-venv-hook install "
            "--engine podman"
        )


def ask_docker(path: str, target: str) -> Any:
    """Return the JSON value that the daemon at a socket answers to a GET of Docker's API; None if it is not JSON.

    `target` is the path of the call, percent-encoded. Raises OSError.
    """
    import socket  # noqa: PLC0415 - not for a mere path

    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(path)
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())  # 1.0: the answer ends it
        answer = b""
        while len(answer) < _MOST_ANSWER_BYTES and (block := connection.recv(_MOST_ANSWER_BYTES)):
            answer += block
    return parse_json(answer.partition(b"\r\n\r\n")[2])
