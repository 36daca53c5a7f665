"""A private proxy around one program: a socket in front of Docker's that lives as long as what the program started.

The program replaces this process, and the proxy is a helper: a grandchild in a session of its own. So nothing has to be
passed on: signals, the terminal, job control and exit codes are the program's. `life` says when the helper ends. Each
step here is the cure of something that was seen in a run.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import locked
from paude_venv_hook.proxy.closed import refuse_open
from paude_venv_hook.proxy.place import FAMILY, PROGRAMS, SOCKET, write_before
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from paude_venv_hook.proxy.loop import Loop
    from paude_venv_hook.proxy.person import Person

# What the program inherits must not be a descriptor that a script may use itself; few take one above a hundred.
_HIGH, _LESS_HIGH = 120, 20
_BACKLOG = 128
_RANDOM_BYTES = 4
_MOST_SOCKET_BYTES = 103  # macOS; on Linux it is 107


class _Descriptors(NamedTuple):
    """What the helper keeps open: -1 for what is not there.

    `lock` keeps others from cleaning the folder up, `program` can be read once the program has ended, `holders` once
    nobody has the other end of the pipe any more.
    """

    lock: int
    listener: int
    program: int
    holders: int


class Upstream(NamedTuple):
    """What the helper serves: the host path of the daemon's socket, "" for none, and how.

    `environ` is the environment before ours, `folder` is the host folder in which somebody asked for it, "" if that is
    gone, and `verbosity` is how much is said (`terminal`).
    """

    socket: str
    environ: Mapping[str, str]
    folder: str
    verbosity: int


def surround(links: Mapping[str, str], upstream: Upstream) -> str:
    """Start a helper, and return the host path of its private folder; the caller becomes the program.

    `links` are the programs that are to come first on PATH: their names, and the host paths of what they lead to.
    Raises EngineError if the folder or the helper cannot be made.
    """
    folder = ""
    try:
        folder, lock = _make_folder(upstream.environ)
        write_before(folder, upstream.environ, upstream.socket)
        _make_links(os.path.join(folder, PROGRAMS), links)
        listener = _listen(os.path.join(folder, SOCKET)) if upstream.socket else -1
        holders, _ = _make_pipe()
        process = os.getpid()
        descriptors = _Descriptors(lock, listener, _open_own_process(), holders)
        _fork_twice(lambda: _help(folder, descriptors, process, upstream))
    except OSError as error:
        _remove(folder)
        why = error.strerror or error
        raise EngineError(
            f"a private socket cannot be made: {why}; let XDG_RUNTIME_DIR name a folder of yours with a short path"
        ) from None
    return folder


# ---- the folder


def _make_folder(environ: Mapping[str, str]) -> tuple[str, int]:
    """Return the host path of a new private folder, and the descriptor that keeps it; removes what killed ones left.

    Raises OSError.
    """
    problem = OSError(None, "no folder for it is this user's alone")
    for family in _families(environ):
        try:
            with suppress(FileExistsError):
                os.mkdir(family, mode=0o700)
            if os.path.islink(family):
                continue
            refuse_open(family)
            with locked(family):
                _remove_abandoned(family)
                folder = os.path.join(family, os.urandom(_RANDOM_BYTES).hex())
                os.mkdir(folder, mode=0o700)
                return folder, _keep(folder)
        except OSError as error:
            problem = error
        except EngineError:  # others can write to it
            continue
    raise problem


def _families(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the host paths of folders for private ones, the best first; a socket's path in them is not too long."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    user = os.geteuid()
    candidates = [
        os.path.join(runtime, FAMILY),
        os.path.join(environ.get("TMPDIR", ""), f"{FAMILY}-{user}"),
        f"/tmp/{FAMILY}-{user}",  # noqa: S108 - who owns it is looked at
    ]
    for family in candidates:
        longest = os.path.join(family, "0" * 2 * _RANDOM_BYTES, SOCKET)
        if os.path.isabs(family) and len(os.fsencode(longest)) <= _MOST_SOCKET_BYTES:
            yield family


def _keep(folder: str) -> int:
    """Return a descriptor with which this folder counts as in use, until nobody has it any more. Raises OSError."""
    import fcntl  # noqa: PLC0415 - not on Windows

    descriptor = _raise(os.open(folder, os.O_RDONLY))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_abandoned(family: str) -> None:
    """Remove what helpers that were killed have left."""
    for name in os.listdir(family):
        folder = os.path.join(family, name)
        try:
            descriptor = _keep(folder)
        except OSError:  # in use, or another user's by now
            continue
        _remove(folder)
        os.close(descriptor)


def _remove(folder: str) -> None:
    """Remove a private folder (a host path) as far as that is possible.

    Docker makes a directory at a socket that is missing when a container starts that binds it: root's, and in the place
    of ours.
    """
    for place in (os.path.join(folder, PROGRAMS), folder):
        with suppress(OSError):
            for name in os.listdir(place):
                path = os.path.join(place, name)
                with suppress(OSError):
                    os.unlink(path)
                with suppress(OSError):
                    os.rmdir(path)
            os.rmdir(place)


def _make_links(folder: str, links: Mapping[str, str]) -> None:
    os.mkdir(folder, mode=0o700)
    for name, program in links.items():
        os.symlink(program, os.path.join(folder, name))


# ---- descriptors


def _raise(descriptor: int) -> int:
    """Return a descriptor in place of this one that is above those of scripts, and is closed when a program starts.

    One that was opened while stdin or stdout was closed would be theirs.
    """
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:  # beyond what this process may have
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LESS_HIGH)
    os.close(descriptor)
    return high


def _listen(path: str) -> int:
    """Return the descriptor of a socket that listens at a host path."""
    import _socket  # noqa: PLC0415 - `socket` itself takes as long as all of this module

    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(_BACKLOG)
    return _raise(listener.detach())


def _make_pipe() -> tuple[int, int]:
    """Return both ends of a pipe; the one to write to is inherited by the program, and by what that starts."""
    ours, theirs = map(_raise, os.pipe())
    os.set_inheritable(theirs, True)  # noqa: FBT003 - it takes no keyword
    return ours, theirs


def _open_own_process() -> int:
    """Return a descriptor of this process, which will be the program; -1 on a system that has none (pidfd_open(2))."""
    try:
        return _raise(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return -1


# ---- the helper


def _fork_twice(action: Callable[[], None]) -> None:
    """Do something in a grandchild in a session of its own, which is no child of the program's."""
    child = os.fork()
    if child:
        with suppress(ChildProcessError):  # SIGCHLD is ignored
            os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            action()
    except Exception as error:  # noqa: BLE001 - there is nobody to raise it to
        from paude_venv_hook.terminal import bug, say  # noqa: PLC0415 - only on the way to a message

        say(bug(error))
    finally:
        os._exit(0)


