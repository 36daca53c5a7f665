"""The socket on which the proxy of Docker's API listens, and the proxy's life on it."""

from __future__ import annotations

import errno
import os
import signal
import socket
from contextlib import contextmanager, suppress

from paude_venv_hook.docker_api.sockets import is_same_socket, refuse_long
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import is_socket, locked
from paude_venv_hook.proxy.closed import refuse_open
from paude_venv_hook.proxy.server import serve
from paude_venv_hook.terminal import say
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

_BACKLOG = 4096  # as Docker's own, up to the system's limit
_FIRST_PASSED = 3  # sd_listen_fds(3)
# The exit code for each signal that ends the proxy: systemd stops it with SIGTERM.
_CODES = {signal.SIGTERM: 0, signal.SIGINT: 130, **({signal.SIGHUP: 129} if hasattr(signal, "SIGHUP") else {})}


def passed_socket(environ: MutableMapping[str, str]) -> socket.socket | None:
    """Return the listening socket that systemd passed to this process, None if it passed none.

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

    A socket that nobody serves any more is replaced. Raises EngineError if another proxy serves it, and for a folder
    in which other users could put theirs.
    """
    refuse_long(path, "--listen")
    folder = os.path.dirname(path)
    with socket.socket(socket.AF_UNIX) as listener:
        umask = os.umask(0o177)
        try:
            refuse_open(folder)
            os.umask(0o077)
            os.makedirs(folder, exist_ok=True)
            refuse_open(folder)
            with locked(folder):
                _remove_stale(path)
                os.umask(0o177)
                listener.bind(path)
                listener.listen(_BACKLOG)
            ours = os.lstat(path)
        except OSError as error:
            why = error.strerror
            raise EngineError(f"{shown(path)}: cannot be listened on: {why}; name another --listen") from None
        finally:
            os.umask(umask)
        try:
            yield listener
        finally:
            with suppress(OSError):
                if os.path.samestat(ours, os.lstat(path)):
                    os.unlink(path)


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


def run(listener: socket.socket, upstream: str, environ: Mapping[str, str]) -> int:
    """Serve what comes to a listening socket, until a signal ends it; return the exit code.

    `upstream` is the host path of the daemon's socket. Raises EngineError if that is the proxy's own.
    """
    path = listener.getsockname()
    if is_same_socket(path, upstream):
        raise EngineError(f"--upstream: {shown(upstream)} is the proxy's own socket; name Docker's")
    say(f"in front of {shown(upstream)}; for what is to use it: export DOCKER_HOST=unix://{shown(path)}")
    with _signals() as signals:
        serve(listener, upstream, environ, signals.fileno())
        return _CODES[signal.Signals(signals.recv(1)[0])]


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yield a socket to which the number of each signal comes that is to end the proxy."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)  # noqa: FBT003 - it takes no keyword
        before = {number: signal.getsignal(number) for number in _CODES}
        writes_to = signal.set_wakeup_fd(theirs.fileno())
        for number, handler in before.items():
            if handler != signal.SIG_IGN:  # `nohup` wants it ignored
                signal.signal(number, _do_nothing)
        try:
            yield ours
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(writes_to)


def _do_nothing(*_: object) -> None:
    """Let the signal's number be written, and nothing else happen."""
