"""The proxy in front of Docker's socket: each new container gets its shadows, and all else is passed on."""

from __future__ import annotations

from contextlib import suppress

from paude_venv_hook.proxy.client import Client, Shared
from paude_venv_hook.proxy.loop import IN, Loop
from paude_venv_hook.proxy.setup import set_up
from paude_venv_hook.terminal import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from paude_venv_hook.proxy.person import Person

_MOST_FILES = 65536
_MOST_CLIENTS_A_TURN = 64
_PAUSE_SECONDS = 1.0


def serve(
    listener: socket.socket,
    upstream: str,
    environ: Mapping[str, str],
    stop: int,
    *,
    person: Person | None = None,
    loop: Loop | None = None,
) -> None:
    """Serve what comes to a listening socket until the descriptor `stop` is readable, or at its end.

    `upstream` is the host path of the daemon's socket, `person` who asked for us, None if only folders that opted in
    count. `loop` is one that watches something else too. All connections end with it, and what plans a container. The
    listener stays open. Works in a forked process; what it imports is little until the first container is created.
    """
    _allow_files()
    loop = loop or Loop()
    try:
        setup = set_up(upstream, listener.getsockname(), environ, person)
        _Reception(listener, Shared(setup, loop, person))
        loop.run(stop)
    finally:
        loop.sockets.discard(listener)
        loop.close()


class _Reception:
    """Takes the clients that come."""

    def __init__(self, listener: socket.socket, shared: Shared) -> None:
        """Await them."""
        self._listener = listener
        self._shared = shared
        self._loop = shared.loop
        self._loop.adopt(listener)
        self._await()

    def _await(self) -> None:
        self._loop.watch(self._listener, IN, self)

    def ready(self, *_flags: object) -> None:
        """Take those that have come."""
        for _ in range(_MOST_CLIENTS_A_TURN):
            try:
                sock = self._listener.accept()[0]
            except BlockingIOError:
                return
            except OSError as error:  # for example too many open files: those that wait come later
                say(f"warning: a client has to wait: {error.strerror}")
                self._loop.unwatch(self._listener)
                self._loop.later(_PAUSE_SECONDS, self._await)
                return
            self._loop.adopt(sock)
            Client(sock, self._shared)

    def close(self) -> None:
        """Go on: a bug has ended a client that had just come."""


def _allow_files() -> None:
    """Let this process have two sockets for each of many clients."""
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
