"""Slow work, each piece in a process of its own: no client waits for another one's file system.

Threads were tried. One that computes holds Python's lock, and all others crawl; nobody can end it; when root becomes
the owner of a workspace, to make a mount point there, all threads do; and the memory that it took stays. A process is
forked in less than a millisecond, with all that was imported. What it had to import itself is imported here as soon as
its result is passed on: the next one has it then.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module

from paude_venv_hook.proxy.loop import IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from paude_venv_hook.proxy.loop import Loop

    # It returns its result, which marshal can write, and what is still to be done once that is on its way.
    Work = Callable[[], tuple[Any, Callable[[], None]]]

_BLOCK_BYTES = 256 * 1024
_PAUSE_SECONDS = 0.1


class Helper:
    """A process that does one piece of work."""

    def __init__(self, loop: Loop, work: Work, done: Callable[[Any], None]) -> None:
        """Start it. `done` gets the result, or None if the process ended without one.

        Raises OSError if it cannot be started.
        """
        self._loop, self._done = loop, done
        self._parts: list[bytes] = []
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = os.fork()
            except OSError:
                self._socket.close()
                raise
            if not self._process:
                _work(work, theirs, loop)
        loop.adopt(self._socket)
        loop.watch(self._socket, IN, self)

    def ready(self, *_: object) -> None:
        """Take a part of the result, or all of it at its end."""
        try:
            part = self._socket.recv(_BLOCK_BYTES)
        except OSError:
            part = b""
        if part:
            self._parts.append(part)
            return
        self._loop.drop(self._socket)
        self._wait_for(self._process)
        self._process = 0
        data = b"".join(self._parts)
        if not data:
            self._done(None)
            return
        result, modules = marshal.loads(data)  # noqa: S302 - our own process wrote it
        self._done(result)
        self._loop.later(0, lambda: _load(modules))

    def close(self) -> None:
        """End the process, if it has no result yet: nobody wants that any more."""
        self._loop.drop(self._socket)
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            self._wait_for(self._process)
            self._process = 0

    def _wait_for(self, process: int) -> None:
        """Wait until the process has ended, without waiting: a file system that hangs can keep it."""
        try:
            has_ended = os.waitpid(process, os.WNOHANG) != (0, 0)
        except ChildProcessError:  # whoever started the proxy lets the system wait for all
            return
        if not has_ended:
            self._loop.later(_PAUSE_SECONDS, lambda: self._wait_for(process))


def _work(work: Work, answer: socket.socket, loop: Loop) -> NoReturn:
    """Do the work in the new process, and end it.

    It keeps no connection of the proxy, whose other side would not notice that the proxy has closed it.
    """
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        loop.close_sockets()
        loaded = set(sys.modules)
        result, finish = work()
        answer.sendall(marshal.dumps((result, [name for name in sys.modules if name not in loaded])))
        answer.close()
        finish()
    finally:
        os._exit(0)


def _load(modules: list[str]) -> None:
    for name in modules:
        with suppress(ImportError, OSError):  # no file can be opened now, say
            import_module(name)
