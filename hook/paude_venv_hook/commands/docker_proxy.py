"""`docker-proxy`: a socket in front of Docker's, through which every client gets the shadows."""

from __future__ import annotations

import os

from paude_venv_hook.command_line.options import argument
from paude_venv_hook.docker_api.sockets import (
    Upstream,
    find_docker_socket,
    is_same_socket,
    own_socket,
    socket_in,
)
from paude_venv_hook.errors import EngineError
from paude_venv_hook.terminal import say_warnings

SUMMARY = "serve Docker's API with the shadows added, for every client of it"
POSITION = 11
ARGUMENTS = (
    argument("--listen", metavar="SOCKET", help="where clients reach it (default: in the user's runtime folder)"),
    argument(
        "--upstream",
        metavar="SOCKET",
        help="Docker's own socket (default: DOCKER_HOST, else the docker context in use, else the usual places)",
    ),
)
EXAMPLES = """\
  paude-venv-hook docker-proxy
  paude-venv-hook docker-proxy --listen ~/.cache/paude/run/docker.sock --upstream /var/run/docker.sock
"""


class Options:
    """The values of the arguments."""

    listen: str | None = None
    upstream: str | None = None


def execute(options: Options) -> int:
    """Serve until a signal ends it: 0 after SIGTERM, 130 after ^C."""
    if is_windows():
        raise EngineError("docker-proxy: needs Unix sockets, which Docker has none of on Windows; run it in WSL")
    from paude_venv_hook.proxy.listener import listening, passed_socket, run  # noqa: PLC0415 - heavy

    passed = passed_socket(os.environ)
    if passed:
        own = passed.getsockname()
    else:
        own = own_socket(os.environ) if options.listen is None else _path(options.listen, "--listen")
    if options.upstream is None:
        upstream = find_docker_socket(os.environ, own)
    else:
        upstream = Upstream(_path(options.upstream, "--upstream"))
    if not is_same_socket(own, upstream.path):  # which `run` refuses
        say_warnings(filter(None, [upstream.why_silent()]))  # its daemon may come later
    if passed:
        with passed:
            return run(passed, upstream.path, os.environ)
    with listening(own) as listener:
        return run(listener, upstream.path, os.environ)


def is_windows() -> bool:
    """Tell whether this is Windows."""
    return os.name == "nt"


def _path(given: str, flag: str) -> str:
    """Return the host path that the value of a flag names, a path or as DOCKER_HOST has it."""
    return socket_in(given, flag) if "://" in given else os.path.abspath(given)
