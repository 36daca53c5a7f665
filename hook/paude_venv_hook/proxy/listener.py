"""The socket on which the proxy of Docker's API listens, and the proxy's life on it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import stat
from contextlib import contextmanager, suppress

from paude_venv_hook.docker_api.sockets import is_same_socket, is_socket, refuse_long
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import locked
from paude_venv_hook.proxy.end import cancel
from paude_venv_hook.proxy.server import Proxy
from paude_venv_hook.terminal import complain
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

_BACKLOG = 4096  # as Docker's own, up to the system's limit
_MOST_FILES = 65536
_PAUSE_SECONDS = 1.0
_FIRST_PASSED = 3  # sd_listen_fds(3)
# The exit code for each signal that ends the proxy: systemd stops it with SIGTERM.
_CODES = {signal.SIGTERM: 0, signal.SIGINT: 130, **({signal.SIGHUP: 129} if hasattr(signal, "SIGHUP") else {})}


def passed_socket(environ: MutableMapping[str, str]) -> socket.socket | None:
    """Return the listening socket that systemd passed to this process, None where it passed none.

    The variables are removed: they are not for the programs that are started from here. Raises EngineError for a
    socket that is not one to listen on here.
    """
    count, process = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count:
        return None
    if count != "1":
        raise EngineError(f"LISTEN_FDS: {shown(count)} sockets were passed; let ListenStream= of the unit name one")
    listener = _listener_at_path(_FIRST_PASSED)
    if not listener:
        raise EngineError("LISTEN_FDS: what was passed listens at no path; let ListenStream= of the unit be one")
    return listener


def _listener_at_path(descriptor: int) -> socket.socket | None:
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError:
        return None
    path = listener.getsockname() if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) else None
    if not isinstance(path, str) or not os.path.isabs(path):
        listener.close()
        return None
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
    return listener


@contextmanager
def listening(path: str) -> Iterator[socket.socket]:
    """Listen at a host path, for this user alone, and take the socket away again.

    A socket that nobody serves any more is replaced. Raises EngineError where another proxy does, and for a folder in
    which other users could put theirs.
    """
    refuse_long(path, "--listen")
    folder = os.path.dirname(path)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _refuse_open(folder)
            with locked(folder):
                _remove_stale(path)
                umask = os.umask(0o177)
                try:
                    listener.bind(path)
                finally:
                    os.umask(umask)
                listener.listen(_BACKLOG)
            ours = os.lstat(path)
        except OSError as error:
            why = error.strerror
            raise EngineError(f"{shown(path)}: cannot be listened on: {why}; name another --listen") from None
        try:
            yield listener
        finally:
            with suppress(OSError):
                if os.path.samestat(ours, os.lstat(path)):
                    os.unlink(path)


def _refuse_open(folder: str) -> None:
    found = os.stat(folder)
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineError(
            f"{shown(folder)}: other users can write to it, and with the proxy's socket they would have your Docker; "
            "name a --listen in a folder that is yours alone"
        )


def _remove_stale(path: str) -> None:
    if not os.path.lexists(path):
        return
    if not is_socket(path) or os.path.islink(path):
        raise EngineError(f"{shown(path)}: exists and is no socket; remove it, or name another --listen")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        code = probe.connect_ex(path)
    if code != errno.ECONNREFUSED:
        raise EngineError(f"{shown(path)}: a docker-proxy already runs there; use it, or name another --listen")
    os.unlink(path)


def run(listener: socket.socket, upstream: str, environ: MutableMapping[str, str]) -> int:
    """Serve what comes to a listening socket, until a signal ends it; return the exit code.

    `upstream` is the host path of the daemon's socket. Raises EngineError where that is the proxy's own.
    """
    path = listener.getsockname()
    if is_same_socket(path, upstream):
        raise EngineError(f"--upstream: {shown(upstream)} is the proxy's own socket; name Docker's")
    complain(f"in front of {shown(upstream)}; for what is to use it: export DOCKER_HOST=unix://{shown(path)}")
    _allow_files()
    return asyncio.run(_serve(listener, Proxy(upstream, environ)))


def _allow_files() -> None:
    """Let this process have two sockets for each of many clients."""
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _serve(listener: socket.socket, proxy: Proxy) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    for number, code in _CODES.items():
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` wants it ignored
            loop.add_signal_handler(number, end, code)
    with accepting(listener, proxy) as clients:
        await ended
    await cancel(*clients)
    return ended.result()


@contextmanager
def accepting(listener: socket.socket, proxy: Proxy) -> Iterator[set[asyncio.Task[None]]]:
    """Serve each client that comes meanwhile, as a task that is among those yielded for as long as it is served."""
    loop = asyncio.get_running_loop()
    clients: set[asyncio.Task[None]] = set()
    pause: asyncio.TimerHandle | None = None

    def accept() -> None:
        nonlocal pause
        try:
            sock, _ = listener.accept()
        except BlockingIOError:  # the client has gone again
            return
        except OSError as error:  # too many open files, say: those that wait are served when others have ended
            complain(f"warning: a client has to wait: {error.strerror}")
            loop.remove_reader(listener)
            pause = loop.call_later(_PAUSE_SECONDS, loop.add_reader, listener, accept)
            return
        sock.settimeout(0)
        task = loop.create_task(proxy.serve(sock))
        clients.add(task)
        task.add_done_callback(clients.discard)

    listener.settimeout(0)
    loop.add_reader(listener, accept)
    try:
        yield clients
    finally:
        loop.remove_reader(listener)
        if pause:
            pause.cancel()