def _help(folder: str, descriptors: _Descriptors, process: int, upstream: Upstream) -> None:
    """Be the helper of the program with this process id."""
    import signal  # noqa: PLC0415 - in the helper alone

    from paude_venv_hook.proxy.life import Life  # noqa: PLC0415 - as above
    from paude_venv_hook.proxy.loop import Loop  # noqa: PLC0415 - as above
    from paude_venv_hook.proxy.person import Person  # noqa: PLC0415 - as above
    from paude_venv_hook.proxy.setup import set_up  # noqa: PLC0415 - as above

    stop, stopping = map(_raise, os.pipe())
    _close_others({*descriptors, stop, stopping})
    os.chdir("/")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: _write(stopping))
    loop = Loop()
    person = Person(upstream.folder, upstream.verbosity)
    setup = set_up(upstream.socket, os.path.join(folder, SOCKET), upstream.environ, person)
    life = Life(loop, descriptors.holders, setup, person, lambda: _write(stopping))
    life.await_end(_descriptor_of_end(descriptors.program, process))
    try:
        if upstream.socket:
            _serve(descriptors.listener, upstream, stop, loop, person)
        else:
            loop.run(stop)
    finally:
        _remove(folder)


def _write(descriptor: int) -> None:
    os.write(descriptor, b"x")


def _descriptor_of_end(descriptor: int, process: int) -> int:
    """Return the descriptor that can be read once a process has ended, -1 if this system has none."""
    if sys.platform == "darwin":
        import select  # noqa: PLC0415 - in the helper alone

        queue = select.kqueue()
        ended = select.kevent(process, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        try:
            queue.control([ended], 0)
        except OSError:  # it has ended already: the pipe tells the same
            return -1
        return os.dup(queue.fileno())
    return descriptor


def _serve(listener: int, upstream: Upstream, stop: int, loop: Loop, person: Person) -> None:
    from socket import socket  # noqa: PLC0415 - it loads while the program starts

    from paude_venv_hook.proxy.server import serve  # noqa: PLC0415 - as above

    with socket(fileno=listener) as server:
        serve(server, upstream.socket, upstream.environ, stop, loop=loop, person=person)


def _close_others(kept: set[int]) -> None:
    """Close all that was inherited but stderr; stdin and stdout lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    if not _is_open(2):
        os.dup2(nowhere, 2)
    for descriptor in _open_descriptors():
        if descriptor > 2 and descriptor not in kept:  # noqa: PLR2004 - stderr
            with suppress(OSError):
                os.close(descriptor)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _open_descriptors() -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:  # nothing is mounted there
        return range(os.sysconf("SC_OPEN_MAX"))
