"""The life of a private proxy: as long as the program, and whatever that has started, can need its socket.

What is left of them is known by a descriptor of the program's process, by a pipe that all it starts inherit, and, for
those who close what they inherit, by the address in the environment, or on the command line, of each process.
"""

from __future__ import annotations

import os
from contextlib import suppress

from paude_venv_hook.proxy.helpers import Helper
from paude_venv_hook.proxy.loop import IN
from paude_venv_hook.terminal import WARNINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from paude_venv_hook.proxy.loop import HasDescriptor, Loop
    from paude_venv_hook.proxy.person import Person
    from paude_venv_hook.proxy.setup import Setup

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_BLOCK_BYTES = 4096
_CONNECTED = "03"  # SS_CONNECTED, as /proc/net/unix has it


class Watched:
    """A descriptor that a loop watches."""

    def __init__(self, number: int) -> None:
        """Take it."""
        self._number = number

    def fileno(self) -> int:
        """Return it."""
        return self._number


class Life:
    """How long the helper lives: as long as the program, and whatever that started, can need its socket."""

    def __init__(self, loop: Loop, holders: int, setup: Setup, person: Person, end: Callable[[], None]) -> None:
        """Watch a pipe whose other end the program has, and all that it started; `end` is called at last."""
        self._loop = loop
        self._holders = Watched(holders)
        self._setup = setup
        self._person = person
        self._end = end
        self._pause = _FIRST_PAUSE
        self._has_holders = True
        self._awaits_program = False
        self._questions = 0
        self._waiting: list[Callable[[], None]] = []
        person.is_up = self._ask_for_reused
        loop.watch(self._holders, IN, self)

    def await_end(self, descriptor: int) -> None:
        """Take the descriptor that tells of the program's end; -1 if only the pipe does."""
        self._awaits_program = descriptor >= 0
        if self._awaits_program:
            self._loop.watch(Watched(descriptor), IN, self)

    def ready(self, source: HasDescriptor, *_: object) -> None:
        """Go on: the program has ended, or nobody has the pipe any more. Either may come first."""
        if source is self._holders:
            if os.read(source.fileno(), _BLOCK_BYTES):  # a program may write to whatever is open
                return
            self._has_holders = False
        else:
            self._awaits_program = False
        self._loop.unwatch(source)
        if self._awaits_program:
            return
        self._ask_for_reused()
        self._after_answers(_let_go_of_stderr)
        if not self._has_holders:
            self._after_answers(self._end_if_unused)

    def _ask_for_reused(self) -> None:
        """Find the containers that compose has reused, and name them."""
        if not self._person.projects or self._person.verbosity < WARNINGS:
            return
        from paude_venv_hook.proxy.planning import nothing_more  # noqa: PLC0415 - only if compose was started
        from paude_venv_hook.proxy.reused import lines_on_reused  # noqa: PLC0415 - as above

        projects = sorted(self._person.projects)
        with suppress(OSError):
            Helper(self._loop, lambda: (lines_on_reused(projects, self._setup), nothing_more), self._answered)
            self._questions += 1

    def _answered(self, lines: list[str] | None) -> None:
        self._questions -= 1
        if lines:
            self._person.tell(lines)
        if not self._questions:
            waiting, self._waiting = self._waiting, []
            for action in waiting:
                action()

    def _after_answers(self, action: Callable[[], None]) -> None:
        """Do something once no answer is awaited any more."""
        if self._questions:
            self._waiting.append(action)
        else:
            action()

    def _end_if_unused(self) -> None:
        socket = self._setup.own
        if _is_connected(socket) or _is_named(f"unix://{socket}"):
            self._loop.later(self._pause, self._end_if_unused)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        else:
            self._end()

    def close(self) -> None:
        """Give nothing back: the process ends with the loop."""


def _is_connected(socket: str) -> bool:
    """Tell whether a client is connected to the socket, if this system tells (proc_net(5))."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
            connections = [line.split(maxsplit=7) for line in table]
    except OSError:
        return False
    return any(words[5] == _CONNECTED and words[-1].rstrip("\n") == socket for words in connections)


def _is_named(address: str) -> bool:
    """Tell whether a process of this user was started with the address, if this system tells (proc(5))."""
    word = os.fsencode(address)
    wanted = {b"DOCKER_HOST=" + word, word}  # a variable, and compose's `-H`
    try:
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return False
    return any(not wanted.isdisjoint(_given(process)) for process in processes)


def _given(process: str) -> list[bytes]:
    """Return the variables and the words with which a process was started."""
    given = []
    for name in ("environ", "cmdline"):
        with suppress(OSError), open(f"/proc/{process}/{name}", "rb") as file:
            given += file.read().split(b"\0")
    return given


def _let_go_of_stderr() -> None:
    """Let a pipe end of which the program's stderr was the last writer, such as `… 2>&1 | tail`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
